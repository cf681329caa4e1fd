"""Folds: which splits are accepted, and what scorers receive."""

import numpy as np
import pandas as pd
import pytest
from helpers import (
    CANCER,
    assert_same_search,
    grid_search,
    quick_regression_search,
    quick_search,
)
from numpy.testing import assert_array_equal
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import KFold, LeaveOneGroupOut

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([], "cv: expected at least one split; received none"),
        (b"five", "cv: expected a number of folds, a splitter or an iterable; received b'five'"),
        ([3], "cv: expected a pair of indices .*for fold 0"),
        ([(0, 1)], "cv: expected a pair of indices .*for fold 0.* a number is no list"),
        ([([], [0, 1])], "cv: expected training rows in each fold; fold 0 has none"),
        ([([0, 1], [])], "cv: expected test rows in each fold; fold 0 has none"),
        ([([0], [1]), ([0], [569])], r"cv: .*of the 569 rows.*for fold 1.*569 is out of bounds"),
        ([([0, -570], [1])], "cv: .*for fold 0.*-570 is out of bounds"),
        ([([0.0, 1.0], [2.0])], "cv: expected a pair of indices .*for fold 0"),
        ([([True, False], [False, True])], "cv: expected .*masks.*for fold 0"),
    ],
)
def test_bad_split_is_refused_before_training(splits, message, trained):
    with pytest.raises(ValueError, match=message):
        quick_search(cv=splits).fit(X, y)
    assert not trained


class ByGroup(LeaveOneGroupOut):
    """A splitter that keeps a list of its own in an attribute of the name `cv`."""

    cv = [(np.arange(0, 569, 2), np.arange(1, 569, 2))]


def test_splitter_with_a_list_of_its_own_splits():
    groups = np.arange(len(y)) // 200
    options = {"dropouts": [0.0], "l2s": [1e-3], "max_iter": 1, "refit": False}
    expected = quick_search(cv=LeaveOneGroupOut(), **options).fit(X, y, groups=groups)
    ours = quick_search(cv=ByGroup(), **options).fit(X, y, groups=groups)
    assert_array_equal(ours.scores_, expected.scores_)


@pytest.mark.parametrize("kind", ["training", "test"])
def test_fold_without_a_weight_is_refused_before_training(kind, trained):
    weight = np.ones(len(y))
    weight[:200] = 0
    without, others = np.arange(200), np.arange(200, 569)
    split = (without, others) if kind == "training" else (others, without)
    splits = [(np.arange(100, 569), np.arange(100, 569)), split]
    with pytest.raises(ValueError, match=f"in the {kind} rows of each fold; those of fold 1 "):
        quick_search(cv=splits).fit(X, y, weight)
    assert not trained


FLOWERS, SPECIES = load_iris(return_X_y=True)
WITHOUT_A_CLASS = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]


@pytest.mark.parametrize("refit", ["folds", "ensemble"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_networks_of_folds_without_a_class_predict_all_classes(refit, class_weight):
    options = {"candidates": [{}], "class_weight": class_weight, "max_iter": 100}
    model = quick_search(cv=WITHOUT_A_CLASS, refit=refit, **options).fit(FLOWERS, SPECIES)
    first, last = model.member_predictions(FLOWERS)
    np.testing.assert_allclose(first.sum(axis=1), 1)
    # Only the first network knows class 0, and only the last one knows class 2.
    means = np.c_[first[:, 0], (first[:, 1] + last[:, 1]) / 2, last[:, 2]]
    expected = means / means.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(FLOWERS), expected)
    scores = model.decision_function(FLOWERS)
    np.testing.assert_allclose(softmax(scores, axis=1), expected)
    for code in range(3):
        assert (model.predict(FLOWERS[SPECIES == code]) == code).mean() > 0.8


def test_rows_without_weight_teach_no_class():
    weight = np.where((np.arange(150) % 2 == 0) & (SPECIES == 2), 0.0, 1.0)
    splits = [(np.arange(0, 150, 2), np.arange(1, 150, 2)), (np.arange(1, 150, 2), np.arange(50))]
    model = quick_search(cv=splits, refit="folds", max_iter=100).fit(FLOWERS, SPECIES, weight)
    first, last = model.member_predictions(FLOWERS)
    means = np.c_[(first[:, :2] + last[:, :2]) / 2, last[:, 2]]
    expected = means / means.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(FLOWERS), expected)


def test_a_label_that_the_rows_of_a_fold_lack_has_the_other_networks():
    labels = np.c_[SPECIES == 0, SPECIES == 2].astype(int)
    model = quick_search(cv=WITHOUT_A_CLASS, refit="folds", max_iter=100).fit(FLOWERS, labels)
    first, last = model.member_predictions(FLOWERS)
    expected = np.c_[first[:, 0], last[:, 1]]
    np.testing.assert_allclose(model.predict_proba(FLOWERS), expected)
    assert (model.predict(FLOWERS) == labels).mean() > 0.9


def test_weights_of_classes_are_those_of_the_last_fit():
    model = quick_search(cv=WITHOUT_A_CLASS, refit="folds").fit(FLOWERS, SPECIES)
    assert_array_equal(model.estimator_class_weights_, [[1, 0.5, 0], [0, 0.5, 1]])
    model.set_params(cv=3).fit(FLOWERS, SPECIES)
    assert not hasattr(model, "estimator_class_weights_")


