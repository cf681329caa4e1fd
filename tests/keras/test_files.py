"""Files of networks: predictions of each format, labels, and other backends of Keras."""

import json
import logging
import os
import random
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_digits, load_iris

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg.keras import make_inputs, save_model

keras = pytest.importorskip("keras")

IRIS = load_iris()
SPECIES = IRIS.target_names[IRIS.target]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return RegularizedMLPClassifier(**SMALL).fit(IRIS.data, SPECIES)


def predict_in_keras(path, X):
    return keras.saving.load_model(path).predict(X, verbose=0)


def predict_in_tensorflow(path, X):
    import tensorflow as tf

    module = tf.saved_model.load(path)  # kept, since it holds the variables
    return module.serve(tf.constant(X, tf.float32)).numpy()


def predict_in_onnxruntime(path, X):
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    return session.run(None, {"X": X.astype(np.float32)})[-1]


FORMATS = {
    "keras": (".keras", predict_in_keras),
    "onnx": (".onnx", predict_in_onnxruntime),
    "saved_model": ("", predict_in_tensorflow),
}


@pytest.mark.parametrize(("ending", "predict"), FORMATS.values(), ids=FORMATS.keys())
def test_every_format_has_the_probabilities_of_a_classifier(ending, predict, model, tmp_path):
    path = tmp_path / f"model{ending}"
    save_model(model, path)
    assert os.listdir(tmp_path) == [path.name]
    assert_allclose(predict(path, IRIS.data), model.predict_proba(IRIS.data), atol=1e-5)


@pytest.mark.parametrize(("ending", "predict"), FORMATS.values(), ids=FORMATS.keys())
def test_every_format_has_the_predictions_of_a_regressor(ending, predict, tmp_path):
    X, y = load_diabetes(return_X_y=True)
    regressor = RegularizedMLPRegressor(**SMALL).fit(X, y)
    path = tmp_path / f"model{ending}"
    save_model(regressor, path)
    assert_allclose(predict(path, X)[:, 0] / y.max(), regressor.predict(X) / y.max(), atol=1e-5)


@pytest.fixture(scope="module")
def with_names():
    """A classifier with missing numbers in columns whose names no graph may have, and its table."""
    X = IRIS.data.copy()
    X[::7, 2] = np.nan
    X = pd.DataFrame(X, columns=["a b", "A B", "größe", "_"])
    return RegularizedMLPClassifier(**SMALL).fit(X, SPECIES), X


def test_a_saved_model_has_an_input_for_each_column(with_names, tmp_path):
    import tensorflow as tf

    _, X = with_names
    X = X.assign(colour=np.resize(["red", "green", "blue", None], len(X)))
    model = RegularizedMLPClassifier(**SMALL).fit(X, SPECIES)
    save_model(model, tmp_path / "model")
    module = tf.saved_model.load(tmp_path / "model")
    predicted = module.serve(make_inputs(model, X)).numpy()
    assert_allclose(predicted, model.predict_proba(X), atol=1e-5)


# -- labels ------------------------------------------------------------------------------------


LABELS = {
    "strings": SPECIES,
    "objects": SPECIES.astype(object),
    "integers": IRIS.target * 2,
    "booleans": SPECIES > "t",
    "one class": SPECIES > "a",
}


@pytest.fixture(params=LABELS.values(), ids=LABELS.keys())
def labelled(request, tmp_path):
    """A classifier of these labels, and its Keras file."""
    fitted = RegularizedMLPClassifier(**SMALL).fit(IRIS.data, request.param)
    save_model(fitted, tmp_path / "model.keras")
    return fitted, tmp_path / "model.keras"


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
def test_a_keras_file_has_the_labels(labelled):
    fitted, path = labelled
    loaded = RegularizedMLPClassifier.from_keras(path)
    assert_array_equal(loaded.classes_, fitted.classes_)
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert_array_equal(loaded.predict(IRIS.data), fitted.predict(IRIS.data))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
def test_classes_replace_the_labels_of_a_file(labelled):
    fitted, path = labelled
    n_classes = len(fitted.classes_)
    loaded = RegularizedMLPClassifier.from_keras(path, classes=range(n_classes))
    assert_array_equal(loaded.classes_, range(n_classes))


