"""Fits beyond the plain one: early stopping, given validation rows, warm starts, streams."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification
from sklearn.metrics import get_scorer, log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._data.rows import merge_rows, split_rows
from skreg._engine.trainer import HELD_OUT, make_generator


def classifier(**changes):
    values = {"hidden_layer_sizes": (16, 8), "max_iter": 60, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 60, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


def assert_same_network(left, right):
    assert left.loss_curve_ == right.loss_curve_
    for one, other in zip(left.coefs_, right.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def diabetes():
    return train_test_split(*load_diabetes(return_X_y=True), test_size=0.3, random_state=0)


# -- early stopping -------------------------------------------------------------------------------


def own_validation(X, y, X_val, y_val, estimator, **changes):
    changes = {"early_stopping": True, "n_iter_no_change": 5, "max_iter": 300, **changes}
    return estimator(**changes).fit(X, y, X_val=X_val, y_val=y_val)


def test_kept_weights_have_the_lowest_validation_loss_of_the_classifier(cancer):
    X, X_val, y, y_val = cancer
    model = own_validation(X, y, X_val, y_val, classifier)
    curve = model.validation_loss_curve_
    assert model.n_iter_ == len(curve) == len(model.loss_curve_) < 300
    assert model.best_iter_ == np.argmin(curve) + 1
    assert model.best_loss_ == min(curve)
    assert model.validation_scores_ is None
    np.testing.assert_allclose(log_loss(y_val, model.predict_proba(X_val)), min(curve), rtol=1e-4)


def test_kept_weights_have_the_lowest_validation_loss_of_the_regressor(diabetes):
    X, X_val, y, y_val = diabetes
    model = own_validation(X, y, X_val, y_val, regressor)
    error = ((model.predict(X_val) - y_val) ** 2).mean() / model.target_scale_**2
    np.testing.assert_allclose(error, min(model.validation_loss_curve_), rtol=1e-4)


SCORERS = ["accuracy", "roc_auc", None, get_scorer("neg_log_loss")]


@pytest.mark.parametrize("scoring", SCORERS)
def test_kept_weights_have_the_best_score(cancer, scoring):
    X, X_val, y, y_val = cancer
    model = own_validation(X, y, X_val, y_val, classifier, validation_scoring=scoring)
    scorer = get_scorer(scoring or "accuracy") if not callable(scoring) else scoring
    assert scorer(model, X_val, y_val) == max(model.validation_scores_)
    assert model.best_iter_ == np.argmax(model.validation_scores_) + 1
    assert model.best_loss_ == model.validation_loss_curve_[model.best_iter_ - 1]
    assert model.n_iter_ == len(model.validation_scores_)


def test_score_of_the_loss_decides_as_the_loss_does(cancer):
    X, X_val, y, y_val = cancer
    by_loss = own_validation(X, y, X_val, y_val, classifier)
    by_score = own_validation(X, y, X_val, y_val, classifier, validation_scoring="neg_log_loss")
    assert_same_network(by_loss, by_score)
    np.testing.assert_allclose(
        by_score.validation_scores_, -np.array(by_loss.validation_loss_curve_), rtol=1e-3
    )


def test_training_rows_are_those_that_were_not_held_out(cancer):
    """The same network as by a fit on them that validates on nothing but ends at the same epoch."""
    X, _, y, _ = cancer
    model = classifier(early_stopping=True, n_iter_no_change=60).fit(X, y)
    rows = merge_rows(X, y, None)
    state = np.random.RandomState(0).randint(0, 2**32, size=2, dtype=np.uint32)
    training, held_out = split_rows(
        rows, y[rows.first], 0.1, make_generator((int(state[0]), int(state[1])), HELD_OUT)
    )
    assert len(held_out.first) == round(0.1 * len(y))
    alone = classifier().fit(X[training.first], y[training.first])
    np.testing.assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=1e-4)
    np.testing.assert_array_equal(model.mean_, alone.mean_)


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_weights_are_copies_through_early_stopping(cancer, scoring):
    X, _, y, _ = cancer
    counts = np.random.default_rng(0).integers(0, 4, size=len(y))
    model = classifier(early_stopping=True, validation_scoring=scoring)
    weighted = model.fit(X, y, sample_weight=counts)
    repeated = classifier(early_stopping=True, validation_scoring=scoring)
    repeated.fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert_same_network(weighted, repeated)
    assert weighted.validation_loss_curve_ == repeated.validation_loss_curve_
    assert weighted.validation_scores_ == repeated.validation_scores_


def test_weights_of_given_validation_rows_count(cancer):
    X, X_val, y, y_val = cancer
    weight = np.random.default_rng(0).integers(0, 4, size=len(y_val))
    model = classifier(early_stopping=True)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    other = classifier(early_stopping=True)
    other.fit(X, y, X_val=X_val.repeat(weight, axis=0), y_val=y_val.repeat(weight))
    np.testing.assert_allclose(
        model.validation_loss_curve_, other.validation_loss_curve_, rtol=1e-4
    )


def test_class_weights_count_in_the_validation_loss():
    X, y = load_iris(return_X_y=True)
    heavy = {0: 1.0, 1: 5.0, 2: 1.0}
    weight = np.array([heavy[label] for label in y])
    arguments = {"X_val": X, "y_val": y}
    by_class = classifier(early_stopping=True, class_weight=heavy).fit(X, y, **arguments)
    by_row = classifier(early_stopping=True)
    by_row.fit(X, y, sample_weight=weight, sample_weight_val=weight, **arguments)
    assert_same_network(by_class, by_row)
    assert by_class.validation_loss_curve_ == by_row.validation_loss_curve_


def test_early_stopping_of_labels_that_are_strings_and_of_indicators():
    X, y = load_iris(return_X_y=True)
    names = np.array(["one", "two", "three"])[y]
    for target in (names, (y[:, None] == [0, 1, 2]).astype(int)):
        for scoring in ("loss", "accuracy"):
            model = classifier(
                early_stopping=True,
                validation_scoring=scoring,
                learning_rate_init=0.02,
                dropout=0.1,
                n_iter_no_change=30,
                max_iter=200,
            ).fit(X, target)
            assert model.score(X, target) >= 0.85


def test_validation_rows_go_through_a_pipeline_by_metadata_routing(cancer):
    X, X_val, y, y_val = cancer
    with config_context(enable_metadata_routing=True):
        model = classifier(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    alone = classifier(early_stopping=True)
    alone.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    assert_same_network(pipeline[-1], alone)


def test_without_early_stopping_best_is_of_the_training_loss(cancer):
    X, _, y, _ = cancer
    model = classifier(max_iter=5).fit(X, y)
    assert model.validation_loss_curve_ is model.validation_scores_ is None
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.loss_curve_[model.best_iter_ - 1] == model.best_loss_


X, y = load_iris(return_X_y=True)
VALIDATION = {
    "without early stopping": ({"early_stopping": False}, X, y, "expected early_stopping=True"),
    "y missing": ({}, X, None, "y_val: expected X_val and y_val together"),
    "X missing": ({}, None, y, "X_val: expected X_val and y_val together"),
    "other columns": ({}, X[:, :3], y, "X has 3 features, but .* is expecting 4"),
    "other length": ({}, X, y[:-1], "inconsistent numbers of samples"),
    "unseen class": ({}, X, y + 1, r"y_val: expected labels among .*received also \[3\]"),
    "NaN": ({}, np.where(X > 7, np.nan, X), y, "contains NaN"),
    "one-dimensional": ({}, X[:, 0], y, "Expected 2D array"),
}


@pytest.mark.parametrize(
    ("change", "X_val", "y_val", "message"), VALIDATION.values(), ids=VALIDATION.keys()
)
def test_validation_rows_that_do_not_fit_are_refused(change, X_val, y_val, message):
    model = classifier(**{"early_stopping": True, **change})
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert not hasattr(model, "coefs_")
    assert not hasattr(model, "n_features_in_")


def test_a_score_that_is_no_number_is_an_error_and_leaves_the_estimator_as_it_was(cancer):
    X, _, y, _ = cancer
    model = classifier(max_iter=3).fit(X[:, :4], y)
    before = model.predict_proba(X[:, :4])
    model.set_params(early_stopping=True, validation_scoring=lambda *arguments: np.nan)
    with pytest.raises(ValueError, match="validation_scoring: expected a number; received NaN"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X[:, :4]), before)


# -- warm starts ----------------------------------------------------------------------------------


def test_warm_start_goes_on_with_the_weights(cancer):
    X, _, y, _ = cancer
    cold = classifier(max_iter=30).fit(X, y)
    warm = classifier(max_iter=30, warm_start=True).fit(X, y)
    assert_same_network(cold, warm)
    warm.fit(X, y)
    assert warm.loss_curve_[0] < cold.loss_curve_[0] / 2
    assert warm.n_iter_ == 30


@pytest.mark.parametrize("estimator", [classifier, regressor])
def test_function_does_not_jump_when_a_warm_start_sees_another_scale(estimator):
    """At a rate of nearly zero the network after the second fit is that before it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = 10 * X[:, 0] + rng.normal(size=200)
    target = (y > 0).astype(int) if estimator is classifier else y
    model = estimator(warm_start=True).fit(X[:100], target[:100])
    before = model.decision_function(X) if estimator is classifier else model.predict(X)
    model.set_params(learning_rate_init=1e-30).fit(
        3 * X[100:] + 1, 2 * target[100:] // 2 if estimator is classifier else 5 * y[100:]
    )
    after = model.decision_function(X) if estimator is classifier else model.predict(X)
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3 * np.abs(before).max())


