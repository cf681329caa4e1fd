"""
Guide 4: how to choose dropout and L2
=====================================

How flat the surface of the loss is around its best point, how good few candidates are compared with
many, and how the best values change with the width of the network and the number of rows.
:doc:`/user_guide/regularization/choosing` discusses the results.

.. image:: ../../examples/figures/how_to_choose.png
   :alt: The surface of the loss, winners of grids, and the loss along l2 for three numbers of rows.

Run it with::

    python examples/guide_4_how_to_choose.py [--quick] [--output FILE]
"""

import warnings

import numpy as np
from _script import parse, print_table
from _tables import drawn_problem, three_tables
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

DROPOUTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
L2S = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
GRIDS = {
    "the tutorials'": ([0.5], [1e-3]),
    "2 x 2": ([0.0, 0.5], [1e-3, 1e-2]),
    "dropout alone": (DROPOUTS, [0.0]),
    "L2 alone": ([0.0], L2S),
    "all": (DROPOUTS, L2S),
}
WIDE = [0.0, 0.2, 0.4, 0.6, 0.8], [0.0, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2]
# rows and hidden layers
SHAPES = [(300, (16, 8)), (300, (64, 32)), (300, (256, 128))]
SHAPES += [(100, (128, 64)), (300, (128, 64)), (1000, (128, 64))]


def search(X, y, grid, **options):
    """Return the mean losses of held-out rows, of shape (dropouts, l2s)."""
    options |= {"refit": False, "numerical_encoding": None, "n_jobs": 2, "random_state": 0}
    model = RegularizedMLPClassifierCV(dropouts=grid[0], l2s=grid[1], **options)
    return -model.fit(X, y).scores_.mean(axis=2)


# %%
# The surface, and few candidates or many
# ---------------------------------------


def choose(losses, grid):
    """Return the best dropout and l2 of a part of the whole grid."""
    places = np.ix_([DROPOUTS.index(p) for p in grid[0]], [L2S.index(s) for s in grid[1]])
    row, column = np.unravel_index(losses[places].argmin(), losses[places].shape)
    return grid[0][row], grid[1][column]


def tune(X, X_test, y, y_test, max_iter, cv):
    """Return the losses of all candidates in folds, and the test losses of the grids' winners."""
    losses, of_grids = search(X, y, (DROPOUTS, L2S), cv=cv, max_iter=max_iter), []
    for dropout, l2 in (choose(losses, grid) for grid in GRIDS.values()):
        options = {"max_iter": max_iter, "numerical_encoding": None, "random_state": 0}
        model = RegularizedMLPClassifier(dropout=dropout, l2=l2, **options).fit(X, y)
        of_grids.append(log_loss(y_test, model.predict_proba(X_test)))
    return losses, of_grids


# %%
# Width and rows
# --------------


def vary(n_draws, n_rows, widths, max_iter):
    """Return the mean losses on disjoint draws of the problem with 1,000 test rows each."""
    (X, y), rows = drawn_problem(), np.arange(n_draws * (n_rows + 1000))
    folds = [np.split(part, [n_rows]) for part in np.split(rows, n_draws)]
    return search(X[rows], y[rows], WIDE, cv=folds, hidden_layer_sizes=widths, max_iter=max_iter)


def describe(losses):
    """Return no regularisation, the best dropout alone, the best l2 alone, and the best pair."""
    found = [f"{losses[0, 0]:.3f}"]
    for part in (losses[:, :1], losses[:1], losses):
        row, column = np.unravel_index(part.argmin(), part.shape)
        found.append(f"{WIDE[0][row]:g}, {WIDE[1][column]:g}: {part.min():.3f}")
    return found


# %%
# The figure
# ----------


def draw_surface(ax, losses):
    """Draw the loss of each candidate relative to the best one."""
    relative = losses / losses.min()
    ax.imshow(np.log(relative), cmap="cividis_r", aspect="auto")
    for (row, column), value in np.ndenumerate(relative):
        dark = np.log(value) > np.log(relative.max()) / 2
        options = {"color": "white" if dark else "black", "fontsize": 8}
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", **options)
    ax.set_xticks(range(len(L2S)), [f"{value:g}" for value in L2S])
    ax.set_yticks(range(len(DROPOUTS)), DROPOUTS)
    ax.set(title="drawn table: loss, best = 1", xlabel="l2", ylabel="dropout")


def draw(surfaces, of_grids, of_shapes, path):
    """Save the figure: a surface, the grids, and the loss along l2 for three numbers of rows."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    draw_surface(axes[0], surfaces["drawn"])
    for (name, losses), marker in zip(of_grids.items(), "os^", strict=False):
        style = {"marker": marker, "linestyle": "", "fillstyle": "none", "markersize": 8}
        axes[1].plot(losses / losses[-1], range(len(GRIDS)), label=name, **style)
    axes[1].axvline(1, color="black", linewidth=1)
    sizes = [len(dropouts) * len(l2s) for dropouts, l2s in GRIDS.values()]
    labels = [f"{name} ({size})" for name, size in zip(GRIDS, sizes, strict=True)]
    axes[1].set_yticks(range(len(GRIDS)), labels)
    axes[1].invert_yaxis()
    axes[1].set(title="winner of a grid (candidates)", xlabel="test log loss, winner of all = 1")
    by_rows = [(shape, losses) for shape, losses in of_shapes.items() if shape[1] == (128, 64)]
    for ((n_rows, _), losses), style in zip(by_rows, ("o-", "s--", "^:"), strict=False):
        axes[2].plot([3e-4, *WIDE[1][1:]], losses[0], style, label=f"{n_rows} rows")
    axes[2].set_xscale("log")
    axes[2].set_xticks([3e-4, 1e-3, 1e-2], ["0", "1e-3", "1e-2"])
    axes[2].set(title="drawn problem, no dropout", xlabel="l2", ylabel="test log loss")
    for ax in axes[1:]:
        ax.legend()
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/how_to_choose.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "how_to_choose.png")
    n_splits, max_iter, cv = (2, 1, 2) if arguments.quick else (6, 50, 5)
    warnings.filterwarnings("ignore", "The best")  # value is at the edge of the grid
    surfaces, of_grids = {}, {}
    for name, splits in three_tables(n_splits).items():
        found = zip(*(tune(*split, max_iter, cv) for split in splits), strict=True)
        surfaces[name], of_grids[name] = (np.mean(losses, axis=0) for losses in found)
        print(f"{name}: the best dropout and l2 are {choose(surfaces[name], GRIDS['all'])}")
    rows = zip(GRIDS, *of_grids.values(), strict=True)
    print_table("Test log loss of each grid's winner", ["grid", *of_grids], list(map(list, rows)))
    of_shapes = {shape: vary(min(n_splits, 4), *shape, max_iter) for shape in SHAPES}
    rows = [[f"{shape}", *describe(losses)] for shape, losses in of_shapes.items()]
    columns = ["rows, hidden layers", "neither", "dropout alone", "l2 alone", "both"]
    print_table("Drawn problem: the best values", columns, rows)
    draw(surfaces, of_grids, of_shapes, arguments.output)
