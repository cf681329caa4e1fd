"""Files that cannot be written or read: which error, and what is left in the folder."""

import json
import os
import sys
import zipfile

import keras
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV, RegularizedMLPRegressor
from skreg.keras import save_model

pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model():
    X, y = load_iris(return_X_y=True)
    options = {"max_iter": 5, "numerical_encoding": None, "random_state": 0}
    return RegularizedMLPClassifier((8,), **options).fit(X, y)


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
        (RegularizedMLPClassifierCV(), NotFittedError, "not fitted"),
    ],
    ids=["not fitted", "a search"],
)
def test_an_estimator_without_a_network_is_refused(estimator, error, message, tmp_path):
    with pytest.raises(error, match=message):
        save_model(estimator, tmp_path / "model.keras")
    assert not os.listdir(tmp_path)


def test_an_old_file_of_keras_is_refused_with_a_way_out(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"...")
    with pytest.raises(ValueError, match=r"ending '\.keras'.*model\.h5'.*load_model and pass"):
        RegularizedMLPClassifier.from_keras(path)


def test_a_missing_exporter_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)  # importing it now fails
    monkeypatch.delitem(sys.modules, "skreg.onnx", raising=False)
    with pytest.raises(ImportError, match=r"'skl2onnx'.*pip install '\.\[onnx\]'"):
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


def replace_member(path, replaced, content):
    """Write another content into a file of the archive, compressed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, content if name == replaced else member)


def write_bad_labels(path):
    replace_member(path, "classes.json", b"{}")


@pytest.mark.parametrize("damage", [cut_off, write_text, write_another_archive, write_bad_labels])
@pytest.mark.parametrize("estimator", [RegularizedMLPClassifier, RegularizedMLPRegressor])
def test_a_damaged_file_is_refused(estimator, damage, model, tmp_path):
    path = tmp_path / "damaged.keras"
    save_model(model, path)
    damage(path)
    with pytest.raises(ValueError, match=r"damaged.keras', which cannot be read"):
        estimator.from_keras(path)


# A file of a few kilobytes must not take gigabytes.
HUGE_LABELS = {
    "a wide type": ({"dtype": "<U20000000", "classes": ["a", "b", "c"]}, "labels of at most"),
    "a type of many numbers": ({"dtype": "(30000000,)f8", "classes": [0, 1, 2]}, "labels of at"),
    "nested labels": ({"dtype": "<U1000", "classes": [["a"] * 9]}, "one number or text a label"),
}


@pytest.mark.parametrize(("labels", "message"), HUGE_LABELS.values(), ids=HUGE_LABELS.keys())
def test_labels_that_would_fill_the_memory_are_refused(labels, message, model, tmp_path):
    path = tmp_path / "huge.keras"
    save_model(model, path)
    replace_member(path, "classes.json", json.dumps(labels))
    with pytest.raises(ValueError, match=f"huge.keras', which cannot be read: .*{message}"):
        RegularizedMLPClassifier.from_keras(path)


@pytest.mark.parametrize("member", ["classes.json", "config.json"])
def test_a_member_that_would_fill_the_memory_is_refused(member, model, tmp_path):
    path = tmp_path / "huge.keras"
    save_model(model, path)
    replace_member(path, member, b" " * (1 << 27))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(
        ValueError, match=rf"cannot be read: .*at most 67108864 bytes in '{member}'"
    ):
        RegularizedMLPClassifier.from_keras(path)


@pytest.mark.parametrize("layer", [3, 5])
def test_layers_without_their_weights_in_the_file_are_refused(layer, model, tmp_path):
    path = tmp_path / "huge.keras"
    save_model(model, path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][layer]["config"]["units"] = 10**10
    replace_member(path, "config.json", json.dumps(config))
    with pytest.raises(ValueError, match=r"cannot be read: .*expected \d+ weights in the file"):
        RegularizedMLPClassifier.from_keras(path)


@pytest.mark.parametrize("name", ["input_dim", "output_dim"])
def test_an_embedding_without_its_weights_in_the_file_is_refused(name, tmp_path):
    path = tmp_path / "huge.keras"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(2, 3)])
    model.save(path)
    assert_refused_with_size(path, "Embedding", name, 10**9)


def test_a_recurrent_layer_without_its_weights_in_the_file_is_refused(tmp_path):
    path = tmp_path / "huge.keras"
    keras.Sequential([keras.Input((4, 1)), keras.layers.GRU(2)]).save(path)
    assert_refused_with_size(path, "GRU", "units", 10**5)


def assert_refused_with_size(path, layer, name, size):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    (found,) = [one for one in config["config"]["layers"] if one["class_name"] == layer]
    found["config"][name] = size
    replace_member(path, "config.json", json.dumps(config))
    with pytest.raises(ValueError, match=r"cannot be read: .*expected \d+ weights in the file"):
        RegularizedMLPClassifier.from_keras(path)


def test_weights_that_are_much_smaller_when_compressed_do_not_count(model, tmp_path):
    path = tmp_path / "huge.keras"
    save_model(model, path)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][3]["config"]["units"] = 10**7
    replace_member(path, "config.json", json.dumps(config))
    replace_member(path, "model.weights.h5", bytes(10**8))
    with pytest.raises(ValueError, match=r"cannot be read: .*expected \d+ weights in the file"):
        RegularizedMLPClassifier.from_keras(path)
