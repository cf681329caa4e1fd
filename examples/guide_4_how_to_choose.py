"""
Guide 4: how to choose dropout and L2
=====================================

How flat the surface of the loss is around its best point, how far the network of the tutorials is
from it, how good few candidates are compared with many, and how the best values change with the
width of the network and the number of rows. :doc:`/user_guide/regularization/choosing` discusses
the results.

.. image:: ../../examples/figures/how_to_choose.png
   :alt: The surface of the loss, winners of grids, and the loss along l2 for three numbers of rows.

Run it with::

    python examples/guide_4_how_to_choose.py [--quick] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _guide import drawn_problem, print_table, three_tables
from _script import parse
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

DROPOUTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
L2S = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
TUTORIAL = DROPOUTS.index(0.5), L2S.index(1e-3)
# name -> rates and strengths
GRIDS = {
    "the tutorials'": ([0.5], [1e-3]),
    "2 x 2": ([0.0, 0.5], [1e-3, 1e-2]),
    "3 x 3": ([0.0, 0.3, 0.6], [1e-3, 1e-2, 3e-2]),
    "4 x 4": ([0.0, 0.2, 0.4, 0.6], [1e-4, 1e-3, 1e-2, 3e-2]),
    "all": (DROPOUTS, L2S),
    "dropout alone": (DROPOUTS, [0.0]),
    "L2 alone": ([0.0], L2S),
}
# grid for width and rows
FEW_DROPOUTS = [0.0, 0.2, 0.4, 0.6, 0.8]
FEW_L2S = [0.0, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2]
DEFAULT_WIDTHS = (128, 64)
SETTINGS = [  # rows and widths
    *((300, widths) for widths in [(16, 8), (64, 32), (256, 128)]),
    *((n_rows, DEFAULT_WIDTHS) for n_rows in [100, 300, 1000]),
]


def searched(X, y, dropouts, l2s, **options):
    """Return loss and accuracy on held-out rows, shape (rates, strengths, folds) each."""
    search = RegularizedMLPClassifierCV(
        dropouts=dropouts,
        l2s=l2s,
        scoring=["neg_log_loss", "accuracy"],
        refit=False,
        numerical_encoding=None,
        n_jobs=2,
        random_state=0,
        **options,
    ).fit(X, y)
    return -search.scores_["neg_log_loss"], search.scores_["accuracy"]


# %%
# The surface
# -----------


def place_of_least(means):
    """Return row and column of the minimum."""
    return np.unravel_index(means.argmin(), means.shape)


def within_an_error(losses):
    """Return the share of the candidates within one standard error of the best."""
    means = losses.mean(axis=2)
    best = place_of_least(means)
    error = losses[best].std(ddof=1) / np.sqrt(losses.shape[2])
    return (means <= means[best] + error).mean()


def cost_of_a_step(relative, best, axis):
    """Return by how many % the neighbours along an axis are worse than the best."""
    line = np.moveaxis(relative, axis, 0)[:, best[1 - axis]]
    steps = [step for step in (best[axis] - 1, best[axis] + 1) if 0 <= step < len(line)]
    return 100 * (line[steps].mean() - 1)


def show_surfaces(searches):
    """Print the costs of a step from the best candidate and of the tutorials'."""
    rows = []
    for name, (losses, accuracies) in searches.items():
        means = losses.mean(axis=(0, 3))
        best = place_of_least(means)
        relative = means / means[best]
        points = 100 * accuracies.mean(axis=(0, 3))
        rows.append(
            [
                name,
                f"{DROPOUTS[best[0]]:g}, {L2S[best[1]]:g}",
                *(f"{cost_of_a_step(relative, best, axis):+.0f} %" for axis in (0, 1)),
                f"{np.mean([within_an_error(of) for of in losses]):.0%}",
                f"{100 * (relative[TUTORIAL] - 1):+.0f} %",
                f"{100 * (relative[0, 0] - 1):+.0f} %",
                f"{(points >= points.max() - 1).mean():.0%}",
                f"{points[TUTORIAL] - points.max():+.1f}",
            ]
        )
    print_table(
        f"{len(DROPOUTS)} x {len(L2S)} candidates: log loss over the best's, accuracy in points",
        "table,best,rate+-1,l2+-1,in 1 SE,0.5/.001,neither,1 point,0.5/.001".split(","),
        rows,
        [13, 10, 7, 5, 7, 7, 7, 7, 7],
    )


