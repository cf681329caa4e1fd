"""Functions for several test modules: jobs of the engine, quick estimators, and real tables."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import GridSearchCV, KFold, train_test_split

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)
from skreg._data.epochs import draw_orders
from skreg._data.rows import MergedRows
from skreg._data.tables import make_training_rows
from skreg._engine.hyperparameters import LOSS_DEFAULTS, SOLVER_DEFAULTS, Hyperparameters
from skreg._engine.job import TrainingJob
from skreg._engine.status import StopCriterion
from skreg._engine.trainer import FIRST_WEIGHTS, make_generator, make_generator_key
from skreg._model_selection.scoring import negative_loss
from skreg._nn.encodings import ENCODINGS
from skreg._nn.mlp import draw_parameters
from skreg._nn.penalties import PENALTIES

TESTS = Path(__file__).parent  # the working directory of processes that import this module


def in_full(cases, *names):
    """The cases as parameters of a test, of which those named are run by .ci/full only.

    Each case of such a test compiles a program of its own, which its process keeps. Memory has room
    for one case of each kind.
    """
    assert set(names) <= set(cases)
    return [
        pytest.param(case, id=case, marks=pytest.mark.full if case in names else ())
        for case in cases
    ]


# -- jobs of the engine ------------------------------------------------------------------------

BATCH = 16


def make_hyperparameters(n_hidden=2, **changes):
    """Hyperparameters of a short training; `changes` can name those of solver and loss."""
    strengths = {**dict.fromkeys(PENALTIES, (0.0,)), "l2": (1e-3,)}
    strengths |= {penalty: changes.pop(penalty) for penalty in PENALTIES if penalty in changes}
    values = {
        "dropout": (0.0,) * n_hidden,
        "input_dropout": 0.0,
        "penalties": {
            penalty: of_kernels if len(of_kernels) > 1 else of_kernels * (n_hidden + 1)
            for penalty, of_kernels in strengths.items()
        },
        "weight_decay": 0.0,
        "learning_rate_init": 1e-2,
        "cosine": 0.0,
        "max_iter": 13,
        "tol": None,
        "n_iter_no_change": 10,
    }
    for name, defaults in (
        ("solver_parameters", SOLVER_DEFAULTS),
        ("loss_parameters", LOSS_DEFAULTS),
    ):
        values[name] = {key: changes.pop(key, default) for key, default in defaults.items()}
    return Hyperparameters(**{**values, **changes})


def make_job(
    n_classes=2,
    n=64,
    hidden=(12, 8),
    solver="adam",
    activation="relu",
    seed=(1, 2),
    batch_size=BATCH,
    weight=None,
    loss=None,
    n_outputs=1,
    n_columns=None,
    encoding=None,
    **changes,
):
    """A job with random rows: classes, or with `loss` numbers in a column for each output."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    y = rng.integers(0, n_classes, size=n)
    weight = np.ones(n) if weight is None else weight
    if loss is not None:
        targets = rng.integers(0, 4, size=(n, n_columns or n_outputs)).astype(np.float32)
    elif n_classes == 2:
        loss, targets = "binary_cross_entropy", y[:, None].astype(np.float32)
    else:
        loss, targets = "categorical_cross_entropy", y.astype(np.int32)
        n_outputs = n_classes
    rows = make_training_rows(X, targets, MergedRows(np.arange(n), weight), None, None, None)
    return TrainingJob(
        rows=rows,
        n_features=5,
        hidden_layer_sizes=hidden,
        n_outputs=n_outputs,
        activation=activation,
        loss=loss,
        solver=solver,
        batch_size=batch_size,
        hyper=make_hyperparameters(len(hidden), **changes),
        seed=seed,
        stop_criterion=StopCriterion.NONE
        if changes.get("tol") is None
        else StopCriterion.TRAINING_LOSS,
        encoding=None if encoding is None else _initialize_encoding(encoding, X, rng),
    )


def _initialize_encoding(name, X, rng):
    def find_quantiles(levels):
        return np.quantile(X, [0, *levels, 1], axis=0)

    return ENCODINGS[name].initialize(np.arange(X.shape[1]), find_quantiles, rng)


def iterate_batches(job):
    """Yield the rows of every step in the order of the program."""
    key = make_generator_key(job.seed)
    visits = job.rows.visits
    for epoch in range(job.hyper.max_iter):
        order = draw_orders(visits, key, epoch, 1, (1, len(visits)))[0]
        yield from np.array_split(order, job.n_steps)


def draw_first_weights(job):
    generator = make_generator(job.seed, FIRST_WEIGHTS)
    kernels, biases = draw_parameters(job.spec.layer_sizes, job.n_inputs, job.n_outputs, generator)
    kernels[-1], biases[-1] = kernels[-1][:, : job.n_outputs], biases[-1][: job.n_outputs]
    return kernels, biases


CANCER = load_breast_cancer(return_X_y=True)


# -- searches ----------------------------------------------------------------------------------


# For networks of the folds that predict together.
TINY = {
    "l2s": [1e-3, 1e-1],
    "dropouts": [0.5],
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "cv": KFold(3, shuffle=True, random_state=0),
}


