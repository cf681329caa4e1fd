"""(b) How long does GridSearchCV take? Breast cancer, 8 candidates x 5 folds, in every peer."""

from __future__ import annotations

import numpy as np
from _measure import (
    check_targets,
    interleaved,
    median_seconds,
    parse_arguments,
    print_header,
    print_table,
    timed,
)
from _peers import (
    L2,
    alpha_of,
    best_log_loss,
    scikeras_network,
    sklearn_network,
    skreg_network,
)
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold

from skreg._tensorflow import tensorflow

DROPOUTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
L2S = list(L2 * 10.0 ** np.linspace(-3, 1, 8))
MEASURED = [0.3, 0.6]  # scikeras' candidates; all would take minutes


def main():
    """Print the table of the searches."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    importing, _ = timed(tensorflow)
    X, y = load_breast_cancer(return_X_y=True)
    epochs = 10 if arguments.quick else 100
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    measured = MEASURED[:1] if arguments.quick else MEASURED
    alphas = {"mlpclassifier__alpha": [alpha_of(l2) for l2 in L2S]}
    ours, undropped = skreg_network(epochs), skreg_network(epochs, dropout=0.0)
    subset = f"scikeras, from {len(measured)} of {len(DROPOUTS)}"
    searches = {
        "skreg, 1 thread": ("dropout", ours, {"dropout": DROPOUTS}),
        "skreg, 2 threads": ("dropout", ours, {"dropout": DROPOUTS}, 2),
        "skreg without dropout": ("L2", undropped, {"l2": L2S}),
        "MLPClassifier": ("L2", sklearn_network(epochs), alphas),
        subset: ("dropout", scikeras_network(epochs), {"kerasclassifier__dropout": measured}),
    }
    best = {}

    def search(name):
        _, model, grid, *n_jobs = searches[name]
        best[name] = best_log_loss(model, grid, splits, X, y, *n_jobs)

    cold, _ = timed(lambda: search("skreg, 1 thread"))
    runs = {name: lambda name=name: search(name) for name in searches}
    medians = median_seconds(interleaved(runs, 1 if arguments.quick else 3, fewer={subset: 1}))
    medians[subset] = medians[subset] * len(DROPOUTS) / len(measured)
    base = medians["skreg, 1 thread"][0]
    print(f"{len(DROPOUTS) * len(splits)} fits; importing TensorFlow took {importing:.1f} s, and")
    print(f"the first search after it, compiling included, {cold:.1f} s")
    print(f"scikeras searched dropout {measured} once, its times are scaled to 8 candidates and")
    print("its log loss is the best of those; MLPClassifier has no dropout, so its grid is 8")
    print("strengths of L2: log losses of unlike grids are not those of the same search\n")
    print_table(
        ["search", "grid of", "wall, s", "CPU, s", "ratio", "best log loss"],
        [
            [name, searches[name][0], *pair, pair[0] / base, best[name]]
            for name, pair in medians.items()
        ],
    )
    check_targets(
        {
            "times as fast as MLPClassifier": (medians["MLPClassifier"][0] / base, ">=", 4, True),
            "times as fast as scikeras": (medians[subset][0] / base, ">=", 25, True),
            "best log loss above MLPClassifier's": (
                best["skreg, 1 thread"] - best["MLPClassifier"],
                "<=",
                0.01,
            ),
            "two threads and one differ by": (
                abs(best["skreg, 1 thread"] - best["skreg, 2 threads"]),
                "<=",
                0,
            ),
        },
        arguments.check,
    )


if __name__ == "__main__":
    main()
