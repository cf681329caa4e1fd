"""The builders: the network of Keras' tutorials, in scikeras and in keras.wrappers."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier
from skreg.keras import KerasClassifier, KerasRegressor, build_classifier, build_regressor

keras = pytest.importorskip("keras")
DIGITS = load_digits(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
OF_DIGITS = {"n_features_in_": 64, "n_classes_": 10, "target_type_": "multiclass"}


def build_tutorial_model():
    """The model as tutorials of Keras write it."""
    layers, regularizers = keras.layers, keras.regularizers
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(128, activation="relu", kernel_regularizer=regularizers.l2(0.001)),
            layers.Dropout(0.5),
            layers.Dense(64, activation="relu", kernel_regularizer=regularizers.l2(0.001)),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def drop_names(config):
    return {name: value for name, value in config.items() if name not in ("name", "batch_shape")}


@pytest.fixture
def models():
    """The model of the builder, and that of the tutorials."""
    return build_classifier(meta=OF_DIGITS, l2=(0.001, 0.001, 0)), build_tutorial_model()


def test_the_builder_builds_the_layers_of_the_tutorials(models):
    built, tutorial = models
    assert built.count_params() == tutorial.count_params() == 17_226
    for layer, expected in zip(built.layers, tutorial.layers, strict=True):
        assert type(layer) is type(expected)
        assert drop_names(layer.get_config()) == drop_names(expected.get_config())


@pytest.mark.parametrize("name", ["learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"])
def test_the_builder_builds_the_optimizer_of_the_tutorials(models, name):
    built, tutorial = (model.optimizer.get_config()[name] for model in models)
    assert built == pytest.approx(tutorial)


def test_documented_parameters_make_the_model_of_the_tutorials():
    """Those of the page on the model; to_keras exports the layers and the optimizer."""
    model = RegularizedMLPClassifier(
        dropout=0.5,
        l2=(1e-3, 1e-3, 0),
        learning_rate="constant",
        learning_rate_init=1e-3,
        batch_size=32,
        max_iter=1,
        standardize=False,
        numerical_encoding=None,
    ).fit(*DIGITS)
    exported, tutorial = model.to_keras(), build_tutorial_model()
    unlike = ("kernel_initializer", "bias_initializer", "seed", "dtype")
    for layer, expected in zip(exported.layers, tutorial.layers, strict=True):
        assert type(layer) is type(expected)
        configs = [drop_names(each.get_config()) for each in (layer, expected)]
        ours, theirs = ({k: v for k, v in c.items() if k not in unlike} for c in configs)
        assert ours == theirs
    for name in ("learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"):
        ours, theirs = (each.optimizer.get_config()[name] for each in (exported, tutorial))
        assert ours == pytest.approx(theirs)


def test_skreg_trains_the_model_of_the_tutorials_as_keras_does():
    """From the same first weights, without dropout, in steps of the whole table."""
    X, y = DIGITS[0] / 16, DIGITS[1]
    keras_model = build_classifier(meta=OF_DIGITS, dropout=0.0, l2=(0.001, 0.001, 0))
    model = RegularizedMLPClassifier.from_keras(keras_model)
    assert (model.l2, model.learning_rate_init) == ((0.001, 0.001, 0.0), 0.001)
    model.set_params(warm_start=True, batch_size=len(y), max_iter=20, random_state=0).fit(X, y)
    for _ in range(20):
        keras_model.train_on_batch(X, y)
    for kernel, expected in zip(model.coefs_, keras_model.get_weights()[::2], strict=True):
        # Where a gradient is almost zero, Adam takes its sign, and rounding decides it.
        assert np.quantile(np.abs(kernel - expected), 0.9) < 1e-4
        assert np.abs(kernel - expected).max() < 20 * 0.001
    predicted = keras_model.predict(X, verbose=0)
    np.testing.assert_allclose(model.predict_proba(X), predicted, atol=1e-3)


# -- wrappers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "n_outputs"), [(DIGITS, 10), (CANCER, 1)], ids=["ten classes", "two classes"]
)
def test_classifier_in_scikeras(data, n_outputs):
    wrapper = KerasClassifier(
        build_classifier, hidden_layer_sizes=(16,), dropout=0.1, epochs=10, verbose=0
    )
    model = make_pipeline(StandardScaler(), wrapper).fit(*data)
    assert model.score(*data) > 0.9
    assert wrapper.model_.output_shape == (None, n_outputs)
    assert wrapper.model_.layers[1].rate == 0.1


@pytest.fixture
def diabetes():
    """Diabetes with a standardised target."""
    X, y = DIABETES
    return X, (y - y.mean()) / y.std()


def test_regressor_in_scikeras(diabetes):
    wrapper = KerasRegressor(
        build_regressor, hidden_layer_sizes=(16,), learning_rate=0.01, epochs=30, verbose=0
    )
    assert make_pipeline(StandardScaler(), wrapper).fit(*diabetes).score(*diabetes) > 0.4


def test_classifier_in_keras_wrappers():
    wrapper = keras.wrappers.SKLearnClassifier(
        build_classifier,
        model_kwargs={"hidden_layer_sizes": (16,), "dropout": 0.1},
        fit_kwargs={"epochs": 10, "verbose": 0},
    )
    assert make_pipeline(StandardScaler(), wrapper).fit(*DIGITS).score(*DIGITS) > 0.9


def test_regressor_in_keras_wrappers(diabetes):
    wrapper = keras.wrappers.SKLearnRegressor(
        build_regressor,
        model_kwargs={"hidden_layer_sizes": (16,), "dropout": 0.1, "learning_rate": 0.01},
        fit_kwargs={"epochs": 30, "verbose": 0},
    )
    assert make_pipeline(StandardScaler(), wrapper).fit(*diabetes).score(*diabetes) > 0.4


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dropout": 1.0}, r"dropout: expected finite numbers in \[0, 1\)"),
        ({"dropout": (0.1,)}, "dropout: expected one number or a sequence of 2"),
        ({"l2": -1}, "l2: expected"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes: expected integers >= 1"),
        ({"activation": "mish"}, "activation: expected one of"),
        ({"input_dropout": 2}, "input_dropout: expected"),
    ],
)
def test_bad_parameters_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        build_classifier(meta=OF_DIGITS, **changes)


BAD_ARGUMENTS = {
    "none": ({}, "received neither meta nor y"),
    "no X": ({"y": DIGITS[1][:, None]}, "received neither meta nor X"),
    "one-dimensional X": (
        {"X": DIGITS[1], "y": DIGITS[1][:, None]},
        r"X: expected a table.*shape \(1797,\)",
    ),
    "empty meta": ({"meta": {}}, r"meta: expected .*'(target_type|n_outputs)_'.*\[\]"),
    "a number as meta": ({"meta": 5}, r"meta: expected .*; received 5\."),
    "other keys in meta": (
        {"meta": {1: 2, "a": 3}},
        r"meta: expected .*; received the keys \[1, 'a'\]",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS.keys())
@pytest.mark.parametrize("build", [build_classifier, build_regressor])
def test_bad_arguments_of_a_builder_are_refused(build, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)


BAD_CLASSES = {
    "continuous target": (
        {"meta": {"target_type_": "continuous", "n_features_in_": 2}},
        r"expected the 'target_type_' .* received 'continuous'",
    ),
    "one-dimensional y": (
        {"X": DIGITS[0], "y": DIGITS[1]},
        r"y: expected one column for each class.*shape \(1797,\)",
    ),
    "no number of classes": (
        {"meta": {"target_type_": "multiclass", "n_features_in_": 2}},
        r"with 'n_classes_'; received .*'target_type_', ",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_CLASSES.values(), ids=BAD_CLASSES.keys())
def test_bad_classes_of_a_classifier_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_classifier(**arguments)


@pytest.mark.parametrize("package", ["tensorflow", "scikeras"])
def test_a_missing_package_is_named(package):
    """skreg can be installed without dependencies, to predict only."""
    script = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"
        "from skreg.keras import build_regressor\n"
        "try:\n"
        "    from skreg.keras import KerasClassifier\n"
        "except ModuleNotFoundError as error:\n"
        f"    assert \"Expected the package '{package}'\" in str(error), error\n"
        f"    assert 'pip install {package}' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('imported')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
