"""Streams: partial_fit learns, continues with its state, and refuses other classes and columns."""

import pickle

import numpy as np
import pytest
from helpers import assert_same_network, in_full
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

X, y = load_iris(return_X_y=True)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (16, 8), "max_iter": 60, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 60, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


# -- learning ----------------------------------------------------------------------------------


def fit_in_parts(model, X, y, n_parts, n_passes=1, **first):
    """Call partial_fit on each part of the shuffled rows; `first` goes to the first call."""
    for k in range(n_passes):
        for rows in np.array_split(np.random.default_rng(k).permutation(len(y)), n_parts):
            model.partial_fit(X[rows], y[rows], **(first if not hasattr(model, "coefs_") else {}))
    return model


@pytest.fixture(scope="module")
def whole_and_parts():
    """Two classifiers, fitted at once and in parts, and rows to score them on."""
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
    parts = fit_in_parts(RegularizedMLPClassifier(**common), X, y, 20, 5, classes=[0, 1])
    return whole, parts, X_test, y_test


def test_a_classifier_learns_in_parts_as_well_as_in_one_fit(whole_and_parts):
    whole, parts, X_test, y_test = whole_and_parts
    # Two standard errors of the difference of two accuracies near 0.93 on 4,000 rows are 0.011.
    assert abs(whole.score(X_test, y_test) - parts.score(X_test, y_test)) < 0.011
    assert whole.score(X_test, y_test) > 0.9


def test_loss_curve_has_a_loss_a_call(whole_and_parts):
    _, parts, _, _ = whole_and_parts
    assert parts.n_iter_ == len(parts.loss_curve_) == 100


def test_mean_and_scale_of_all_parts_are_those_of_the_whole_table(whole_and_parts):
    whole, parts, _, _ = whole_and_parts
    np.testing.assert_allclose(parts.center_, whole.center_, atol=1e-10)
    np.testing.assert_allclose(parts.scale_, whole.scale_, rtol=1e-10)


@pytest.mark.full
def test_a_regressor_learns_in_parts_as_well_as_in_one_fit():
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
    parts = fit_in_parts(RegularizedMLPRegressor(**common), X[:10_000], y[:10_000], 20, 8)
    scores = [r2_score(y[10_000:], model.predict(X[10_000:])) for model in (whole, parts)]
    assert min(scores) > 0.95
    assert abs(scores[0] - scores[1]) < 0.02


@pytest.mark.parametrize("make", [make_classifier, make_regressor])
def test_a_stream_whose_rate_is_too_large_warns(make):
    classes = {"classes": range(3)} if make is make_classifier else {}
    with pytest.warns(ConvergenceWarning, match="a constant predicts the training rows"):
        make(learning_rate_init=50).partial_fit(X, y, **classes)


# The function of before is bad on another scale.
@pytest.mark.filterwarnings("ignore:Training led nowhere")
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_a_part_on_another_scale_does_not_change_the_function(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:100, 3] = 0.5  # constant in the first batch
    y = 50 + 10 * X[:, 0]
    model = make_regressor(loss=loss, max_iter=30).fit(X[:100], y[:100])
    before = model.predict(X[:100])
    model.set_params(learning_rate_init=1e-30).partial_fit(100 * X[100:] - 3, 7 * y[100:])
    np.testing.assert_allclose(model.predict(X[:100]), before, rtol=2e-3)
    assert model.scale_[0] > 10


def make_drifting_table(kind):
    """Rows whose first column, which is noise, drifts; the second one decides."""
    X = np.random.default_rng(0).normal(size=(400, 3))
    if kind == "counts up":
        X[:, 0] = np.arange(400)
    elif kind == "grows":
        X[:, 0] *= np.geomspace(1e-2, 1e2, 400)
    else:
        X[200:, 0] += 1000
    return X


