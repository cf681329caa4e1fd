"""The searching estimators have the scores of GridSearchCV to the bit."""

import numpy as np
import pytest
import sklearn
from helpers import (
    CANCER,
    assert_same_search,
    grid_search,
    in_full,
    quick_regression_search,
    quick_search,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg._estimators.user_warnings import warn_once

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

FLOWERS, SPECIES = load_iris(return_X_y=True)

# -- equality with GridSearchCV ----------------------------------------------------------------


def noisy(n=3000):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(n, 20))
    return X, (X[:, :3].sum(axis=1) + 2 * generator.normal(size=n) > 0).astype(int)


TABLES = {
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "noisy": noisy,
}
CONFIGURATIONS = {
    "loss": {},
    "accuracy": {"scoring": "accuracy"},
    "its own score": {"scoring": None},
    "a callable": {"scoring": lambda model, X, y: float(model.predict_proba(X)[:, 0].std())},
    "early stopping": {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 3},
    "early stopping by a score": {"early_stopping": True, "validation_scoring": "accuracy"},
    "a training loss that stalls": {"tol": 0.1, "n_iter_no_change": 2},
    "repeated folds": {"cv": RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)},
    "a generator's state": {"random_state": np.random.RandomState(5)},
    "balanced classes": {"class_weight": "balanced"},
}


@pytest.mark.parametrize("table", TABLES)
def test_search_equals_grid_search(table):
    X, y = TABLES[table]()
    ours = quick_search()
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.filterwarnings("ignore:max_iter")
def test_search_of_any_configuration_equals_grid_search(name):
    X, y = CANCER
    ours = quick_search(**CONFIGURATIONS[name])
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.filterwarnings("error:class_weight. with weights:UserWarning")
@pytest.mark.parametrize(
    "scoring", ["loss", "neg_log_loss", ["accuracy", "loss"], {"mine": "loss"}], ids=str
)
def test_class_weights_with_scores_by_the_loss_are_warned_of_once(scoring):
    X, y = CANCER
    warn_once.cache_clear()  # another test may have used the process
    options = {"dropouts": [0.0], "l2s": [1e-3], "cv": 2, "refit": False, "max_iter": 2}
    search = quick_search(class_weight="balanced", scoring=scoring, **options)
    with pytest.warns(UserWarning, match="probabilities of reweighted classes.*roc_auc"):
        search.fit(X, y)
    search.fit(X, y)  # no warning, which would be an error


@pytest.mark.filterwarnings("error:class_weight. with weights:UserWarning")
def test_class_weights_with_scores_of_ranks_are_not_warned_of():
    X, y = CANCER
    warn_once.cache_clear()
    options = {"dropouts": [0.0], "l2s": [1e-3], "cv": 2, "refit": False}
    quick_search(class_weight="balanced", scoring="roc_auc", **options).fit(X, y)


@pytest.mark.parametrize(
    "loss", in_full(["squared_error", "absolute_error", "huber", "quantile"], "huber", "quantile")
)
def test_search_of_a_regressor_equals_grid_search(loss):
    X, y = load_diabetes(return_X_y=True)
    ours = quick_regression_search(loss=loss, quantile=0.7, early_stopping=loss == "huber")
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.parametrize("scoring", ["loss", None])
def test_search_of_several_quantiles_equals_grid_search(scoring):
    X, y = load_diabetes(return_X_y=True)
    changes = {"loss": "quantile", "quantile": (0.2, 0.5, 0.8), "scoring": scoring}
    ours = quick_regression_search(**changes)
    theirs = grid_search(ours).fit(X, y)
    fitted = clone(ours).fit(X, y)
    assert_same_search(fitted, theirs)
    assert fitted.predict(X).shape == (len(y), 3)
    assert fitted.score(X, y) == fitted.best_estimator_.score(X, y)
    averaged = clone(ours).set_params(refit="folds").fit(X, y)
    networks = [network.predict(X) for network in averaged.estimators_]
    assert_allclose(averaged.predict(X), np.mean(networks, axis=0))
    assert (np.diff(averaged.predict(X)) >= 0).all()
    assert averaged.score(X, y) > 0


def test_search_of_several_targets_equals_grid_search():
    X, y = load_diabetes(return_X_y=True)
    ours, targets = quick_regression_search(scoring="r2"), np.stack([y, -y], axis=1)
    assert_same_search(clone(ours).fit(X, targets), grid_search(ours).fit(X, targets))


def test_search_of_values_per_layer_equals_grid_search():
    ours = quick_search(hidden_layer_sizes=(8, 4))
    ours.set_params(dropouts=[0.1, (0.5, 0.0)], l2s=[(0.0, 1e-3, 1e-2), 1e-3])
    fitted = clone(ours).fit(FLOWERS, SPECIES)
    theirs = grid_search(ours).fit(FLOWERS, SPECIES)
    assert fitted.best_params_ == theirs.best_params_
    for fold in range(3):
        name = f"split{fold}_test_score"
        assert_array_equal(fitted.cv_results_[name], theirs.cv_results_[name])
    assert fitted.cv_results_["param_dropout"][2] == (0.5, 0.0)


