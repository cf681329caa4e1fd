"""Meta-estimators of scikit-learn around a network.

Each case is trained on a real table, and its score on test rows is compared with a bound well
above the score of a dummy.
"""

import numpy as np
import pytest
import sklearn
from helpers import assert_learned, in_full, make_classifier, make_regressor, split
from scipy.stats import loguniform, uniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
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
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def fit_frozen(data):
    """A frozen network that was fitted on the training rows of the case."""
    X, _, y, _ = split(data)
    return FrozenEstimator(make_classifier().fit(X, y))


def make_bins(encode):
    return KBinsDiscretizer(8, encode=encode, quantile_method="averaged_inverted_cdf")


# -- estimators around a network --------------------------------------------------------------

GRID = {"dropout": [0.0, 0.3], "l2": [1e-3, 1.0]}
DISTRIBUTIONS = {"dropout": uniform(0, 0.5), "l2": loguniform(1e-5, 1e-2)}
METHODS = ["sigmoid", "isotonic", *(["temperature"] if VERSION >= (1, 8) else [])]

# The table, a bound for the score on its test rows, and the meta-estimator.
META = {
    "Pipeline": ("wine", 0.85, lambda: make_pipeline(StandardScaler(), PCA(4), make_classifier())),
    "ColumnTransformer": (
        "wine",
        0.85,
        lambda: make_pipeline(
            ColumnTransformer(
                [
                    ("scaled", MinMaxScaler(), slice(0, 6)),
                    ("binned", make_bins("ordinal"), [9]),
                ],
                remainder="passthrough",
            ),
            make_classifier(),
        ),
    ),
    "ColumnTransformer to a sparse table": (
        "iris",
        0.75,
        lambda: make_pipeline(
            ColumnTransformer(
                [("binned", make_bins("onehot"), slice(0, 4))],
                sparse_threshold=1,
            ),
            make_classifier(),
        ),
    ),
    "FeatureUnion": (
        "iris",
        0.75,
        lambda: make_pipeline(
            FeatureUnion([("turned", PCA(2)), ("kept", SelectKBest(k=2))]), make_classifier()
        ),
    ),
    "GridSearchCV": ("iris", 0.75, lambda: GridSearchCV(make_classifier(), GRID, cv=3)),
    "GridSearchCV of a regressor": (
        "diabetes",
        0.25,
        lambda: GridSearchCV(make_regressor(), GRID, cv=3),
    ),
    "RandomizedSearchCV": (
        "iris",
        0.75,
        lambda: RandomizedSearchCV(
            make_classifier(), DISTRIBUTIONS, n_iter=3, cv=3, random_state=0
        ),
    ),
    "HalvingGridSearchCV": (
        "iris",
        0.75,
        lambda: HalvingGridSearchCV(make_classifier(), GRID, cv=3, random_state=0),
    ),
    "HalvingRandomSearchCV over epochs": (
        "iris",
        0.65,
        lambda: HalvingRandomSearchCV(
            make_classifier(),
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
            lambda method=method: CalibratedClassifierCV(make_classifier(), method=method, cv=3),
        )
        for method in METHODS
    },
    "CalibratedClassifierCV of a frozen network": (
        "cancer",
        0.9,
        lambda: CalibratedClassifierCV(fit_frozen("cancer")),
    ),
    "TunedThresholdClassifierCV": (
        "cancer",
        0.9,
        lambda: TunedThresholdClassifierCV(make_classifier(), cv=3),
    ),
    "FixedThresholdClassifier": (
        "cancer",
        0.9,
        lambda: FixedThresholdClassifier(make_classifier(), threshold=0.4),
    ),
    "FrozenEstimator": ("digits", 0.8, lambda: fit_frozen("digits")),
    "BaggingClassifier": (
        "digits",
        0.8,
        lambda: BaggingClassifier(make_classifier(), 4, random_state=0),
    ),
    "BaggingClassifier of columns": (
        "wine",
        0.85,
        lambda: BaggingClassifier(
            make_classifier(), 5, max_features=7, bootstrap=False, random_state=0
        ),
    ),
    "BaggingRegressor": (
        "diabetes",
        0.25,
        lambda: BaggingRegressor(make_regressor(), 4, random_state=0),
    ),
    "AdaBoostClassifier": (
        "digits",
        0.8,
        lambda: AdaBoostClassifier(make_classifier(max_iter=10), n_estimators=3, random_state=0),
    ),
    "VotingClassifier": (
        "wine",
        0.85,
        lambda: VotingClassifier(
            [("free", make_classifier(l2=0)), ("held", make_classifier(l2=0.01))], voting="soft"
        ),
    ),
    "StackingClassifier": (
        "wine",
        0.85,
        lambda: StackingClassifier(
            [("free", make_classifier(l2=0)), ("held", make_classifier(l2=0.01))],
            LogisticRegression(),
            cv=3,
        ),
    ),
    "StackingClassifier with a network on top": (
        "wine",
        0.85,
        lambda: StackingClassifier([("relu", make_classifier())], make_classifier(), cv=3),
    ),
    "OneVsRestClassifier": ("iris", 0.75, lambda: OneVsRestClassifier(make_classifier())),
    "OneVsOneClassifier": ("iris", 0.75, lambda: OneVsOneClassifier(make_classifier())),
    "OutputCodeClassifier": (
        "iris",
        0.75,
        lambda: OutputCodeClassifier(make_classifier(), code_size=3, random_state=0),
    ),
    "ClassifierChain": ("two labels", 0.75, lambda: ClassifierChain(make_classifier())),
    "MultiOutputClassifier": ("two labels", 0.75, lambda: MultiOutputClassifier(make_classifier())),
    "TransformedTargetRegressor": (
        "diabetes",
        0.25,
        lambda: TransformedTargetRegressor(make_regressor(), func=np.log, inverse_func=np.exp),
    ),
    "SequentialFeatureSelector": (
        "cancer",
        0.85,
        lambda: make_pipeline(
            ColumnTransformer([("few", "passthrough", slice(20, 24))]),
            SequentialFeatureSelector(make_classifier(), n_features_to_select=2, cv=2),
            make_classifier(),
        ),
    ),
}


