"""MLPClassifier, MLPRegressor and ours side by side: data, and pairs that are trained alike."""

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
MLP_PARAMETERS = {name for theirs, _ in PAIRS.values() for name in theirs().get_params()}
TESTED = set()

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


def row(*names):
    """Mark a test as that of the table's rows of these parameters."""
    TESTED.update(names)
    return lambda test: test


def quietly(fit, *arguments, **others):
    """Call a fit of MLPClassifier or MLPRegressor, which warns at max_iter always."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(*arguments, **others)


def small(kind=RegularizedMLPClassifier, **changes):
    values = {"hidden_layer_sizes": (6,), "dropout": 0.0, "l2": 0.0, "random_state": 0}
    return kind(**{**values, "max_iter": 5, **changes})


def full_batch(kind=RegularizedMLPClassifier, **changes):
    """Plain steps over the whole table, of which nothing is left to chance."""
    values = {"solver": "sgd", "learning_rate": "constant", "batch_size": N, "standardize": False}
    return small(kind, **{**values, "learning_rate_init": 0.1, **changes})


def arrays(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same_bits(left, right):
    for one, other in zip(arrays(left), arrays(right), strict=True):
        np.testing.assert_array_equal(one, other)


def give(mlp, model, X, y):
    """Make a fitted `mlp` of the network of `model`, for warm_start to go on with."""
    quietly(mlp.set_params(warm_start=True, max_iter=1).fit, X, y)
    mlp.coefs_ = [kernel.astype(float) for kernel in model.coefs_]
    mlp.intercepts_ = [bias.astype(float) for bias in model.intercepts_]
    return mlp


def trained_alike(X, y, factor, *, alpha=15.0, l2=None, weight=None, n_epochs=8, **shared):
    """Both, trained from the same weights; `factor` is our loss over theirs.

    Our gradient is `factor` times theirs: sgd's rate is divided by it, adam's epsilon multiplied.
    """
    kind = "classifier" if y.dtype.kind in "iu" else "regressor"
    theirs, ours = PAIRS[kind]
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
    model = full_batch(ours, **{**shared, **changes}).fit(X, y, weight)
    fixed = {"hidden_layer_sizes": (6,), "alpha": alpha, "batch_size": len(X)}
    mlp = theirs(n_iter_no_change=np.inf, **fixed, **shared)
    give(mlp, model, X, y)
    first = [array.copy() for array in arrays(model)]
    quietly(mlp.set_params(max_iter=n_epochs).fit, X, y, sample_weight=weight)
    model.set_params(max_iter=n_epochs).fit(X, y, weight)
    moved = max(np.abs(a - b).max() for a, b in zip(first, arrays(model), strict=True))
    assert moved > 0.05  # far more than what they may differ by
    return mlp, model


def assert_close(mlp, model, atol=1e-5):
    for theirs, ours in zip(arrays(mlp), arrays(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=atol)