def quick_search(**changes):
    options = {
        "dropouts": [0.0, 0.5],
        "l2s": [1e-3, 1e-2],
        "hidden_layer_sizes": (8,),
        "max_iter": 9,
        "numerical_encoding": None,
        "cv": 3,
        "random_state": 0,
        **changes,
    }
    return RegularizedMLPClassifierCV(**options)


def quick_regression_search(**changes):
    options = {**quick_search().get_params(), **changes}
    del options["class_weight"]
    return RegularizedMLPRegressorCV(**options)


def grid_search(search, grid=None, **options):
    """GridSearchCV over the single estimator with the same parameters."""
    estimators = {
        RegularizedMLPClassifierCV: RegularizedMLPClassifier,
        RegularizedMLPRegressorCV: RegularizedMLPRegressor,
    }
    Estimator = estimators[type(search)]
    shared = set(search.get_params()) & set(Estimator().get_params())
    model = Estimator(**{name: search.get_params()[name] for name in shared})
    scoring = negative_loss if search.scoring == "loss" else search.scoring
    grid = grid or {"dropout": search.dropouts, "l2": search.l2s}
    return GridSearchCV(model, grid, cv=search.cv, scoring=scoring, refit=search.refit, **options)


def assert_same_search(search, expected):
    """A search of skreg has the scores and the network of a GridSearchCV."""
    assert search.best_index_ == expected.best_index_
    assert search.best_params_ == expected.best_params_
    assert search.n_splits_ == expected.n_splits_
    for name, values in expected.cv_results_.items():
        if not name.endswith("_time"):
            assert_array_equal(search.cv_results_[name], values, err_msg=name)
    scores = [values for name, values in expected.cv_results_.items() if name.startswith("split")]
    assert np.unique(scores).size > 1  # otherwise equality would prove nothing
    for one, other in zip(search.coefs_, expected.best_estimator_.coefs_, strict=True):
        assert_array_equal(one, other)


# -- real tables and estimators that learn them ------------------------------------------------


SMALL = {
    "hidden_layer_sizes": (16,),
    "dropout": 0.1,
    "learning_rate_init": 0.02,
    "max_iter": 20,
    "numerical_encoding": None,
    "random_state": 0,
}


def make_classifier(**changes):
    return RegularizedMLPClassifier(**{**SMALL, **changes})


def make_regressor(**changes):
    return RegularizedMLPRegressor(**{**SMALL, "l2": 0.03, **changes})


def load_some_digits():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


def load_iris_with_two_labels():
    """Iris with two labels: setosa or not, and virginica or not."""
    X, y = load_iris(return_X_y=True)
    return X, np.column_stack([y == 0, y == 2]).astype(int)


TABLES = {
    "cancer": lambda: load_breast_cancer(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "iris": lambda: load_iris(return_X_y=True),
    "digits": load_some_digits,
    "two labels": load_iris_with_two_labels,
    "diabetes": lambda: load_diabetes(return_X_y=True),
}


@cache
def split(data):
    """X_train, X_test, y_train and y_test of a table."""
    X, y = TABLES[data]()
    stratify = y if data in ("cancer", "wine", "iris", "digits") else None
    return train_test_split(X, y, test_size=0.3, random_state=0, stratify=stratify)


@cache
def score_dummy(data):
    """The score of a constant prediction on the test rows."""
    X, X_test, y, y_test = split(data)
    dummy = DummyRegressor() if data == "diabetes" else DummyClassifier()
    return dummy.fit(X, y).score(X_test, y_test)


def assert_same_network(left, right):
    """Two estimators have the same losses and weights, bit for bit."""
    assert left.loss_curve_ == right.loss_curve_
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(left, name), getattr(right, name), strict=True):
            assert_array_equal(one, other)


def assert_learned(score, bound, data):
    """The score is above a bound, which is well above the score of a dummy."""
    assert score_dummy(data) + 0.2 < bound < score


# -- dropout masks -----------------------------------------------------------------------------


def compute_mask_numpy(shape, seed, step, layer, threshold):
    """The mask of `compute_mask` in NumPy: lowbias32 of counters, with two keys."""
    layer_key = np.uint64((layer + 1) * 0x9E3779B9 % 2**32)
    counters = np.arange(shape[0] * shape[1], dtype=np.uint64).reshape(shape)
    step, low, high = np.uint64(step), np.uint64(seed[0]), np.uint64(seed[1])
    first = _mix_words(low + _mix_words(step + layer_key))
    second = _mix_words(high ^ _mix_words(step ^ (2 * layer_key)))
    return _mix_words(counters + first, between=second) <= threshold


def _mix_words(words, between=0):
    """Two rounds on the lower 32 bits."""
    words = words & np.uint64(0xFFFFFFFF)
    words = (words ^ (words >> np.uint64(16))) * np.uint64(0x7FEB352D) & np.uint64(0xFFFFFFFF)
    words = words ^ between
    words = (words ^ (words >> np.uint64(15))) * np.uint64(0x846CA68B) & np.uint64(0xFFFFFFFF)
    return words ^ (words >> np.uint64(16))
