"""The scorer of `validation_scoring`: its rows, its weights, and its errors."""

import warnings

import numpy as np
import pytest
from helpers import assert_same_network, quick_search
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.metrics import get_scorer, make_scorer, max_error

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._estimators.scorers import count_copies, takes_weights

X, y = load_iris(return_X_y=True)
X = X + np.linspace(0, 0.01, 150)[:, None]  # no two rows are equal
NUMBERS = X[:, 0] + np.arange(150) % 7
DOUBLED = np.r_[X, X[:70]]  # some rows come twice


def make_classifier(**changes):
    return RegularizedMLPClassifier(
        (4,), max_iter=2, early_stopping=True, random_state=0, **changes
    )


def make_regressor(**changes):
    return RegularizedMLPRegressor((4,), max_iter=2, early_stopping=True, random_state=0, **changes)


class RecordingScorer:
    """A scorer without weights that records its rows."""

    def __call__(self, estimator, X, y):
        self.X, self.y = X, y
        return estimator.score(X, y)


# -- rows and weights --------------------------------------------------------------------------


def test_equal_rows_are_scored_as_they_came():
    scorer = RecordingScorer()
    make_classifier(validation_scoring=scorer, validation_fraction=0.5).fit(
        DOUBLED, np.r_[y, y[:70]]
    )
    _, counts = np.unique(scorer.X, axis=0, return_counts=True)
    assert set(counts) >= {1, 2}


@pytest.mark.parametrize(
    "scoring", ["adjusted_rand_score", "roc_auc_ovo", "neg_log_loss", lambda model, X, y: 0.5]
)
def test_equal_rows_need_no_scorer_that_takes_weights(scoring):
    model = make_classifier(validation_scoring=scoring, validation_fraction=0.5)
    model.fit(DOUBLED, np.r_[y, y[:70]])
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("scoring", ["neg_max_error", make_scorer(max_error)])
def test_equal_rows_of_numbers_need_no_scorer_that_takes_weights(scoring):
    model = make_regressor(validation_scoring=scoring, validation_fraction=0.5)
    model.fit(DOUBLED, np.r_[NUMBERS, NUMBERS[:70]])
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("scoring", ["neg_log_loss", "adjusted_rand_score"])
def test_scores_of_frequencies_are_those_of_repeated_rows(scoring):
    counts = np.arange(150) % 4
    weighted = make_classifier(validation_scoring=scoring).fit(X, y, counts)
    repeated = make_classifier(validation_scoring=scoring)
    repeated.fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert weighted.validation_scores_ == repeated.validation_scores_


def test_a_unit_of_the_weights_does_not_matter_to_a_scorer_without_weights():
    scorer = RecordingScorer()
    model = make_classifier(validation_scoring=scorer)
    expected = model.fit(X, y).validation_scores_
    assert model.fit(X, y, np.full(150, 0.3)).validation_scores_ == expected


def test_a_scorer_that_takes_weights_receives_them():
    seen = []

    def score(model, X, y, sample_weight=None):
        seen.append(sample_weight)
        return model.score(X, y, sample_weight)

    make_classifier(validation_scoring=score).fit(X, y, np.where(y == 0, 0.5, 1.5))
    assert set(seen[0]) == {0.5, 1.5}


IGNORED = r"validation_scoring: 'neg_max_error' does not take sample_weight"


def test_weights_that_a_scorer_does_not_take_warn():
    with pytest.warns(UserWarning, match=IGNORED) as caught:
        make_regressor(validation_scoring="neg_max_error").fit(X, NUMBERS, 0.5 + NUMBERS)
    assert caught[0].filename == __file__


def test_class_weights_that_a_scorer_does_not_take_warn():
    unbalanced = np.minimum(y, 1)
    model = make_classifier(class_weight="balanced", validation_scoring="rand_score")
    with pytest.warns(UserWarning, match="'rand_score' does not take sample_weight"):
        model.fit(X, unbalanced)


def test_given_validation_rows_may_have_weights_that_a_scorer_does_not_take():
    model = make_regressor(validation_scoring="neg_max_error")
    weight = 0.5 + NUMBERS
    with pytest.warns(UserWarning, match=IGNORED):
        model.fit(X, NUMBERS, X_val=X, y_val=NUMBERS, sample_weight_val=weight)


@pytest.mark.parametrize("refit", [True, False, "folds"])
def test_a_search_warns_once(refit):
    model = quick_search(early_stopping=True, validation_scoring="rand_score", refit=refit)
    model.set_params(max_iter=1, dropouts=[0.0], l2s=[0.0], cv=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, np.where(y == 0, 0.5, 1.5))
    messages = [str(warning.message) for warning in caught]
    assert sum("'rand_score' does not take sample_weight" in message for message in messages) == 1


