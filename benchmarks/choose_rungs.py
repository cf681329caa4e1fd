"""How halving's rungs were chosen: what each pair of rungs misses of the grid's best score.

The scores of all candidates are recorded at several epochs on every fold; pairs of rungs (epoch,
folds, share of the candidates that stay) are then played on the records, with the folds in several
orders, since which come first is chance and decides more than the rungs do. What is missed is the
best mean score less the best of those that are left, in % of the best; the cost is in epochs, as a
share of the grid's, as a mean over tables and over their rows. A pair is also judged by its
neighbours, whose first rung is two epochs earlier or later.

    python benchmarks/choose_rungs.py --data FOLDER [--limit N] [--rows N]
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from pathlib import Path

import joblib
import numpy as np
import sklearn
from _measure import print_table
from _tables import read_encoded_tables
from choose_search import measured
from sklearn.model_selection import StratifiedKFold, train_test_split

from skreg import RegularizedMLPClassifier
from skreg._model_selection import halving
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.folds import Fold
from skreg._model_selection.halving import (
    HALVING,
    Rung,
    RungShares,
    count_epochs,
    count_trainings,
    plan_rungs,
)
from skreg._model_selection.search import Search

EPOCHS = [10, 12, 14, 16, 18, 20, 25, 32, 36, 40, 50]
N_FOLDS = 5
DROPOUTS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
L2S = [1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2]
# By the number of candidates, places in DROPOUTS and in L2S.
GRIDS = {
    16: ([0, 2, 4, 6], [1, 2, 4, 5]),
    24: ([0, 2, 4, 6], [0, 1, 2, 3, 4, 5]),
    25: ([0, 1, 3, 5, 7], [0, 1, 2, 4, 5]),
    48: (range(8), range(6)),
}
# Of first and second rungs: epoch, share of the folds, share that stays; and the rows that folds
# have to score.
FIRST = list(itertools.product([12, 14, 16, 18], [0.0, 0.4], [0.3, 0.35, 0.4, 0.5]))
SECOND = list(itertools.product([25, 32, 36, 40], [0.6, 1.0], [0.1, 0.13, 0.16, 0.2]))
ROWS = [100, 150, 200]
# All pairs of folds come first once, each fold twice.
ORDERS = [(first + step * np.arange(N_FOLDS)) % N_FOLDS for first in range(5) for step in (1, 2)]


def score_and_loss(model, X, y):
    """Both, greater is better."""
    loss, score = measured(model, X, y)
    return {"loss": -loss, "score": score}


def recorded(X, y):
    """Scores of shape (epochs, dropouts, l2s, folds, 2)."""
    candidates = [Candidate(*values) for values in itertools.product(DROPOUTS, L2S)]
    network = RegularizedMLPClassifier(random_state=0)
    splits = StratifiedKFold(N_FOLDS).split(X, y)
    folds = [Fold(network, X, y, y, *split, None, score_and_loss, {}) for split in splits]
    rungs = [Rung(epoch / EPOCHS[-1], tuple(range(N_FOLDS)), len(candidates)) for epoch in EPOCHS]
    scores = np.full((len(EPOCHS), len(candidates), N_FOLDS, 2), np.nan)

    def on_result(fold, candidate, result):
        scores[EPOCHS.index(result.n_epochs), candidate, fold] = list(result.scores.values())

    Search(
        folds,
        candidates,
        rungs,
        lambda found: found["loss"],
        keep_networks=False,
        n_jobs=2,
        memory=joblib.Memory(None),
        config=sklearn.get_config(),
    ).run(on_result)
    return scores.reshape(len(EPOCHS), len(DROPOUTS), len(L2S), N_FOLDS, 2)


def of_grid(scores, places, metric):
    """The records of one grid and metric, of shape (epochs, candidates, folds)."""
    return scores[:, *np.ix_(*places)][..., metric].reshape(len(EPOCHS), -1, N_FOLDS)


def missed(scores, rungs):
    """What rungs miss of the best, in % and as a mean over the orders of folds."""
    last = scores[-1].mean(axis=1)
    percent = []
    for order in ORDERS:
        alive = np.arange(scores.shape[1])
        for rung in rungs[:-1]:
            seen = scores[EPOCHS.index(count_epochs(rung.share, EPOCHS[-1])), alive][
                :, order[: len(rung.folds)]
            ]
            ranked = np.argsort(-seen.mean(axis=1), kind="stable")
            alive = np.sort(alive[ranked[: rung.n_survivors]])
        percent.append(100 * (last.max() - last[alive].max()) / (abs(last.max()) or 1.0))
    return np.mean(percent)


def played(pair, least_rows, tables):
    """Of every grid and table: % of the best loss and score missed, and the cost."""
    halving.MIN_ROWS = least_rows
    stages = [RungShares(epoch / EPOCHS[-1], folds, survivors) for epoch, folds, survivors in pair]
    found = np.empty((len(GRIDS), len(tables), 3))
    for (k, places), (m, (scores, n_rows)) in itertools.product(
        enumerate(GRIDS.values()), enumerate(tables)
    ):
        n = len(places[0]) * len(places[1])
        rungs = plan_rungs(n, [n_rows // N_FOLDS] * N_FOLDS, EPOCHS[-1], stages)
        loss, score = (missed(of_grid(scores, places, metric), rungs) for metric in (0, 1))
        found[k, m] = loss, score, count_trainings(rungs, n) / (n * N_FOLDS)
    return found


def lines_of(tables):
    """One line for every pair of rungs and number of rows, by these."""
    weight = np.array([n_rows for _, n_rows in tables], dtype=float)
    keys = list(itertools.product(FIRST, SECOND, ROWS))
    found = {key: played(key[:2], key[2], tables) for key in keys}
    lines = {}
    for (epoch, *rest), second, rows in keys:
        here = found[(epoch, *rest), second, rows]
        near = [found.get(((epoch + shift, *rest), second, rows)) for shift in (-2, 0, 2)]
        around = np.mean([values for values in near if values is not None], axis=(0, 1, 2))
        name = f"{epoch} {rest}, {second}, {rows}".translate(str.maketrans("", "", "[]()"))
        by_rows = np.average(here[..., 2].mean(axis=0), weights=weight)
        loss, score, cost = here.mean(axis=(0, 1))
        grids = here[..., 0].mean(axis=1)
        lines[(epoch, *rest), second, rows] = [
            *(name, cost, by_rows, loss, score, around[0], around[1], *grids)
        ]
    return lines


def main():
    """Print the rungs that are used and the ten pairs of a third of the cost that miss least."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="use only the first so many tables")
    parser.add_argument("--rows", type=int, default=2000, help="most rows of a table")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    pair = ((round(s.epochs * EPOCHS[-1]), s.folds, s.survivors) for s in HALVING)
    used = (*pair, halving.MIN_ROWS)
    tables = []
    for name, X, y in read_encoded_tables(
        arguments.data, ("binary", "multiclass"), arguments.rows, arguments.limit
    ):
        X, _, y, _ = train_test_split(X, y, test_size=1 / 3, random_state=0, stratify=y)
        tables.append((recorded(X, y), len(X)))
        print(f"{name:20s} {X.shape[0]:6d} x {X.shape[1]:4d}", flush=True)
    lines = lines_of(tables)
    best = sorted((line for line in lines.values() if line[1] <= 1 / 3), key=lambda line: line[5])
    print(f"\n{len(tables)} tables, {len(lines)} pairs of rungs: epoch, folds, what stays; rows\n")
    columns = ["cost", "by rows", "loss", "score", "loss around", "score around"]
    columns += [f"loss {n}" for n in GRIDS]
    print_table(["rungs", *columns], [lines[used], *best[:10]])


if __name__ == "__main__":
    main()