def test_a_saved_model_has_the_labels(model, tmp_path):
    save_model(model, tmp_path / "model")
    text = (tmp_path / "model" / "assets.extra" / "classes.json").read_text()
    assert json.loads(text)["classes"] == ["setosa", "versicolor", "virginica"]


@pytest.fixture
def fitted():
    """A classifier whose `classes_` a test may replace."""
    return RegularizedMLPClassifier(**SMALL).fit(IRIS.data, SPECIES)


def test_strings_of_variable_width_are_written(fitted, tmp_path):
    fitted.classes_ = np.unique(SPECIES.astype(np.dtypes.StringDType()))
    save_model(fitted, tmp_path / "model.keras")
    loaded = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")
    assert_array_equal(loaded.classes_, np.unique(SPECIES))


def test_numbers_in_an_array_of_objects_are_written_as_numbers(fitted, tmp_path):
    fitted.classes_ = np.array([np.int64(2), np.float32(0.5), 7], dtype=object)
    save_model(fitted, tmp_path / "model.keras")
    loaded = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras", classes=None)
    assert_array_equal(loaded.classes_, [0.5, 2, 7])


def test_labels_that_no_file_can_hold_are_refused(tmp_path):
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")[IRIS.target[:100]]
    dated = RegularizedMLPClassifier(**SMALL).fit(IRIS.data[:100], days)
    with pytest.raises(ValueError, match="labels that are numbers, strings or booleans"):
        save_model(dated, tmp_path / "model.keras")
    assert not os.listdir(tmp_path)


# -- models that are saved and loaded ----------------------------------------------------------


def test_several_labels_are_saved_and_loaded(tmp_path):
    X, y = load_digits(return_X_y=True)
    several = RegularizedMLPClassifier(**SMALL).fit(X, np.c_[y > 4, y % 2])
    save_model(several, tmp_path / "model.keras")
    loaded = RegularizedMLPClassifier.from_keras(str(tmp_path / "model.keras"))
    assert_array_equal(loaded.predict(X), several.predict(X))


def test_a_regressor_is_saved_and_loaded(tmp_path):
    X, y = load_digits(return_X_y=True)
    regressor = RegularizedMLPRegressor(**SMALL).fit(X, y)
    save_model(regressor, tmp_path / "model.keras")
    loaded = RegularizedMLPRegressor.from_keras(tmp_path / "model.keras")
    assert_allclose(loaded.predict(X), regressor.predict(X), atol=1e-4)


@pytest.fixture(scope="module", params=["a quantile", "two quantiles", "two scales"])
def without_loss(request):
    """A regressor whose loss Keras lacks, and its table."""
    X, y = load_diabetes(return_X_y=True)
    levels = {"a quantile": 0.5, "two quantiles": (0.4, 0.5)}.get(request.param)
    if levels is not None:
        model = RegularizedMLPRegressor(loss="quantile", quantile=levels, **SMALL)
        return model.fit(X, y), X, y.max()
    return RegularizedMLPRegressor(**SMALL).fit(X, np.c_[y, 100 * y]), X, 100 * y.max()


def test_an_onnx_file_without_a_loss_predicts(without_loss, tmp_path):
    model, X, largest = without_loss
    save_model(model, tmp_path / "model.onnx")
    predicted = predict_in_onnxruntime(tmp_path / "model.onnx", X)
    expected = model.predict(X).reshape(len(X), -1)
    assert_allclose(predicted / largest, expected / largest, atol=1e-5)


def test_a_keras_file_without_a_loss_is_not_compiled_and_can_be_loaded(without_loss, tmp_path):
    model, X, largest = without_loss
    save_model(model, tmp_path / "model.keras")
    loaded = RegularizedMLPRegressor.from_keras(tmp_path / "model.keras")
    assert_allclose(loaded.predict(X) / largest, model.predict(X) / largest, atol=1e-5)
    assert not keras.saving.load_model(tmp_path / "model.keras").compiled


