"""
Guide 3: dropout and L2 together
================================

Neither, dropout alone, L2 alone, both, or the ensemble? Each is tuned inside the training rows, on
the same splits of public tables, and scored on the test rows. The comparison is repeated with fewer
rows, with noise columns and with wrong labels. :doc:`/user_guide/regularization/together` discusses
the results.

.. image:: ../../examples/figures/together.png
   :alt: Gains of dropout, L2, both and the ensemble, on each table and on average.

Run it with::

    python examples/guide_3_together.py [--quick] [--data FOLDER] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _comparison import QUICK, compare, contrasts
from _script import parse, print_table
from _tables import Table, public_tables
from scipy import stats
from sklearn.model_selection import StratifiedShuffleSplit

MAX_ROWS = 600
SETTINGS = {
    "grid": {"dropouts": [0.0, 0.2, 0.4, 0.6], "l2s": [0.0, 1e-4, 1e-3, 1e-2, 3e-2]},
    "folds": 5,
    "network": {"max_iter": 50},
}
CONDITIONS = "as it is", "a quarter of the rows", "50 columns of noise", "a fifth of labels drawn"
PAIRS = "dropout, neither", "L2, neither", "both, neither", "both, better one", "ensemble, both"


# %%
# Harder tables
# -------------


def make_harder(X, y, condition):
    """Return a table, and splits of at most 600 of its rows, a fifth of them to test on."""
    generator, n_rows = np.random.default_rng(0), min(len(y), MAX_ROWS)
    n_test, n_train = n_rows // 5, n_rows - n_rows // 5
    if "quarter" in condition:
        n_train //= 4
    if "noise" in condition:
        X = np.hstack([X, generator.normal(size=(len(X), 50))])
    if "labels" in condition:
        y = np.where(generator.random(len(y)) < 0.2, generator.permutation(y), y)
    n_splits = 4 if condition == "as it is" else 2
    splitter = StratifiedShuffleSplit(
        n_splits, train_size=n_train, test_size=n_test, random_state=0
    )
    return Table(X, y), list(splitter.split(X, y))


# %%
# Gains
# -----


def find_gains(comparison):
    """Return by how many % the log loss of each pair's first model is below the second's."""
    losses = {name: column.mean() for name, column in comparison.scores["log loss"].items()}
    pairs = contrasts(comparison, "log loss")
    return [100 * (1 - losses[one] / losses[other]) for one, other in pairs]


def average(gains):
    """Return the mean over tables and half its 95 % interval, of each pair."""
    gains = np.array(list(gains.values()))
    return gains.mean(axis=0), stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains)


# %%
# The figure
# ----------


def draw(gains, path):
    """Save the figure: the gains on each table, and their means in each condition."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(13, 5), layout="constrained", width_ratios=[3, 2]
    )
    tables = gains["as it is"]
    names = sorted(tables, key=lambda name: tables[name][2])
    for k, style in zip((0, 1, 2, 4), ("C1^", "C2s", "C0o", "C3D"), strict=True):
        values = [tables[name][k] for name in names]
        left.plot(values, range(len(names)), style, label=PAIRS[k])
    left.set_yticks(range(len(names)), names)
    left.set(title="gain on each table", xlabel="% less log loss than the other")
    for k, style in enumerate(("C1^", "C2s", "C0o", "C4v", "C3D")):
        for place, of_tables in enumerate(gains.values()):
            mean, half = average(of_tables)
            options = {"xerr": half[k], "capsize": 3, "label": None if place else PAIRS[k]}
            right.errorbar(mean[k], place + 0.13 * (k - 2), fmt=style, **options)
    right.set_yticks(range(len(gains)), list(gains))
    right.invert_yaxis()
    right.set(title="mean over tables, 95 % interval", xlabel="% less log loss than the other")
    for ax in (left, right):
        ax.axvline(0, color="black", linewidth=1)
        ax.legend()
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/together.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "together.png", data="folder of tables, instead of OpenML")
    tables = list(public_tables(arguments.data, arguments.quick))[: 2 if arguments.quick else None]
    settings, gains, rows = QUICK if arguments.quick else SETTINGS, {}, []
    for condition in CONDITIONS:
        gains[condition] = {}
        for name, X, y in tables:
            print(f"\n{name}, {condition}", end="")
            gains[condition][name] = find_gains(compare(*make_harder(X, y, condition), **settings))
        pairs = zip(*average(gains[condition]), strict=True)
        rows.append([condition, *(f"{mean:+.1f} +- {half:.1f}" for mean, half in pairs)])
    title = "By how many % the log loss of the first is lower, mean over tables"
    print_table(title, ["", *PAIRS], rows)
    draw(gains, arguments.output)
