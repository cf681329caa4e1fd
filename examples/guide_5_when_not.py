"""
Guide 5: when not to use dropout and L2
=======================================

Where they hurt: a small network with many rows, rates that are too large, regression with dropout,
and a linear problem. :doc:`/user_guide/regularization/when_not` discusses the results.

.. image:: ../../examples/figures/when_not.png
   :alt: Many rows, too much regularisation, regression, and a linear problem.

Run it with::

    python examples/guide_5_when_not.py [--quick] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _guide import drawn_splits, print_table, three_tables
from _script import parse
from scipy.special import expit
from sklearn.datasets import make_friedman1
from sklearn.metrics import log_loss, r2_score

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

WIDTHS = [(8,), (128, 64)]
REMEDIES = {
    "neither": {"dropout": 0.0, "l2": 0.0},
    "dropout 0.2": {"dropout": 0.2, "l2": 0.0},
    "dropout 0.5": {"dropout": 0.5, "l2": 0.0},
    "l2 0.001": {"dropout": 0.0, "l2": 1e-3},
    "l2 0.01": {"dropout": 0.0, "l2": 1e-2},
    "both, 0.5, 0.01": {"dropout": 0.5, "l2": 1e-2},
}
RATES = [0.0, 0.25, 0.5, 0.75, 0.9, 0.97]
STRENGTHS = [0.0, 1e-3, 1e-2, 3e-2, 0.1, 0.3]
REGRESSION_RATES = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5]
TASKS = {"few noisy rows": (300, 2.0), "many clean rows": (2000, 0.2)}  # rows, noise
LINEAR = {
    "linear": {"hidden_layer_sizes": (), "dropout": 0.0, "l2": 0.0},
    "linear, l2 0.01": {"hidden_layer_sizes": (), "dropout": 0.0, "l2": 1e-2},
    "linear, l2 0.1": {"hidden_layer_sizes": (), "dropout": 0.0, "l2": 0.1},
    **{f"network, {name}": remedy for name, remedy in REMEDIES.items()},
}


def losses_of(model, split):
    """Return training and test log loss, and test accuracy."""
    X, X_test, y, y_test = split
    model.fit(X, y)
    losses = (
        log_loss(of_y, model.predict_proba(of_X)) for of_X, of_y in ((X, y), (X_test, y_test))
    )
    return [*losses, model.score(X_test, y_test)]


def classifier(max_iter, seed, **parameters):
    """Return a classifier of the columns alone."""
    options = {"numerical_encoding": None, "random_state": seed, **parameters}
    return RegularizedMLPClassifier(max_iter=max_iter, **options)


# %%
# Many rows and a small network
# -----------------------------


def show_many_rows(n_splits, n_rows, max_iter):
    """Print losses of a small and of the default network on many rows."""
    splits = list(drawn_splits(n_splits, n_rows, 2000, noise=0.0))
    found = {}
    for widths in WIDTHS:
        for name, remedy in REMEDIES.items():
            measures = [
                losses_of(classifier(max_iter, seed, hidden_layer_sizes=widths, **remedy), split)
                for seed, split in enumerate(splits)
            ]
            found[widths, name] = np.mean(measures, axis=0)
    print_table(
        f"{n_rows:,} rows of the drawn problem without wrong labels, {max_iter} epochs",
        ["network", "", "train", "test", "accuracy"],
        [[str(widths), name, *measures] for (widths, name), measures in found.items()],
        [12, 20, 8, 8, 9],
    )
    return found


# %%
# Too much
# --------


def show_too_much(n_splits, max_iter):
    """Print test loss and accuracy along rates and strengths."""
    splits = three_tables(n_splits)["digits"]
    found = []
    for candidates in (
        [{"dropout": rate, "l2": 0.0} for rate in RATES],
        [{"dropout": 0.0, "l2": strength} for strength in STRENGTHS],
    ):
        measures = [
            [losses_of(classifier(max_iter, 0, **candidate), split)[1:] for split in splits]
            for candidate in candidates
        ]
        found.append(np.mean(measures, axis=1))
    print_table(
        "Digits, 300 rows: too much of one (chance: a loss of 2.303, an accuracy of 0.1)",
        ["dropout", "test loss", "accuracy", "l2", "test loss", "accuracy"],
        [
            [f"{rate:g}", *of_rate, f"{strength:g}", *of_strength]
            for rate, of_rate, strength, of_strength in zip(
                RATES, found[0], STRENGTHS, found[1], strict=True
            )
        ],
        [8, 10, 9, 10, 10, 9],
    )
    return found


# %%
# Regression
# ----------


def slope(truth, prediction):
    """Return the slope of the target on the prediction; above 1, predictions are too flat."""
    return np.cov(truth, prediction)[0, 1] / prediction.var(ddof=1)


def regression(task, rate, seed, max_iter, n_masks):
    """Return 1 - R2 and slope, 1 - R2 of the mean over masks, its shift and its spread."""
    n_rows, noise = TASKS[task]
    X, y = make_friedman1(n_rows + 1000, noise=noise, random_state=seed)
    X, X_test, y, y_test = X[:n_rows], X[n_rows:], y[:n_rows], y[n_rows:]
    model = RegularizedMLPRegressor(dropout=rate, l2=1e-4, max_iter=max_iter, random_state=seed)
    prediction = model.fit(X, y).predict(X_test)
    average, spread = prediction, 0.0
    if rate:
        samples = model.mc_dropout(X_test, n_masks, random_state=0)
        average, spread = samples.mean(axis=0), samples.std(axis=0).mean()
    errors = [100 * (1 - r2_score(y_test, values)) for values in (prediction, average)]
    moved = np.sqrt(np.mean((average - prediction) ** 2))
    return [errors[0], slope(y_test, prediction), errors[1], moved / y.std(), spread / y.std()]


def show_regression(n_draws, max_iter, n_masks):
    """Print what dropout does to regressions; return {task: array (rates, 5)}."""
    found = {}
    for task, (n_rows, noise) in TASKS.items():
        found[task] = np.array(
            [
                [regression(task, rate, seed, max_iter, n_masks) for seed in range(n_draws)]
                for rate in REGRESSION_RATES
            ]
        ).mean(axis=1)
        print_table(
            f"Friedman's function, {n_rows:,} rows, noise {noise:g}: % of the variance unexplained",
            ["dropout", "predict", "slope", "through masks", "moved, std", "noise, std"],
            [[f"{rate:g}", *row] for rate, row in zip(REGRESSION_RATES, found[task], strict=True)],
            [8, 8, 8, 14, 11, 11],
        )
    return found


# %%
# A linear truth
# --------------


def linear_split(n_rows, seed):
    """Return rows whose classes follow a logistic regression, and the true probabilities."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n_rows + 5000, 20))
    weights = generator.normal(scale=0.5, size=20)
    truth = expit(X @ weights)
    y = (generator.random(len(X)) < truth).astype(int)
    return (X[:n_rows], X[n_rows:], y[:n_rows], y[n_rows:]), truth[n_rows:]


