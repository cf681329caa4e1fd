"""The estimators that tune themselves: GridSearchCV's scores to the bit, and what follows them."""

import pickle

import numpy as np
import pytest
import sklearn
from helpers import assert_same_search, grid_search
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
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

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
    one_standard_error,
)

# Grids of two or three values are for tests.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 9, "random_state": 0}
DROPOUTS, L2S = [0.0, 0.5], [1e-3, 1e-2]


def classifier(**changes):
    return RegularizedMLPClassifierCV(DROPOUTS, L2S, **{**SMALL, "cv": 3, **changes})


def regressor(**changes):
    return RegularizedMLPRegressorCV(DROPOUTS, L2S, **{**SMALL, "cv": 3, **changes})


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
def test_search_is_grid_searchs_to_the_bit(table):
    X, y = TABLES[table]()
    ours = classifier()
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.filterwarnings("ignore:max_iter")
def test_configuration_is_grid_searchs_to_the_bit(name):
    X, y = load_breast_cancer(return_X_y=True)
    ours = classifier(**CONFIGURATIONS[name])
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_regression_is_grid_searchs_to_the_bit(loss):
    X, y = load_diabetes(return_X_y=True)
    ours = regressor(loss=loss, quantile=0.7, early_stopping=loss == "huber")
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))
    ours = regressor(scoring="r2")
    assert_same_search(
        clone(ours).fit(X, np.stack([y, -y], 1)), grid_search(ours).fit(X, np.stack([y, -y], 1))
    )


def test_a_rate_and_a_strength_for_each_layer():
    X, y = load_iris(return_X_y=True)
    ours = classifier(hidden_layer_sizes=(8, 4))
    ours.set_params(dropouts=[0.1, (0.5, 0.0)], l2s=[(0.0, 1e-3, 1e-2), 1e-3])
    fitted = clone(ours).fit(X, y)
    theirs = grid_search(ours).fit(X, y)
    assert fitted.best_params_ == theirs.best_params_
    for fold in range(3):
        name = f"split{fold}_test_score"
        assert_array_equal(fitted.cv_results_[name], theirs.cv_results_[name])
    assert fitted.cv_results_["param_dropout"][2] == (0.5, 0.0)


@pytest.mark.parametrize("table", ["breast cancer", "noisy"])
def test_weights_and_groups_are_grid_searchs_to_the_bit(table):
    X, y = TABLES[table]()
    generator = np.random.default_rng(1)
    weight, groups = generator.integers(0, 4, len(y)), generator.integers(0, 9, len(y))
    ours = classifier(cv=GroupKFold(3), scoring="neg_log_loss")
    theirs = grid_search(ours)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        ours.set_params(scoring=scorer)
        theirs.set_params(scoring=scorer)
        theirs.estimator.set_fit_request(sample_weight=True)
        metadata = {"sample_weight": weight, "groups": groups}
        routed = clone(ours).fit(X, y, **metadata)
        assert_same_search(routed, theirs.fit(X, y, **metadata))
    plain = classifier(cv=GroupKFold(3), scoring="neg_log_loss").fit(X, y, weight, groups=groups)
    assert_array_equal(plain.scores_, routed.scores_)


