"""Metadata routing: weights and validation rows reach a network."""

import numpy as np
import pytest
import sklearn
from helpers import assert_learned, make_classifier, make_regressor, split
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def mislabelled():
    """Six training rows in ten have the label of another class, and weight 0."""
    X, _, y, _ = split("wine")
    wrong = np.random.default_rng(0).random(len(y)) < 0.6
    return X, np.where(wrong, (y + 1) % 3, y), np.where(wrong, 0.0, 1.0)


def request_weights(**changes):
    model = make_classifier(**changes)
    return model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)


def test_weights_reach_a_network_through_cross_validate(routing, mislabelled):
    X, y, weight = mislabelled
    scores = cross_validate(request_weights(), X, y, cv=3, params={"sample_weight": weight})
    assert_learned(scores["test_score"].mean(), 0.8, "wine")
    # Without weights most of the labels are wrong.
    ignored = cross_validate(make_classifier().set_fit_request(sample_weight=False), X, y, cv=3)
    assert ignored["test_score"].mean() < 0.7


def make_search():
    return GridSearchCV(request_weights(), {"dropout": [0.0, 0.2]}, cv=3)


def make_pipeline_search():
    """The scorer is set, since scikit-learn 1.7 passes no weights to the score of a pipeline."""
    scale = StandardScaler().set_fit_request(sample_weight=True)
    return GridSearchCV(
        Pipeline([("scale", scale), ("net", request_weights())]),
        {"net__dropout": [0.0, 0.2]},
        cv=3,
        scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
    )


@pytest.mark.parametrize("build_search", [make_search, make_pipeline_search])
def test_weights_reach_a_network_through_a_search(routing, mislabelled, build_search):
    X, y, weight = mislabelled
    _, X_test, _, y_test = split("wine")
    search = build_search().fit(X, y, sample_weight=weight)
    assert_learned(search.best_score_, 0.8, "wine")
    assert_learned(search.score(X_test, y_test), 0.8, "wine")


def test_rows_of_weight_zero_do_not_change_the_refit_of_a_search(routing, mislabelled):
    X, y, weight = mislabelled
    search = make_search().fit(X, y, sample_weight=weight)
    alone = make_classifier(**search.best_params_).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))


STOPPING = {"max_iter": 200, "early_stopping": True, "n_iter_no_change": 5}


@pytest.fixture(
    scope="module",
    params=[(make_classifier, "digits"), (make_regressor, "diabetes")],
    ids=["classifier", "regressor"],
)
def fitted(request):
    """The function of an estimator, its table with validation rows, and a fitted pipeline."""
    make_estimator, data = request.param
    X, _, y, _ = split(data)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        network = make_estimator(**STOPPING).set_fit_request(X_val=True, y_val=True)
        steps = [("components", PCA(8, random_state=0)), ("network", network)]
        pipeline = Pipeline(steps, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    return make_estimator, data, (X, X_val, y, y_val), pipeline


def test_a_pipeline_with_validation_rows_learns(fitted):
    _, data, _, pipeline = fitted
    _, X_test, _, y_test = split(data)
    assert_learned(pipeline.score(X_test, y_test), {"digits": 0.8, "diabetes": 0.25}[data], data)


def test_a_pipeline_transforms_validation_rows(fitted):
    """Otherwise the 8 columns of PCA would meet validation rows with all columns."""
    make_estimator, _, (X, X_val, y, y_val), pipeline = fitted
    components = PCA(8, random_state=0)
    transformed = components.fit_transform(X)  # as a pipeline does; `transform` rounds otherwise
    by_hand = make_estimator(**STOPPING)
    by_hand.fit(transformed, y, X_val=components.transform(X_val), y_val=y_val)
    assert pipeline[-1].validation_loss_curve_ == by_hand.validation_loss_curve_


def test_validation_rows_stop_the_fit_of_a_pipeline(fitted):
    network = fitted[-1][-1]
    assert network.n_iter_ == network.best_iter_ + 5 < 200


def test_validation_rows_reach_every_fit_of_a_search_over_a_pipeline(routing):
    X, X_test, y, y_test = split("digits")
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    network = make_classifier(max_iter=100, early_stopping=True, n_iter_no_change=5)
    network.set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline([("components", PCA(8)), ("net", network)], transform_input=["X_val"])
    search = GridSearchCV(pipeline, {"net__l2": [1e-4, 1e-2]}, cv=3, error_score="raise")
    search.fit(X, y, X_val=X_val, y_val=y_val)
    assert_learned(search.score(X_test, y_test), 0.8, "digits")
