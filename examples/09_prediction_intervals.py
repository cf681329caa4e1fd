"""
Prediction intervals
====================

Six ways to intervals that should hold nine tenths of new values: how many they hold, and how wide
they are. A network of quantiles predicts the interval. MAPIE corrects quantiles with
held-out rows, or makes an interval from the errors of a network on held-out folds. The last two are
the spread of an ensemble's members and of samples with dropout.

.. image:: ../../examples/figures/prediction_intervals.png
   :alt: Coverage against width of six kinds of intervals on three tables.

Run it with (``pip install mapie``)::

    python examples/09_prediction_intervals.py [--quick] [--output FILE]

Results, means of three splits:

- Of the intervals that hold about 90 %, quantiles of a network or of an ensemble are the narrowest:
  0.51 to 0.73 of the interval that is the same for all rows. They hold 86 % of the new values of
  diabetes, a table of 442 rows, and 91 % of the two others.
- The correction with held-out rows holds 90 to 92 % of all three, and is wider. Its coverage is
  guaranteed on average, if new rows are like the old ones.
- The members of an ensemble hold 17 to 28 %, samples with dropout 34 to 46 %. They tell how much
  the networks disagree about the mean, not how far values lie from it.
"""

import warnings

import numpy as np
from _script import parse, print_table
from _tables import noisy_tables
from mapie.regression import ConformalizedQuantileRegressor, CrossConformalRegressor
from sklearn.model_selection import ShuffleSplit, train_test_split

from skreg import RegularizedMLPRegressor, RegularizedMLPRegressorCV

LEVEL, LOW, HIGH = 0.9, 0.05, 0.95
QUANTILES = {"loss": "quantile", "quantile": (LOW, 0.5, HIGH), "random_state": 0}
ENSEMBLE = {"refit": "ensemble", "search": "halving", "n_jobs": 2, "random_state": 0}
QUICK = {"cv": 2, "max_iter": 5, "dropouts": [0.3], "l2s": [1e-3, 1e-2]}


# %%
# Six kinds of intervals
# ----------------------


def predict_quantiles(X, y, X_test):
    """Intervals of one network with several quantiles."""
    return RegularizedMLPRegressor(**QUANTILES).fit(X, y).predict(X_test).T[[0, -1]]


def predict_quantiles_by_ensemble(X, y, X_test):
    """Intervals of an ensemble of such networks."""
    return RegularizedMLPRegressorCV(**QUANTILES | ENSEMBLE).fit(X, y).predict(X_test).T[[0, -1]]


def conformalize_quantiles(X, y, X_test):
    """Quantiles, corrected with a quarter of the rows (Romano et al. 2019)."""
    X, X_held_out, y, y_held_out = train_test_split(X, y, random_state=0)
    levels = [QUANTILES | {"quantile": level} for level in (LOW, HIGH, 0.5)]  # MAPIE's order
    networks = [RegularizedMLPRegressor(**parameters).fit(X, y) for parameters in levels]
    model = ConformalizedQuantileRegressor(networks, confidence_level=LEVEL, prefit=True)
    return model.conformalize(X_held_out, y_held_out).predict_interval(X_test)[1][:, :, 0].T


def conformalize_errors(X, y, X_test):
    """A network, plus and minus its errors of held-out rows in five folds (CV+)."""
    network = RegularizedMLPRegressor(random_state=0)
    model = CrossConformalRegressor(network, confidence_level=LEVEL, random_state=0)
    return model.fit_conformalize(X, y).predict_interval(X_test)[1][:, :, 0].T


def spread_members(X, y, X_test):
    """Quantiles of what the members of an ensemble predict."""
    model = RegularizedMLPRegressorCV(**ENSEMBLE).fit(X, y)
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


def measure(X, y, n_splits, method):
    """Return coverage and width of each split, of shape (n_splits, 2).

    The unit of the width is that of the interval which is the same for all rows.
    """
    found = []
    for train, test in ShuffleSplit(n_splits, test_size=0.25, random_state=0).split(X):
        low, high = method(X[train], y[train], X[test])
        inside = (low <= y[test]) & (y[test] <= high)
        unit = np.subtract(*np.quantile(y[train], [HIGH, LOW]))
        found.append((inside.mean(), (high - low).mean() / unit))
    return np.array(found)


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
    arguments = parse(__doc__, "prediction_intervals.png")
    n_rows, n_splits = (200, 2) if arguments.quick else (1000, 3)
    ENSEMBLE.update(QUICK if arguments.quick else {})
    warnings.filterwarnings("ignore", "The best")  # value is at the edge of the grid
    results = {}
    for table, (X, y) in noisy_tables(n_rows).items():
        results[table] = {name: measure(X, y, n_splits, of) for name, of in METHODS.items()}
        rows = [[name, *values.mean(axis=0)] for name, values in results[table].items()]
        print_table(table, ["", "coverage", "width"], rows)
    draw(results, arguments.output)