def show_surface(name, losses):
    """Print the loss of each candidate relative to the best."""
    means = losses.mean(axis=(0, 3))
    print_table(
        f"{name}: log loss over the best's; rows are rates, columns strengths",
        ["", *(f"{strength:g}" for strength in L2S)],
        [
            [f"{rate:g}", *(f"{value:.2f}" for value in row)]
            for rate, row in zip(DROPOUTS, means / means.min(), strict=True)
        ],
        [6, *[8] * len(L2S)],
    )


# %%
# Few candidates and many
# -----------------------


def winner_of(means, grid):
    """Return the place of the best candidate of a part of the grid."""
    rates, strengths = (
        [whole.index(value) for value in part]
        for whole, part in zip((DROPOUTS, L2S), grid, strict=True)
    )
    part = means[np.ix_(rates, strengths)]
    row, column = place_of_least(part)
    return rates[row], strengths[column]


def test_losses(split, losses, max_iter):
    """Return the test log loss of the winner of each grid."""
    X, X_test, y, y_test = split
    places = {name: winner_of(losses.mean(axis=2), grid) for name, grid in GRIDS.items()}
    found = {}
    for row, column in set(places.values()):
        model = RegularizedMLPClassifier(
            dropout=DROPOUTS[row],
            l2=L2S[column],
            max_iter=max_iter,
            numerical_encoding=None,
            random_state=0,
        ).fit(X, y)
        found[row, column] = log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
    return [found[place] for place in places.values()]


def show_grids(tables, searches, max_iter):
    """Print the test log loss of each winner; return the means, shape (tables, grids)."""
    means = np.array(
        [
            np.mean(
                [
                    test_losses(split, losses, max_iter)
                    for split, losses in zip(splits, searches[name][0], strict=True)
                ],
                axis=0,
            )
            for name, splits in tables.items()
        ]
    )
    relative = means / means[:, [list(GRIDS).index("all")]]
    rows = [
        [name, str(len(grid[0]) * len(grid[1])), *means[:, k], f"{relative[:, k].mean():.2f}"]
        for k, (name, grid) in enumerate(GRIDS.items())
    ]
    print_table(
        "Test log loss of the winner of each grid",
        ["grid", "candidates", *tables, "over that of all"],
        rows,
    )
    return means


# %%
# Width and rows
# --------------


def losses_on_draws(n_draws, n_rows, widths, max_iter):
    """Return the losses of the small grid on disjoint draws with 1,000 test rows each."""
    X, y = drawn_problem()
    size = n_rows + 1000
    starts = range(0, n_draws * size, size)
    folds = [np.split(np.arange(size) + start, [n_rows]) for start in starts]
    used = slice(0, n_draws * size)
    return searched(
        X[used],
        y[used],
        FEW_DROPOUTS,
        FEW_L2S,
        cv=folds,
        hidden_layer_sizes=widths,
        max_iter=max_iter,
    )[0]


def show_width_and_rows(settings, n_draws, max_iter):
    """Print the best rate, strength and pair of each setting; return the losses."""
    rows, found = [], {}
    for n_rows, widths in settings:
        means = losses_on_draws(n_draws, n_rows, widths, max_iter).mean(axis=2)
        found[n_rows, widths] = means
        rate, strength = means[:, 0].argmin(), means[0].argmin()
        best = place_of_least(means)
        rows.append(
            [
                f"{n_rows}, {widths}",
                means[0, 0],
                f"{FEW_DROPOUTS[rate]:g}",
                means[rate, 0],
                f"{FEW_L2S[strength]:g}",
                means[0, strength],
                f"{FEW_DROPOUTS[best[0]]:g}, {FEW_L2S[best[1]]:g}",
                means[best],
            ]
        )
    print_table(
        f"Drawn problem, {n_draws} draws: the best rate alone, strength alone, and pair",
        ["rows, widths", "neither", "dropout", "loss", "l2", "loss", "both", "loss"],
        rows,
        [16, 7, 7, 6, 6, 6, 11, 6],
    )
    return found


