"""(g) How long does RegularizedMLPClassifierCV take for 8 dropouts x 6 strengths x 5 folds?"""

from __future__ import annotations

import joblib
import numpy as np
from _measure import (
    check_targets,
    interleaved,
    median_seconds,
    parse_arguments,
    print_header,
    print_table,
)
from _peers import L2, alpha_of, scikeras_network, sklearn_network, skreg_network
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skreg import RegularizedMLPClassifierCV

DROPOUTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
L2S = list(L2 * 10.0 ** np.linspace(-3, 1, 6))
MEASURED = {"dropout": [0.5], "l2": [1e-3]}  # scikeras' candidates; all would take hours


def searches_of(epochs: int) -> dict:
    """The same grid, folds, epochs and batches for every peer; MLPClassifier has 48 alphas."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    plain = skreg_network(epochs)
    shared = {
        name: value
        for name, value in plain.get_params().items()
        if name not in ("dropout", "l2", "warm_start")
    }
    options = {"cv": folds, "scoring": "neg_log_loss", "refit": False}

    def ours(**changes):  # by its own loss, which is the log loss without scikit-learn's checks
        values = {**shared, **options, "scoring": "loss", **changes}
        return RegularizedMLPClassifierCV(dropouts=DROPOUTS, l2s=L2S, **values)

    alphas = [alpha_of(l2) for l2 in L2 * 10.0 ** np.linspace(-3, 1, len(DROPOUTS) * len(L2S))]
    keras = {f"kerasclassifier__{name}": values for name, values in MEASURED.items()}
    grid = {"dropout": DROPOUTS, "l2": L2S}
    return {
        "skreg CV": ours(n_jobs=2),
        "skreg CV, halving": ours(n_jobs=2, search="halving"),
        "skreg CV, 1 thread": ours(),
        "skreg GridSearchCV": GridSearchCV(plain, grid, n_jobs=2, **options),
        "MLPClassifier": GridSearchCV(
            sklearn_network(epochs), {"mlpclassifier__alpha": alphas}, n_jobs=2, **options
        ),
        "scikeras": GridSearchCV(scikeras_network(epochs), keras, **options),
    }


def run(search, X, y) -> float:
    """Fit it, ours in threads, and return the best mean log loss."""
    ours = isinstance(search, RegularizedMLPClassifierCV) or hasattr(search.estimator, "dropout")
    with joblib.parallel_config(backend="threading" if ours else "loky"):
        search.fit(X, y)
    return -search.best_score_


def main():
    """Print a table of searches for each of two tables."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    tables = {
        "breast cancer, 569 x 30": (*load_breast_cancer(return_X_y=True), 100),
        "5,000 x 20": (*make_classification(5000, 20, flip_y=0.1, random_state=0), 10),
    }
    targets = {}
    for table, (X, y, epochs) in tables.items():
        epochs = 5 if arguments.quick else epochs
        searches, best = searches_of(epochs), {}
        run(searches["skreg CV"], X, y)  # compiles

        def note(name, searches=searches, best=best, X=X, y=y):
            best[name] = run(searches[name], X, y)

        runs = {name: lambda name=name, note=note: note(name) for name in searches}
        fewer = {"scikeras": 1, "MLPClassifier": 1}
        seconds = median_seconds(interleaved(runs, 1 if arguments.quick else 3, fewer=fewer))
        seconds["scikeras"] = seconds["scikeras"] * len(DROPOUTS) * len(L2S)
        base = seconds["skreg CV"][0]
        print(f"{table}, {epochs} epochs, batch 32, 240 networks, no refit; scikeras measured with")
        print(
            "one candidate and scaled to 48, in one process; MLPClassifier has 48 strengths of L2"
        )
        print("and two processes, whose CPU time is not seen; the others have two threads\n")
        rows = [
            [name, *pair, pair[1] / pair[0] / 2, pair[0] / base, best[name]]
            for name, pair in seconds.items()
        ]
        columns = ["wall, s", "CPU, s", "cores busy", "ratio", "best log loss"]
        print_table(["search", *columns], rows)
        ratio = {name: pair[0] / base for name, pair in seconds.items()}
        targets |= {
            f"{table}: times as fast as scikeras": (ratio["scikeras"], ">=", 80, True),
            f"{table}: as MLPClassifier, 2 jobs": (ratio["MLPClassifier"], ">=", 7, True),
            f"{table}: as our GridSearchCV, 2 threads": (
                ratio["skreg GridSearchCV"],
                ">=",
                1,
                True,
            ),
            f"{table}: halving": (1 / ratio["skreg CV, halving"], ">=", 2.5, True),
            f"{table}: cores busy": (seconds["skreg CV"][1] / base / 2, ">=", 0.9),
            f"{table}: best log loss differs from GridSearchCV's by": (
                abs(best["skreg GridSearchCV"] - best["skreg CV"]),
                "<=",
                1e-12,
            ),
        }
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
