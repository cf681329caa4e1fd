"""(b) How long does GridSearchCV take? Breast cancer, 8 candidates x 5 folds, in every peer."""

from __future__ import annotations

import time

import joblib
import numpy as np
from _measure import check_targets, interleaved, parse_arguments, print_header, print_table
from _peers import L2, scikeras_network, sklearn_network, skreg_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold

DROPOUTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
L2S = list(L2 * 10.0 ** np.linspace(-3, 1, 8))


def search_of(model, grid, splits, X, y, n_jobs=1):
    search = GridSearchCV(model, grid, cv=splits, scoring="neg_log_loss", refit=False)
    search.set_params(n_jobs=n_jobs)
    with joblib.parallel_config(backend="threading"):
        search.fit(X, y)
    return -search.cv_results_["mean_test_score"].max()


def scikeras_subset(epochs, splits, X, y, dropouts):
    """Fit and score the first fold of a few candidates; return the seconds of each."""
    seconds = []
    train, test = splits[0]
    for dropout in dropouts:
        model = clone(scikeras_network(epochs, dropout))
        start = time.perf_counter()
        model.fit(X[train], y[train])
        log_loss(y[test], model.predict_proba(X[test]))
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)


def main():
    """Print the table of the searches."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    X, y = load_breast_cancer(return_X_y=True)
    epochs = 10 if arguments.quick else 100
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    n_fits = len(DROPOUTS) * len(splits)
    best = {}

    def run(name, *search):
        best[name] = search_of(*search)

    ours = skreg_network(epochs)
    theirs = sklearn_network(epochs)
    grid, alphas = {"dropout": DROPOUTS}, {"mlpclassifier__alpha": [64 * l2 for l2 in L2S]}
    start = time.perf_counter()
    run("skreg, 1 thread", ours, grid, splits, X, y)
    cold = time.perf_counter() - start
    seconds = interleaved(
        {
            "skreg, 1 thread": lambda: run("skreg, 1 thread", ours, grid, splits, X, y),
            "skreg, 2 threads": lambda: run("skreg, 2 threads", ours, grid, splits, X, y, 2),
            "MLPClassifier": lambda: run("MLPClassifier", theirs, alphas, splits, X, y),
        },
        1 if arguments.quick else 3,
    )
    medians = {name: np.median(pairs, axis=0) for name, pairs in seconds.items()}
    measured = DROPOUTS[:1] if arguments.quick else DROPOUTS[::3]
    fits = scikeras_subset(epochs, splits, X, y, measured)
    name = f"scikeras, from {len(fits)} fits"
    medians[name] = np.array([np.median(fits) * n_fits, np.nan])
    best[name] = np.nan
    base = medians["skreg, 1 thread"][0]
    print(
        f"{n_fits} fits; the very first search, TensorFlow's import and compiling included,"
        f" took {cold:.1f} s"
    )
    print("scikeras is extrapolated from its median fit; too few folds for a mean log loss\n")
    print_table(
        ["search", "wall, s", "CPU, s", "ratio", "best log loss"],
        [[name, *medians[name], medians[name][0] / base, best[name]] for name in medians],
    )
    check_targets(
        {
            "times as fast as MLPClassifier": (medians["MLPClassifier"][0] / base, ">=", 4),
            "times as fast as scikeras": (medians[name][0] / base, ">=", 25),
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