SIMILAR = [
    "ColumnTransformer",
    "FeatureUnion",
    "RandomizedSearchCV",
    "HalvingGridSearchCV",
    "FixedThresholdClassifier",
    "BaggingClassifier of columns",
    "StackingClassifier with a network on top",
    "OutputCodeClassifier",
    "SequentialFeatureSelector",
    "GridSearchCV of a regressor",
]


@pytest.mark.parametrize("name", in_full(META, *SIMILAR))
def test_a_meta_estimator_of_networks_learns(name):
    data, bound, make_model = META[name]
    X, X_test, y, y_test = split(data)
    model = make_model().fit(X, y)
    assert_learned(model.score(X_test, y_test), bound, data)


def test_self_training_learns_from_one_label_in_five():
    X, X_test, y, y_test = split("cancer")
    given = np.where(np.arange(len(y)) % 5 == 0, y, -1)
    model = SelfTrainingClassifier(make_classifier(), threshold=0.95).fit(X, given)
    labelled = (given == -1) & (model.transduction_ != -1)
    assert labelled.sum() > 100
    assert (model.transduction_ == y)[labelled].mean() > 0.9
    assert_learned(model.score(X_test, y_test), 0.9, "cancer")


@pytest.fixture(scope="module")
def thresholds():
    """A network, and classifiers with a low and with a high threshold around it."""
    X, _, y, _ = split("cancer")
    model = make_classifier().fit(X, y)
    low, high = (
        FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold).fit(X, y)
        for threshold in (0.01, 0.9)
    )
    return model, low, high


def test_predictions_of_a_threshold_are_those_of_the_probabilities(thresholds):
    _, X_test, _, _ = split("cancer")
    model, low, _ = thresholds
    np.testing.assert_array_equal(low.predict(X_test), model.predict_proba(X_test)[:, 1] >= 0.01)


def test_a_lower_threshold_has_a_higher_recall(thresholds):
    _, X_test, _, y_test = split("cancer")
    _, low, high = thresholds
    recalls = [recall_score(y_test, model.predict(X_test)) for model in (low, high)]
    assert recalls[0] > recalls[1] > 0.5
