"""(f) How does the cost grow with rows, columns and candidates, and how much of it is preparing?"""

from __future__ import annotations

import numpy as np
from _measure import interleaved, median_seconds, parse_arguments, print_header, print_table
from _peers import (
    L2,
    NETWORKS,
    alpha_of,
    best_log_loss,
    scikeras_network,
    sklearn_network,
    skreg_network,
)
from _tables import dense_table
from sklearn.model_selection import StratifiedKFold

from skreg._data.rows import merge_rows
from skreg._data.statistics import measure_columns
from skreg._data.tables import make_training_rows

EPOCHS, BATCH_SIZE = 5, 128
MAX_ROWS_OF_SCIKERAS = 10_000


def fits(n_rows, n_columns, repeats):
    """Measure warm fits of one table; return a row for each peer."""
    X, y = dense_table(n_rows, n_columns)
    X_test, y_test = dense_table(5000, n_columns, seed=1)
    models = {name: make(EPOCHS, batch_size=BATCH_SIZE) for name, make in NETWORKS.items()}
    if n_rows > MAX_ROWS_OF_SCIKERAS:
        del models["scikeras"]
    models["skreg"].fit(X, y)  # compiles; the others have nothing to keep for their next fit
    runs = {name: lambda model=model: model.fit(X, y) for name, model in models.items()}
    medians = median_seconds(interleaved(runs, repeats, fewer={"scikeras": 3}))
    return [
        [
            f"{n_rows:,} x {n_columns:,}",
            name,
            wall,
            cpu,
            1e6 * wall / n_rows / EPOCHS,
            wall / medians["skreg"][0],
            models[name].score(X_test, y_test),
        ]
        for name, (wall, cpu) in medians.items()
    ]


def searches(n_candidates, repeats):
    """Measure searches of strengths of L2 on three folds; return a row for each peer."""
    X, y = dense_table(1000, 20)
    splits = list(StratifiedKFold(3).split(X, y))
    l2s = L2 * np.geomspace(1e-3, 10, n_candidates)
    alphas = [alpha_of(l2) for l2 in l2s]
    grids = {
        "skreg": (skreg_network(10), {"l2": l2s}),
        "MLPClassifier": (sklearn_network(10), {"mlpclassifier__alpha": alphas}),
    }
    if n_candidates <= 5:
        grids["scikeras"] = (scikeras_network(10), {"kerasclassifier__l2": l2s})
    best = {}

    def search(name):
        best[name] = best_log_loss(*grids[name], splits, X, y)

    runs = {name: lambda name=name: search(name) for name in grids}
    medians = median_seconds(interleaved(runs, repeats, fewer={"scikeras": 1}))
    return [
        [str(n_candidates), name, wall, cpu, 1000 * wall / n_candidates / 3, best[name]]
        for name, (wall, cpu) in medians.items()
    ]


def preparing(n_rows, repeats):
    """Measure what a fit does before it trains; return a row for each step."""
    X, y = dense_table(n_rows, 50)
    codes = y.astype(np.int32)
    merged = merge_rows(X, codes, None)
    seen = measure_columns(X, merged.indices, merged.weight)
    runs = {
        "merging equal rows": lambda: merge_rows(X, codes, None),
        "statistics of columns": lambda: measure_columns(X, merged.indices, merged.weight),
        "standardize table": lambda: make_training_rows(
            X, codes, merged, seen.center, seen.scale, None
        ),
    }
    medians = median_seconds(interleaved(runs, repeats))
    medians["together"] = sum(medians.values())
    return [[step, *pair] for step, pair in medians.items()]


def main():
    """Print one table for each axis, and one of preparing."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    most = 10_000 if arguments.quick else 1_000_000
    sizes = [(n, 50) for n in (1_000, 10_000, 100_000, 1_000_000) if n <= most]
    widths = [(10_000, d) for d in ((10,) if arguments.quick else (10, 100, 1000))]
    counts = (5, 10) if arguments.quick else (5, 10, 20, 40, 80)
    print(f"one fit, {EPOCHS} epochs, batch {BATCH_SIZE}, medians of 5 up to 10,000 rows, else 3")
    print("(scikeras always 3); accuracy on 5,000 other rows\n")
    for axis, shapes in (("rows", sizes), ("columns", widths)):
        rows = [row for n, d in shapes for row in fits(n, d, 5 if n <= 10_000 else 3)]
        columns = [axis, "fit", "s", "CPU, s", "us a row and epoch", "ratio", "accuracy"]
        print_table(columns, rows)
    print("GridSearchCV over L2, 3 folds of 1,000 x 20, 10 epochs, batch 32, one thread; medians")
    print("of 3, scikeras once; MLPClassifier has no dropout, so its log loss is another network's")
    print()
    skreg_network(10).fit(*dense_table(667, 20))  # compiles
    rows = [row for n in counts for row in searches(n, 3)]
    print_table(["candidates", "search", "s", "CPU, s", "ms a fit", "best log loss"], rows)
    print("what a fit does before it trains, medians of 3\n")
    n_rows = most if not arguments.quick else 100_000
    print_table([f"preparing {n_rows:,} x 50", "s", "CPU, s"], preparing(n_rows, 3))


if __name__ == "__main__":
    main()
