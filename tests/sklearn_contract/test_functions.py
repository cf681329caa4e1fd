"""Functions of scikit-learn that take an estimator: model selection, inspection and displays."""

import matplotlib
import numpy as np
import pytest
from helpers import assert_learned, make_classifier, make_regressor, split
from sklearn.datasets import load_diabetes
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay
from sklearn.model_selection import (
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)

# -- model selection ---------------------------------------------------------------------------


def score_by_cross_validate(X, y):
    return cross_validate(make_classifier(), X, y, cv=3)["test_score"].mean()


def score_by_cross_val_predict(X, y):
    return np.mean(cross_val_predict(make_classifier(), X, y, cv=3) == y)


def score_by_probabilities(X, y):
    return np.mean(
        cross_val_predict(make_classifier(), X, y, cv=3, method="predict_proba").argmax(1) == y
    )


# Rows are shuffled, since the first rows of sorted ones are all of one class.
SHUFFLED = {"shuffle": True, "random_state": 0, "cv": 3}


def score_by_learning_curve(X, y):
    _, _, scores = learning_curve(make_classifier(), X, y, train_sizes=[0.2, 1.0], **SHUFFLED)
    assert scores[1].mean() > scores[0].mean()
    return scores[1].mean()


def score_by_incremental_learning_curve(X, y):
    """With `partial_fit`, in one pass over ten parts of the rows."""
    options = {"exploit_incremental_learning": True, "train_sizes": np.arange(1, 11) / 10}
    return learning_curve(make_classifier(), X, y, **options, **SHUFFLED)[2][-1].mean()


def score_by_validation_curve(X, y):
    _, scores = validation_curve(
        make_classifier(), X, y, param_name="l2", param_range=[1e-3, 100], cv=3
    )
    assert scores[1].mean() < 0.7  # the penalty is too strong
    return scores[0].mean()


def score_by_permutation_test(X, y):
    score, others, p = permutation_test_score(
        make_classifier(), X, y, cv=3, n_permutations=19, random_state=0
    )
    assert p == 0.05  # none of 19 is as good
    assert others.mean() < 0.5
    return score


FUNCTIONS = [
    score_by_cross_validate,
    score_by_cross_val_predict,
    score_by_probabilities,
    score_by_learning_curve,
    score_by_incremental_learning_curve,
    score_by_validation_curve,
    score_by_permutation_test,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_network_learns_in_a_function_of_model_selection(function):
    X, _, y, _ = split("wine")
    assert_learned(function(X, y), 0.8, "wine")


# -- inspection and displays ------------------------------------------------------------------


@pytest.fixture
def _no_window():
    matplotlib.use("Agg")
    yield
    matplotlib.pyplot.close("all")


def test_permutation_importance_finds_the_important_columns_of_diabetes():
    X, X_test, y, y_test = split("diabetes")
    model = make_regressor().fit(X, y)
    importance = permutation_importance(model, X_test, y_test, random_state=0).importances_mean
    names = np.array(load_diabetes().feature_names)
    assert set(names[importance.argsort()[-2:]]) == {"bmi", "s5"}
    assert importance.max() > 0.1


@pytest.mark.usefixtures("_no_window")
def test_partial_dependence_of_diabetes_rises_with_the_body_mass_index():
    X, _, y, _ = split("diabetes")
    model = make_regressor().fit(X, y)
    display = PartialDependenceDisplay.from_estimator(model, X, [2], grid_resolution=10)
    curve = display.pd_results[0].average[0]
    assert (np.diff(curve) > 0).all()
    assert curve[-1] - curve[0] > y.std() / 2


@pytest.mark.usefixtures("_no_window")
def test_roc_curve_display_shows_a_curve_far_above_chance():
    X, X_test, y, y_test = split("cancer")
    display = RocCurveDisplay.from_estimator(make_classifier().fit(X, y), X_test, y_test)
    assert display.roc_auc > 0.97


@pytest.mark.usefixtures("_no_window")
def test_confusion_matrix_display_has_most_rows_on_its_diagonal():
    X, X_test, y, y_test = split("digits")
    display = ConfusionMatrixDisplay.from_estimator(make_classifier().fit(X, y), X_test, y_test)
    assert_learned(np.trace(display.confusion_matrix) / len(y_test), 0.8, "digits")