def test_a_search_without_weights_does_not_warn():
    model = quick_search(early_stopping=True, validation_scoring="rand_score", refit=False)
    model.set_params(max_iter=1, dropouts=[0.0], l2s=[0.0], cv=2)
    model.fit(DOUBLED, np.r_[y, y[:70]])  # warnings are errors


def test_copies_are_counted_up_to_the_size_of_a_table():
    assert count_copies(np.array([1.0, 2.0]), 2).tolist() == [1, 2]
    assert count_copies(np.array([1.0, 9e9]), 2) is None


def test_equal_weights_are_no_weights():
    assert count_copies(np.array([0.3, 0.3]), 2).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (get_scorer("accuracy"), True),
        (get_scorer("neg_max_error"), False),
        (lambda model, X, y, sample_weight: 0.0, True),
        (lambda model, X, y: 0.0, False),
        (max, False),
    ],
)
def test_whether_a_scorer_takes_weights(scorer, expected):
    assert takes_weights(scorer) is expected


def test_a_column_of_targets_is_scored_as_a_vector():
    scorer = RecordingScorer()
    with pytest.warns(UserWarning, match="column-vector"):
        make_regressor(validation_scoring=scorer).fit(X, NUMBERS[:, None])
    assert scorer.y.ndim == 1


def test_sparse_indicators_and_tables_are_scored():
    labels = np.stack([y > 0, y > 1], axis=1).astype(int)
    model = make_classifier(validation_scoring="accuracy").fit(csr_array(X), csr_array(labels))
    assert len(model.validation_scores_) == model.n_iter_


# -- errors ------------------------------------------------------------------------------------

RARE = np.where(np.arange(150) == 3, 7, y)  # one row of the class 7, which stays in training
HINT = r"They lack rows of the classes \[7\].*validation_scoring='loss'.*X_val"


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr"])
def test_a_scorer_that_needs_every_class_fails_with_advice(scoring):
    with pytest.raises(
        ValueError, match=rf"(?s)validation_scoring: '{scoring}' cannot score.*{HINT}"
    ):
        make_classifier(validation_scoring=scoring).fit(X, RARE)


def test_validation_rows_without_a_class_fail_with_advice():
    model = make_classifier(validation_scoring="neg_log_loss")
    with pytest.raises(ValueError, match=r"They lack rows of the classes \[2\]"):
        model.fit(X, y, X_val=X[:100], y_val=y[:100])


@pytest.mark.filterwarnings("ignore:Only one class is present")
def test_a_score_of_nan_for_lack_of_a_class_gives_advice():
    model = make_classifier(validation_scoring="roc_auc")
    with pytest.raises(ValueError, match=r"received NaN.*They lack rows of the classes \[ True\]"):
        model.fit(X, y > 0, X_val=X[:50], y_val=y[:50] > 0)


@pytest.mark.filterwarnings("ignore:Only one class is present")
def test_labels_of_one_value_give_advice():
    labels = np.stack([y > 0, y > 1], axis=1).astype(int)
    model = make_classifier(validation_scoring="roc_auc")
    with pytest.raises(ValueError, match=r"They lack both values of the labels \[1\]"):
        model.fit(X, labels, X_val=X[:100], y_val=labels[:100])


def test_the_loss_needs_no_row_of_every_class():
    assert np.isfinite(make_classifier().fit(X, RARE).validation_loss_curve_).all()


def test_another_error_of_a_scorer_is_raised_as_it_is():
    def fail(model, X, y):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        make_classifier(validation_scoring=fail).fit(X, y)


@pytest.mark.parametrize("score", [None, "0.5", {"a": 1.0}, np.zeros(2)])
def test_a_score_that_is_no_number_is_refused(score):
    model = make_classifier(validation_scoring=lambda *arguments: score)
    with pytest.raises(ValueError, match="validation_scoring: expected a number; received"):
        model.fit(X, y)


@pytest.mark.parametrize("number", [np.array(0.5), np.array([0.5]), np.float32(0.5), True])
def test_a_score_may_be_any_number(number):
    model = make_classifier(validation_scoring=lambda *arguments: number).fit(X, y)
    assert model.validation_scores_ == [float(np.ravel(number)[0])] * model.n_iter_
    assert_same_network(model, make_classifier(validation_scoring=lambda *a: 0.0).fit(X, y))


def test_a_score_that_is_nan_on_sparse_labels_is_explained():
    labels = csr_array(np.column_stack([y == 0, y == 1]).astype(float))
    model = make_classifier(validation_scoring=lambda estimator, X, y: np.nan)
    with pytest.raises(ValueError, match=r"received NaN. There are 15 validation rows"):
        model.fit(X, labels)
