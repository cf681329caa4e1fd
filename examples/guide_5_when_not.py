"""
Guide 5: when not to use dropout and L2
=======================================

Where they hurt: a small network with many rows, regression with dropout, and a linear problem.
:doc:`/user_guide/regularization/when_not` discusses the results.

.. image:: ../../examples/figures/when_not.png
   :alt: Losses of regularised networks with many rows, in regression, and on a linear problem.

Run it with::

    python examples/guide_5_when_not.py [--quick] [--output FILE]
"""

import numpy as np
from _script import parse, print_table
from _tables import drawn_splits, linear_splits
from sklearn.datasets import make_friedman1
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

PLAIN = {"dropout": 0.0, "l2": 0.0, "numerical_encoding": None}  # of the columns alone
REMEDIES = {
    "neither": PLAIN,
    "dropout 0.2": PLAIN | {"dropout": 0.2},
    "dropout 0.5": PLAIN | {"dropout": 0.5},
    "l2 0.01": PLAIN | {"l2": 1e-2},
    "both": PLAIN | {"dropout": 0.5, "l2": 1e-2},
}
LINEAR = {"linear": PLAIN | {"hidden_layer_sizes": ()}, **REMEDIES}
RATES = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5]


def measure(splits, max_iter, **parameters):
    """Return the mean test loss."""
    losses = []
    for X, X_test, y, y_test in splits:
        model = RegularizedMLPClassifier(max_iter=max_iter, random_state=0, **parameters)
        losses.append(log_loss(y_test, model.fit(X, y).predict_proba(X_test)))
    return np.mean(losses)


# %%
# Many rows
# ---------


def try_many_rows(n_splits, n_rows, max_iter):
    """Return the losses of a small network and of the default one, without wrong labels."""
    splits, found = list(drawn_splits(n_splits, n_rows, 2000, noise=0.0)), {}
    for shape in ((8,), (128, 64)):
        remedies = ({"hidden_layer_sizes": shape, **remedy} for remedy in REMEDIES.values())
        found[f"{shape}"] = [measure(splits, max_iter, **remedy) for remedy in remedies]
    return found


# %%
# Regression
# ----------


def try_regression(n_draws, max_iter):
    """Return the % of the variance of Friedman's function that is unexplained."""
    found = {}
    for n_rows, noise in ((300, 2.0), (2000, 0.2)):
        errors = np.zeros((n_draws, len(RATES)))
        for seed, k in np.ndindex(errors.shape):
            X, y = make_friedman1(n_rows + 1000, noise=noise, random_state=seed)
            options = {"l2": 1e-4, "max_iter": max_iter, "random_state": seed}
            model = RegularizedMLPRegressor(dropout=RATES[k], **options)
            model.fit(X[:n_rows], y[:n_rows])
            errors[seed, k] = 100 * (1 - model.score(X[n_rows:], y[n_rows:]))
        found[f"{n_rows:,} rows, noise {noise:g}"] = errors.mean(axis=0)
    return found


# %%
# A linear truth
# --------------


def try_linear(n_draws, max_iter):
    """Return the losses above those of the true probabilities."""
    found = {}
    for n_rows in (200, 2000):
        splits, least = linear_splits(n_draws, n_rows)
        losses = [measure(splits, max_iter, **model) for model in LINEAR.values()]
        found[f"{n_rows:,} rows"] = np.array(losses) - least
    return found


# %%
# The figure
# ----------


def draw(many, regression, linear, path):
    """Save the figure: many rows, regression, and a linear truth."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    for shape, losses in many.items():
        axes[0].plot(losses, range(len(REMEDIES)), "os"[shape == "(128, 64)"], label=shape)
    axes[0].set_yticks(range(len(REMEDIES)), list(REMEDIES))
    axes[0].set(title="20,000 rows, drawn problem", xlabel="test log loss", xlim=(0, None))
    for (task, errors), style in zip(regression.items(), ("o-", "s--"), strict=True):
        axes[1].plot(RATES, errors / errors[0], style, label=task)
    axes[1].axhline(1, color="black", linewidth=1)
    axes[1].set_yscale("log")
    axes[1].set_yticks([0.8, 1, 2, 3, 5], ["0.8", "1", "2", "3", "5"])
    axes[1].minorticks_off()
    axes[1].set(title="regression, Friedman's function", xlabel="dropout")
    axes[1].set(ylabel="1 - R2, dropout 0 = 1")
    for (n_rows, losses), marker in zip(linear.items(), "os", strict=True):
        axes[2].plot(losses, range(len(LINEAR)), marker, label=n_rows)
    axes[2].set_yticks(range(len(LINEAR)), list(LINEAR))
    axes[2].set_xscale("log")
    axes[2].set(title="a linear truth", xlabel="test log loss above the truth's")
    for ax in axes[::2]:
        ax.invert_yaxis()
    for ax in axes:
        ax.legend()
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/when_not.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "when_not.png")
    n, n_rows, max_iter = (1, 200, 1) if arguments.quick else (6, 20_000, 50)
    many = try_many_rows(min(n, 2), n_rows, min(max_iter, 20))
    regression, linear = try_regression(n, 4 * max_iter), try_linear(n, max_iter)
    for title, labels, found in (
        ("Many rows: test loss", REMEDIES, many),
        ("Regression: % of the variance unexplained, by dropout", map(str, RATES), regression),
        ("A linear truth: test loss above its own", LINEAR, linear),
    ):
        print_table(title, ["", *labels], [[name, *values] for name, values in found.items()])
    draw(many, regression, linear, arguments.output)
