"""Everything of scikit-learn that takes an estimator takes these, and what it makes of them learns.

Each case is trained on a real table and scored on rows that it has not seen, against a bound that
stands well above what a dummy reaches there: that something ran says little.
"""

import matplotlib
import numpy as np
import pytest
import sklearn
from helpers import assert_learned, classifier, regressor, split
from scipy.stats import loguniform, uniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import (
    load_diabetes,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay, recall_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def frozen(data):
    """A network that was fitted beforehand, on the rows that the case will be trained on."""
    X, _, y, _ = split(data)
    return FrozenEstimator(classifier().fit(X, y))


# -- real tables ------------------------------------------------------------------------------


def binned(encode):
    return KBinsDiscretizer(8, encode=encode, quantile_method="averaged_inverted_cdf")


# -- estimators around a network --------------------------------------------------------------

GRID = {"dropout": [0.0, 0.3], "l2": [1e-3, 1.0]}
DISTRIBUTIONS = {"dropout": uniform(0, 0.5), "l2": loguniform(1e-5, 1e-2)}
METHODS = ["sigmoid", "isotonic", *(["temperature"] if VERSION >= (1, 8) else [])]

# The table, the score that it has to beat on the rows held out, and what to fit to the others.
META = {
    "Pipeline": ("wine", 0.85, lambda: make_pipeline(StandardScaler(), PCA(4), classifier())),
    "ColumnTransformer": (
        "wine",
        0.85,
        lambda: make_pipeline(
            ColumnTransformer(
                [
                    ("scaled", MinMaxScaler(), slice(0, 6)),
                    ("binned", binned("ordinal"), [9]),
                ],
                remainder="passthrough",
            ),
            classifier(),
        ),
    ),
    "ColumnTransformer to a sparse table": (
        "iris",
        0.75,
        lambda: make_pipeline(
            ColumnTransformer(
                [("binned", binned("onehot"), slice(0, 4))],
                sparse_threshold=1,
            ),
            classifier(),
        ),
    ),
    "FeatureUnion": (
        "iris",
        0.75,
        lambda: make_pipeline(
            FeatureUnion([("turned", PCA(2)), ("kept", SelectKBest(k=2))]), classifier()
        ),
    ),
    "GridSearchCV": ("iris", 0.75, lambda: GridSearchCV(classifier(), GRID, cv=3)),
    "GridSearchCV of a regressor": (
        "diabetes",
        0.25,
        lambda: GridSearchCV(regressor(), GRID, cv=3),
    ),
    "RandomizedSearchCV": (
        "iris",
        0.75,
        lambda: RandomizedSearchCV(classifier(), DISTRIBUTIONS, n_iter=3, cv=3, random_state=0),
    ),
    "HalvingGridSearchCV": (
        "iris",
        0.75,
        lambda: HalvingGridSearchCV(classifier(), GRID, cv=3, random_state=0),
    ),
    "HalvingRandomSearchCV over epochs": (
        "iris",
        0.65,
        lambda: HalvingRandomSearchCV(
            classifier(),
            DISTRIBUTIONS,
            n_candidates=4,
            resource="max_iter",
            max_resources=40,
            cv=3,
            random_state=0,
        ),
    ),
    **{
        f"CalibratedClassifierCV, {method}": (
            "cancer",
            0.9,
            lambda method=method: CalibratedClassifierCV(classifier(), method=method, cv=3),
        )
        for method in METHODS
    },
    "CalibratedClassifierCV of a frozen network": (
        "cancer",
        0.9,
        lambda: CalibratedClassifierCV(frozen("cancer")),
    ),
    "TunedThresholdClassifierCV": (
        "cancer",
        0.9,
        lambda: TunedThresholdClassifierCV(classifier(), cv=3),
    ),
    "FixedThresholdClassifier": (
        "cancer",
        0.9,
        lambda: FixedThresholdClassifier(classifier(), threshold=0.4),
    ),
    "FrozenEstimator": ("digits", 0.8, lambda: frozen("digits")),
    "BaggingClassifier": (
        "digits",
        0.8,
        lambda: BaggingClassifier(classifier(), 4, random_state=0),
    ),
    "BaggingClassifier of columns": (
        "wine",
        0.85,
        lambda: BaggingClassifier(classifier(), 5, max_features=7, bootstrap=False, random_state=0),
    ),
    "BaggingRegressor": (
        "diabetes",
        0.25,
        lambda: BaggingRegressor(regressor(), 4, random_state=0),
    ),
    "AdaBoostClassifier": (
        "digits",
        0.8,
        lambda: AdaBoostClassifier(classifier(max_iter=10), n_estimators=3, random_state=0),
    ),
    "VotingClassifier": (
        "wine",
        0.85,
        lambda: VotingClassifier(
            [("free", classifier(l2=0)), ("held", classifier(l2=0.01))], voting="soft"
        ),
    ),
    "StackingClassifier": (
        "wine",
        0.85,
        lambda: StackingClassifier(
            [("free", classifier(l2=0)), ("held", classifier(l2=0.01))],
            LogisticRegression(),
            cv=3,
        ),
    ),
    "StackingClassifier with a network on top": (
        "wine",
        0.85,
        lambda: StackingClassifier([("relu", classifier())], classifier(), cv=3),
    ),
    "OneVsRestClassifier": ("iris", 0.75, lambda: OneVsRestClassifier(classifier())),
    "OneVsOneClassifier": ("iris", 0.75, lambda: OneVsOneClassifier(classifier())),
    "OutputCodeClassifier": (
        "iris",
        0.75,
        lambda: OutputCodeClassifier(classifier(), code_size=3, random_state=0),
    ),
    "ClassifierChain": ("two labels", 0.75, lambda: ClassifierChain(classifier())),
    "MultiOutputClassifier": ("two labels", 0.75, lambda: MultiOutputClassifier(classifier())),
    "TransformedTargetRegressor": (
        "diabetes",
        0.25,
        lambda: TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp),
    ),
    "SequentialFeatureSelector": (
        "cancer",
        0.85,
        lambda: make_pipeline(
            ColumnTransformer([("few", "passthrough", slice(20, 24))]),
            SequentialFeatureSelector(classifier(), n_features_to_select=2, cv=2),
            classifier(),
        ),
    ),
}


