"""Parameters of a search, metadata routing and warnings."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from helpers import CANCER, quick_regression_search, quick_search
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER

# -- parameters --------------------------------------------------------------------------------


BAD = {
    "unknown search": ({"search": "random"}, "search"),
    "unknown refit": ({"refit": "best"}, "refit: expected True, False, 'folds', 'ensemble' or"),
    "metrics without a refit": ({"scoring": ["accuracy", "roc_auc"]}, "refit: expected the name"),
    "unknown scoring": ({"scoring": "accurate"}, "scoring"),
    "one fold": ({"cv": 1}, "cv"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameter_is_named_before_training(name, trained):
    changes, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message):
        quick_search(**changes).fit(X, y)
    assert not trained


@pytest.mark.parametrize("kind", [RegularizedMLPClassifierCV, RegularizedMLPRegressorCV])
def test_parameters_have_names(kind):
    """A width that is meant for hidden_layer_sizes would be a number of dropouts."""
    with pytest.raises(TypeError, match="positional argument"):
        kind(8)


def test_validation_rows_are_refused():
    with pytest.raises(TypeError, match="X_val: expected no validation rows in a search"):
        quick_search(early_stopping=True).fit(X, y, X_val=X, y_val=y)


def test_subclass_may_have_fewer_parameters():
    class Small(RegularizedMLPClassifierCV):
        def __init__(self, dropouts=(0.0, 0.5)):
            options = {"hidden_layer_sizes": (8,), "max_iter": 9, "numerical_encoding": None}
            options |= {"cv": 3, "random_state": 0}
            super().__init__(dropouts=dropouts, l2s=[1e-3, 1e-2], **options)

    assert_array_equal(Small().fit(X, y).scores_, quick_search().fit(X, y).scores_)


# -- metadata ----------------------------------------------------------------------------------


def test_unknown_metadata_is_refused_without_routing():
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        quick_search().fit(X, y, colour=y)


def is_refused(search):
    """Whether a weight that no metric requests is refused. scikit-learn 1.7 accepts it."""
    try:
        search.fit(X, y, sample_weight=y + 1.0)
    except UnsetMetadataPassedError:
        return True
    return False


@pytest.mark.parametrize("refit", ["loss", False])
def test_metrics_without_a_request_are_refused_before_training(refit, trained):
    with sklearn.config_context(enable_metadata_routing=True):
        plain = LogisticRegression(max_iter=5000).set_fit_request(sample_weight=True)
        theirs = GridSearchCV(plain, {"C": [1.0]}, scoring=["accuracy", "f1"], refit=False)
        expected = is_refused(theirs)
        assert is_refused(quick_search(scoring=["loss", "accuracy"], refit=refit)) == expected
    assert bool(trained) != expected


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_weights_need_no_request_for_the_loss_and_the_own_score(scoring):
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    expected = quick_search(scoring=scoring).fit(X, y, weight)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = quick_search(scoring=scoring).fit(X, y, sample_weight=weight)
        assert routed.score(X, y, sample_weight=weight) == expected.score(X, y, weight)
    assert_array_equal(routed.scores_, expected.scores_)


def test_loss_among_several_metrics_needs_no_request():
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    expected = quick_search().fit(X, y, weight)
    with sklearn.config_context(enable_metadata_routing=True):
        accuracy = get_scorer("accuracy").set_score_request(sample_weight=False)
        routed = quick_search(scoring={"a": accuracy, "b": "loss"}, refit="b")
        routed.fit(X, y, sample_weight=weight)
    assert_array_equal(routed.scores_["b"], expected.scores_)


def test_splits_may_come_from_a_generator_with_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick_search(cv=KFold(3).split(X)).fit(X, y, sample_weight=np.ones(len(y)))
    assert_array_equal(model.scores_, quick_search(cv=KFold(3)).fit(X, y).scores_)


# -- warnings ----------------------------------------------------------------------------------


def score_deviation(model, X, y):
    return float(model.predict_proba(X).std())


def test_warning_if_a_scorer_takes_no_weights():
    with pytest.warns(UserWarning, match="does not take sample_weight"):
        quick_search(scoring=score_deviation).fit(X, y, np.ones(len(y)))


@pytest.mark.parametrize("scoring", [score_deviation, {"a": score_deviation, "b": "loss"}])
def test_warning_if_a_function_cannot_request_the_weights(scoring):
    model = quick_search(scoring=scoring, refit=False, max_iter=1)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.warns(UserWarning, match="do not request sample_weight"),
    ):
        model.fit(X, y, sample_weight=np.ones(len(y)))


def test_names_of_encoded_columns_need_a_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = quick_search().encoded_feature_names_


def test_function_among_several_metrics_is_refused_with_weights():
    model = quick_search(scoring={"a": "accuracy", "b": score_deviation}, refit="a")
    with pytest.raises(ValueError, match="make_scorer with several metrics and sample_weight"):
        model.fit(X, y, np.ones(len(y)))


def test_warnings_point_to_the_call_of_fit(tmp_path):
    model = quick_search(scoring=score_deviation, memory=str(tmp_path), random_state=None)
    model.set_params(l2s=[1e-3, 1e-2, 1e-1], max_iter=1)
    with pytest.warns(UserWarning, match="random_state|sample_weight") as caught:
        model.fit(X, y, np.ones(len(y)))
    assert len(caught) >= 2
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("search", ["grid", "halving"])
@pytest.mark.parametrize("refit", [True, "ensemble"])
def test_warnings_about_columns_are_given_once_and_point_to_the_call_of_fit(refit, search):
    table = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(empty=np.nan)
    model = quick_search(refit=refit, search=search, n_jobs=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(table, y)
    about_columns = [warning for warning in caught if "have no values" in str(warning.message)]
    assert len(about_columns) == 1
    assert about_columns[0].filename == __file__


@pytest.mark.filterwarnings("ignore:.*networks led nowhere")
@pytest.mark.parametrize("refit", [False, "folds"])
def test_networks_that_are_never_better_than_a_constant_are_counted(refit):
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(60, 5)), rng.normal(size=60) ** 3
    model = quick_regression_search(
        max_iter=12, refit=refit, early_stopping=True, learning_rate_init=0.5, l2s=[1e-3]
    )
    with pytest.warns(ConvergenceWarning, match=r"of 6 networks never predicted the rows of early"):
        model.fit(noise, labels)


def test_networks_that_are_worse_than_a_constant_are_counted():
    model = quick_search(max_iter=12, learning_rate_init=1e-30, l2s=[1e-3], refit=False)
    message = r"^\d of 6 networks led nowhere: a constant .* a smaller l2"
    with pytest.warns(ConvergenceWarning, match=message):
        model.fit(X, y)


def test_diverged_networks_are_scored_and_a_warning_counts_them():
    model = quick_regression_search(dropouts=[0.0], l2s=[1e-3, 1e30], solver="sgd")
    with pytest.warns(ConvergenceWarning, match="3 of 6 networks diverged"):
        model.fit(X, X[:, 0])
    assert model.l2_ == 1e-3
    assert np.isfinite(model.scores_).all()
