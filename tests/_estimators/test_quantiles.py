"""Several quantiles in one model: shapes, order, start, weights, streams, scores and refusals."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import d2_pinball_score
from sklearn.utils import get_tags

from skreg import RegularizedMLPRegressor, RegularizedMLPRegressorCV
from skreg._engine.program import count_programs

LEVELS = (0.1, 0.5, 0.9)
BARELY_TRAINED = {"dropout": 0.0, "l2": 0.0, "max_iter": 1, "learning_rate_init": 1e-12}


def make_model(**changes):
    values = {
        "hidden_layer_sizes": (16, 8),
        "loss": "quantile",
        "quantile": LEVELS,
        "max_iter": 30,
        "random_state": 0,
    }
    return RegularizedMLPRegressor(**{**values, **changes})


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture(scope="module")
def fitted(diabetes):
    X, y, *_ = diabetes
    return make_model(max_iter=100).fit(X, y)


# -- predictions -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_have_a_column_for_each_level(diabetes, fitted, dtype):
    X = diabetes[2].astype(dtype)
    predictions = fitted.predict(X)
    assert predictions.shape == (len(X), 3)
    assert predictions.dtype == dtype
    assert (fitted.n_outputs_, fitted.out_activation_) == (3, "sorted")
    assert fitted.target_center_.shape == fitted.target_scale_.shape == (3,)
    assert len(set(fitted.target_center_)) == 1


def test_each_column_is_about_its_quantile(diabetes, fitted):
    X, y, *_ = diabetes
    shares = (y[:, None] <= fitted.predict(X)).mean(axis=0)
    np.testing.assert_allclose(shares, LEVELS, atol=0.06)


def test_quantiles_do_not_cross_where_the_outputs_do(diabetes):
    X, y, *_ = diabetes
    model = make_model(quantile=(0.4, 0.5, 0.6), dropout=0.3, l2=0.0).fit(X, y)
    far = np.random.default_rng(0).normal(scale=0.2, size=(500, X.shape[1]))
    assert (np.diff(model._compute_logits(far)) < 0).any()
    assert (np.diff(model.predict(far)) >= 0).all()
    samples = model.mc_dropout(far, 4, random_state=0)
    assert samples.shape == (4, 500, 3)
    assert (np.diff(samples) >= 0).all()


def test_a_sequence_of_one_level_is_the_number(diabetes):
    X, y, *_ = diabetes
    one, number = (make_model(quantile=q, max_iter=5).fit(X, y) for q in ([0.3], 0.3))
    assert one.predict(X).shape == (len(X),)
    np.testing.assert_array_equal(one.predict(X), number.predict(X))


def test_other_levels_do_not_compile_another_program(diabetes, fitted):
    X, y, *_ = diabetes
    before = count_programs()
    other = make_model(quantile=np.array([0.2, 0.3, 0.6])).fit(X, y)
    assert count_programs() == before
    assert (other.predict(X)[:, 2] < fitted.predict(X)[:, 2]).mean() > 0.9


# -- start and scale ---------------------------------------------------------------------------


def test_a_network_begins_at_the_weighted_quantiles(diabetes):
    X, y, *_ = diabetes
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    first = make_model(**BARELY_TRAINED).fit(X, y, weight)
    start = first.target_center_ + first.target_scale_ * first.intercepts_[-1]
    quantiles = np.quantile(np.repeat(y, weight), LEVELS, method="averaged_inverted_cdf")
    np.testing.assert_allclose(start, quantiles, rtol=1e-6)


def test_a_constant_target_is_predicted_exactly(diabetes):
    X, y, *_ = diabetes
    model = make_model(max_iter=5).fit(X, np.full(len(y), 0.1))
    np.testing.assert_array_equal(model.predict(X), np.full((len(X), 3), 0.1))


def test_the_unit_of_the_target_does_not_matter_to_the_start(diabetes):
    X, y, *_ = diabetes
    one, other = (make_model(**BARELY_TRAINED).fit(X, unit * y) for unit in (1, 1024))
    np.testing.assert_allclose(other.predict(X), 1024 * one.predict(X), rtol=1e-9)


def test_a_target_may_be_left_unscaled(diabetes):
    X, y, *_ = diabetes
    model = make_model(standardize_target=False, max_iter=5).fit(X, y)
    np.testing.assert_array_equal(model.target_scale_, np.ones(3))
    shares = (y[:, None] <= model.predict(X)).mean(axis=0)
    np.testing.assert_allclose(shares, LEVELS, atol=0.1)  # it begins there


# -- weights, continued and stopped trainings ---------------------------------------------------


def test_weighted_rows_equal_repeated_rows(diabetes):
    X, y, *_ = diabetes
    counts = np.random.default_rng(0).integers(0, 3, size=len(y))
    weighted = make_model(max_iter=5).fit(X, y, sample_weight=counts)
    repeated = make_model(max_iter=5).fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert weighted.loss_curve_ == repeated.loss_curve_
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_a_stream_learns(diabetes):
    X, y, X_test, y_test = diabetes
    model = make_model(learning_rate_init=1e-2)
    for _ in range(40):
        model.partial_fit(X, y)
    assert model.score(X_test, y_test) > 0.15
    assert model.predict(X_test).shape == (len(X_test), 3)


def test_a_warm_start_keeps_the_function_on_another_scale(diabetes):
    X, y, *_ = diabetes
    model = make_model(warm_start=True).fit(X, y)
    before = model.predict(X)
    model.set_params(**BARELY_TRAINED).fit(X, 3 * y + 50)
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantile": (0.1, 0.9)}, "Expected the layers of the fitted network"),
        ({"quantile": 0.5}, "loss: expected a loss with the link"),
        ({"loss": "huber", "quantile": 0.5}, "loss: expected a loss with the link"),
    ],
)
def test_another_number_of_quantiles_does_not_continue(diabetes, fitted, changes, message):
    X, y, *_ = diabetes
    model = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True, **changes)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize("scoring", ["loss", None])
def test_early_stopping_takes_validation_rows(diabetes, scoring):
    X, y, X_val, y_val = diabetes
    model = make_model(early_stopping=True, validation_scoring=scoring)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.score(X_val, y_val) > 0.15
    if scoring is None:
        assert max(model.validation_scores_) == model.score(X_val, y_val)
    with pytest.raises(ValueError, match="y_val: expected one column with several quantiles"):
        model.fit(X, y, X_val=X_val, y_val=np.c_[y_val, y_val])


# -- score, and what scikit-learn asks for ------------------------------------------------------


def test_score_is_the_mean_d2_of_the_pinball_losses(diabetes, fitted):
    _, _, X, y = diabetes
    weight = np.random.default_rng(0).random(len(y))
    for weights in (None, weight):
        expected = [
            d2_pinball_score(y, column, sample_weight=weights, alpha=level)
            for level, column in zip(LEVELS, fitted.predict(X).T, strict=True)
        ]
        assert fitted.score(X, y, weights) == np.mean(expected)


def test_the_score_of_one_quantile_is_r2(diabetes, fitted):
    X, y, *_ = diabetes
    one = make_model(quantile=0.5, max_iter=5).fit(X, y)
    assert one.score(X, y) == super(RegularizedMLPRegressor, one).score(X, y)
    assert one.score(X, y) == pytest.approx(
        1 - ((y - one.predict(X)) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    )


@pytest.mark.parametrize("loss", ["mse", ["huber"]])
def test_the_score_after_a_bad_loss_was_set_names_it(diabetes, loss):
    X, y, *_ = diabetes
    model = make_model(quantile=0.5, max_iter=1).fit(X, y).set_params(loss=loss)
    with pytest.raises(ValueError, match=r"loss: expected one of .*; received .*(mse|huber)"):
        model.score(X, y)


@pytest.mark.parametrize(
    "changes", [{"quantile": (0.1, 0.9)}, {"quantile": 0.5}, {"loss": "huber", "quantile": 0.5}]
)
def test_other_levels_than_those_of_the_network_are_refused(diabetes, fitted, changes):
    _, _, X, y = diabetes
    model = pickle.loads(pickle.dumps(fitted)).set_params(**changes)
    with pytest.raises(ValueError, match="loss and quantile: expected 3 levels"):
        model.score(X, y)


def test_copies_predict_the_same(diabetes, fitted):
    X, y, *_ = diabetes
    expected = fitted.predict(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), expected)
    assert clone(fitted).get_params()["quantile"] == LEVELS
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict(X), expected)
    assert "(0.1, 0.5, 0.9)" in repr(fitted)
    assert "0.9" in fitted._repr_html_()


def test_tags_say_that_y_has_one_column():
    assert not get_tags(make_model()).target_tags.multi_output
    for other in ({"quantile": 0.5}, {"quantile": [0.5]}, {"quantile": "no"}):
        assert get_tags(make_model(**other)).target_tags.multi_output


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ((), "quantile: expected one number in"),
        ((0.9, 0.5), "quantile: expected .* strictly ascending; received"),
        ((0.5, 0.5), "quantile: expected .* strictly ascending; received"),
        ((0.0, 0.5), r"quantile: expected .* in \(0, 1\)"),
        ((0.5, 1.0), r"quantile: expected .* in \(0, 1\)"),
        ((0.5, np.nan), "quantile: expected"),
        ((0.5, "high"), "quantile: expected numbers; received"),
        (np.full((2, 2), 0.5), "quantile: expected one number or a sequence"),
        ("high", "The 'quantile' parameter"),
        (1.5, "The 'quantile' parameter"),
    ],
)
def test_invalid_levels_are_refused(diabetes, levels, message):
    X, y, *_ = diabetes
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=message):
            getattr(make_model(quantile=levels), method)(X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_several_levels_of_another_loss_are_refused(diabetes, fitted, loss, method):
    X, y, *_ = diabetes
    model = pickle.loads(pickle.dumps(fitted)).set_params(loss=loss)
    message = (
        rf"quantile: expected one number with loss='{loss}'; received \(0.1, 0.5, 0.9\). "
        "Several numbers need loss='quantile'"
    )
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X, y)


def test_a_search_refuses_several_levels_of_another_loss(diabetes):
    X, y, *_ = diabetes
    search = RegularizedMLPRegressorCV(quantile=LEVELS, max_iter=1)
    with pytest.raises(ValueError, match="Several numbers need loss='quantile'"):
        search.fit(X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_several_columns_with_several_quantiles_are_refused(diabetes, method):
    X, y, *_ = diabetes
    with pytest.raises(ValueError, match="y: expected one column with several quantiles"):
        getattr(make_model(), method)(X, np.c_[y, y])