def test_several_metrics():
    X, y = load_breast_cancer(return_X_y=True)
    ours = classifier(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss")
    fitted = clone(ours).fit(X, y)
    assert_same_search(fitted, grid_search(ours).fit(X, y))
    assert fitted.multimetric_
    assert fitted.scores_.keys() == {"accuracy", "neg_log_loss"}
    assert fitted.score(X, y) == get_scorer("neg_log_loss")(fitted, X, y)


@pytest.mark.parametrize("scoring", [["loss", "accuracy"], {"a": "accuracy", "loss": "loss"}])
def test_the_loss_may_be_one_of_several_metrics(scoring):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    expected = classifier().fit(X, y, weight)
    fitted = classifier(scoring=scoring, refit="loss").fit(X, y, weight)
    assert_array_equal(fitted.scores_["loss"], expected.scores_)
    assert fitted.best_index_ == expected.best_index_
    with sklearn.config_context(enable_metadata_routing=True):
        accuracy = get_scorer("accuracy").set_score_request(sample_weight=False)
        routed = classifier(scoring={"a": accuracy, "b": "loss"}, refit="b")
        routed.fit(X, y, sample_weight=weight)
    assert_array_equal(routed.scores_["b"], expected.scores_)


@pytest.mark.parametrize("refit", [False, lambda results: 1])
def test_several_metrics_of_which_none_decides(refit):
    X, y = load_breast_cancer(return_X_y=True)
    ours = classifier(scoring=["accuracy", "roc_auc"], refit=refit)
    fitted, theirs = clone(ours).fit(X, y), grid_search(ours).fit(X, y)
    for name, values in theirs.cv_results_.items():
        if not name.endswith("_time"):
            assert_array_equal(fitted.cv_results_[name], values, err_msg=name)
    assert hasattr(fitted, "best_index_") == callable(refit) == hasattr(theirs, "best_index_")
    with pytest.raises((ValueError, KeyError)):
        fitted.score(X, y)


def test_score_of_several_metrics_raises_what_fails():
    X, y = load_breast_cancer(return_X_y=True)
    fitted = classifier(scoring=["accuracy", "roc_auc"], refit="accuracy").fit(X, y)
    with pytest.raises(ValueError, match=r"(?s)'accuracy' failed with:.*inconsistent numbers"):
        fitted.score(X, y[:-1])


@pytest.mark.parametrize("refit", ["a", False, lambda results: 1])
def test_callable_may_return_several_metrics(refit):
    def score(model, X, y):
        probabilities = model.predict_proba(X)
        return {"a": float(probabilities[:, 0].std()), "b": 1.0}

    X, y = load_breast_cancer(return_X_y=True)
    ours = classifier(scoring=score, refit=refit)
    fitted, theirs = clone(ours).fit(X, y), grid_search(ours).fit(X, y)
    assert_array_equal(fitted.cv_results_["mean_test_a"], theirs.cv_results_["mean_test_a"])
    if refit:
        assert fitted.best_index_ == theirs.best_index_
    with pytest.raises(ValueError, match="refit: expected the metric that decides"):
        classifier(scoring=score).fit(X, y)


def test_means_over_many_folds_are_grid_searchs_to_the_bit():
    X, y = load_breast_cancer(return_X_y=True)
    ours = classifier(cv=11, scoring="accuracy", max_iter=3)
    ours.set_params(dropouts=[0.0, 0.2, 0.4, 0.6], l2s=[0.0, 1e-4, 1e-3, 1e-2])
    assert_same_search(clone(ours).fit(X, y), grid_search(ours).fit(X, y))


def test_splits_from_a_generator_and_with_routing():
    X, y = load_breast_cancer(return_X_y=True)
    expected = classifier(cv=KFold(3), scoring="accuracy").fit(X, y)
    ours = classifier(cv=KFold(3).split(X), scoring="accuracy").fit(X, y)
    assert_array_equal(ours.scores_, expected.scores_)
    with sklearn.config_context(enable_metadata_routing=True):
        ours = classifier(cv=KFold(3).split(X)).fit(X, y, sample_weight=np.ones(len(y)))
    assert_array_equal(ours.scores_, classifier(cv=KFold(3)).fit(X, y).scores_)


def test_a_random_state_shared_with_the_splitter():
    X, y = load_iris(return_X_y=True)

    def shared(make):
        state = np.random.RandomState(3)
        cv = StratifiedKFold(3, shuffle=True, random_state=state)
        return make(classifier(cv=cv, scoring="accuracy", random_state=state)).fit(X, y)

    ours, theirs = shared(lambda model: model), shared(grid_search)
    assert_same_search(ours, theirs)
    assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy", "loss"]])
def test_refit_may_be_numpys_false(scoring):
    X, y = load_iris(return_X_y=True)
    model = classifier(scoring=scoring, refit=np.False_).fit(X, y)
    assert not hasattr(model, "best_estimator_")


def test_a_subclass_may_have_fewer_parameters():
    class Small(RegularizedMLPClassifierCV):
        def __init__(self, dropouts=(0.0, 0.5)):
            super().__init__(dropouts, L2S, **SMALL, cv=3)

    X, y = load_iris(return_X_y=True)
    assert_array_equal(Small().fit(X, y).scores_, classifier().fit(X, y).scores_)


@pytest.mark.parametrize("kind", ["list", "pandas", "polars", "csr", "strings", "sparse labels"])
def test_tables_and_targets_of_every_kind(kind):
    X, y = load_iris(return_X_y=True)
    expected = classifier().fit(X, y)
    if kind == "sparse labels":
        labels = np.stack([y > 0, y > 1], axis=1).astype(int)
        dense = classifier(cv=KFold(3, shuffle=True, random_state=0)).fit(X, labels)
        ours = clone(dense).fit(X, sparse.csr_array(labels))
        assert_array_equal(ours.scores_, dense.scores_)
        return
    table, names = X, y
    if kind == "list":
        table, names = X.tolist(), y.tolist()
    elif kind in ("pandas", "polars"):
        frames = pytest.importorskip(kind)
        table = frames.DataFrame(X, [f"x{k}" for k in range(4)] if kind == "polars" else None)
        if kind == "pandas":
            table.columns = [f"x{k}" for k in range(4)]
    elif kind == "csr":
        table = sparse.csr_array(X)
        expected = classifier().fit(sparse.coo_matrix(X), y)
    elif kind == "strings":
        names = np.array(["setosa", "versicolor", "virginica"])[y]
    ours = classifier().fit(table, names)
    assert_array_equal(ours.scores_, expected.scores_)
    if kind == "pandas":
        assert list(ours.feature_names_in_) == list(table.columns)
        with pytest.raises(ValueError, match="feature names"):
            ours.predict(table.rename(columns={"x0": "other"}))


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_number_of_jobs_and_seedless_repetition_change_no_bit(search):
    X, y = load_digits(return_X_y=True)
    options = {"search": search, "random_state": np.random.RandomState(0)}
    alone = classifier(**options).fit(X, y)
    together = classifier(**options, n_jobs=2).fit(X, y)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


def test_scores_have_the_shape_of_the_grid():
    X, y = load_iris(return_X_y=True)
    model = (
        classifier(store_curves=True, early_stopping=True)
        .set_params(l2s=[0.0, 1e-3, 1e-2])
        .fit(X, y)
    )
    assert model.scores_.shape == (2, 3, 3)
    for k, params in enumerate(model.cv_results_["params"]):
        assert params == {"dropout": DROPOUTS[k // 3], "l2": [0.0, 1e-3, 1e-2][k % 3]}
        for fold in range(3):
            assert (
                model.scores_[k // 3, k % 3, fold]
                == model.cv_results_[f"split{fold}_test_score"][k]
            )
    assert model.loss_curves_.shape == model.validation_loss_curves_.shape == (2, 3, 3)
    assert all(2 <= len(curve) <= 9 for curve in model.loss_curves_.ravel())
    assert not hasattr(classifier().fit(X, y), "loss_curves_")


# -- what predicts --------------------------------------------------------------------------------


def test_refitted_network_is_the_plain_one_with_the_best_values():
    X, y = load_breast_cancer(return_X_y=True)
    model = classifier().fit(X, y)
    plain = RegularizedMLPClassifier(**SMALL, dropout=model.dropout_, l2=model.l2_).fit(X, y)
    assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    for name in vars(plain):
        if name.endswith("_"):
            assert hasattr(model, name), name
    assert model.loss_curve_ == plain.loss_curve_
    assert model.best_estimator_.get_params() == plain.get_params()


@pytest.mark.parametrize("kind", ["two classes", "three classes", "labels", "numbers"])
def test_folds_average_the_networks_that_were_scored(kind):
    X, y = load_iris(return_X_y=True)
    if kind == "two classes":
        X, y = X[:100], y[:100]
    model = classifier(refit="folds")
    if kind == "labels":
        y = np.stack([y > 0, y > 1], axis=1).astype(int)
        model.set_params(cv=KFold(3, shuffle=True, random_state=0))
    if kind == "numbers":
        model = regressor(refit="folds")
    model.fit(X, y)
    assert not hasattr(model, "coefs_")
    assert len(model.estimators_) == 3
    members = model.estimators_
    if kind == "numbers":
        mean = np.mean([member.predict(X) for member in members], axis=0)
        np.testing.assert_allclose(model.predict(X), mean)
        return
    mean = np.mean([member.predict_proba(X) for member in members], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), mean, rtol=1e-6)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), mean, rtol=1e-6)
    expected = (mean > 0.5).astype(int) if kind == "labels" else mean.argmax(axis=1)
    assert_array_equal(model.predict(X), expected)
    assert model.decision_function(X).shape == ((100,) if kind == "two classes" else mean.shape)


def test_networks_of_the_folds_have_the_scores_of_their_folds():
    X, y = load_breast_cancer(return_X_y=True)
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    model = classifier(refit="folds", cv=splits, scoring="neg_log_loss").fit(X, y)
    for fold, (_, test) in enumerate(splits):
        score = get_scorer("neg_log_loss")(model.estimators_[fold], X[test], y[test])
        assert score == model.cv_results_[f"split{fold}_test_score"][model.best_index_]


def test_without_a_refit_there_are_scores_and_no_predictions():
    X, y = load_iris(return_X_y=True)
    model = classifier(refit=False).fit(X, y)
    assert model.best_score_ == model.cv_results_["mean_test_score"].max()
    with pytest.raises(NotFittedError, match="refit=False"):
        model.predict(X)


def test_callable_chooses_and_one_standard_error_does():
    X, y = load_breast_cancer(return_X_y=True)
    first = classifier(refit=lambda results: 0).fit(X, y)
    assert first.best_params_ == {"dropout": 0.0, "l2": 1e-3}
    assert not hasattr(first, "best_score_")
    ruled = classifier(refit=one_standard_error).fit(X, y)
    assert ruled.best_index_ == one_standard_error(first.cv_results_)


def test_refitting_otherwise_leaves_nothing_of_before():
    X, y = load_iris(return_X_y=True)
    model = classifier().fit(X, y)
    model.set_params(refit="folds").fit(X, y)
    assert not hasattr(model, "best_estimator_")
    assert not hasattr(model, "coefs_")
    model.set_params(refit=True).fit(X, y)
    assert not hasattr(model, "estimators_")
    assert hasattr(model, "coefs_")


@pytest.mark.parametrize("refit", [True, "folds"])
def test_pickle_predicts_the_same(refit):
    X, y = load_iris(return_X_y=True)
    model = classifier(refit=refit).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    assert len(pickle.dumps(model)) < 40_000


def test_it_learns_in_a_pipeline_and_under_cross_validation():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), classifier(max_iter=30, n_jobs=2))
    assert cross_val_score(model, X, y, cv=3, scoring="accuracy").min() > 0.95
    X, y = load_diabetes(return_X_y=True)
    model = regressor(max_iter=50, n_jobs=2)
    assert cross_val_score(model, X, y, cv=3, scoring="r2").min() > 0.3


