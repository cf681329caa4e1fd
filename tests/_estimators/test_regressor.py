"""The regressor: losses, weights and the type of predictions."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from skreg import RegularizedMLPRegressor

LOSSES = ["squared_error", "absolute_error", "huber", "log_cosh", "quantile", "poisson"]


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 100, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


def test_the_untuned_network_predicts_the_diabetes_table():
    """Ridge has a mean R2 of 0.49 in these folds."""
    scores = cross_val_score(
        RegularizedMLPRegressor(random_state=0), *load_diabetes(return_X_y=True), cv=3
    )
    assert scores.mean() > 0.45


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_in_the_unit_of_the_target(diabetes, loss):
    X, y, X_test, y_test = diabetes
    model = make_regressor(loss=loss, l2=1e-2).fit(X, y)
    assert model.score(X_test, y_test) > 0.4
    assert model.predict(X_test).shape == y_test.shape
    assert model.out_activation_ == ("exp" if loss == "poisson" else "identity")


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_robust_losses_learn_targets_with_outliers(diabetes, loss):
    X, y, X_test, y_test = diabetes
    with_outliers = y.copy()
    with_outliers[::20] = 1e7
    robust = make_regressor(loss=loss, l2=1e-2).fit(X, with_outliers)
    assert robust.score(X_test, y_test) > 0.3
    squared = make_regressor(l2=1e-2).fit(X, with_outliers)
    assert mean_absolute_error(y_test, robust.predict(X_test)) < mean_absolute_error(
        y_test, squared.predict(X_test)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_weighted_rows_equal_repeated_rows(diabetes, loss):
    X, y, _, _ = diabetes
    counts = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted = make_regressor(loss=loss, max_iter=10).fit(X, y, sample_weight=counts)
    repeated = make_regressor(loss=loss, max_iter=10).fit(
        X.repeat(counts, axis=0), y.repeat(counts)
    )
    assert weighted.loss_curve_ == repeated.loss_curve_
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


@pytest.fixture(scope="module")
def quick(diabetes):
    X, y, *_ = diabetes
    return make_regressor(max_iter=3).fit(X, y)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.int64, np.float64)],
)
def test_predictions_have_the_type_of_the_table(diabetes, quick, dtype, expected):
    _, _, X, _ = diabetes
    assert quick.predict((1000 * X).astype(dtype)).dtype == expected


def test_predictions_of_float32_and_float64_agree(diabetes, quick):
    _, _, X, _ = diabetes
    np.testing.assert_allclose(quick.predict(X.astype(np.float32)), quick.predict(X), rtol=1e-4)


@pytest.mark.parametrize("loss", ["unknown", None, ["squared_error"]])
def test_unknown_loss_is_refused_by_name_also_where_tags_are_read_first(loss):
    model = RegularizedMLPRegressor(loss=loss)
    assert get_tags(model).estimator_type == "regressor"
    with pytest.raises(ValueError, match="The 'loss' parameter of RegularizedMLPRegressor"):
        model.fit([[0.0], [1.0]], [0.0, 1.0])


def test_a_constant_count_is_predicted_far_from_the_training_rows():
    """Its scale is 0, and the exponential of a far row's logit is infinite."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = make_regressor(loss="poisson", standardize=False, max_iter=2).fit(X, np.full(30, 3.0))
    model.intercepts_[-1] = np.full(1, 1e4, np.float32)
    np.testing.assert_array_equal(model.predict(X), 3.0)


def test_the_target_is_scaled_whatever_is_said_about_the_columns():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), rng.normal(1000, 30, size=50)
    model = RegularizedMLPRegressor((4,), standardize=False, max_iter=1, random_state=0).fit(X, y)
    assert (model.center_, model.scale_) == (None, None)
    np.testing.assert_allclose(
        [model.target_center_[0], model.target_scale_[0]], [y.mean(), y.std()]
    )