def fourth_power(y, predicted):
    return (y - predicted) ** 4


def test_a_file_of_keras_with_a_custom_loss_is_loaded(tmp_path):
    keras_model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    keras_model.compile("adam", fourth_power)
    keras_model.save(tmp_path / "model.keras")
    loaded = RegularizedMLPRegressor.from_keras(tmp_path / "model.keras")
    expected = keras_model.predict(IRIS.data, verbose=0)[:, 0]
    assert_allclose(loaded.predict(IRIS.data), expected, atol=1e-5)


def test_a_file_of_a_functional_model_is_loaded(tmp_path):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, "softmax")(keras.layers.Dense(5, "relu")(inputs))
    keras_model = keras.Model(inputs, outputs)
    keras_model.save(tmp_path / "model.keras")
    loaded = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")
    expected = keras_model.predict(IRIS.data, verbose=0)
    assert_allclose(loaded.predict_proba(IRIS.data), expected, atol=1e-5)


# -- paths and the process ---------------------------------------------------------------------


def test_an_onnx_file_is_replaced(model, tmp_path):
    for _ in range(2):
        save_model(model, tmp_path / "model.bin", format="onnx")
    probabilities = predict_in_onnxruntime(tmp_path / "model.bin", IRIS.data)
    assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_hidden_file_is_written(model, tmp_path):
    save_model(model, tmp_path / ".model.keras")
    assert_array_equal(
        RegularizedMLPClassifier.from_keras(tmp_path / ".model.keras").classes_, model.classes_
    )


def test_generators_logs_and_environment_are_left_as_they_are(model, tmp_path):
    """Keras draws from the generator of Python, and exporters add a handler of logs."""
    pytest.importorskip("skl2onnx")
    before = random.getstate(), logging.root.handlers.copy(), dict(os.environ)
    for name in ("m.keras", "m.onnx", "m"):
        save_model(model, tmp_path / name)
    RegularizedMLPClassifier.from_keras(tmp_path / "m.keras")
    model.to_keras()
    assert (random.getstate(), logging.root.handlers, dict(os.environ)) == before


# -- another backend of Keras ------------------------------------------------------------------


@pytest.mark.full
def test_with_jax_files_work_and_a_saved_model_names_the_backend(tmp_path):
    """A SavedModel needs TensorFlow as the backend."""
    pytest.importorskip("jax")
    script = (
        "import numpy as np, joblib\n"
        "from skreg import RegularizedMLPClassifier\n"
        "from skreg.keras import make_inputs, save_model\n"
        f"X, y = joblib.load({str(tmp_path / 'rows')!r})\n"
        "model = RegularizedMLPClassifier(hidden_layer_sizes=8, max_iter=3, random_state=0)\n"
        "exported = model.fit(X, y).to_keras()\n"
        "predicted = exported.predict(X, verbose=0)\n"
        "np.testing.assert_allclose(predicted, model.predict_proba(X), atol=1e-5)\n"
        f"save_model(model, {str(tmp_path / 'm.keras')!r})\n"
        f"loaded = RegularizedMLPClassifier.from_keras({str(tmp_path / 'm.keras')!r})\n"
        "assert (loaded.predict(X) == model.predict(X)).all()\n"
        f"save_model(model, {str(tmp_path / 'm.onnx')!r})\n"
        "try:\n"
        f"    save_model(model, {str(tmp_path / 'm')!r})\n"
        "except ValueError as error:\n"
        "    assert 'KERAS_BACKEND' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('no error')\n"
        "X[::9, 0] = np.nan\n"
        "model.fit(X, y)\n"
        "predicted = model.to_keras().predict(make_inputs(model, X), verbose=0)\n"
        "np.testing.assert_allclose(predicted, model.predict_proba(X), atol=1e-5)\n"
    )
    joblib.dump((IRIS.data, SPECIES), tmp_path / "rows")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert sorted(os.listdir(tmp_path)) == ["m.keras", "m.onnx", "rows"]