def test_warm_start_with_other_classes_layers_or_columns_is_refused():
    model = classifier(warm_start=True, max_iter=2).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"same classes as in the previous call.*\[0 1 2\]"):
        model.fit(X, y + 1)
    with pytest.raises(ValueError, match="X has 3 features, but"):
        model.fit(X[:, :3], y)
    with pytest.raises(ValueError, match=r"layers of the fitted network, \(4, 16, 8, 3\)"):
        model.set_params(hidden_layer_sizes=(16, 9)).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


# -- streams --------------------------------------------------------------------------------------


def stream(model, X, y, n_batches, n_passes=1, **first):
    for k in range(n_passes):
        for rows in np.array_split(np.random.default_rng(k).permutation(len(y)), n_batches):
            model.partial_fit(X[rows], y[rows], **(first if not hasattr(model, "coefs_") else {}))
    return model


def test_a_stream_of_classes_learns_as_well_as_one_fit():
    X, y = make_classification(24_000, 20, n_informative=10, flip_y=0.05, random_state=0)
    X, X_test, y, y_test = train_test_split(X, y, test_size=4000, random_state=0)
    common = {
        "hidden_layer_sizes": (64, 32),
        "dropout": 0.1,
        "l2": 1e-4,
        "learning_rate": "constant",
        "learning_rate_init": 1e-3,
        "batch_size": 64,
        "random_state": 0,
    }
    whole = RegularizedMLPClassifier(max_iter=5, **common).fit(X, y)
    parts = stream(RegularizedMLPClassifier(**common), X, y, 20, 5, classes=[0, 1])
    assert parts.n_iter_ == len(parts.loss_curve_) == 100
    # Two standard errors of the difference of two accuracies near 0.93 on 4,000 rows are 0.011.
    assert abs(whole.score(X_test, y_test) - parts.score(X_test, y_test)) < 0.011
    assert whole.score(X_test, y_test) > 0.9
    np.testing.assert_allclose(parts.mean_, whole.mean_, atol=1e-10)
    np.testing.assert_allclose(parts.scale_, whole.scale_, rtol=1e-10)


