"""Networks as Keras models and back: the same layers, predictions and training."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def classifier(**changes):
    values = {"hidden_layer_sizes": (12, 8), "max_iter": 5, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def regressor(**changes):
    values = {"hidden_layer_sizes": (12, 8), "max_iter": 5, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


def probabilities(model, X):
    predicted = model.predict(X, verbose=0)
    return np.hstack([1 - predicted, predicted]) if predicted.shape[1] == 1 else predicted


CLASSIFIERS = {
    "two classes": (CANCER, {}),
    "ten classes": (DIGITS, {"activation": "tanh", "input_dropout": 0.1}),
    "no hidden layer": (CANCER, {"hidden_layer_sizes": ()}),
    "by layer": (DIGITS, {"dropout": (0.2, 0.0), "l2": (0.0, 1e-3, 1e-2)}),
    "not standardised, sgd": (
        (DIGITS[0] / 16, DIGITS[1]),
        {
            "standardize": False,
            "solver": "sgd",
            "activation": "logistic",
            "dropout": 0.0,
            "learning_rate_init": 0.5,
            "max_iter": 60,
        },
    ),
    "several labels": ((CANCER[0], np.c_[CANCER[1], CANCER[0][:, 0] > 14].astype(int)), {}),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_goes_to_keras_and_comes_back(name, keras):
    (X, y), changes = CLASSIFIERS[name]
    model = classifier(**changes).fit(X, y)
    exported = model.to_keras()
    expected = model.predict_proba(X)
    np.testing.assert_allclose(probabilities(exported, X), expected, atol=1e-5)
    back = RegularizedMLPClassifier.from_keras(exported)
    np.testing.assert_allclose(back.predict_proba(X), expected, atol=1e-5)
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    for parameter in ("activation", "input_dropout", "solver", "learning_rate_init", "standardize"):
        assert getattr(back, parameter) == getattr(model, parameter)
    for ours, theirs in zip(back.coefs_, model.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    back.set_params(random_state=0)
    assert back.partial_fit(X, y).score(X, y) > model.score(X, y) - 0.05 > 0.5


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_a_regressor_goes_to_keras_and_comes_back(loss, keras):
    X, y = DIABETES
    model = regressor(loss=loss, max_iter=20).fit(X, y)
    exported = model.to_keras()
    scale = np.abs(y).max()
    predicted = exported.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(predicted / scale, model.predict(X) / scale, atol=1e-5)
    back = RegularizedMLPRegressor.from_keras(exported)
    np.testing.assert_allclose(back.predict(X) / scale, model.predict(X) / scale, atol=1e-5)
    back.set_params(random_state=0)
    assert back.partial_fit(X, y).score(X, y) > model.score(X, y) - 0.05 > 0.4


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "poisson"])
def test_the_loss_in_keras_is_ours(loss, keras):
    """In the units of the target its gradient by the scaled output is the one we train by."""
    X, y = DIABETES
    values = {"loss": loss, "dropout": 0.0, "l2": (1e-3, 1e-2, 0.0), "solver": "sgd"}
    values |= {"learning_rate": "constant", "learning_rate_init": 0.02, "momentum": 0.0}
    model = regressor(**values, batch_size=len(y)).fit(X, y)
    exported = model.to_keras()
    exported.train_on_batch(X.astype(np.float32), y.astype(np.float32)[:, None])
    model.set_params(warm_start=True, max_iter=1).fit(X, y)
    for ours, theirs in zip(model.coefs_, exported.get_weights()[::2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)


def test_the_summary_is_the_tutorials(keras):
    exported = classifier(hidden_layer_sizes=(128, 64)).fit(*DIGITS).to_keras()
    kinds = [type(layer).__name__ for layer in exported.layers]
    assert kinds == ["Rescaling", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert exported.count_params() == 64 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    assert [layer.rate for layer in exported.layers[2::2]] == [0.5, 0.5]
    for layer in exported.layers[1::2]:
        assert layer.kernel_regularizer.l2 == pytest.approx(1e-3)
    assert isinstance(exported.optimizer, keras.optimizers.Adam)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_goes_on_in_keras_as_here(solver, keras):
    """The same optimiser and objective: steps of whole epochs, dropout off, agree."""
    X, y = DIGITS
    values = {"dropout": 0.0, "l2": 1e-3, "weight_decay": 0.05, "learning_rate": "constant"}
    model = classifier(solver=solver, batch_size=len(y), max_iter=3, **values).fit(X, y)
    exported = model.to_keras()
    for _ in range(5):
        exported.train_on_batch(X.astype(np.float32), y)
    model.set_params(warm_start=True, max_iter=5).fit(X, y)
    for ours, theirs in zip(model.coefs_, exported.get_weights()[::2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-5)


def test_sparse_training_goes_to_keras_uncentred(keras):
    from scipy import sparse

    X, y = DIGITS
    thin = sparse.csr_array(np.where(np.arange(64) % 9 == 0, X, 0))
    model = classifier().fit(thin, y)
    predicted = model.to_keras().predict(thin.toarray(), verbose=0)
    np.testing.assert_allclose(predicted, model.predict_proba(thin), atol=1e-5)


def test_a_tutorials_model_comes_here_and_predicts_without_tensorflow(keras, tmp_path):
    X, y = DIGITS
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Normalization(mean=X.mean(), variance=X.var()),
            keras.layers.Dense(16, "relu", kernel_regularizer=keras.regularizers.l2(0.001)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(8, "relu", kernel_regularizer="l2"),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, y, epochs=2, verbose=0)
    ours = RegularizedMLPClassifier.from_keras(model, classes=list("abcdefghij"))
    np.testing.assert_allclose(ours.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)
    assert ours.dropout == (0.5, 0.0)
    np.testing.assert_allclose(ours.l2, (0.001, 0.01, 0.0))
    assert (ours.solver, ours.learning_rate_init) == ("adam", 0.001)
    assert set(ours.predict(X)) <= set("abcdefghij")
    import joblib

    joblib.dump((ours, X[:5]), tmp_path / "model.joblib")
    script = (
        f"import joblib, sys; model, X = joblib.load({str(tmp_path / 'model.joblib')!r}); "
        "model.predict(X); assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_classes_may_come_in_any_order(keras):
    X, y = DIGITS
    exported = classifier().fit(X, y).to_keras()
    labels = np.array(list("jihgfedcba"))
    ours = RegularizedMLPClassifier.from_keras(exported, classes=labels)
    np.testing.assert_array_equal(ours.classes_, np.sort(labels))
    np.testing.assert_allclose(
        ours.predict_proba(X)[:, ::-1], exported.predict(X, verbose=0), atol=1e-5
    )
    two = classifier().fit(*CANCER)
    flipped = RegularizedMLPClassifier.from_keras(two.to_keras(), classes=["sick", "healthy"])
    np.testing.assert_array_equal(flipped.classes_, ["healthy", "sick"])
    np.testing.assert_allclose(
        flipped.predict_proba(CANCER[0])[:, ::-1], two.predict_proba(CANCER[0]), atol=1e-5
    )


def test_two_softmax_outputs_become_one_logit(keras):
    X, _ = CANCER
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(2, "softmax")])
    ours = RegularizedMLPClassifier.from_keras(model)
    assert ours.n_outputs_ == 1
    X = X / X.max(axis=0)
    np.testing.assert_allclose(ours.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)


def test_a_functional_model_comes_here(keras):
    inputs = keras.Input((30,))
    hidden = keras.layers.Dense(8, "tanh")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    X = CANCER[0] / CANCER[0].max(axis=0)
    ours = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(ours.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


def wrong_models(keras):
    """Layers that skreg cannot express, each with what the message names."""
    layers, inputs = keras.layers, keras.Input((4,))
    dense, out = layers.Dense(3, "relu"), layers.Dense(2, "softmax")

    def chain(*parts):
        return keras.Sequential([keras.Input((4,)), *parts])

    branched = keras.Model(
        inputs, out(layers.Add(name="sum")([dense(inputs), layers.Dense(3)(inputs)]))
    )
    yield chain(layers.Dense(3), layers.BatchNormalization(name="norm"), layers.Dense(2)), "'norm'"
    yield chain(layers.Dense(3, "gelu", name="first"), layers.Dense(2)), "'first'.*'gelu'"
    yield (
        chain(layers.Dense(3, "relu"), layers.Dense(3, "tanh", name="b"), layers.Dense(2)),
        "'b'.*another activation",
    )
    yield chain(layers.Dense(3, kernel_regularizer="l1", name="a"), layers.Dense(2)), "'a'.*L1"
    yield chain(layers.Dense(3, use_bias=False, name="a"), layers.Dense(2)), "'a'.*bias"
    yield chain(layers.Dense(3), layers.Dense(2), layers.Dropout(0.5, name="late")), "'late'"
    yield branched, "does not follow|skreg cannot express"
    yield keras.Sequential([layers.Dense(3)]), "a built Sequential"
    yield keras.Sequential([keras.Input((4,)), layers.Dropout(0.5)]), "a Dense layer; received none"
    shaped = keras.Sequential([keras.Input((4, 4)), layers.Dense(3), layers.Dense(2)])
    yield shaped, r"inputs of shape \(None, 4, 4\)"


def test_the_first_layer_that_cannot_be_expressed_is_named(keras):
    for model, message in wrong_models(keras):
        for kind in (RegularizedMLPClassifier, RegularizedMLPRegressor):
            with pytest.raises(ValueError, match=message):
                kind.from_keras(model)


def test_other_things_than_models_and_wrong_classes_are_refused(keras):
    with pytest.raises(
        TypeError, match=r"expected a keras\.Model or the path of a file; received list"
    ):
        RegularizedMLPClassifier.from_keras(["model.keras"])
    exported = classifier().fit(*DIGITS).to_keras()
    for classes in ([0, 1], [0] * 10, "abc"):
        with pytest.raises(ValueError, match="classes: expected 10 distinct labels"):
            RegularizedMLPClassifier.from_keras(exported, classes=classes)
    with pytest.raises(ValueError, match=r"expected numbers, .* received 'softmax'"):
        RegularizedMLPRegressor.from_keras(exported)
    numbers = regressor().fit(*DIABETES).to_keras()
    with pytest.raises(ValueError, match=r"expected probabilities, .* received 'linear'"):
        RegularizedMLPClassifier.from_keras(numbers)


def test_what_keras_has_no_loss_for_is_refused(keras):
    X, y = DIABETES
    with pytest.raises(ValueError, match=r"a loss that Keras has.*'quantile'"):
        regressor(loss="quantile").fit(X, y).to_keras()
    with pytest.raises(ValueError, match="targets of one scale"):
        regressor().fit(X, np.c_[y, 2 * y]).to_keras()
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        classifier().to_keras()
