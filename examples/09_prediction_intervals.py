"""
How sure is a number?
=====================

Six ways to intervals that should hold nine tenths of new values: how many they hold, and how wide
they are. A network of quantiles predicts the interval. MAPIE corrects it with rows that were held
out, or makes one of the errors of another network. The members of an ensemble disagree, as do
samples with dropout.

.. image:: ../../examples/figures/prediction_intervals.png
   :alt: Coverage against width of six kinds of intervals on three tables.

Run it with (``pip install mapie``)::

    python examples/09_prediction_intervals.py [--quick] [--output FILE]

Results, means of three splits:

- Quantiles of a network or of an ensemble are the narrowest: 0.51 to 0.73 of the interval that is
  the same for all rows. They hold 86 % of the new values of diabetes, a table of 442 rows, and 91 %
  of the two others.
- The correction with held-out rows holds 90 to 92 % of all three, and is wider. Its coverage is
  guaranteed on average, if new rows are like the old ones.
- The members of an ensemble hold 17 to 28 %, samples with dropout 34 to 46 %. They tell how much
  the networks disagree about the mean, not how far values lie from it.
"""

from __future__ import annotations

import warnings

import numpy as np
from _script import parse
from mapie.regression import ConformalizedQuantileRegressor, CrossConformalRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import ShuffleSplit, train_test_split

from skreg import RegularizedMLPRegressor, RegularizedMLPRegressorCV

LEVEL = 0.9
LOW, HIGH = (1 - LEVEL) / 2, (1 + LEVEL) / 2
QUANTILES = {"loss": "quantile", "quantile": (LOW, 0.5, HIGH), "random_state": 0}


# %%
# Three tables
# ------------
#
# In the two that are made up, the noise depends on a column.


def make_tables(n_rows):
    """Return X and y by the name of the table."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(n_rows, 5))
    wave = np.sin(2 * np.pi * X[:, 0]) + X[:, 1] + (0.1 + X[:, 2]) * rng.exponential(size=n_rows)
    steps = np.floor(4 * X[:, 0]) + (0.1 + X[:, 1]) * rng.standard_t(3, size=n_rows)
    return {
        "diabetes": load_diabetes(return_X_y=True),
        "waves, skewed noise": (X, wave),
        "steps, heavy tails": (X, steps),
    }


# %%
# Six kinds of intervals
# ----------------------


def predict_quantiles(X, y, X_test):
    """Intervals of one network with several quantiles."""
    return RegularizedMLPRegressor(**QUANTILES).fit(X, y).predict(X_test).T[[0, -1]]


def predict_quantiles_by_ensemble(X, y, X_test):
    """Intervals of an ensemble of such networks."""
    model = RegularizedMLPRegressorCV(refit="ensemble", search="halving", n_jobs=2, **QUANTILES)
    return model.fit(X, y).predict(X_test).T[[0, -1]]


def conformalize_quantiles(X, y, X_test):
    """Quantiles, corrected with a quarter of the rows (Romano et al. 2019)."""
    X, X_held_out, y, y_held_out = train_test_split(X, y, random_state=0)
    networks = [
        RegularizedMLPRegressor(**{**QUANTILES, "quantile": level}).fit(X, y)
        for level in (LOW, HIGH, 0.5)  # MAPIE's order
    ]
    model = ConformalizedQuantileRegressor(networks, confidence_level=LEVEL, prefit=True)
    return model.conformalize(X_held_out, y_held_out).predict_interval(X_test)[1][:, :, 0].T


def conformalize_errors(X, y, X_test):
    """A network, plus and minus its errors of held-out rows in five folds (CV+)."""
    network = RegularizedMLPRegressor(random_state=0)
    model = CrossConformalRegressor(network, confidence_level=LEVEL, random_state=0)
    return model.fit_conformalize(X, y).predict_interval(X_test)[1][:, :, 0].T


def spread_members(X, y, X_test):
    """Quantiles of what the members of an ensemble predict."""
    model = RegularizedMLPRegressorCV(
        refit="ensemble", search="halving", n_jobs=2, random_state=0
    ).fit(X, y)
    members, weights = model.member_predictions(X_test), model.estimator_weights_
    return np.quantile(members, [LOW, HIGH], axis=0, weights=weights, method="inverted_cdf")


def spread_samples(X, y, X_test):
    """Quantiles of samples with dropout."""
    model = RegularizedMLPRegressor(dropout=0.3, random_state=0).fit(X, y)
    return np.quantile(model.mc_dropout(X_test, 200, random_state=0), [LOW, HIGH], axis=0)


METHODS = {
    "quantiles": predict_quantiles,
    "quantiles, ensemble": predict_quantiles_by_ensemble,
    "quantiles, conformalized": conformalize_quantiles,
    "errors of folds (MAPIE)": conformalize_errors,
    "members of an ensemble": spread_members,
    "dropout samples": spread_samples,
}


# %%
# Coverage and width
# ------------------


def measure(X, y, n_splits, methods):
    """Return coverage and width by method, of shape (n_splits, 2).

    The unit of the width is that of the interval which is the same for all rows.
    """
    found = {name: [] for name in methods}
    for train, test in ShuffleSplit(n_splits, test_size=0.25, random_state=0).split(X):
        unit = np.subtract(*np.quantile(y[train], [HIGH, LOW]))
        for name in methods:
            with warnings.catch_warnings():  # of the edge of a grid
                warnings.simplefilter("ignore", UserWarning)
                low, high = METHODS[name](X[train], y[train], X[test])
            inside = (low <= y[test]) & (y[test] <= high)
            found[name].append((inside.mean(), (high - low).mean() / unit))
    return {name: np.array(values) for name, values in found.items()}


def draw(results, path):
    """Save the figure: coverage against width."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4.2), sharey=True, layout="constrained")
    for ax, (table, found) in zip(axes, results.items(), strict=True):
        ax.axhline(LEVEL, color="0.6", linestyle="--")
        for k, (name, values) in enumerate(found.items()):
            coverage, width = values.mean(axis=0)
            errors = values.std(axis=0, ddof=1) / len(values) ** 0.5
            ax.errorbar(width, coverage, errors[0], errors[1], "os^Dvp"[k], label=name)
        ax.set(title=table, xlabel="mean width; 1: the same for all rows")
    axes[0].set_ylabel("coverage of new rows")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(path, dpi=110)
    print(f"figure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/prediction_intervals.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "prediction_intervals.png", "a smoke test without ensembles")
    methods = [name for name in METHODS if not (arguments.quick and "ensemble" in name)]
    results = {}
    for table, (X, y) in make_tables(200 if arguments.quick else 1000).items():
        results[table] = measure(X, y, 2 if arguments.quick else 3, methods)
        print(f"{table:26s}{'coverage':>10s}{'width':>8s}")
        for name, values in results[table].items():
            coverage, width = values.mean(axis=0)
            print(f"  {name:24s}{coverage:10.3f}{width:8.2f}")
    draw(results, arguments.output)
