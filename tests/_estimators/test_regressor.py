"""The regressor's contracts: losses, units, several outputs, and what it collapses to."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import PoissonRegressor, QuantileRegressor, Ridge
from sklearn.metrics import mean_absolute_error, mean_pinball_loss
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor

LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson"]


def small(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 100, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


def linear(n_rows, **changes):
    """No hidden layer, the whole table a step, trained until the optimum."""
    values = {
        "hidden_layer_sizes": (),
        "dropout": 0.0,
        "batch_size": 10 * n_rows,
        "learning_rate_init": 0.05,
        "max_iter": 5000,
        "random_state": 0,
    }
    return RegularizedMLPRegressor(**{**values, **changes})


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_in_the_users_units(diabetes, loss):
    X, y, X_test, y_test = diabetes
    model = small(loss=loss, l2=1e-2).fit(X, y)
    assert model.score(X_test, y_test) > 0.4
    assert model.predict(X_test).shape == y_test.shape
    assert model.out_activation_ == ("exp" if loss == "poisson" else "identity")


@pytest.mark.parametrize("loss", LOSSES)
def test_predictions_follow_the_units_of_the_target(diabetes, loss):
    """In another unit only the scale is another one (and the order of the rows)."""
    X, y, X_test, y_test = diabetes
    one, other = (small(loss=loss, l2=1e-2).fit(X, factor * y) for factor in (1.0, 2.0**20))
    np.testing.assert_allclose(other.target_scale_, 2.0**20 * one.target_scale_, rtol=1e-12)
    np.testing.assert_allclose(one.loss_, other.loss_, rtol=0.05)
    assert abs(one.score(X_test, y_test) - other.score(X_test, 2.0**20 * y_test)) < 0.05


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_huge_and_tiny_targets_are_learned(diabetes, loss):
    X, y, X_test, y_test = diabetes
    for factor, shift in ((1e300, 0), (1e-300, 0), (1.0, 1e9)):
        model = small(loss=loss, l2=1e-2).fit(X, factor * y + shift)
        predicted = (model.predict(X_test) - shift) / factor
        assert 1 - ((predicted - y_test) ** 2).mean() / y_test.var() > 0.4


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("alpha", [1.0, 100.0])
def test_no_hidden_layer_is_ridge_at_the_converted_strength(alpha, standardize, weighted):
    """l2 = alpha / W, also on the target's own scale, with which the one kernel is divided."""
    X, y = make_regression(200, 6, noise=20, random_state=0)
    y *= (7.0 if standardize else 1.0) / y.std()
    X = StandardScaler().fit_transform(X)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=200) if weighted else np.ones(200)
    if standardize:  # Ridge does not scale inside
        mean = np.average(X, axis=0, weights=weight)
        X = (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    expected = Ridge(alpha=alpha).fit(X, y, weight)
    model = linear(200, standardize=standardize, l2=alpha / weight.sum()).fit(X, y, weight)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=2e-3 * y.std())


