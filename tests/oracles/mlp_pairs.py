"""Pairs of an MLP of scikit-learn and an estimator of skreg, trained from the same weights."""

import warnings

import numpy as np
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

PAIRS = {
    "classifier": (MLPClassifier, RegularizedMLPClassifier),
    "regressor": (MLPRegressor, RegularizedMLPRegressor),
}
MLP_PARAMETERS = {name for MLP, _ in PAIRS.values() for name in MLP().get_params()}

N = 150
X, Y = make_classification(
    N, 4, n_informative=3, n_redundant=0, n_classes=3, n_clusters_per_class=1, random_state=0
)
X = StandardScaler().fit_transform(X)
COUNTS = np.random.default_rng(0).poisson(np.exp(0.5 * X[:, 0] + 1)).astype(float)
NUMBERS = 7 + 3 * (X[:, 0] + np.sin(X[:, 1]))
TWO_COLUMNS = np.c_[NUMBERS, np.cos(X[:, 2])]
X_LABELS, LABELS = make_multilabel_classification(50, random_state=0)
X_LABELS = StandardScaler().fit_transform(X_LABELS)


def covers(*names):
    """Mark a test as one of these parameters; a test reads the names from the sources."""
    assert MLP_PARAMETERS.issuperset(names)
    return lambda test: test


def call_quietly(fit, *arguments, **others):
    """Call a fit of MLPClassifier or MLPRegressor, which always warns at max_iter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(*arguments, **others)


def make_small(Estimator=RegularizedMLPClassifier, **changes):
    values = {"hidden_layer_sizes": (6,), "dropout": 0.0, "l2": 0.0, "max_iter": 5}
    values |= {"numerical_encoding": None, "random_state": 0}
    return Estimator(**{**values, **changes})


def make_full_batch(Estimator=RegularizedMLPClassifier, **changes):
    """An estimator that takes steps of the whole table, so that no step is random."""
    values = {"solver": "sgd", "learning_rate": "constant", "standardize": False}
    values["batch_size"] = 2 * N  # a weighted row may be visited twice
    values |= {"learning_rate_init": 0.1, **changes}
    if issubclass(Estimator, RegularizedMLPRegressor):
        values.setdefault("standardize_target", values["standardize"])
    return make_small(Estimator, **values)


def get_arrays(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same_bits(left, right):
    for one, other in zip(get_arrays(left), get_arrays(right), strict=True):
        np.testing.assert_array_equal(one, other)


def copy_weights(mlp, model, X, y):
    """Copy the weights of `model` to `mlp`, which continues from them by warm_start."""
    call_quietly(mlp.set_params(warm_start=True, max_iter=1).fit, X, y)
    mlp.coefs_ = [kernel.astype(float) for kernel in model.coefs_]
    mlp.intercepts_ = [bias.astype(float) for bias in model.intercepts_]
    return mlp


def train_alike(X, y, factor, *, alpha=15.0, l2=None, weight=None, n_epochs=8, **shared):
    """Train an MLP and an estimator of skreg from the same weights.

    `factor` is the loss of skreg over that of the MLP, and so is the ratio of the gradients: the
    learning rate of sgd is divided by it, and epsilon of adam multiplied.
    """
    estimator_type = "classifier" if y.dtype.kind in "iu" else "regressor"
    MLP, SkregMLP = PAIRS[estimator_type]
    shared = {"solver": "sgd", "learning_rate_init": 0.05, "epsilon": 1e-7, **shared}
    total = len(X) if weight is None else weight.sum()
    sgd = shared["solver"] == "sgd"
    changes = {
        "learning_rate_init": shared["learning_rate_init"] / (factor if sgd else 1),
        "epsilon": shared["epsilon"] * factor,
        "l2": factor * alpha / (2 * total) if l2 is None else l2,
        "warm_start": True,
        "max_iter": 1,
    }
    model = make_full_batch(SkregMLP, **{**shared, **changes}).fit(X, y, weight)
    fixed = {"hidden_layer_sizes": (6,), "alpha": alpha, "batch_size": len(X)}
    mlp = MLP(n_iter_no_change=np.inf, **fixed, **shared)
    copy_weights(mlp, model, X, y)
    first = [array.copy() for array in get_arrays(model)]
    call_quietly(mlp.set_params(max_iter=n_epochs).fit, X, y, sample_weight=weight)
    model.set_params(max_iter=n_epochs).fit(X, y, weight)
    change = max(np.abs(a - b).max() for a, b in zip(first, get_arrays(model), strict=True))
    assert change > 0.05  # far more than the tolerance
    return mlp, model


def assert_close(mlp, model, atol=1e-5):
    for expected, array in zip(get_arrays(mlp), get_arrays(model), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=atol)
