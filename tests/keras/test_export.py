"""Networks as Keras models: the same layers, predictions and training, there and back."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import NotFittedError

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
    "gelu, l1": (CANCER, {"activation": "gelu", "l1": 1e-3, "l2": 0.0}),
    "silu, l1 and l2": (DIGITS, {"activation": "silu", "l1": (1e-3, 0.0, 1e-2)}),
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
    for penalty in ("l1", "l2"):
        assert getattr(back, penalty) == pytest.approx(getattr(model, penalty))
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
    assert back.loss == loss
    back.set_params(random_state=0)
    assert back.partial_fit(X, y).score(X, y) > model.score(X, y) - 0.05 > 0.4


def test_log_cosh_is_compiled_on_targets_that_are_not_scaled(keras):
    X, y = DIABETES
    model = regressor(loss="log_cosh").fit(X, y)
    assert not model.to_keras().compiled
    exported = model.set_params(standardize=False).fit(X, y / 100).to_keras()
    assert isinstance(exported.loss, keras.losses.LogCosh)
    assert RegularizedMLPRegressor.from_keras(exported).loss == "log_cosh"


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
    assert kinds == ["Rescaling", "Rescaling", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert exported.count_params() == 64 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10
    assert [layer.rate for layer in exported.layers[3::2]] == [0.5, 0.5]
    for layer in exported.layers[2::2]:
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


def integers_far_from_zero(n_rows=300):
    """Columns that float32 holds exactly, and whose mean is up to a million deviations from 0."""
    generator = np.random.default_rng(0)
    X = np.round(generator.normal([2e6, 1e5, 2026.0, 0.0], [2.0, 3.0, 5.0, 9.0], (n_rows, 4)))
    return X, (X[:, 0] + X[:, 2] > 2e6 + 2026).astype(int)


def test_columns_far_from_zero_keep_their_precision(keras):
    X, y = integers_far_from_zero()
    model = classifier(max_iter=30).fit(X, y)
    expected = model.predict_proba(X)
    np.testing.assert_allclose(probabilities(model.to_keras(), X), expected, atol=1e-5)
    back = RegularizedMLPClassifier.from_keras(model.to_keras())
    np.testing.assert_allclose(back.predict_proba(X), expected, atol=1e-5)
    np.testing.assert_allclose(back.mean_, model.mean_, rtol=1e-12)


def test_a_constant_column_that_float32_rounds_says_nothing_there_either(keras):
    X, y = integers_far_from_zero()
    X = np.c_[X, np.full(len(X), 1e9 + 0.1), np.full(len(X), 20200101.0), np.full(len(X), 1e15 + 1)]
    model = classifier(max_iter=30).fit(X, y)
    expected = model.predict_proba(X)
    np.testing.assert_allclose(probabilities(model.to_keras(), X), expected, atol=1e-5)
    back = RegularizedMLPClassifier.from_keras(model.to_keras())
    np.testing.assert_allclose(back.predict_proba(X), expected, atol=1e-5)


def test_mixed_precision_trains_there_and_comes_back(keras):
    """float16 ends at 65,504: columns and probabilities stay in float32."""
    X, y = integers_far_from_zero()
    model = classifier(max_iter=30, dropout=0.1).fit(X, y)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        exported = model.to_keras()
        assert exported.get_layer("hidden_1").compute_dtype == "float16"
        np.testing.assert_allclose(probabilities(exported, X), model.predict_proba(X), atol=1e-2)
        exported.fit(X, y, epochs=2, verbose=0)
        back = RegularizedMLPClassifier.from_keras(exported)
        np.testing.assert_allclose(back.predict_proba(X), probabilities(exported, X), atol=1e-2)
    finally:
        keras.config.set_dtype_policy(policy)
    assert (back.solver, back.learning_rate_init) == ("adam", model.learning_rate_init)
    assert back.score(X, y) > 0.9


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
def test_one_class_stays_one(keras):
    X = CANCER[0]
    model = classifier().fit(X, np.repeat("only", len(X)))
    exported = model.to_keras()
    np.testing.assert_array_equal(exported.predict(X, verbose=0), np.ones((len(X), 1)))
    back = RegularizedMLPClassifier.from_keras(exported, classes=["only"])
    np.testing.assert_array_equal(back.predict_proba(X), np.ones((len(X), 1)))
    assert set(back.predict(X)) == {"only"}


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1.0, 50.0)])
def test_several_outputs(scales, keras):
    """Standardised ones are of one scale but for rounding, which Keras' one weight can say."""
    X, y = DIABETES
    standardised = (y - y.mean()) / y.std()
    Y = np.c_[standardised, standardised[::-1]] * scales
    model = regressor(max_iter=20).fit(X, Y)
    exported = model.to_keras()
    np.testing.assert_allclose(exported.predict(X, verbose=0), model.predict(X), atol=1e-4)
    assert exported.compiled == (scales[0] == scales[1])
    back = RegularizedMLPRegressor.from_keras(exported)
    np.testing.assert_allclose(back.predict(X), model.predict(X), atol=1e-4)


def test_a_quantile_predicts_there_and_is_not_compiled(keras):
    X, y = DIABETES
    model = regressor(loss="quantile", quantile=0.9, max_iter=20).fit(X, y)
    exported = model.to_keras()
    np.testing.assert_allclose(exported.predict(X, verbose=0)[:, 0], model.predict(X), rtol=1e-5)
    assert not exported.compiled


def test_what_was_set_after_the_fit_is_checked(keras):
    X, y = DIABETES
    model = regressor().fit(X, y)
    with pytest.raises(ValueError, match=r"loss: expected .* link.*received 'poisson'"):
        model.set_params(loss="poisson").to_keras()
    with pytest.raises(ValueError, match="'solver' parameter of RegularizedMLPRegressor must be"):
        model.set_params(loss="huber", solver="lbfgs").to_keras()
    with pytest.raises(ValueError, match="dropout: expected one number or a sequence of 2"):
        model.set_params(solver="sgd", dropout=(0.1, 0.2, 0.3)).to_keras()
    with pytest.raises(NotFittedError):
        classifier().to_keras()


def test_scales_that_float32_cannot_hold_are_refused(keras):
    X, y = DIABETES
    for table, target, message in (
        (X + 1e300, y, "received 1e.300 for a column's mean"),
        (X * 1e-300, y, r"received .* for 1 / a column's deviation"),
        (X, y * 1e300, r"received .* for the target"),
    ):
        with pytest.raises(ValueError, match=message):
            regressor(max_iter=1).fit(table, target).to_keras()
