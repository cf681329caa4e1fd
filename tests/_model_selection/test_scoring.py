"""The loss as a score, what `scoring` may be, and the method `score`."""

import numpy as np
import pytest
from helpers import (
    CANCER,
    TINY,
    assert_same_search,
    grid_search,
    quick_regression_search,
    quick_search,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import (
    get_scorer,
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)
from sklearn.model_selection import TimeSeriesSplit

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, RegularizedMLPRegressorCV
from skreg._model_selection.scoring import Scoring, negative_loss

# Losses whose programs are compiled by the whole matrix only.
IN_FULL = ["absolute_error", "poisson"]

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


def classifier():
    return RegularizedMLPClassifier(**SMALL)


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_of_classes_is_the_log_loss(load, weighted):
    X, y = load(return_X_y=True)
    weight = np.arange(len(y)) % 4 if weighted else None
    names = np.array(["a", "b", "c"])[y]
    model = classifier().fit(X, names)
    expected = log_loss(names, model.predict_proba(X), sample_weight=weight)
    assert_allclose(-negative_loss(model, X, names, weight), expected, rtol=1e-6)


def test_loss_of_rows_that_lack_a_class():
    X, y = load_iris(return_X_y=True)
    model = classifier().fit(X[:100], y[:100])
    expected = -model.predict_log_proba(X[:50])[:, 0].mean()
    assert_allclose(-negative_loss(model, X[:50], y[:50]), expected)


def test_loss_of_a_class_that_was_not_trained_on_is_that_of_the_smallest_probability():
    X, y = load_iris(return_X_y=True)
    model = classifier().fit(X[:100], y[:100])
    assert_allclose(-negative_loss(model, X[100:], y[100:]), -np.log(np.finfo(float).eps))


def test_loss_of_several_labels_is_the_mean_of_their_log_losses():
    X, y = load_iris(return_X_y=True)
    labels = np.stack([y > 0, y > 1], axis=1).astype(int)
    model = classifier().fit(X, labels)
    probabilities = model.predict_proba(X)
    expected = np.mean([log_loss(labels[:, k], probabilities[:, k]) for k in range(2)])
    assert_allclose(-negative_loss(model, X, labels), expected, rtol=1e-6)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        ("squared_error", mean_squared_error),
        ("absolute_error", mean_absolute_error),
        ("quantile", lambda *y: mean_pinball_loss(*y, alpha=0.8)),
    ],
)
def test_loss_of_numbers_is_that_of_the_model_on_the_scale_of_its_target(loss, metric, outputs):
    X, y = load_diabetes(return_X_y=True)
    y = y if outputs == 1 else np.stack([y, 10 * y], axis=1)
    model = RegularizedMLPRegressor(loss=loss, quantile=0.8, **SMALL).fit(X, y)
    scale = model.target_scale_
    expected = metric(y / scale, model.predict(X) / scale)
    assert_allclose(-negative_loss(model, X, y), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "scoring", ["r2", ["loss", "neg_mean_absolute_error"], {"loss": "loss", "error": "r2"}]
)
def test_scorers_that_take_one_column_are_refused_with_several_quantiles(scoring):
    refit = True if isinstance(scoring, str) else "loss"
    model = quick_regression_search(
        loss="quantile", quantile=(0.1, 0.9), scoring=scoring, refit=refit
    )
    with pytest.raises(ValueError, match=r"expected 'loss', None or a callable with several quant"):
        model.fit(X, X[:, 0])
    model.set_params(scoring=lambda model, X, y: -np.abs(model.predict(X)).mean(), refit=True)
    assert np.isfinite(model.fit(X, X[:, 0]).scores_).all()


def test_loss_of_several_quantiles_is_the_mean_of_their_pinball_losses():
    X, y = load_diabetes(return_X_y=True)
    levels, weight = (0.2, 0.5, 0.9), np.arange(len(y)) % 3
    model = RegularizedMLPRegressor(loss="quantile", quantile=levels, **SMALL).fit(X, y)
    losses = [
        mean_pinball_loss(y, column, alpha=level, sample_weight=weight)
        for level, column in zip(levels, model.predict(X).T, strict=True)
    ]
    expected = np.mean(losses) / model.target_scale_[0]
    assert_allclose(-negative_loss(model, X, y, weight), expected, rtol=1e-6)
    constant = model.fit(X, np.full(len(y), 3.0))  # whose errors are their own unit
    assert negative_loss(constant, X, np.full(len(y), 3.0)) == 0
    assert_allclose(-negative_loss(constant, X, np.full(len(y), 5.0)), np.mean(levels))


def test_huber_loss_is_quadratic_inside_and_linear_outside():
    X, y = load_diabetes(return_X_y=True)
    model = RegularizedMLPRegressor(loss="huber", **SMALL).fit(X, y)
    error = np.abs(model.predict(X) - y) / model.target_scale_
    expected = np.where(error < 1, error**2 / 2, error - 1 / 2)
    assert_allclose(-negative_loss(model, X, y), expected.mean())