@pytest.mark.parametrize("n_rows", [*(pytest.param(n, marks=pytest.mark.full) for n in (1, 5)), 20])
@pytest.mark.parametrize("kind", in_full(["counts up", "grows", "jumps"], "grows", "jumps"))
def test_a_stream_is_as_good_as_behind_a_running_scaler(kind, n_rows):
    X = make_drifting_table(kind)
    y, numbers = X[:, 1] > 0, 2 * X[:, 1] + 1
    scaler = StandardScaler()
    inside, outside = make_classifier(), make_classifier(standardize=False)
    regressors = make_regressor(), make_regressor(standardize=False)
    correct, errors = np.zeros(2), []
    for start in range(0, 400 - n_rows, n_rows):
        rows, after = slice(start, start + n_rows), slice(start + n_rows, start + n_rows + 20)
        Z = scaler.partial_fit(X[rows]).transform(X)
        inside.partial_fit(X[rows], y[rows], classes=[False, True])
        outside.partial_fit(Z[rows], y[rows], classes=[False, True])
        tables = list(zip(regressors, (X, Z), strict=True))
        for regressor, table in tables:
            regressor.partial_fit(table[rows], numbers[rows])
        if start >= 200:
            correct += inside.score(X[after], y[after]), outside.score(Z[after], y[after])
            predicted = [regressor.predict(table[after]) for regressor, table in tables]
            errors.append([np.mean((one - numbers[after]) ** 2) for one in predicted])
    assert correct[0] >= correct[1] - 0.05 * len(errors)
    of_inside, of_outside = np.mean(errors, axis=0)
    assert of_inside <= 1.3 * of_outside


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    "loss",
    ["squared_error", *(pytest.param(x, marks=pytest.mark.full) for x in ("huber", "poisson"))],
)
def test_a_stream_learns_a_target_that_was_constant_at_first(loss, unit):
    x = np.linspace(-1, 1, 200)[:, None]
    y = unit * np.exp(x[:, 0])
    model = make_regressor(hidden_layer_sizes=(8,), loss=loss, dropout=0)
    model.partial_fit(x[:1], [0.0])  # a constant that is not among the other targets
    for _ in range(20):
        model.partial_fit(x, y)
    assert r2_score(y, model.predict(x)) > 0.95


@pytest.mark.parametrize(
    "loss", in_full(["huber", "absolute_error", "log_cosh", "quantile"], "log_cosh", "quantile")
)
def test_a_stream_learns_a_target_that_was_nearly_constant_at_first(loss):
    x = np.linspace(-1, 1, 200)[:, None]
    model = make_regressor(hidden_layer_sizes=(8,), loss=loss, dropout=0)
    model.partial_fit(x[:2], [0.0, 1e-6])
    for _ in range(20):
        model.partial_fit(x, x[:, 0])
    assert r2_score(x[:, 0], model.predict(x)) > 0.95


@pytest.mark.parametrize("loss", ["huber", "absolute_error"])
@pytest.mark.full
def test_a_stream_row_by_row_learns_a_target_that_was_nearly_constant_at_first(loss):
    x = np.random.default_rng(0).uniform(-1, 1, size=(400, 1))
    target = 1e3 * x[:, 0]
    target[:2] = 0.0, 1e-6
    model = make_regressor(hidden_layer_sizes=(8,), loss=loss, dropout=0, learning_rate_init=0.02)
    for k in range(400):
        model.partial_fit(x[k : k + 1], target[k : k + 1])
    assert r2_score(1e3 * x[:, 0], model.predict(x)) > 0.8


def test_a_stream_learns_an_output_that_was_constant_at_first():
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.column_stack([x[:, 0], 1e-6 * x[:, 0]])
    model = make_regressor(hidden_layer_sizes=(8,), dropout=0)
    model.partial_fit(x, y * [1, 0])
    for _ in range(30):
        model.partial_fit(x, y)
    assert r2_score(y, model.predict(x), multioutput="raw_values").min() > 0.9


