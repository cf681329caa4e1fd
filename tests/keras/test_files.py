"""Files of networks: equal predictions from each format, labels inside, nothing half written."""

import importlib.util
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV, RegularizedMLPRegressor
from skreg.keras import save_model

keras = pytest.importorskip("keras")

IRIS = load_iris()
SPECIES = IRIS.target_names[IRIS.target]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return RegularizedMLPClassifier(**SMALL).fit(IRIS.data, SPECIES)


def in_keras(path, X):
    return keras.saving.load_model(path).predict(X, verbose=0)


def in_tensorflow(path, X):
    import tensorflow as tf

    module = tf.saved_model.load(path)  # which holds the variables
    return module.serve(tf.constant(X, tf.float32)).numpy()


def in_onnxruntime(path, X):
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})[0]


@pytest.mark.parametrize(
    ("name", "predicted"),
    [("m.keras", in_keras), ("m.onnx", in_onnxruntime), ("m", in_tensorflow)],
)
def test_every_format_predicts_the_same(name, predicted, model, tmp_path):
    path = tmp_path / name
    save_model(model, path)
    assert os.listdir(tmp_path) == [name]
    assert_allclose(predicted(path, IRIS.data), model.predict_proba(IRIS.data), atol=1e-5)
    X, y = load_diabetes(return_X_y=True)
    regressor = RegularizedMLPRegressor(**SMALL).fit(X, y)
    path = tmp_path / f"r{name[1:]}"
    save_model(regressor, path)
    assert_allclose(predicted(path, X)[:, 0] / y.max(), regressor.predict(X) / y.max(), atol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
@pytest.mark.parametrize(
    "classes",
    [
        SPECIES,
        SPECIES.astype(object),
        IRIS.target * 2,
        SPECIES > "t",
        SPECIES > "a",
    ],
)
def test_labels_come_back_from_a_keras_file(classes, tmp_path):
    fitted = RegularizedMLPClassifier(**SMALL).fit(IRIS.data, classes)
    save_model(fitted, tmp_path / "model.keras")
    back = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")
    assert_array_equal(back.classes_, fitted.classes_)
    assert back.classes_.dtype == fitted.classes_.dtype
    assert_array_equal(back.predict(IRIS.data), fitted.predict(IRIS.data))
    n_classes = len(fitted.classes_)
    other = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras", classes=range(n_classes))
    assert_array_equal(other.classes_, range(n_classes))


def test_labels_are_in_the_other_formats(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    save_model(model, tmp_path / "model.onnx")
    (labels,) = onnx.load(tmp_path / "model.onnx").metadata_props
    save_model(model, tmp_path / "model")
    in_assets = (tmp_path / "model" / "assets.extra" / "classes.json").read_text()
    for text in (labels.value, in_assets):
        assert json.loads(text)["classes"] == ["setosa", "versicolor", "virginica"]


def test_several_labels_and_numbers_come_back(tmp_path):
    X, y = load_digits(return_X_y=True)
    several = RegularizedMLPClassifier(**SMALL).fit(X, np.c_[y > 4, y % 2])
    save_model(several, tmp_path / "several.keras")
    back = RegularizedMLPClassifier.from_keras(str(tmp_path / "several.keras"))
    assert_array_equal(back.predict(X), several.predict(X))
    regressor = RegularizedMLPRegressor(**SMALL).fit(X, y)
    save_model(regressor, tmp_path / "numbers.keras")
    back = RegularizedMLPRegressor.from_keras(tmp_path / "numbers.keras")
    assert_allclose(back.predict(X), regressor.predict(X), atol=1e-4)


@pytest.mark.parametrize("changes", [{"loss": "quantile"}, {}])
def test_what_keras_could_not_train_can_predict_elsewhere(changes, tmp_path):
    """No loss of Keras is a quantile's, or has two scales; a file without a loss needs none."""
    X, y = load_diabetes(return_X_y=True)
    y = y if changes else np.c_[y, 100 * y]
    model = RegularizedMLPRegressor(**changes, **SMALL).fit(X, y)
    save_model(model, tmp_path / "model.onnx")
    expected = model.predict(X).reshape(len(X), -1)
    predicted = in_onnxruntime(tmp_path / "model.onnx", X)
    assert_allclose(predicted / y.max(), expected / y.max(), atol=1e-5)
    save_model(model, tmp_path / "model.keras")
    back = RegularizedMLPRegressor.from_keras(tmp_path / "model.keras")
    assert_allclose(back.predict(X) / y.max(), model.predict(X) / y.max(), atol=1e-5)
    assert not keras.saving.load_model(tmp_path / "model.keras").compiled


def fourth_power(y, predicted):
    return (y - predicted) ** 4


def test_a_file_with_a_loss_of_the_users_own(tmp_path):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    theirs.compile("adam", fourth_power)
    theirs.save(tmp_path / "model.keras")
    ours = RegularizedMLPRegressor.from_keras(tmp_path / "model.keras")
    assert_allclose(ours.predict(IRIS.data), theirs.predict(IRIS.data, verbose=0)[:, 0], atol=1e-5)


def test_a_functional_model_that_was_saved_comes_here(tmp_path):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, "softmax")(keras.layers.Dense(5, "relu")(inputs))
    theirs = keras.Model(inputs, outputs)
    theirs.save(tmp_path / "model.keras")
    ours = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")
    assert_allclose(ours.predict_proba(IRIS.data), theirs.predict(IRIS.data, verbose=0), atol=1e-5)


def test_numpy_and_a_file_that_is_replaced(model, tmp_path):
    pytest.importorskip("tf2onnx")
    for _ in range(2):
        save_model(model, tmp_path / "model.bin", format="onnx")
        assert "object" not in vars(np)
    assert_allclose(in_onnxruntime(tmp_path / "model.bin", IRIS.data).sum(axis=1), 1, atol=1e-5)


def test_a_file_that_is_hidden(model, tmp_path):
    save_model(model, tmp_path / ".model.keras")
    assert_array_equal(
        RegularizedMLPClassifier.from_keras(tmp_path / ".model.keras").classes_, model.classes_
    )


def test_the_process_is_as_it_was(model, tmp_path):
    """Keras draws from Python's generator; exporters add a handler of logs and set their level."""
    pytest.importorskip("tf2onnx")
    before = random.getstate(), logging.root.handlers.copy(), dict(os.environ)
    for name in ("m.keras", "m.onnx", "m"):
        save_model(model, tmp_path / name)
    RegularizedMLPClassifier.from_keras(tmp_path / "m.keras")
    model.to_keras()
    assert (random.getstate(), logging.root.handlers, dict(os.environ)) == before


def test_strings_of_variable_width_and_numbers_among_objects_are_written(tmp_path):
    names = SPECIES.astype(np.dtypes.StringDType())
    fitted = RegularizedMLPClassifier(**SMALL).fit(IRIS.data, SPECIES)
    fitted.classes_ = np.unique(names)
    save_model(fitted, tmp_path / "model.keras")
    back = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")
    assert_array_equal(back.classes_, np.unique(SPECIES))
    fitted.classes_ = np.array([np.int64(2), np.float32(0.5), 7], dtype=object)  # as numbers
    save_model(fitted, tmp_path / "model.keras")
    back = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras", classes=None)
    assert_array_equal(back.classes_, [0.5, 2, 7])


def test_what_cannot_be_written_is_refused_before_anything_is(model, tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for path, options, error, message in (
        ("model.h5", {}, ValueError, r"path: expected the ending.*received '.*model\.h5'"),
        ("model.onnx", {"format": "onx"}, ValueError, "format: expected one of .* received 'onx'"),
        ("model.zip", {"format": "keras"}, ValueError, r"expected the ending '\.keras'"),
        ("model.keras", {"format": "onnx"}, ValueError, r"and for no other; received .*'onnx'"),
        ("none/model.keras", {}, FileNotFoundError, "expected a folder that exists"),
        ("folder", {}, FileExistsError, "or a folder that does not exist"),
        ("dangling", {}, FileExistsError, "or a folder that does not exist"),
        (".keras", {}, ValueError, r"path: expected the ending '\.keras'"),
    ):
        with pytest.raises(error, match=message):
            save_model(model, tmp_path / path, **options)
    with pytest.raises(NotFittedError):
        save_model(RegularizedMLPClassifier(), tmp_path / "model.keras")
    with pytest.raises(TypeError, match="received RegularizedMLPClassifierCV"):
        save_model(RegularizedMLPClassifierCV(), tmp_path / "model.keras")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else found(name)
    )
    with pytest.raises(ImportError, match=r"'tf2onnx'.*pip install 'skreg\[onnx\]'"):
        save_model(model, tmp_path / "model.onnx")
    assert sorted(os.listdir(tmp_path)) == ["dangling", "folder"]


def test_nothing_is_left_half_written(model, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_text("what was there before")

    def fail(self, path):
        path.write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="no space left"):
        save_model(model, path)
    assert os.listdir(tmp_path) == ["model.keras"]
    assert path.read_text() == "what was there before"


def test_labels_that_no_file_can_hold_are_refused(tmp_path):
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")[IRIS.target[:100]]
    dated = RegularizedMLPClassifier(**SMALL).fit(IRIS.data[:100], days)
    with pytest.raises(ValueError, match="labels that are numbers, strings or booleans"):
        save_model(dated, tmp_path / "model.keras")
    assert not os.listdir(tmp_path)


def test_damaged_and_foreign_files_are_refused(model, tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(FileNotFoundError, match="from_keras: expected a file; received"):
        RegularizedMLPClassifier.from_keras(path)
    save_model(model, path)
    whole = path.read_bytes()
    emptied, unlabelled = tmp_path / "emptied.keras", tmp_path / "labels.keras"
    with zipfile.ZipFile(emptied, "w") as archive:
        archive.writestr("readme.txt", "another archive")
    shutil.copy(path, unlabelled)
    with zipfile.ZipFile(unlabelled) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(unlabelled, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, b"{}" if name == "classes.json" else member)
    (tmp_path / "cut.keras").write_bytes(whole[:-400])
    (tmp_path / "text.keras").write_text("not a model")
    for name in ("cut", "text", "emptied", "labels"):
        for kind in (RegularizedMLPClassifier, RegularizedMLPRegressor):
            with pytest.raises(ValueError, match=f"{name}.keras', which cannot be read"):
                kind.from_keras(tmp_path / f"{name}.keras")


def test_another_backend_of_keras(model, tmp_path):
    """Networks go out, predict and come back; the other formats say that they need TensorFlow."""
    pytest.importorskip("jax")
    script = (
        "import numpy as np, joblib\n"
        "from skreg import RegularizedMLPClassifier\n"
        "from skreg.keras import save_model\n"
        f"X, y = joblib.load({str(tmp_path / 'rows')!r})\n"
        "model = RegularizedMLPClassifier(hidden_layer_sizes=8, max_iter=3, random_state=0)\n"
        "exported = model.fit(X, y).to_keras()\n"
        "predicted = exported.predict(X, verbose=0)\n"
        "np.testing.assert_allclose(predicted, model.predict_proba(X), atol=1e-5)\n"
        f"save_model(model, {str(tmp_path / 'm.keras')!r})\n"
        f"back = RegularizedMLPClassifier.from_keras({str(tmp_path / 'm.keras')!r})\n"
        "assert (back.predict(X) == model.predict(X)).all()\n"
        "for path in ('m', 'm.onnx'):\n"
        "    try:\n"
        f"        save_model(model, {str(tmp_path)!r} + '/' + path)\n"
        "    except ValueError as error:\n"
        "        assert 'KERAS_BACKEND' in str(error), error\n"
        "    else:\n"
        "        raise AssertionError(path)\n"
    )
    import joblib

    joblib.dump((IRIS.data, SPECIES), tmp_path / "rows")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert sorted(os.listdir(tmp_path)) == ["m.keras", "rows"]