@pytest.mark.parametrize("standardize", [False, True])
def test_poisson_is_the_poisson_regressor_at_the_converted_strength(standardize):
    """l2 = alpha / (2 s), where s is the target's mean, that it is divided by."""
    rng = np.random.default_rng(0)
    X = StandardScaler().fit_transform(rng.normal(size=(300, 4)))
    y = rng.poisson(np.exp(0.5 * X[:, 0] - 0.3 * X[:, 1] + 1)).astype(float)
    alpha = 0.1
    expected = PoissonRegressor(alpha=alpha, tol=1e-10, max_iter=1000).fit(X, y)
    l2 = alpha / (2 * (y.mean() if standardize else 1.0))
    model = linear(300, loss="poisson", standardize=standardize, l2=l2).fit(X, y)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), rtol=5e-3)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_is_the_quantile_regressor(quantile):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = X[:, 0] + rng.exponential(size=400)
    expected = QuantileRegressor(quantile=quantile, alpha=0.0).fit(X, y)
    model = linear(400, loss="quantile", quantile=quantile, l2=0.0).fit(X, y)
    assert mean_pinball_loss(y, model.predict(X), alpha=quantile) < 1.01 * mean_pinball_loss(
        y, expected.predict(X), alpha=quantile
    )
    assert abs((y <= model.predict(X)).mean() - quantile) < 0.03


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_robust_losses_stand_gross_outliers(diabetes, loss):
    X, y, X_test, y_test = diabetes
    spoiled = y.copy()
    spoiled[::20] = 1e7
    robust = small(loss=loss, l2=1e-2).fit(X, spoiled)
    assert robust.score(X_test, y_test) > 0.3
    squared = small(l2=1e-2).fit(X, spoiled)
    assert mean_absolute_error(y_test, robust.predict(X_test)) < mean_absolute_error(
        y_test, squared.predict(X_test)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_several_outputs_are_learned_each_on_its_own_scale(diabetes, loss):
    X, y, X_test, y_test = diabetes
    Y, Y_test = (np.c_[values, 1e6 * values, 400 - values] for values in (y, y_test))
    model = small(loss=loss, l2=1e-3).fit(X, Y)
    assert model.predict(X_test).shape == Y_test.shape
    assert model.n_outputs_ == 3
    assert model.score(X_test, Y_test) > 0.3
    one = small(loss=loss, max_iter=5).fit(X, y)
    twice = small(loss=loss, max_iter=5, dropout=0.0).fit(X, np.c_[y, y])
    assert len(one.target_scale_) == 1
    np.testing.assert_allclose(twice.target_scale_, one.target_scale_.repeat(2), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 3.25, 1e9])
@pytest.mark.parametrize("loss", LOSSES)
def test_constant_targets_are_predicted(diabetes, loss, value):
    X, y, X_test, _ = diabetes
    predicted = (
        small(loss=loss, l2=1e-2, max_iter=200).fit(X, np.full(len(y), value)).predict(X_test)
    )
    np.testing.assert_allclose(predicted, value, atol=max(0.15, 0.1 * value))


@pytest.mark.parametrize("loss", LOSSES)
def test_weight_k_is_k_copies_bit_for_bit(diabetes, loss):
    X, y, _, _ = diabetes
    counts = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted = small(loss=loss, max_iter=10).fit(X, y, sample_weight=counts)
    repeated = small(loss=loss, max_iter=10).fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert weighted.loss_curve_ == repeated.loss_curve_
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_dtype_of_predictions_is_that_of_the_table(diabetes):
    X, y, X_test, _ = diabetes
    model = small(max_iter=3).fit(X, y)
    assert model.predict(X_test.astype(np.float32)).dtype == np.float32
    assert model.predict(X_test).dtype == model.predict((1000 * X_test).astype(int)).dtype == float
    single, double = model.predict(X_test.astype(np.float32)), model.predict(X_test)
    np.testing.assert_allclose(single, double, rtol=1e-4)


def test_column_of_targets_is_a_vector_with_scikit_learns_warning(diabetes):
    X, y, X_test, _ = diabetes
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = small(max_iter=3).fit(X, y[:, None])
    np.testing.assert_array_equal(
        model.predict(X_test), small(max_iter=3).fit(X, y).predict(X_test)
    )


def test_negative_targets_are_refused_for_poisson_before_training(diabetes):
    X, y, _, _ = diabetes
    with pytest.raises(ValueError, match=r"y: expected numbers >= 0 with loss='poisson'.*-1"):
        small(loss="poisson").fit(X, np.where(y > 100, y, -1.0))


@pytest.mark.parametrize(
    ("target", "message"),
    [(np.array(["a"] * 300), "could not convert string"), (np.full(300, np.nan), "y contains NaN")],
)
def test_targets_that_are_no_numbers_are_refused(diabetes, target, message):
    X, *_ = diabetes
    with pytest.raises(ValueError, match=message) as caught:
        small().fit(X, target)
    assert "in X" not in str(caught.value)