@pytest.mark.parametrize("estimator", [make_classifier, make_regressor])
def test_a_column_that_was_constant_at_first_is_learned(estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    target = (X[:, 1] > 0).astype(int) if estimator is make_classifier else X[:, 1]
    model = estimator(dropout=0)
    first = np.column_stack([X[:, 0], np.full(200, 3.0)])
    model.partial_fit(
        first, target, **({"classes": [0, 1]} if estimator is make_classifier else {})
    )
    assert not model.coefs_[0][1].any()
    for _ in range(40):
        model.partial_fit(X, target)
    assert model.score(X, target) > 0.9


def test_balanced_class_weights_count_all_rows_so_far():
    first = np.r_[np.flatnonzero(y == 0)[:4], np.flatnonzero(y == 1)[:12]]
    second = np.r_[np.flatnonzero(y == 1)[12:30], np.flatnonzero(y == 2)[:6]]
    balanced = make_classifier(class_weight="balanced").partial_fit(
        X[first], y[first], classes=[0, 1, 2]
    )
    balanced.partial_fit(X[second], y[second])
    by_hand = make_classifier(class_weight={0: 16 / (2 * 4), 1: 16 / (2 * 12)})
    by_hand.partial_fit(X[first], y[first], classes=[0, 1, 2])
    by_hand.set_params(class_weight={0: 40 / (3 * 4), 1: 40 / (3 * 30), 2: 40 / (3 * 6)})
    by_hand.partial_fit(X[second], y[second])
    for kernel, expected in zip(balanced.coefs_, by_hand.coefs_, strict=True):
        np.testing.assert_array_equal(kernel, expected)


@pytest.mark.parametrize("make", [make_classifier, make_regressor])
def test_the_rows_of_a_fit_count_in_the_stream_after_it(make):
    rows = np.random.default_rng(0).normal(size=(400, 3))
    model = make(max_iter=2).fit(rows[:300], rows[:300, 0] > 0)
    of_one_row = 300 * model.l2_
    for part in np.split(rows[300:], 2):
        model.partial_fit(part, part[:, 0] > 0)
    assert model.l2_ == pytest.approx(of_one_row / 400)


def test_balanced_class_weights_count_the_rows_of_a_fit():
    labels = np.arange(40) % 4 == 0
    fitted = make_classifier(class_weight="balanced", l2=0.001, max_iter=1).fit(X[:40], labels)
    fitted.partial_fit(X[40:50], np.arange(10) < 5)
    by_hand = make_classifier(class_weight={0: 40 / 60, 1: 2.0}, l2=0.001, max_iter=1)
    by_hand.fit(X[:40], labels).set_params(class_weight={0: 50 / 70, 1: 50 / 30})
    by_hand.partial_fit(X[40:50], np.arange(10) < 5)
    for left, right in zip(fitted.coefs_, by_hand.coefs_, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_the_classes_keep_their_type():
    model = make_classifier().partial_fit(X, y == 1, classes=[0, 1])
    model.partial_fit(X, y == 1, classes=[False, True])
    assert model.classes_.dtype.kind == "i"


def test_weighted_parts_equal_repeated_parts():
    counts = np.random.default_rng(0).integers(1, 4, size=50)
    weighted, repeated = make_classifier(), make_classifier()
    for k in range(3):
        rows, labels = X[k::3], y[k::3]
        weighted.partial_fit(rows, labels, sample_weight=counts, classes=[0, 1, 2])
        copies = rows.repeat(counts, axis=0), labels.repeat(counts)
        repeated.partial_fit(*copies, classes=[0, 1, 2])
    assert_same_network(weighted, repeated)


# -- continuing --------------------------------------------------------------------------------


def test_a_pickled_estimator_continues_bit_for_bit():
    model = make_classifier()
    for k in range(3):
        model.partial_fit(X[k::4], y[k::4], classes=[0, 1, 2])
    loaded = pickle.loads(pickle.dumps(model)).partial_fit(X[3::4], y[3::4])
    assert_same_network(model.partial_fit(X[3::4], y[3::4]), loaded)


def test_partial_fit_continues_a_fit_with_early_stopping():
    model = make_classifier(early_stopping=True, max_iter=200, learning_rate_init=0.01).fit(X, y)
    score = model.score(X, y)
    model.partial_fit(X, y)
    assert model.n_iter_ == 1
    assert model.score(X, y) > score - 0.1


@pytest.mark.parametrize("estimator", [make_classifier, make_regressor])
def test_best_epoch_is_that_of_all_calls(estimator):
    model = estimator()
    for _ in range(15):
        model.partial_fit(X, y, **({"classes": [0, 1, 2]} if estimator is make_classifier else {}))
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.best_iter_ == 1 + np.argmin(model.loss_curve_)


def test_the_first_call_after_a_fit_does_not_repeat_its_noise():
    """At a rate near zero only the masks decide on the loss of an epoch."""
    fitted = make_classifier(max_iter=1, learning_rate_init=1e-30, dropout=0.5).fit(X, y)
    first = fitted.loss_curve_[0]
    fitted.partial_fit(X, y)
    second = fitted.loss_curve_[-1]
    fitted.partial_fit(X, y)
    assert len({first, second, fitted.loss_curve_[-1]}) == 3


@pytest.mark.parametrize(
    "changes",
    [{"input_dropout": 2}, {"learning_rate_init": -1}, {"beta_1": 7}, {"standardize": "no"}],
)
def test_a_later_call_validates_the_parameters(changes):
    model = make_classifier().partial_fit(X, y, classes=[0, 1, 2]).set_params(**changes)
    with pytest.raises(ValueError, match=next(iter(changes))):
        model.partial_fit(X, y)


def test_partial_fit_continues_with_another_solver():
    model = make_classifier(hidden_layer_sizes=(5,)).partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(solver="sgd").partial_fit(X, y)
    assert model.n_iter_ == 2


# -- bad calls ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (None, "classes must be passed on the first call"),
        ([0, 1], r"expected labels among the classes \[0 1\].*\[2\]"),
    ],
    ids=["no classes", "a class is missing"],
)
def test_the_first_call_needs_all_classes(classes, message):
    with pytest.raises(ValueError, match=message):
        make_classifier().partial_fit(X, y, classes=classes)


@pytest.fixture
def begun():
    """A classifier of three classes that has seen two of them."""
    return make_classifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("table", "labels", "classes", "message"),
    [
        (X, y, [0, 1], "is not the same as on last call to partial_fit"),
        (X[:, :3], y, None, "X has 3 features, but"),
        (X, y + 1, None, "received also"),
    ],
    ids=["classes", "columns", "labels"],
)
def test_a_later_call_with_other_classes_columns_or_labels_is_refused(
    begun, table, labels, classes, message
):
    with pytest.raises(ValueError, match=message):
        begun.partial_fit(table, labels, classes=classes)
    assert begun.partial_fit(X, y).n_iter_ == 2
