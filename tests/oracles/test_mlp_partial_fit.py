"""Streams, compared with those of MLPClassifier and MLPRegressor."""

import joblib
import numpy as np
import pytest
from oracles.mlp_pairs import (
    NUMBERS,
    PAIRS,
    X,
    Y,
    assert_same_bits,
    call_quietly,
    make_small,
)

from skreg import RegularizedMLPRegressor

TARGETS = [("classifier", Y), ("regressor", NUMBERS)]


def get_first_arguments(estimator_type):
    """What the first call of partial_fit needs."""
    return {"classes": [0, 1, 2]} if estimator_type == "classifier" else {}


@pytest.mark.parametrize(("estimator_type", "y"), [("classifier", Y), ("regressor", NUMBERS - 7)])
def test_calls_of_partial_fit_are_the_epochs_of_fit_at_a_constant_rate(estimator_type, y):
    changes = {"standardize": False, "learning_rate": "constant", "dropout": 0.2}
    if estimator_type == "regressor":
        changes["standardize_target"] = False
    whole = make_small(PAIRS[estimator_type][1], max_iter=4, **changes).fit(X, y)
    stream = make_small(PAIRS[estimator_type][1], **changes)
    for _ in range(4):
        stream.partial_fit(X, y, **get_first_arguments(estimator_type))
    assert_same_bits(whole, stream)
    assert stream.n_iter_ == len(stream.loss_curve_) == 4


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS)
def test_partial_fit_learns(estimator_type, y):
    stream = make_small(PAIRS[estimator_type][1], learning_rate_init=0.01)
    for _ in range(60):
        stream.partial_fit(X, y, **get_first_arguments(estimator_type))
    assert stream.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (Y, None, "classes must be passed on the first call"),
        (Y, [0, 1], "among the classes"),
        (Y, [7], "among the classes"),
    ],
    ids=["no classes", "one is missing", "all are missing"],
)
def test_the_first_partial_fit_needs_all_classes(y, classes, message):
    with pytest.raises(ValueError, match=message):
        make_small().partial_fit(X, y, classes=classes)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (Y, [1, 2, 3], "is not the same as on last call to partial_fit"),
        (Y + 1, None, "among the classes"),
    ],
    ids=["classes", "labels"],
)
def test_partial_fit_refuses_other_classes_and_continues(labels, classes, message):
    model = make_small().partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, labels, classes=classes)
    expected = make_small().partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X, Y)
    assert_same_bits(model.partial_fit(X, Y), expected)


def test_a_class_of_later_rows_is_learned():
    names = np.array(["a", "b", "c"])[Y]
    late = Y == 2
    model = make_small(learning_rate_init=0.01)
    model.partial_fit(X, np.where(late, "a", names), classes=["a", "b", "c"])
    for _ in range(20):
        model.partial_fit(X, names)
    assert set(model.predict(X)) == {"a", "b", "c"}


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS)
def test_partial_fit_after_early_stopping_is_one_epoch(estimator_type, y):
    model = make_small(PAIRS[estimator_type][1], early_stopping=True).fit(X, y)
    before = model.coefs_[0].copy()
    model.partial_fit(X, y)
    assert (model.n_iter_, model.validation_loss_curve_) == (1, None)
    assert 0 < np.abs(model.coefs_[0] - before).max() < 0.1


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS)
def test_partial_fit_after_early_stopping_is_refused_by_mlp(estimator_type, y):
    MLP = PAIRS[estimator_type][0]
    mlp = call_quietly(MLP(early_stopping=True, max_iter=2).fit, X, y)
    with pytest.raises(ValueError, match="does not support early_stopping"):
        mlp.partial_fit(X, y)


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS)
def test_a_stream_continues_bit_for_bit_after_joblib(estimator_type, y, tmp_path):
    model = make_small(PAIRS[estimator_type][1], dropout=0.2)
    model.partial_fit(X, y, **get_first_arguments(estimator_type)).partial_fit(X, y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    for _ in range(3):
        model.partial_fit(X, y)
        loaded.partial_fit(X, y)
    assert_same_bits(model, loaded)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


def test_a_loaded_network_learns_a_new_target(tmp_path):
    model = make_small(RegularizedMLPRegressor, max_iter=30).fit(X, NUMBERS)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model").set_params(learning_rate_init=0.01)
    for _ in range(100):
        loaded.partial_fit(X, 20 - NUMBERS)
    assert model.score(X, 20 - NUMBERS) < 0 < 0.9 < loaded.score(X, 20 - NUMBERS)
