"""
Guide 3: dropout and L2 together
================================

Neither, dropout alone, L2 alone, or both? Each is tuned inside the training rows, on the same
repeated splits of 14 public tables, and scored on the test rows, beside the ensemble of
`RegularizedMLPClassifierCV`. The comparison is repeated with fewer rows, with noise columns and
with wrong labels. :doc:`/user_guide/regularization/together` discusses the results.

.. image:: ../../examples/figures/together.png
   :alt: Gain of both on each table, and on average in each condition.

Run it with::

    python examples/guide_3_together.py [--quick] [--data FOLDER] [--output FILE]
"""

import numpy as np
from _comparison import (
    ENSEMBLE,
    FAMILIES,
    QUICK,
    average_gains,
    compare,
    compute_gains,
    count_verdicts,
)
from _script import parse, print_table
from _tables import Table, public_tables
from sklearn.model_selection import StratifiedShuffleSplit, train_test_split

GRID = {"dropouts": [0.0, 0.2, 0.4, 0.6], "l2s": [0.0, 1e-4, 1e-3, 1e-2, 3e-2]}
SETTINGS = {"grid": GRID, "folds": 5, "network": {"max_iter": 50}}
PAIRS = [("both", "neither"), ("both", "dropout"), ("both", "L2"), (ENSEMBLE, "both")]
UNCHANGED = "unchanged"
FEWER, COLUMNS, LABELS = "a quarter of the rows", "50 columns of noise", "a fifth of labels drawn"


# %%
# Tables and splits
# -----------------


def harden(X, y, condition):
    """Return the table, with columns of noise or with a fifth of the labels drawn again."""
    rng = np.random.default_rng(0)
    if condition == COLUMNS:
        X = np.hstack([X, rng.normal(size=(len(X), 50))])
    if condition == LABELS:
        y = np.where(rng.random(len(y)) < 0.2, rng.permutation(y), y)
    return Table(X, y)


def make_splits(y, condition, n_splits):
    """Yield training and test rows: at most 600 rows, a fifth of them for testing."""
    n_rows = min(len(y), 600)
    sizes = {"train_size": n_rows - n_rows // 5, "test_size": n_rows // 5}
    for train, test in StratifiedShuffleSplit(n_splits, **sizes, random_state=0).split(y, y):
        if condition == FEWER:
            train, _ = train_test_split(train, train_size=1 / 4, stratify=y[train], random_state=0)
        yield train, test


# %%
# What the comparisons say
# ------------------------


def tell(results):
    """Print the losses of the unchanged tables, then gains and verdicts in each condition."""
    models, pairs = [*FAMILIES, ENSEMBLE], [f"{one} - {other}" for one, other in PAIRS]
    losses = {name: of.scores["log loss"] for name, of in results[UNCHANGED].items()}
    rows = [[name, *(of[model].mean() for model in models)] for name, of in losses.items()]
    print_table(f"{UNCHANGED}: mean log loss", ["", *models], rows)
    for metric, unit in (("log loss", "% less log loss"), ("accuracy", "points of accuracy")):
        rows = []
        for condition, comparisons in results.items():
            gains = [average_gains(comparisons, metric, *pair) for pair in PAIRS]
            rows.append([condition, *(f"{mean:+.1f} +- {half:.1f}" for mean, half in gains)])
        print_table(f"{unit}: mean over tables and its 95 % interval", ["", *pairs], rows)
    rows = [[name, *(count_verdicts(of, *pair) for pair in PAIRS)] for name, of in results.items()]
    print_table("tables with clearly less log loss / neither / more", ["", *pairs], rows)


# %%
# The figure
# ----------


def draw(results, path):
    """Save the figure: the gain on each table, and the mean gain in each condition."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    tables, conditions = list(results[UNCHANGED]), list(results)
    order = compute_gains(results[UNCHANGED], "log loss", "both", "neither").argsort()
    for k, (pair, marker) in enumerate(zip(PAIRS, "^os*", strict=True)):
        style = {"color": f"C{k}", "marker": marker, "ls": "", "ms": 9}
        gains = compute_gains(results[UNCHANGED], "log loss", *pair)
        left.plot(gains[order], range(len(order)), **style, label="{} against {}".format(*pair))
        means = [average_gains(of, "log loss", *pair) for of in results.values()]
        middles, halves = np.transpose(means)
        places = np.arange(len(conditions)) + 0.15 * (k - 1.5)
        right.errorbar(middles, places, xerr=halves, capsize=4, **style)
    left.set_yticks(range(len(order)), np.array(tables)[order])
    left.set(title="each table, unchanged", xlabel="% less log loss")
    left.legend()
    right.set_yticks(range(len(conditions)), conditions)
    right.invert_yaxis()
    right.set(title="mean over tables, with its 95 % interval", xlabel="% less log loss")
    for axes in (left, right):
        axes.axvline(0, color="black", linewidth=1)
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/together.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "together.png", data="folder of tables, instead of OpenML")
    tables = list(public_tables(arguments.data, arguments.quick))[: 2 if arguments.quick else None]
    settings, results = QUICK if arguments.quick else SETTINGS, {}
    for condition in (UNCHANGED, FEWER, COLUMNS, LABELS):
        n_splits = 2 if arguments.quick else 10 if condition == UNCHANGED else 4
        results[condition] = {}
        for name, X, y in tables:
            table = harden(X, y, condition)
            splits = list(make_splits(table.y, condition, n_splits))
            print(f"\n{condition}, {name}", end="")
            results[condition][name] = compare(table, splits, **settings)
    tell(results)
    draw(results, arguments.output)
