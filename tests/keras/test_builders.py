"""The builders in scikeras and keras.wrappers: the tutorial's network, layer for layer."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier
from skreg.keras import build_classifier, build_regressor

pytest.importorskip("keras")
DIGITS = load_digits(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
OF_DIGITS = {"n_features_in_": 64, "n_classes_": 10, "target_type_": "multiclass"}


def tutorial():
    """As every tutorial writes it."""
    import keras
    from keras import layers, regularizers

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


def without_names(config):
    return {name: value for name, value in config.items() if name not in ("name", "batch_shape")}


def test_the_builder_builds_the_tutorials_layers():
    ours, theirs = build_classifier(meta=OF_DIGITS, l2=(0.001, 0.001, 0)), tutorial()
    assert ours.count_params() == theirs.count_params() == 17_226
    for our_layer, their_layer in zip(ours.layers, theirs.layers, strict=True):
        assert type(our_layer) is type(their_layer)
        assert without_names(our_layer.get_config()) == without_names(their_layer.get_config())
    for name in ("learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"):
        expected = theirs.optimizer.get_config()[name]
        assert ours.optimizer.get_config()[name] == pytest.approx(expected)


def test_the_tutorials_network_has_the_same_trajectory_here():
    """Same first weights, no dropout, steps of whole epochs: skreg trains as Keras does."""
    X, y = DIGITS[0] / 16, DIGITS[1]
    theirs = build_classifier(meta=OF_DIGITS, dropout=0.0, l2=(0.001, 0.001, 0))
    ours = RegularizedMLPClassifier.from_keras(theirs)
    assert (ours.l2, ours.learning_rate_init) == ((0.001, 0.001, 0.0), 0.001)
    ours.set_params(warm_start=True, batch_size=len(y), max_iter=20, random_state=0).fit(X, y)
    for _ in range(20):
        theirs.train_on_batch(X, y)
    for kernel, expected in zip(ours.coefs_, theirs.get_weights()[::2], strict=True):
        # Of a gradient that is almost zero Adam takes the sign, which rounding may decide.
        assert np.quantile(np.abs(kernel - expected), 0.9) < 1e-4
        assert np.abs(kernel - expected).max() < 20 * 0.001
    predicted = theirs.predict(X, verbose=0)
    np.testing.assert_allclose(ours.predict_proba(X), predicted, atol=1e-3)


def test_in_scikeras():
    from skreg import keras as wrappers

    for (X, y), outputs in ((DIGITS, 10), (CANCER, 1)):
        wrapper = wrappers.KerasClassifier(
            build_classifier, hidden_layer_sizes=(16,), dropout=0.1, epochs=10, verbose=0
        )
        model = make_pipeline(StandardScaler(), wrapper).fit(X, y)
        assert model.score(X, y) > 0.9
        assert wrapper.model_.output_shape == (None, outputs)
        assert wrapper.model_.layers[1].rate == 0.1
    X, y = DIABETES
    wrapper = wrappers.KerasRegressor(
        build_regressor, hidden_layer_sizes=(16,), learning_rate=0.01, epochs=30, verbose=0
    )
    scaled = (y - y.mean()) / y.std()
    assert make_pipeline(StandardScaler(), wrapper).fit(X, scaled).score(X, scaled) > 0.4


def test_in_keras_wrappers():
    import keras

    fit, network = {"epochs": 10, "verbose": 0}, {"hidden_layer_sizes": (16,), "dropout": 0.1}
    X, y = DIGITS
    wrapper = keras.wrappers.SKLearnClassifier(
        build_classifier, model_kwargs=network, fit_kwargs=fit
    )
    assert make_pipeline(StandardScaler(), wrapper).fit(X, y).score(X, y) > 0.9
    X, y = DIABETES
    network["learning_rate"] = 0.01
    wrapper = keras.wrappers.SKLearnRegressor(
        build_regressor, model_kwargs=network, fit_kwargs={"epochs": 30, "verbose": 0}
    )
    scaled = (y - y.mean()) / y.std()
    assert make_pipeline(StandardScaler(), wrapper).fit(X, scaled).score(X, scaled) > 0.4


def test_bad_values_are_refused_by_name():
    for changes, message in (
        ({"dropout": 1.0}, r"dropout: expected finite numbers in \[0, 1\)"),
        ({"dropout": (0.1,)}, "dropout: expected one number or a sequence of 2"),
        ({"l2": -1}, "l2: expected"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes: expected integers >= 1"),
        ({"activation": "mish"}, "activation: expected one of"),
        ({"input_dropout": 2}, "input_dropout: expected"),
    ):
        with pytest.raises(ValueError, match=message):
            build_classifier(meta=OF_DIGITS, **changes)
    for build in (build_classifier, build_regressor):
        with pytest.raises(ValueError, match="received neither meta nor y"):
            build()
        with pytest.raises(ValueError, match="received neither meta nor X"):
            build(y=DIGITS[1][:, None])
        with pytest.raises(ValueError, match=r"X: expected a table.*shape \(1797,\)"):
            build(DIGITS[1], DIGITS[1][:, None])
        with pytest.raises(ValueError, match=r"meta: expected .*'(target_type|n_outputs)_'.*\[\]"):
            build(meta={})
        with pytest.raises(ValueError, match=r"meta: expected .*; received 5\."):
            build(meta=5)
        with pytest.raises(ValueError, match=r"meta: expected .*; received the keys \[1, 'a'\]"):
            build(meta={1: 2, "a": 3})
    with pytest.raises(ValueError, match=r"expected the 'target_type_' .* received 'continuous'"):
        build_classifier(meta={"target_type_": "continuous", "n_features_in_": 2})
    with pytest.raises(ValueError, match=r"y: expected one column for each class.*shape \(1797,\)"):
        build_classifier(*DIGITS)
    with pytest.raises(ValueError, match=r"with 'n_classes_'; received .*'target_type_', "):
        build_classifier(meta={"target_type_": "multiclass", "n_features_in_": 2})


@pytest.mark.parametrize("package", ["tensorflow", "scikeras"])
def test_a_package_that_is_missing_is_named(package):
    """Those who installed without dependencies, to predict, are told what more they need."""
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
