"""Files that cannot be written or read: which error, and what is left in the folder."""

import importlib.util
import os
import zipfile

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV, RegularizedMLPRegressor
from skreg.keras import save_model

pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model():
    X, y = load_iris(return_X_y=True)
    return RegularizedMLPClassifier((8,), max_iter=5, random_state=0).fit(X, y)


# -- refused before anything is written --------------------------------------------------------

BAD_PATHS = [
    ("model.h5", {}, ValueError, r"path: expected the ending.*received '.*model\.h5'"),
    ("model.onnx", {"format": "onx"}, ValueError, "format: expected one of .* received 'onx'"),
    ("model.zip", {"format": "keras"}, ValueError, r"expected the ending '\.keras'"),
    ("model.keras", {"format": "onnx"}, ValueError, r"if and only if .*; received .*'onnx'"),
    ("none/model.keras", {}, FileNotFoundError, "expected a folder that exists"),
    ("folder", {}, FileExistsError, "or a folder that does not exist"),
    ("dangling", {}, FileExistsError, "or a folder that does not exist"),
    (".keras", {}, ValueError, r"path: expected the ending '\.keras'"),
]


@pytest.mark.parametrize(("path", "options", "error", "message"), BAD_PATHS)
def test_a_bad_path_or_format_is_refused(path, options, error, message, model, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(error, match=message):
        save_model(model, tmp_path / path, **options)
    assert sorted(os.listdir(tmp_path)) == ["dangling", "folder"]


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (RegularizedMLPClassifier(), NotFittedError, "not fitted"),
        (RegularizedMLPClassifierCV(), TypeError, "received RegularizedMLPClassifierCV"),
    ],
    ids=["not fitted", "a search"],
)
def test_an_estimator_without_a_network_is_refused(estimator, error, message, tmp_path):
    with pytest.raises(error, match=message):
        save_model(estimator, tmp_path / "model.keras")
    assert not os.listdir(tmp_path)


def test_a_missing_exporter_is_named(model, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "tf2onnx" else find_spec(name)
    )
    with pytest.raises(ImportError, match=r"'tf2onnx'.*pip install 'skreg\[onnx\]'"):
        save_model(model, tmp_path / "model.onnx")
    assert not os.listdir(tmp_path)


def test_an_error_of_keras_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_text("the old file")

    def fail(self, path):
        path.write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr("keras.Model.save", fail)
    with pytest.raises(OSError, match="no space left"):
        save_model(model, path)
    assert os.listdir(tmp_path) == ["model.keras"]
    assert path.read_text() == "the old file"


# -- files that cannot be read -----------------------------------------------------------------


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="from_keras: expected a file; received"):
        RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-400])


def write_text(path):
    path.write_text("not a model")


def write_another_archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "another archive")


def write_bad_labels(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, b"{}" if name == "classes.json" else member)


@pytest.mark.parametrize("damage", [cut_off, write_text, write_another_archive, write_bad_labels])
@pytest.mark.parametrize("estimator", [RegularizedMLPClassifier, RegularizedMLPRegressor])
def test_a_damaged_file_is_refused(estimator, damage, model, tmp_path):
    path = tmp_path / "damaged.keras"
    save_model(model, path)
    damage(path)
    with pytest.raises(ValueError, match=r"damaged.keras', which cannot be read"):
        estimator.from_keras(path)
