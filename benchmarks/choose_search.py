"""How the defaults of the searching estimators were chosen, and what each of their choices gains.

A third of every table is held out; the rest is searched. Stage grids: networks of a wide grid are
trained once, and grids within it are compared by what the winner by loss, or by score, has on the
held-out rows. Stage choices: the default grid with each `search`, `refit` and early stopping.

    python benchmarks/choose_search.py --data FOLDER [--stage STAGE] [--choices NAME ...]
        [--regression] [--limit N] [--tables NAME ...] [--rows N]
"""

from __future__ import annotations

import argparse
import pickle
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from _measure import print_table
from _tables import read_encoded_tables
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV, one_standard_error

WIDE = {
    "dropouts": [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8],
    "l2s": [0.0, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
}
GRIDS = {
    "the network's 0.5, 0.001": ([0.5], [1e-3]),
    "2 x 2": ([0.0, 0.5], [1e-4, 1e-2]),
    "3 x 3": ([0.0, 0.2, 0.5], [1e-4, 1e-3, 1e-2]),
    "3 x 4": ([0.0, 0.2, 0.5], [1e-5, 1e-4, 1e-3, 1e-2]),
    "4 x 3": ([0.0, 0.2, 0.4, 0.6], [1e-4, 1e-3, 1e-2]),
    "4 x 4": ([0.0, 0.2, 0.4, 0.6], [1e-5, 1e-4, 1e-3, 1e-2]),
    "4 x 4, low": ([0.0, 0.1, 0.2, 0.4], [1e-5, 1e-4, 1e-3, 1e-2]),
    "4 x 4, high": ([0.0, 0.2, 0.4, 0.6], [1e-4, 1e-3, 1e-2, 3e-2]),
    "5 x 4": ([0.0, 0.1, 0.2, 0.4, 0.6], [1e-4, 1e-3, 1e-2, 3e-2]),
    "wide, dropout alone": (WIDE["dropouts"], [0.0]),
    "wide, L2 alone": ([0.0], WIDE["l2s"]),
    "wide, 9 x 8": (WIDE["dropouts"], WIDE["l2s"]),
}
CHOICES = {
    "grid": {},
    "halving": {"search": "halving"},
    "one standard error": {"refit": one_standard_error},
    "folds": {"refit": "folds"},
    "folds, halving": {"refit": "folds", "search": "halving"},
    "early stopping": {"early_stopping": True},
    "early stopping, folds": {"early_stopping": True, "refit": "folds"},
    "early stopping on the fold, folds": {"early_stopping": "fold", "refit": "folds"},
    "ensemble": {"refit": "ensemble"},
    "ensemble, halving": {"refit": "ensemble", "search": "halving"},
    "early stopping, ensemble": {"early_stopping": True, "refit": "ensemble"},
    "early stopping on the fold, ensemble": {"early_stopping": "fold", "refit": "ensemble"},
}


def measured(model, X, y):
    """Loss and score of a fitted model, numbers: 1 - R^2 and R^2."""
    if hasattr(model, "classes_"):
        probabilities = model.predict_proba(X)
        loss = log_loss(y, probabilities, labels=model.classes_)
        return loss, accuracy_score(y, model.classes_[probabilities.argmax(axis=1)])
    score = r2_score(y, model.predict(X))
    return 1 - score, score


def of_grids(kind, train, test):
    """Of each grid and criterion: loss and score on the held-out rows of its winner."""

    def both(model, X, y):
        names = "loss", "score", "held_out_loss", "held_out_score"
        return dict(zip(names, (*measured(model, X, y), *measured(model, *test)), strict=True))

    search = kind(**WIDE, scoring=both, refit=False, n_jobs=2, random_state=0).fit(*train)
    mean = {name: scores.mean(axis=2) for name, scores in search.scores_.items()}
    found = {}
    for name, (dropouts, l2s) in GRIDS.items():
        place = np.ix_(
            [WIDE["dropouts"].index(dropout) for dropout in dropouts],
            [WIDE["l2s"].index(l2) for l2 in l2s],
        )
        loss, score = (mean[f"held_out_{what}"][place].ravel() for what in ("loss", "score"))
        for criterion, sign in (("loss", -1), ("score", 1)):
            winner = (sign * mean[criterion][place]).argmax()
            of_search = -1.0, -1.0, 0.0, 0.0, 0.0  # those of `of_choices`, not measured
            found[f"{name}, by {criterion}"] = [loss[winner], score[winner], *of_search]
    return found


def of_choices(kind, train, test, names):
    """Of each choice: loss and score on the held-out rows, two scores, seconds, MB and seconds.

    The scores are the mean of the winner over the folds, and that of the ensemble if there is one.
    Then come the seconds of the fit, the size of a pickle, and the seconds to predict 1,000 rows.
    """
    rows = np.resize(np.arange(len(test[0])), 1000)
    found = {}
    for name, options in ((name, CHOICES[name]) for name in names):
        start = time.perf_counter()
        model = kind(n_jobs=2, random_state=0, **options).fit(*train)
        seconds = time.perf_counter() - start
        best = model.cv_results_["mean_test_score"][model.best_index_]
        own = model.ensemble_scores_[-1] if options.get("refit") == "ensemble" else best
        size, start = len(pickle.dumps(model)) / 2**20, time.perf_counter()
        model.predict(test[0][rows])
        predicting = time.perf_counter() - start
        found[name] = [*measured(model, *test), best, own, seconds, size, predicting]
    return found


def main():
    """Print one line a grid or choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stage", choices=["grids", "choices"], default="grids")
    parser.add_argument("--choices", nargs="*", choices=CHOICES, default=list(CHOICES))
    parser.add_argument("--regression", action="store_true", help="numbers instead of classes")
    parser.add_argument("--limit", type=int, help="use only the first so many tables")
    parser.add_argument("--tables", nargs="+", help="use only these")
    parser.add_argument("--rows", type=int, default=2000, help="most rows of a table")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    tasks = ("regression",) if arguments.regression else ("binary", "multiclass")
    kind = RegularizedMLPRegressorCV if arguments.regression else RegularizedMLPClassifierCV
    measure = of_grids
    if arguments.stage == "choices":
        measure = partial(of_choices, names=arguments.choices)
    tables = []
    for name, X, y in read_encoded_tables(arguments.data, tasks, arguments.rows, arguments.limit):
        if arguments.tables and name not in arguments.tables:
            continue
        X, X_test, y, y_test = train_test_split(
            X, y, test_size=1 / 3, random_state=0, stratify=None if arguments.regression else y
        )
        tables.append(measure(kind, (X, y), (X_test, y_test)))
        print(f"{name:20s} {X.shape[0]:6d} x {X.shape[1]:4d}", flush=True)
    numbers = np.array([[table[name] for name in tables[0]] for table in tables])
    relative = numbers[:, :, 0] / numbers[:, :, 0].min(axis=1, keepdims=True)
    # Of the winner's mean score over folds, minus the loss: what the first line's is better by.
    missed = 100 * (numbers[:, :, 2] / numbers[:, :1, 2] - 1)
    # By how much the score of the search itself, minus the loss, is below the loss of new rows,
    # more than that of the first line.
    flattered = np.log(numbers[:, :, 0] / -numbers[:, :, 3])
    flattered = 100 * (flattered - flattered[:, :1])
    print(f"\n{len(tables)} tables; loss is over that of the table's best line\n")
    columns = relative, numbers[:, :, 1], missed, flattered
    rows = [
        [
            name,
            *(column[:, k].mean() for column in columns),
            numbers[:, k, 4].sum(),
            numbers[:, k, 5].mean(),
            1000 * np.median(numbers[:, k, 6]),
        ]
        for k, name in enumerate(tables[0])
    ]
    names = ["line", "loss", "score", "% missed", "% flattered", "s", "MB", "ms of 1,000 rows"]
    print_table(names, rows)


if __name__ == "__main__":
    main()