def test_poisson_loss_is_half_the_deviance_and_a_constant():
    X, y = load_diabetes(return_X_y=True)
    losses, deviances = [], []
    for max_iter in (1, 20):
        model = RegularizedMLPRegressor(loss="poisson", **{**SMALL, "max_iter": max_iter}).fit(X, y)
        losses.append(-negative_loss(model, X, y))
        deviances.append(mean_poisson_deviance(y, model.predict(X)) / model.target_scale_[0] / 2)
    assert_allclose(np.diff(losses), np.diff(deviances), rtol=1e-5)


# -- what `scoring` may be ---------------------------------------------------------------------


def test_one_metric_is_called_score():
    assert Scoring("loss", classifier(), True).metric == "score"


def test_refit_names_one_of_several_metrics():
    assert Scoring(["accuracy", "roc_auc"], classifier(), "roc_auc").metric == "roc_auc"


def test_own_score_takes_weights():
    assert Scoring(None, classifier(), True).takes_weights()


def test_function_without_a_weight_takes_none():
    assert not Scoring(lambda model, X, y: 0.0, classifier(), True).takes_weights()


def test_several_metrics_are_those_of_grid_search():
    ours = quick_search(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss")
    fitted, expected = clone(ours).fit(X, y), grid_search(ours).fit(X, y)
    assert_same_search(fitted, expected)
    assert fitted.multimetric_
    assert fitted.scorer_.keys() == expected.scorer_.keys()
    assert fitted.scorer_["accuracy"](fitted, X, y) == fitted.best_estimator_.score(X, y)
    assert fitted.scores_.keys() == {"accuracy", "neg_log_loss"}


@pytest.mark.parametrize("scoring", [[], (), {}])
def test_no_metrics_are_refused(scoring):
    with pytest.raises(ValueError, match="scoring: expected at least one metric"):
        quick_search(scoring=scoring, refit=False).fit(X, y)


@pytest.mark.parametrize("scoring", [["loss", "accuracy"], {"a": "accuracy", "loss": "loss"}])
def test_loss_may_be_one_of_several_metrics(scoring):
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    expected = quick_search().fit(X, y, weight)
    fitted = quick_search(scoring=scoring, refit="loss").fit(X, y, weight)
    assert_array_equal(fitted.scores_["loss"], expected.scores_)
    assert fitted.best_index_ == expected.best_index_


def assert_same_scores(ours, theirs):
    for name, values in theirs.cv_results_.items():
        if not name.endswith("_time"):
            assert_array_equal(ours.cv_results_[name], values, err_msg=name)


@pytest.mark.parametrize("refit", [False, lambda results: 1])
def test_several_metrics_without_the_name_of_one(refit):
    ours = quick_search(scoring=["accuracy", "roc_auc"], refit=refit)
    fitted, theirs = clone(ours).fit(X, y), grid_search(ours).fit(X, y)
    assert_same_scores(fitted, theirs)
    assert hasattr(fitted, "best_index_") == callable(refit) == hasattr(theirs, "best_index_")


def score_twice(model, X, y):
    probabilities = model.predict_proba(X)
    return {"a": float(probabilities[:, 0].std()), "b": 1.0}


@pytest.mark.parametrize("refit", ["a", False, lambda results: 1])
def test_callable_may_return_several_metrics(refit):
    ours = quick_search(scoring=score_twice, refit=refit)
    fitted, theirs = clone(ours).fit(X, y), grid_search(ours).fit(X, y)
    assert_same_scores(fitted, theirs)
    if refit:
        assert fitted.best_index_ == theirs.best_index_


def test_callable_with_several_metrics_needs_the_name_of_one():
    with pytest.raises(ValueError, match="refit: expected the name of a metric"):
        quick_search(scoring=score_twice).fit(X, y)


def test_metric_that_a_callable_does_not_return_is_named_at_once(trained):
    model = quick_search(scoring=score_twice, refit="accuracy")
    with pytest.raises(ValueError, match=r"one of \['a', 'b'\].*received 'accuracy'"):
        model.fit(X, y)
    assert len(trained) <= 4  # one batch


def test_validation_scoring_receives_the_values_of_the_candidate():
    X, y = load_iris(return_X_y=True)
    seen = set()

    def score(model, X, y, sample_weight=None):
        seen.add((model.dropout, model.l2))
        return model.score(X, y, sample_weight) - model.dropout

    ours = quick_search(early_stopping=True, validation_scoring=score, scoring="accuracy")
    theirs = grid_search(ours).fit(X, y)
    seen.clear()
    assert_same_search(ours.fit(X, y), theirs)
    assert len(seen) == 4


# -- the method `score` ------------------------------------------------------------------------


def test_score_of_several_metrics_is_that_of_refit():
    model = quick_search(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss").fit(X, y)
    assert model.score(X, y) == get_scorer("neg_log_loss")(model, X, y)


@pytest.mark.parametrize("refit", [False, lambda results: 1])
def test_score_of_several_metrics_needs_the_name_of_one(refit):
    model = quick_search(scoring=["accuracy", "roc_auc"], refit=refit).fit(X, y)
    with pytest.raises((ValueError, NotFittedError)):
        model.score(X, y)


def test_score_of_several_metrics_raises_the_error_of_a_scorer():
    model = quick_search(scoring=["accuracy", "roc_auc"], refit="accuracy").fit(X, y)
    with pytest.raises(ValueError, match=r"(?s)'accuracy' failed with:.*inconsistent numbers"):
        model.score(X, y[:-1])


def test_score_of_weights_that_the_scorer_does_not_take_is_refused():
    search = quick_search(scoring=lambda model, X, y: model.score(X, y)).fit(X, y)
    with pytest.raises(ValueError, match="sample_weight: expected None"):
        search.score(X, y, sample_weight=np.ones(len(y)))


def test_scorer_receives_the_network():
    model = quick_search(scoring=lambda model, X, y: model.dropout).fit(X, y)
    assert model.score(X, y) == model.dropout_


@pytest.mark.parametrize("refit", [True, "folds"])
def test_scorer_may_call_score(refit):
    model = quick_search(scoring=lambda model, X, y: float(model.score(X, y)), refit=refit)
    assert model.fit(X, y).score(X, y) == (model.predict(X) == y).mean()


@pytest.mark.parametrize("scoring", ["loss", "accuracy", ["loss", "accuracy"]])
def test_score_without_a_network_is_refused(scoring):
    model = quick_search(scoring=scoring, refit=False).fit(X, y)
    with pytest.raises(NotFittedError, match="fitted with refit=False"):
        model.score(X, y)


@pytest.mark.parametrize("refit", [True, "folds"])
def test_scorer_of_a_classifier_search_scores_the_search(refit):
    search = quick_search(refit=refit).fit(*CANCER)
    X, y = CANCER
    expected = -log_loss(y, search.predict_proba(X))
    assert search.scorer_(search, X, y) == pytest.approx(expected)


def test_scorer_of_a_regressor_search_scores_the_search():
    X, y = load_diabetes(return_X_y=True)
    search = quick_regression_search().fit(X, y)
    expected = -mean_squared_error(y, search.predict(X)) / search.target_scale_[0] ** 2
    assert search.scorer_(search, X, y) == pytest.approx(expected)


@pytest.mark.parametrize(
    "loss", ["squared_error", *(pytest.param(x, marks=pytest.mark.full) for x in IN_FULL)]
)
def test_a_fold_with_a_constant_target_has_the_same_loss_in_every_unit(loss):
    """A constant has no spread to measure a loss in, and is predicted exactly."""
    X = np.arange(40.0)[:, None]
    y = np.r_[np.full(10, 1.0), 2 + np.sin(np.arange(30))]
    losses = []
    for unit in (1e-3, 1.0, 1e3):
        search = RegularizedMLPRegressorCV(
            dropouts=[0.0, 0.3],
            l2s=[1e-2],
            loss=loss,
            cv=TimeSeriesSplit(3),
            max_iter=2,
            refit=False,
        )
        search.fit(X, unit * y)
        losses += list(search.cv_results_["split0_test_score"])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-9)


def test_a_search_with_a_constant_fold_chooses_alike_in_every_unit():
    X = np.arange(40.0)[:, None]
    y = np.r_[np.full(10, 1.0), 2 + np.sin(np.arange(30))]
    options = {**SMALL, "dropouts": [0.0, 0.3], "l2s": [1e-2], "cv": TimeSeriesSplit(3)}
    found = [RegularizedMLPRegressorCV(**options).fit(X, unit * y) for unit in (2**-10, 1.0, 2**10)]
    assert len({search.best_index_ for search in found}) == 1
    np.testing.assert_allclose([search.best_score_ for search in found], found[0].best_score_)


def test_errors_beyond_the_largest_number_are_no_perfect_score():
    """Divided by an infinite scale, they would be zero."""
    largest = np.finfo(np.float64).max
    model = RegularizedMLPRegressor(**SMALL).fit(np.zeros((4, 1)), np.full(4, largest))
    assert negative_loss(model, np.zeros((2, 1)), np.full(2, -largest)) < -0.5


@pytest.mark.parametrize("trained_on", [np.arange(150.0), np.full(150, 3.0)])
def test_rows_without_weight_do_not_change_the_loss(trained_on):
    """Neither by an infinite loss, nor by the unit of errors of a target that was constant."""
    X, y = load_iris(return_X_y=True)
    model = RegularizedMLPRegressor(**SMALL).fit(X, trained_on)
    has_weight = np.arange(150) % 3 == 0
    expected = negative_loss(model, X[has_weight], y[has_weight])
    assert np.isfinite(expected)
    assert negative_loss(model, X, np.where(has_weight, y, 1e200), has_weight) == expected


@pytest.mark.parametrize("refit", ["folds", "ensemble"])
def test_scorer_of_a_regressor_search_scores_the_average(refit):
    flowers, _ = load_iris(return_X_y=True)
    X, y = flowers[:, 1:], flowers[:, 0]
    options = {**TINY, "refit": refit, "candidates": [{}]}
    model = quick_regression_search(**options).fit(X, y)
    scale = max(network.target_scale_[0] for network in model.estimators_)
    errors = (model.predict(X) - y) / scale
    score = model.scorer_(model, X, y)
    assert score == pytest.approx(-np.mean(errors**2))