# -- halving --------------------------------------------------------------------------------------

TWELVE = {"max_iter": 27, "dropouts": [0.0, 0.3, 0.6], "l2s": [1e-4, 1e-3, 1e-2, 1e-1], "cv": 5}


def test_halving_drops_at_rungs_and_goes_on_without_a_restart():
    X, y = load_breast_cancer(return_X_y=True)
    full = classifier(store_curves=True).set_params(**TWELVE).fit(X, y)
    halved = classifier(search="halving", store_curves=True).set_params(**TWELVE).fit(X, y)
    epochs = halved.cv_results_["n_epochs"]
    trained = np.isfinite(halved.scores_.reshape(12, 5))
    assert sorted(epochs) == [8] * 8 + [19] + [27] * 3
    # Those that were dropped saw two or three of the five folds, the others all.
    folds = {8: [0, 4], 19: [0, 2, 4], 27: range(5)}
    for k, epoch in enumerate(epochs):
        assert_array_equal(np.flatnonzero(trained[k]), folds[epoch])
    # Each network is the same as if it had trained alone, up to the epoch at which it was dropped.
    curves = (search.loss_curves_.reshape(12, 5) for search in (full, halved))
    for one, other, epoch in zip(*curves, epochs, strict=True):
        for fold in range(5):
            assert other[fold] is None or other[fold] == one[fold][:epoch]
    for k in np.flatnonzero(epochs == 27):
        assert_array_equal(halved.scores_.reshape(12, 5)[k], full.scores_.reshape(12, 5)[k])
    assert epochs[halved.best_index_] == 27