@pytest.mark.parametrize("table", ["breast cancer", pytest.param("noisy", marks=pytest.mark.full)])
def test_search_with_weights_and_groups_equals_grid_search(table):
    X, y = TABLES[table]()
    generator = np.random.default_rng(1)
    weight, groups = generator.integers(0, 4, len(y)), generator.integers(0, 9, len(y))
    ours = quick_search(cv=GroupKFold(3), scoring="neg_log_loss")
    theirs = grid_search(ours)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        ours.set_params(scoring=scorer)
        theirs.set_params(scoring=scorer)
        theirs.estimator.set_fit_request(sample_weight=True)
        metadata = {"sample_weight": weight, "groups": groups}
        routed = clone(ours).fit(X, y, **metadata)
        assert_same_search(routed, theirs.fit(X, y, **metadata))
    plain = quick_search(cv=GroupKFold(3), scoring="neg_log_loss").fit(X, y, weight, groups=groups)
    assert_array_equal(plain.scores_, routed.scores_)


def test_means_over_many_folds_equal_those_of_grid_search():
    X, y = CANCER
    ours = quick_search(cv=11, scoring="accuracy", max_iter=3)
    ours.set_params(dropouts=[0.0, 0.2, 0.4, 0.6], l2s=[0.0, 1e-4, 1e-3, 1e-2])
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


def test_search_that_shares_a_random_state_with_the_splitter_equals_grid_search():
    def fit(make_search):
        state = np.random.RandomState(3)
        cv = StratifiedKFold(3, shuffle=True, random_state=state)
        ours = quick_search(cv=cv, scoring="accuracy", random_state=state)
        return make_search(ours).fit(FLOWERS, SPECIES)

    ours, theirs = fit(lambda model: model), fit(grid_search)
    assert_same_search(ours, theirs)
    assert_array_equal(ours.predict_proba(FLOWERS), theirs.predict_proba(FLOWERS))


# -- tables and targets ------------------------------------------------------------------------


def make_table(kind):
    frame_names = [f"x{k}" for k in range(4)]
    if kind == "list":
        return FLOWERS.tolist()
    if kind == "csr":
        return sparse.csr_array(FLOWERS)
    return pytest.importorskip(kind).DataFrame(dict(zip(frame_names, FLOWERS.T, strict=True)))


@pytest.mark.parametrize("kind", ["list", "pandas", "polars"])
def test_kind_of_the_table_changes_no_score(kind):
    expected = quick_search().fit(FLOWERS, SPECIES)
    model = quick_search().fit(make_table(kind), SPECIES)
    assert_array_equal(model.scores_, expected.scores_)


def test_kind_of_a_sparse_table_changes_no_score():
    expected = quick_search().fit(sparse.coo_matrix(FLOWERS), SPECIES)
    model = quick_search().fit(make_table("csr"), SPECIES)
    assert_array_equal(model.scores_, expected.scores_)


@pytest.mark.parametrize(
    "y", [SPECIES.tolist(), np.array(["setosa", "versicolor", "virginica"])[SPECIES]]
)
def test_kind_of_the_labels_changes_no_score(y):
    expected = quick_search().fit(FLOWERS, SPECIES)
    assert_array_equal(quick_search().fit(FLOWERS, y).scores_, expected.scores_)


def test_sparse_indicator_changes_no_score():
    labels = np.stack([SPECIES > 0, SPECIES > 1], axis=1).astype(int)
    dense = quick_search(cv=KFold(3, shuffle=True, random_state=0)).fit(FLOWERS, labels)
    model = clone(dense).fit(FLOWERS, sparse.csr_array(labels))
    assert_array_equal(model.scores_, dense.scores_)


def test_names_of_columns_are_checked():
    table = make_table("pandas")
    model = quick_search().fit(table, SPECIES)
    assert list(model.feature_names_in_) == list(table.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table.rename(columns={"x0": "other"}))


# -- learning ----------------------------------------------------------------------------------


def test_classifier_learns_in_a_pipeline_under_cross_validation():
    X, y = CANCER
    model = make_pipeline(StandardScaler(), quick_search(max_iter=30, n_jobs=2))
    assert cross_val_score(model, X, y, cv=3, scoring="accuracy").min() > 0.95


def test_regressor_learns_under_cross_validation():
    X, y = load_diabetes(return_X_y=True)
    model = quick_regression_search(max_iter=50, n_jobs=2)
    assert cross_val_score(model, X, y, cv=3, scoring="r2").min() > 0.3
