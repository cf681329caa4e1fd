"""Metadata routing: weights and validation rows on their way to a network."""

import numpy as np
import pytest
import sklearn
from helpers import assert_learned, classifier, regressor, split
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


def weighted(**changes):
    model = classifier(**changes)
    return model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)


def test_weights_reach_a_network_through_cross_validate(routing, mislabelled):
    X, y, weight = mislabelled
    scores = cross_validate(weighted(), X, y, cv=3, params={"sample_weight": weight})
    assert_learned(scores["test_score"].mean(), 0.8, "wine")
    # That the weights did it: without them most labels teach the wrong thing.
    ignored = cross_validate(classifier().set_fit_request(sample_weight=False), X, y, cv=3)
    assert ignored["test_score"].mean() < 0.7


def weighted_search():
    return GridSearchCV(weighted(), {"dropout": [0.0, 0.2]}, cv=3)


def weighted_pipeline_search():
    """With a scorer of its own: scikit-learn 1.7 passes no weights to a pipeline's score."""
    scale = StandardScaler().set_fit_request(sample_weight=True)
    return GridSearchCV(
        Pipeline([("scale", scale), ("net", weighted())]),
        {"net__dropout": [0.0, 0.2]},
        cv=3,
        scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
    )


@pytest.mark.parametrize("make", [weighted_search, weighted_pipeline_search])
def test_weights_reach_a_network_through_a_search(routing, mislabelled, make):
    X, y, weight = mislabelled
    _, X_test, _, y_test = split("wine")
    search = make().fit(X, y, sample_weight=weight)
    assert_learned(search.best_score_, 0.8, "wine")
    assert_learned(search.score(X_test, y_test), 0.8, "wine")


def test_rows_of_weight_zero_are_no_rows_in_the_refit_of_a_search(routing, mislabelled):
    X, y, weight = mislabelled
    search = weighted_search().fit(X, y, sample_weight=weight)
    alone = classifier(**search.best_params_).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    ("model", "data", "bound"),
    [
        pytest.param(classifier, "digits", 0.8, id="classifier"),
        pytest.param(regressor, "diabetes", 0.25, id="regressor"),
    ],
)
def test_validation_rows_are_transformed_on_their_way_through_a_pipeline(
    routing, model, data, bound
):
    """Without a transformation PCA's 8 columns would meet validation rows of all columns."""
    X, X_test, y, y_test = split(data)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, random_state=0)
    stopping = {"max_iter": 200, "early_stopping": True, "n_iter_no_change": 5}
    network = model(**stopping).set_fit_request(X_val=True, y_val=True)
    steps = [("components", PCA(8, random_state=0)), ("network", network)]
    pipeline = Pipeline(steps, transform_input=["X_val"]).fit(X, y, X_val=X_val, y_val=y_val)
    assert_learned(pipeline.score(X_test, y_test), bound, data)

    components = PCA(8, random_state=0)
    transformed = components.fit_transform(X)  # as a pipeline does; `transform` rounds otherwise
    by_hand = model(**stopping).fit(transformed, y, X_val=components.transform(X_val), y_val=y_val)
    assert pipeline[-1].validation_loss_curve_ == by_hand.validation_loss_curve_
    assert pipeline[-1].n_iter_ == pipeline[-1].best_iter_ + 5 < 200


def test_validation_rows_reach_every_fit_of_a_search_over_a_pipeline(routing):
    X, X_test, y, y_test = split("digits")
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    network = classifier(max_iter=100, early_stopping=True, n_iter_no_change=5)
    network.set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline([("components", PCA(8)), ("net", network)], transform_input=["X_val"])
    search = GridSearchCV(pipeline, {"net__l2": [1e-4, 1e-2]}, cv=3, error_score="raise")
    search.fit(X, y, X_val=X_val, y_val=y_val)
    assert_learned(search.score(X_test, y_test), 0.8, "digits")