def excess(parameters, n_rows, n_draws, max_iter):
    """Return the mean test log loss above that of the true probabilities."""
    losses = []
    for seed in range(n_draws):
        split, truth = linear_split(n_rows, seed)
        loss = losses_of(classifier(max_iter, seed, **parameters), split)[1]
        losses.append(loss - log_loss(split[3], truth))
    return np.mean(losses)


def show_linear(n_draws, max_iter):
    """Print excess losses for few and for many rows; return an array (models, 2)."""
    sizes = 200, 2000
    found = np.array(
        [
            [excess(parameters, n_rows, n_draws, max_iter) for n_rows in sizes]
            for parameters in LINEAR.values()
        ]
    )
    print_table(
        "A linear truth: test log loss above that of the true probabilities",
        ["model", *(f"{n_rows:,} rows" for n_rows in sizes)],
        [[name, *row] for name, row in zip(LINEAR, found, strict=True)],
        [28, 10, 10],
    )
    return found


# %%
# The figure
# ----------


def draw_many_rows(ax, found):
    """Draw the test loss of both networks."""
    labels = [name.replace(" ", "\n", 1) for name in REMEDIES]
    for widths, style in zip(WIDTHS, ("o-", "s--"), strict=True):
        losses = [found[widths, name][1] for name in REMEDIES]
        ax.plot(labels, losses, style, label=str(widths))
    ax.set(title="many rows, drawn problem", ylabel="test log loss", ylim=(0, None))
    ax.legend(title="hidden layers")


def draw_too_much(ax, found):
    """Draw accuracy along rates and strengths."""
    labels = [f"{rate:g}\n{strength:g}" for rate, strength in zip(RATES, STRENGTHS, strict=True)]
    ax.plot(labels, found[0][:, 1], "o-", label="dropout alone (first line)")
    ax.plot(labels, found[1][:, 1], "s--", label="L2 alone (second line)")
    ax.axhline(0.1, color="black", linestyle=":", label="chance")
    ax.set(title="too much, digits", ylabel="accuracy", ylim=(0, 1))
    ax.legend()


def draw_regression(ax, found):
    """Draw the unexplained variance relative to no dropout."""
    for (task, measures), style in zip(found.items(), ("o-", "s--"), strict=True):
        ax.plot(REGRESSION_RATES, measures[:, 0] / measures[0, 0], style, label=task)
    ax.axhline(1, color="black", linewidth=1)
    ax.set_yscale("log")
    ax.set_yticks([0.8, 1, 2, 3, 5], ["0.8", "1", "2", "3", "5"])
    ax.minorticks_off()
    ax.set(
        title="regression, Friedman's function", xlabel="dropout", ylabel="1 - R2, dropout 0 = 1"
    )
    ax.legend()


def draw_linear(ax, found):
    """Draw the excess losses of the models."""
    places = range(len(LINEAR))
    ax.plot(found[:, 0], places, "o", label="200 rows")
    ax.plot(found[:, 1], places, "s", fillstyle="none", label="2,000 rows")
    ax.set_yticks(places, list(LINEAR))
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.set(title="a linear truth", xlabel="test log loss above the truth's")
    ax.legend()


# %%
# The script
# ----------


def main():
    """Train, print the results and draw them."""
    arguments = parse(__doc__, "when_not.png")
    quick = arguments.quick
    many = show_many_rows(*((1, 200, 1) if quick else (2, 20_000, 20)))
    too_much = show_too_much(*((1, 1) if quick else (4, 50)))
    regressions = show_regression(*((2, 2, 3) if quick else (6, 200, 100)))
    linear = show_linear(*((1, 1) if quick else (6, 50)))

    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(12, 8), layout="constrained")
    draw_many_rows(axes[0, 0], many)
    draw_too_much(axes[0, 1], too_much)
    draw_regression(axes[1, 0], regressions)
    draw_linear(axes[1, 1], linear)
    figure.savefig(arguments.output, dpi=110)
    print(f"\nfigure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/when_not.png"

if __name__ == "__main__":
    main()