def test_one_of_two_classes_may_be_lacking():
    """The first fold has rows of one class, and cannot tell which are of the other."""
    is_setosa = SPECIES == 0
    splits = [(np.arange(50), np.arange(50, 150)), (np.arange(0, 150, 2), np.arange(1, 150, 2))]
    model = quick_search(cv=splits, refit="folds", max_iter=100).fit(FLOWERS, is_setosa)
    first, last = model.member_predictions(FLOWERS)
    means = np.c_[last[:, 0], (first[:, 1] + last[:, 1]) / 2]
    np.testing.assert_allclose(
        model.predict_proba(FLOWERS), means / means.sum(axis=1, keepdims=True)
    )
    assert model.score(FLOWERS, is_setosa) > 0.95


def test_a_class_that_all_folds_lack_has_almost_no_probability():
    train, test = np.arange(100), np.arange(100, 150)
    model = quick_search(cv=[(train, test)], refit="folds").fit(FLOWERS, SPECIES)
    np.testing.assert_allclose(model.predict_proba(FLOWERS), model.member_predictions(FLOWERS)[0])


def test_sorted_classes_have_an_ensemble():
    model = quick_search(cv=KFold(3), refit="ensemble", candidates=[{}]).fit(FLOWERS, SPECIES)
    assert {tuple(network.classes_) for network in model.estimators_} == {(0, 1, 2)}
    assert model.ensemble_scores_[-1] >= model.ensemble_scores_[0]
    assert np.isfinite(model.ensemble_scores_).all()


@pytest.mark.filterwarnings("ignore:scoring. 'neg_max_error' does not take sample_weight")
def test_rows_to_stop_on_need_a_weight(trained):
    weight = np.ones(len(y))
    weight[:200] = 0
    splits = [(np.arange(200, 569), np.arange(200)), (np.arange(400), np.arange(400, 569))]
    options = {"refit": "folds", "early_stopping": "fold", "scoring": "neg_max_error"}
    model = quick_regression_search(cv=splits, **options)
    with pytest.raises(ValueError, match="in the test rows of each fold; those of fold 0 "):
        model.fit(X, y, weight)
    assert not trained


def test_fold_without_a_class_is_scored():
    model = quick_search(cv=WITHOUT_A_CLASS).fit(FLOWERS, SPECIES)
    # The probability of a class that was not trained on counts as the smallest number.
    assert model.best_score_ == pytest.approx(np.log(np.finfo(float).eps))


def test_an_error_names_the_fold_and_the_candidate():
    search = quick_search(scoring=lambda model, X, y: [0.5, 0.6], dropouts=[0.5], max_iter=1)
    with pytest.raises(ValueError, match="expected numbers") as caught:
        search.fit(X, y)
    candidate = {"dropout": 0.5, "l2": 0.001}
    assert caught.value.__notes__ == [f"In fold 0 of the search, with {candidate}."]


def test_splits_may_come_from_a_generator():
    expected = quick_search(cv=KFold(3), scoring="accuracy").fit(X, y)
    ours = quick_search(cv=KFold(3).split(X), scoring="accuracy").fit(X, y)
    assert_array_equal(ours.scores_, expected.scores_)


def test_splits_may_be_masks():
    splits = list(KFold(3).split(X))
    masks = [tuple(np.isin(np.arange(len(y)), rows) for rows in split) for split in splits]
    expected = quick_search(cv=splits).fit(X, y)
    assert_array_equal(quick_search(cv=masks).fit(X, y).scores_, expected.scores_)


def test_splitter_and_scorer_receive_a_series_with_its_index():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    cost = y + 1.0

    def score(model, X, y):
        return -float(cost.loc[y.index][model.predict(X) != y].sum())

    class Splitter(KFold):
        def split(self, X, y, groups=None):
            return super().split(X, y.loc[X.index])

    ours = quick_search(cv=Splitter(3), scoring=score)
    assert_same_search(ours.fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("names", [False, True])
def test_column_of_targets_is_a_vector(n_classes, names):
    X, y = FLOWERS[: 50 * n_classes], SPECIES[: 50 * n_classes]
    y = np.array(["a", "b", "c"])[y] if names else y
    options = {"scoring": ["loss", "accuracy"], "refit": "loss"}
    expected = quick_search(**options).fit(X, y)
    model = quick_search(**options).fit(X, pd.DataFrame({"t": y}))
    assert_array_equal(model.scores_["loss"], expected.scores_["loss"])
    assert model.score(X, y[:, None]) == expected.score(X, y)


@pytest.mark.parametrize("changed", ["X", "y"])
def test_scorer_that_changes_the_test_rows_fails(changed):
    def score(model, X, y):
        value = model.score(X, y)
        if model.dropout:
            (X if changed == "X" else y)[:] = 0
        return value

    with pytest.warns(UserWarning, match="(?s)Scoring failed for 6 of 12.*read-only"):
        model = quick_search(scoring=score).fit(FLOWERS, SPECIES)
    assert_array_equal(np.isnan(model.scores_).any(axis=(1, 2)), [False, True])


def test_tables_of_the_user_stay_writable():
    X, y = FLOWERS.copy(), SPECIES.copy()
    quick_search().fit(X, y)
    assert X.flags.writeable
    assert y.flags.writeable


@pytest.mark.parametrize("number", [np.array(0.5), np.array([0.5])])
def test_scorer_may_return_an_array_of_one_number(number):
    model = quick_search(scoring=lambda model, X, y: number).fit(FLOWERS, SPECIES)
    assert model.best_score_ == 0.5


def test_scorer_has_to_return_numbers():
    with pytest.raises(ValueError, match="scoring: expected numbers; received None"):
        quick_search(scoring=lambda model, X, y: None).fit(X, y)