def test_a_stream_of_numbers_learns_as_well_as_one_fit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 8))
    y = 100 + 20 * np.sin(X[:, 0]) * X[:, 1] + 5 * X[:, 2] + rng.normal(size=12_000)
    common = {
        "hidden_layer_sizes": (64, 32),
        "dropout": 0.0,
        "l2": 0.0,
        "learning_rate": "constant",
        "learning_rate_init": 2e-3,
        "batch_size": 64,
        "random_state": 0,
    }
    whole = RegularizedMLPRegressor(max_iter=8, **common).fit(X[:10_000], y[:10_000])
    parts = stream(RegularizedMLPRegressor(**common), X[:10_000], y[:10_000], 20, 8)
    scores = [r2_score(y[10_000:], model.predict(X[10_000:])) for model in (whole, parts)]
    assert min(scores) > 0.95
    assert abs(scores[0] - scores[1]) < 0.02


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_function_does_not_jump_when_the_statistics_of_a_stream_move(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:100, 3] = 0.5  # constant in the first batch
    y = 50 + 10 * X[:, 0]
    model = regressor(loss=loss)
    for _ in range(30):
        model.partial_fit(X[:100], y[:100])
    before = model.predict(X[:100])
    model.set_params(learning_rate_init=1e-30).partial_fit(100 * X[100:] - 3, 7 * y[100:])
    np.testing.assert_allclose(model.predict(X[:100]), before, rtol=2e-3)
    assert model.scale_[0] > 10