# %%
# The figure
# ----------


def draw_surface(ax, losses):
    """Draw the loss of each candidate relative to the best, which is framed."""
    from matplotlib.patches import Rectangle

    means = losses.mean(axis=(0, 3))
    relative = means / means.min()
    ax.imshow(np.log(relative), cmap="cividis_r", aspect="auto")
    for (row, column), value in np.ndenumerate(relative):
        dark = np.log(value) > np.log(relative.max()) / 2
        colour = "white" if dark else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    for place, line in ((place_of_least(means), "-"), (TUTORIAL, ":")):
        corner = place[1] - 0.47, place[0] - 0.47
        frame = Rectangle(corner, 0.94, 0.94, fill=False, linewidth=2.5, linestyle=line)
        ax.add_patch(frame)
    ax.set_xticks(range(len(L2S)), [f"{value:g}" for value in L2S])
    ax.set_yticks(range(len(DROPOUTS)), DROPOUTS)
    ax.set(title="drawn table: loss over the best's\n(framed; dots: 0.5, 0.001)")
    ax.set(xlabel="l2", ylabel="dropout")


def draw(searches, tables, means, by_setting):
    """Draw a surface, the grids, and the loss along l2 for three numbers of rows."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    draw_surface(axes[0], searches["drawn"][0])
    relative = means / means[:, [list(GRIDS).index("all")]]
    for row, name, marker in zip(relative, tables, "os^", strict=False):
        axes[1].plot(row, range(len(GRIDS)), marker, fillstyle="none", markersize=8, label=name)
    axes[1].axvline(1, color="black", linewidth=1)
    labels = [f"{name} ({len(grid[0]) * len(grid[1])})" for name, grid in GRIDS.items()]
    axes[1].set_yticks(range(len(GRIDS)), labels)
    axes[1].invert_yaxis()
    axes[1].set(title="winner of a grid (candidates)", xlabel="test log loss, winner of all = 1")
    axes[1].legend()
    at = [3e-4, *FEW_L2S[1:]]
    of_rows = [
        (rows, losses) for (rows, widths), losses in by_setting.items() if widths == DEFAULT_WIDTHS
    ]
    for (n_rows, losses), style in zip(of_rows, ("o-", "s--", "^:"), strict=False):
        axes[2].plot(at, losses[0], style, label=f"{n_rows} rows")
    axes[2].set_xscale("log")
    axes[2].set_xticks([3e-4, 1e-3, 1e-2], ["0", "1e-3", "1e-2"])
    axes[2].set(title="drawn problem, no dropout", xlabel="l2", ylabel="test log loss")
    axes[2].legend()
    return figure


# %%
# The script
# ----------


def main():
    """Search, print the results and draw them."""
    arguments = parse(__doc__, "how_to_choose.png")
    n_splits, max_iter, cv = (2, 1, 2) if arguments.quick else (6, 50, 5)
    tables = three_tables(n_splits)
    settings = SETTINGS
    if arguments.quick:
        tables, settings = {"drawn": tables["drawn"]}, [(100, DEFAULT_WIDTHS)]
    searches = {}
    for name, splits in tables.items():
        found = [searched(X, y, DROPOUTS, L2S, cv=cv, max_iter=max_iter) for X, _, y, _ in splits]
        searches[name] = np.array(found).swapaxes(0, 1)
    show_surfaces(searches)
    show_surface("drawn", searches["drawn"][0])
    means = show_grids(tables, searches, max_iter)
    by_setting = show_width_and_rows(settings, min(n_splits, 4), max_iter)
    draw(searches, tables, means, by_setting).savefig(arguments.output, dpi=110)
    print(f"\nfigure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/how_to_choose.png"

if __name__ == "__main__":
    main()
