"""What a search hands to splitters, scorers and callbacks of others, and takes from them."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from helpers import CANCER, assert_same_search, grid_search, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER


def test_splitter_and_scorer_get_a_series_with_its_index():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    cost = y + 1.0

    def score(model, X, y):
        return -float(cost.loc[y.index][model.predict(X) != y].sum())

    class Splitter(KFold):
        def split(self, X, y, groups=None):
            return super().split(X, y.loc[X.index])

    ours = quick_search(cv=Splitter(3), scoring=score)
    assert_same_search(ours.fit(X, y), grid_search(ours).fit(X, y))


@pytest.mark.parametrize("number", [np.array(0.5), np.array([0.5])])
def test_scorer_may_return_an_array_of_one_number(number):
    X, y = load_iris(return_X_y=True)
    assert quick_search(scoring=lambda model, X, y: number).fit(X, y).best_score_ == 0.5


def test_score_hands_the_scorer_the_network():
    X, y = load_iris(return_X_y=True)
    model = quick_search(scoring=lambda model, X, y: model.dropout).fit(X, y)
    assert model.score(X, y) == model.dropout_


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("names", [False, True])
def test_targets_in_a_column_are_not_several_labels(n_classes, names):
    X, y = make_classification(200, 8, n_informative=4, n_classes=n_classes, random_state=0)
    y = np.array(["a", "b", "c"])[y] if names else y
    expected = quick_search(scoring=["loss", "accuracy"], refit="loss").fit(X, y)
    model = quick_search(scoring=["loss", "accuracy"], refit="loss").fit(X, pd.DataFrame({"t": y}))
    assert_array_equal(model.scores_["loss"], expected.scores_["loss"])
    assert model.score(X, y[:, None]) == expected.score(X, y)


def test_validation_scoring_sees_the_candidate():
    X, y = load_iris(return_X_y=True)
    seen = set()

    def score(model, X, y, sample_weight=None):
        seen.add((model.dropout, model.l2))
        return model.score(X, y, sample_weight) - model.dropout

    ours = quick_search(early_stopping=True, validation_scoring=score, scoring="accuracy")
    theirs = grid_search(ours).fit(X, y)
    assert len(seen) == 4
    seen.clear()
    assert_same_search(ours.fit(X, y), theirs)
    assert len(seen) == 4


@pytest.mark.parametrize("changed", ["X", "y"])
def test_a_scorer_that_changes_what_all_candidates_share_fails(changed):
    def score(model, X, y):
        value = model.score(X, y)
        if model.dropout:
            (X if changed == "X" else y)[:] = 0
        return value

    X, y = load_iris(return_X_y=True)
    with pytest.warns(UserWarning, match="(?s)Scoring failed for 6 of 12.*read-only"):
        model = quick_search(scoring=score).fit(X, y)
    assert_array_equal(np.isnan(model.scores_).any(axis=(1, 2)), [False, True])
    assert X.flags.writeable
    assert y.flags.writeable


def test_metric_that_a_function_does_not_return_is_named_at_the_first_network(trained):
    X, y = load_iris(return_X_y=True)
    model = quick_search(scoring=lambda model, X, y: {"a": 0.0, "b": 1.0}, refit="accuracy")
    with pytest.raises(ValueError, match=r"one of \['a', 'b'\].*received 'accuracy'"):
        model.fit(X, y)
    assert len(trained) <= 4  # a batch


def test_callbacks_see_the_rows_and_weights_of_the_fold():
    callback = pytest.importorskip("sklearn.callback")
    weight = np.where(y == 1, 10.0, 0.1)
    splits = list(StratifiedKFold(2).split(X, y))
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = quick_search(dropouts=[0.5], l2s=[1e-3], cv=splits, refit="folds")
    model.set_callbacks(monitor).fit(X, y, sample_weight=weight)
    found = monitor.get_logs().data_as_pandas
    found = found[found["task_name"] == "candidate-fold"]["accuracy"].to_numpy()
    expected = [
        accuracy_score(y[train], network.predict(X[train]), sample_weight=weight[train])
        for network, (train, _) in zip(model.estimators_, splits, strict=True)
    ]
    assert_allclose(found, expected)


@pytest.mark.parametrize("refit", [True, "folds"])
def test_a_scorer_may_call_score(refit):
    model = quick_search(scoring=lambda model, X, y: float(model.score(X, y)), refit=refit)
    assert model.fit(X, y).score(X, y) == (model.predict(X) == y).mean()


@pytest.mark.parametrize("scoring", ["loss", "accuracy", ["loss", "accuracy"]])
def test_score_without_a_refit_says_so(scoring):
    model = quick_search(scoring=scoring, refit=False).fit(X, y)
    with pytest.raises(NotFittedError, match="fitted with refit=False"):
        model.score(X, y)


def refused(search):
    """Whether weights that no metric asks for are, which scikit-learn 1.7 does not do."""
    try:
        search.fit(X, y, sample_weight=y + 1.0)
    except UnsetMetadataPassedError:
        return True
    return False


@pytest.mark.parametrize("refit", ["loss", False])
def test_metrics_without_a_request_are_refused_before_training_as_by_grid_search(refit, trained):
    with sklearn.config_context(enable_metadata_routing=True):
        plain = LogisticRegression(max_iter=5000).set_fit_request(sample_weight=True)
        theirs = GridSearchCV(plain, {"C": [1.0]}, scoring=["accuracy", "f1"], refit=False)
        expected = refused(theirs)
        assert refused(quick_search(scoring=["loss", "accuracy"], refit=refit)) == expected
    assert bool(trained) != expected


def test_infinite_scores_are_scores_in_grid_and_halving():
    def score(model, X, y):
        return np.inf if model.dropout == 0.5 else model.l2

    for search in ("grid", "halving"):
        assert quick_search(scoring=score, search=search).fit(X, y).dropout_ == 0.5


def test_weights_need_no_request_for_the_scores_of_its_own():
    X, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    for scoring in (None, "loss"):
        expected = quick_search(scoring=scoring).fit(X, y, weight)
        with sklearn.config_context(enable_metadata_routing=True):
            routed = quick_search(scoring=scoring).fit(X, y, sample_weight=weight)
            assert routed.score(X, y, sample_weight=weight) == expected.score(X, y, weight)
        assert_array_equal(routed.scores_, expected.scores_)


class Stops:
    """Ends the search after so many networks."""

    max_propagation_depth = 0

    def __init__(self, after):
        self.after, self.seen = after, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "candidate-fold":
            assert fitted_estimator.predict(X[:2]).shape == (2,)
            self.seen += 1
        return self.seen == self.after


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_see_each_network_and_can_end_the_search(n_jobs):
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = quick_search().set_callbacks(monitor).fit(X, y)
    assert model.n_splits_ == 3
    callback = Stops(5)
    with pytest.warns(UserWarning, match="stopped by a callback after 5 of 12 networks"):
        model = quick_search(n_jobs=n_jobs).set_callbacks(callback).fit(X, y)
    assert callback.seen == 5
    assert np.isfinite(model.scores_).sum() == 5
    assert model.predict(X).shape == y.shape


def test_a_callback_that_stops_at_the_end_takes_nothing_from_halving():
    pytest.importorskip("sklearn.callback")
    whole = Stops(None)
    expected = quick_search(search="halving").set_callbacks(whole).fit(X, y)
    with pytest.warns(UserWarning, match="stopped by a callback"):
        model = quick_search(search="halving").set_callbacks(Stops(whole.seen)).fit(X, y)
    assert_array_equal(model.scores_, expected.scores_)
    assert_array_equal(model.cv_results_["n_epochs"], expected.cv_results_["n_epochs"])
    with pytest.warns(UserWarning, match="stopped by a callback"):
        model.set_callbacks(Stops(whole.seen - 1)).fit(X, y)
    assert max(model.cv_results_["n_epochs"]) < max(expected.cv_results_["n_epochs"])
