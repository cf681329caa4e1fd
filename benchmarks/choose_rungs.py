"""How halving's rungs were chosen: what each pair of rungs misses of the grid's best score.

The scores of all candidates are recorded at several epochs on every fold; pairs of rungs (share of
the epochs, of the folds, of the candidates that stay) are then played on the records, with the
folds in several orders, since which come first is chance and decides more than the rungs do. What
is missed is the best mean score less the best of those that are left, in % of the best.

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
from choose_defaults import load_tables
from choose_search import measured
from sklearn.model_selection import StratifiedKFold, train_test_split

from skreg import RegularizedMLPClassifier
from skreg._search import HALVING, Candidate, Fold, Rung, Search

EPOCHS = [5, 7, 10, 12, 15, 20, 25, 30, 32, 35, 40, 50]
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
EPOCHS_OF_RUNGS, FOLDS_OF_RUNGS = [5, 7, 10, 12, 15, 20, 25, 30, 35, 40], [1, 2, 3, 5]
SHARES = [0.1, 0.15, 0.2, 0.3, 0.4, 0.5]
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
    folds = [Fold(network, X, y, *split, None, score_and_loss, {}) for split in splits]
    rungs = [Rung(epoch, tuple(range(N_FOLDS)), len(candidates)) for epoch in EPOCHS]
    scores = np.full((len(EPOCHS), len(candidates), N_FOLDS, 2), np.nan)

    def told(fold, candidate, result):
        scores[EPOCHS.index(result.n_epochs), candidate, fold] = list(result.scores.values())

    Search(
        folds,
        candidates,
        rungs,
        lambda found: found["loss"],
        keep=False,
        n_jobs=2,
        memory=joblib.Memory(None),
        config=sklearn.get_config(),
        told=told,
    ).run()
    return scores.reshape(len(EPOCHS), len(DROPOUTS), len(L2S), N_FOLDS, 2)


def missed_and_cost(scores, rungs):
    """What rungs miss of the best, in %, and their cost as a share of the grid's.

    `scores` has the shape (epochs, candidates, folds); a rung is the place of its epoch, its folds
    and the share of the candidates that stay.
    """
    n_candidates = scores.shape[1]
    alive, reached = np.arange(n_candidates), np.zeros((n_candidates, N_FOLDS))
    for epoch, n_folds, stays in rungs:
        reached[alive, :n_folds] = EPOCHS[epoch]
        order = np.argsort(-scores[epoch, alive, :n_folds].mean(axis=1), kind="stable")
        alive = np.sort(alive[order[: max(1, round(stays * n_candidates))]])
    reached[alive] = EPOCHS[-1]
    last = scores[-1].mean(axis=1)
    best = last.max()
    missed = 100 * (best - last[alive].max()) / abs(best) if best else 0.0
    return missed, reached.sum() / (n_candidates * N_FOLDS * EPOCHS[-1])


def pairs_of_rungs():
    """Pairs that cost a quarter to a third of the grid."""
    one = list(itertools.product(map(EPOCHS.index, EPOCHS_OF_RUNGS), FOLDS_OF_RUNGS, SHARES))
    nothing = np.zeros((len(EPOCHS), len(DROPOUTS) * len(L2S), N_FOLDS))
    for first, second in itertools.product(one, one):
        goes_on = second[0] >= first[0] and second[1] >= first[1] and second[:2] != first[:2]
        if goes_on and second[2] < first[2]:
            if 0.25 < missed_and_cost(nothing, (first, second))[1] <= 1 / 3:
                yield first, second


def of_grid(scores, places, metric):
    """The records of one grid and metric, of shape (epochs, candidates, folds)."""
    return scores[:, *np.ix_(*places)][..., metric].reshape(len(EPOCHS), -1, N_FOLDS)


def line_of(rungs, tables):
    """Name, cost, and what is missed on average of each grid's loss and score."""
    name = ", ".join(f"{EPOCHS[e] / EPOCHS[-1]:.2f} {n}/5 {stays:.2f}" for e, n, stays in rungs)
    missed, cost = [], 0.0
    for metric, places in itertools.product((0, 1), GRIDS.values()):
        of_tables = [
            missed_and_cost(of_grid(scores, places, metric)[..., order], rungs)
            for scores, order in itertools.product(tables, ORDERS)
        ]
        missed.append(float(np.mean([m for m, _ in of_tables])))
        cost = of_tables[0][1]
    return [name, cost, *missed]


def main():
    """Print the rungs that are used and the ten pairs that miss least."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="use only the first so many tables")
    parser.add_argument("--rows", type=int, default=2000, help="most rows of a table")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = []
    for name, X, y in load_tables(
        arguments.data, ("binary", "multiclass"), arguments.rows, arguments.limit
    ):
        X, _, y, _ = train_test_split(X, y, test_size=1 / 3, random_state=0, stratify=y)
        tables.append(recorded(X, y))
        print(f"{name:20s} {X.shape[0]:6d} x {X.shape[1]:4d}", flush=True)
    used = tuple(
        (EPOCHS.index(round(epochs * EPOCHS[-1])), round(folds * N_FOLDS), stays)
        for epochs, folds, stays in HALVING
    )
    lines = [line_of(rungs, tables) for rungs in pairs_of_rungs()]
    lines.sort(key=lambda line: sum(line[2:]))
    print(f"\n{len(tables)} tables, {len(lines)} pairs; a rung is epochs, folds, what stays\n")
    columns = [f"{metric} {n}" for metric in ("loss", "score") for n in GRIDS]
    print_table(["rungs", "cost", *columns], [line_of(used, tables), *lines[:10]])


if __name__ == "__main__":
    main()