@pytest.mark.parametrize("name", META)
def test_a_meta_estimator_of_networks_learns(name):
    data, bound, make = META[name]
    X, X_test, y, y_test = split(data)
    model = make().fit(X, y)
    assert_learned(model.score(X_test, y_test), bound, data)


def test_self_training_learns_from_one_label_in_five():
    X, X_test, y, y_test = split("cancer")
    given = np.where(np.arange(len(y)) % 5 == 0, y, -1)
    model = SelfTrainingClassifier(classifier(), threshold=0.95).fit(X, given)
    found = (given == -1) & (model.transduction_ != -1)
    assert found.sum() > 100
    assert (model.transduction_ == y)[found].mean() > 0.9
    assert_learned(model.score(X_test, y_test), 0.9, "cancer")


# -- functions that take an estimator ---------------------------------------------------------


def cross_validated(X, y):
    return cross_validate(classifier(), X, y, cv=3)["test_score"].mean()


def predicted_across_folds(X, y):
    return np.mean(cross_val_predict(classifier(), X, y, cv=3) == y)


def probabilities_across_folds(X, y):
    return np.mean(
        cross_val_predict(classifier(), X, y, cv=3, method="predict_proba").argmax(1) == y
    )


# Of shuffled rows: the first rows of folds that are sorted by class are of one class.
SHUFFLED = {"shuffle": True, "random_state": 0, "cv": 3}


def last_of_a_learning_curve(X, y):
    _, _, scores = learning_curve(classifier(), X, y, train_sizes=[0.2, 1.0], **SHUFFLED)
    assert scores[1].mean() > scores[0].mean()
    return scores[1].mean()


def streamed_learning_curve(X, y):
    """With `partial_fit`, one pass over the rows in pieces."""
    options = {"exploit_incremental_learning": True, "train_sizes": np.arange(1, 11) / 10}
    return learning_curve(classifier(), X, y, **options, **SHUFFLED)[2][-1].mean()


def best_of_a_validation_curve(X, y):
    _, scores = validation_curve(classifier(), X, y, param_name="l2", param_range=[1e-3, 100], cv=3)
    assert scores[1].mean() < 0.7  # a penalty that leaves nothing to learn
    return scores[0].mean()


def score_of_a_permutation_test(X, y):
    score, others, p = permutation_test_score(
        classifier(), X, y, cv=3, n_permutations=19, random_state=0
    )
    assert p == 0.05  # none of 19
    assert others.mean() < 0.5
    return score


FUNCTIONS = [
    cross_validated,
    predicted_across_folds,
    probabilities_across_folds,
    last_of_a_learning_curve,
    streamed_learning_curve,
    best_of_a_validation_curve,
    score_of_a_permutation_test,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_of_model_selection_sees_a_network_learn(function):
    X, _, y, _ = split("wine")
    assert_learned(function(X, y), 0.8, "wine")


def test_a_lower_threshold_finds_more_of_the_positive_class():
    X, X_test, y, y_test = split("cancer")
    model = classifier().fit(X, y)
    low, high = (
        FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold).fit(X, y)
        for threshold in (0.01, 0.99)
    )
    np.testing.assert_array_equal(low.predict(X_test), model.predict_proba(X_test)[:, 1] >= 0.01)
    found = [recall_score(y_test, each.predict(X_test)) for each in (low, high)]
    assert found[0] > found[1] > 0.5


# -- inspection and displays ------------------------------------------------------------------


@pytest.fixture
def no_screen():
    matplotlib.use("Agg")
    yield
    matplotlib.pyplot.close("all")


def test_permutation_importance_finds_the_columns_that_matter_in_diabetes():
    X, X_test, y, y_test = split("diabetes")
    model = regressor().fit(X, y)
    importance = permutation_importance(model, X_test, y_test, random_state=0).importances_mean
    names = np.array(load_diabetes().feature_names)
    assert set(names[importance.argsort()[-2:]]) == {"bmi", "s5"}
    assert importance.max() > 0.1


def test_partial_dependence_of_diabetes_rises_with_the_body_mass_index(no_screen):
    X, _, y, _ = split("diabetes")
    model = regressor().fit(X, y)
    display = PartialDependenceDisplay.from_estimator(model, X, [2], grid_resolution=10)
    curve = display.pd_results[0].average[0]
    assert (np.diff(curve) > 0).all()
    assert curve[-1] - curve[0] > y.std() / 2


def test_roc_curve_display_shows_a_curve_far_above_chance(no_screen):
    X, X_test, y, y_test = split("cancer")
    display = RocCurveDisplay.from_estimator(classifier().fit(X, y), X_test, y_test)
    assert display.roc_auc > 0.97


def test_confusion_matrix_display_has_most_rows_on_its_diagonal(no_screen):
    X, X_test, y, y_test = split("digits")
    display = ConfusionMatrixDisplay.from_estimator(classifier().fit(X, y), X_test, y_test)
    assert_learned(np.trace(display.confusion_matrix) / len(y_test), 0.8, "digits")
