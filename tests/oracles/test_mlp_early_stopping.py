"""Early stopping, compared with that of MLPClassifier and MLPRegressor."""

import numpy as np
import pytest
from oracles.mlp_pairs import (
    NUMBERS,
    PAIRS,
    N,
    X,
    Y,
    covers,
    make_small,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skreg import RegularizedMLPRegressor


class RecordingScorer:
    """A scorer of `score` that records its arguments."""

    def __call__(self, estimator, X, y, sample_weight=None):
        self.estimator, self.X, self.y, self.weight = estimator, X, y, sample_weight
        return estimator.score(X, y, sample_weight)


@covers("early_stopping")
@pytest.mark.parametrize(("estimator_type", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_early_stopping_keeps_the_epoch_of_the_lowest_loss(estimator_type, y):
    changes = {"max_iter": 300, "learning_rate_init": 0.02, "n_iter_no_change": 5, "tol": 0.01}
    model = make_small(PAIRS[estimator_type][1], early_stopping=True, **changes).fit(X, y)
    assert model.n_iter_ == len(model.validation_loss_curve_) < 300
    assert model.best_loss_ == min(model.validation_loss_curve_)
    assert model.validation_loss_curve_[model.best_iter_ - 1] == model.best_loss_
    assert model.validation_scores_ is None


@covers("early_stopping")
@pytest.mark.parametrize(("estimator_type", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_without_early_stopping_the_best_loss_is_the_lowest_training_loss(estimator_type, y):
    without = make_small(PAIRS[estimator_type][1]).fit(X, y)
    assert without.validation_loss_curve_ is None
    assert without.best_loss_ == min(without.loss_curve_)


@covers("early_stopping")
@pytest.mark.parametrize(("estimator_type", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_validation_scoring_none_keeps_the_epoch_of_the_best_score(estimator_type, y):
    scorer = RecordingScorer()
    changes = {"early_stopping": True, "max_iter": 12, "validation_scoring": scorer}
    recorded = make_small(PAIRS[estimator_type][1], **changes).fit(X, y)
    model = make_small(PAIRS[estimator_type][1], **{**changes, "validation_scoring": None}).fit(
        X, y
    )
    assert len(model.validation_scores_) == model.n_iter_
    assert recorded.validation_scores_ == model.validation_scores_
    best = max(model.validation_scores_)
    assert model.validation_scores_[model.best_iter_ - 1] == best
    assert model.score(scorer.X, scorer.y) == pytest.approx(best)


@covers("validation_fraction")
def test_validation_fraction_is_the_share_of_the_rows_of_each_class():
    scorer = RecordingScorer()
    y = np.repeat([0, 1, 2], [90, 40, 20])
    changes = {"validation_fraction": 0.2, "validation_scoring": scorer, "max_iter": 1}
    make_small(early_stopping=True, **changes).fit(X, y)
    expected = 0.2 * np.array([90, 40, 20])
    np.testing.assert_allclose(np.bincount(scorer.y), expected, atol=0.5)


@covers("validation_fraction")
def test_a_validation_fraction_of_zero_is_refused():
    with pytest.raises(ValueError, match="The 'validation_fraction' parameter"):
        make_small(early_stopping=True, validation_fraction=0.0).fit(X, Y)


@covers("validation_fraction")
def test_equal_rows_are_held_out_together():
    scorer = RecordingScorer()
    copies = X[:75].repeat(2, axis=0), Y[:75].repeat(2)
    make_small(early_stopping=True, validation_scoring=scorer, max_iter=1).fit(*copies)
    _, counts = np.unique(scorer.X, axis=0, return_counts=True)
    np.testing.assert_array_equal(counts, 2)


@covers("early_stopping")
def test_a_class_of_one_row_is_not_held_out_where_mlp_refuses_it():
    y = np.where(np.arange(N) == 7, 2, Y > 0)
    with pytest.raises(ValueError, match="least populated class"):
        MLPClassifier(early_stopping=True).fit(X, y == 2)
    scorer = RecordingScorer()
    make_small(early_stopping=True, validation_scoring=scorer, max_iter=1).fit(X, y)
    assert set(scorer.y) == {0, 1}


@covers("early_stopping")
@pytest.mark.parametrize("scoring", ["loss", None])
def test_early_stopping_takes_string_labels(scoring):
    names = np.array(["class_a", "class_b", "class_c"], dtype=object)[Y]
    model = make_small(early_stopping=True, validation_scoring=scoring).fit(X, names)
    assert np.isfinite(model.validation_loss_curve_).all()
    assert set(model.predict(X)) == set(names)


@covers("early_stopping")
def test_early_stopping_with_weights_of_one_is_early_stopping_without_weights():
    model = make_small(RegularizedMLPRegressor, early_stopping=True)
    unweighted = model.fit(X, NUMBERS).validation_loss_curve_
    assert model.fit(X, NUMBERS, np.ones(N)).validation_loss_curve_ == unweighted


@covers("early_stopping")
def test_weights_change_the_validation_losses():
    model = make_small(RegularizedMLPRegressor, early_stopping=True)
    unweighted = model.fit(X, NUMBERS).validation_loss_curve_
    assert model.fit(X, NUMBERS, np.where(Y > 0, 1.0, 0.5)).validation_loss_curve_ != unweighted


@covers("early_stopping")
def test_scores_of_early_stopping_are_weighted():
    scorer = RecordingScorer()
    weight = np.where(Y > 0, 1.0, 0.5)
    make_small(early_stopping=True, validation_scoring=scorer).fit(X, Y, weight)
    np.testing.assert_array_equal(scorer.weight, np.where(scorer.y > 0, 1.0, 0.5))


@covers("early_stopping", "validation_fraction")
@pytest.mark.parametrize(
    ("make_model", "n"),
    [(MLPRegressor, 2), (lambda: make_small(RegularizedMLPRegressor), 1)],
    ids=["MLPRegressor", "skreg"],
)
def test_an_empty_validation_set_is_refused_with_the_message_of_mlp(make_model, n):
    with pytest.raises(ValueError, match="The validation set is too small"):
        make_model().set_params(early_stopping=True).fit(X[:n], NUMBERS[:n])