def test_a_pickled_stream_goes_on_bit_for_bit():
    model = classifier()
    for k in range(3):
        model.partial_fit(X[k::4], y[k::4], classes=[0, 1, 2])
    twin = pickle.loads(pickle.dumps(model)).partial_fit(X[3::4], y[3::4])
    assert_same_network(model.partial_fit(X[3::4], y[3::4]), twin)


def test_stream_of_weights_is_a_stream_of_copies():
    counts = np.random.default_rng(0).integers(1, 4, size=50)
    one, other = classifier(), classifier()
    for k in range(3):
        rows, labels = X[k::3], y[k::3]
        one.partial_fit(rows, labels, sample_weight=counts, classes=[0, 1, 2])
        copies = rows.repeat(counts, axis=0), labels.repeat(counts)
        other.partial_fit(*copies, classes=[0, 1, 2])
    assert_same_network(one, other)


def test_stream_goes_on_after_a_fit_and_with_early_stopping_set():
    model = classifier(early_stopping=True, max_iter=200, learning_rate_init=0.01).fit(X, y)
    score = model.score(X, y)
    model.partial_fit(X, y)
    assert model.n_iter_ == 1
    assert model.score(X, y) > score - 0.1


def test_balanced_classes_of_a_stream_balance_all_rows_so_far():
    few = np.r_[np.flatnonzero(y == 0)[:4], np.flatnonzero(y == 1)[:12]]
    then = np.r_[np.flatnonzero(y == 1)[12:30], np.flatnonzero(y == 2)[:6]]
    balanced = classifier(class_weight="balanced").partial_fit(X[few], y[few], classes=[0, 1, 2])
    balanced.partial_fit(X[then], y[then])
    by_hand = classifier(class_weight={0: 16 / (2 * 4), 1: 16 / (2 * 12)})
    by_hand.partial_fit(X[few], y[few], classes=[0, 1, 2])
    by_hand.set_params(class_weight={0: 40 / (3 * 4), 1: 40 / (3 * 30), 2: 40 / (3 * 6)})
    by_hand.partial_fit(X[then], y[then])
    for ours, expected in zip(balanced.coefs_, by_hand.coefs_, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_streams_refuse_what_does_not_belong_to_them():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"expected labels among the classes \[0 1\].*\[2\]"):
        classifier().partial_fit(X, y, classes=[0, 1])
    model = classifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="X has 3 features, but"):
        model.partial_fit(X[:, :3], y)
    with pytest.raises(ValueError, match="received also"):
        model.partial_fit(X, y + 1)
    assert model.partial_fit(X, y).n_iter_ == 2


def test_other_solver_goes_on_with_the_weights_alone():
    model = classifier(hidden_layer_sizes=(5,)).partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(solver="sgd").partial_fit(X, y)
    assert model.n_iter_ == 2