def test_halving_ranks_by_how_long_a_candidate_lasted():
    X, y = load_breast_cancer(return_X_y=True)
    results = classifier(search="halving").set_params(**TWELVE).fit(X, y).cv_results_
    scores = np.array([results[f"split{fold}_test_score"] for fold in range(5)]).T
    np.testing.assert_allclose(results["mean_test_score"], np.nanmean(scores, axis=1))
    np.testing.assert_allclose(results["std_test_score"], np.nanstd(scores, axis=1))
    order = np.lexsort((-results["mean_test_score"], -results["n_epochs"]))
    assert_array_equal(results["rank_test_score"][order], range(1, 13))
    assert (results["mean_fit_time"] > 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping": True, "n_iter_no_change": 1},
        {"early_stopping": True, "validation_scoring": "accuracy"},
        {"early_stopping": True, "validation_scoring": "accuracy", "n_iter_no_change": 2},
    ],
)
def test_halving_takes_up_members_that_watch_held_out_rows(changes):
    X, y = load_breast_cancer(return_X_y=True)
    options = {**changes, "max_iter": 27, "store_curves": True}
    full, halved = (
        classifier(**options).fit(X, y),
        classifier(search="halving", **options).fit(X, y),
    )
    survivor = halved.best_index_
    for fold in range(3):
        assert (
            halved.loss_curves_.reshape(4, 3)[survivor, fold]
            == full.loss_curves_.reshape(4, 3)[survivor, fold]
        )
        name = f"split{fold}_test_score"
        assert halved.cv_results_[name][survivor] == full.cv_results_[name][survivor]


def test_halving_of_one_candidate_and_of_one_epoch():
    X, y = load_iris(return_X_y=True)
    model = classifier(search="halving").set_params(dropouts=[0.3], l2s=[1e-3]).fit(X, y)
    assert model.best_params_ == {"dropout": 0.3, "l2": 1e-3}
    assert classifier(search="halving", max_iter=1).fit(X, y).n_iter_ == 1
