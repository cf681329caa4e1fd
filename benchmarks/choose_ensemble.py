"""How the ensemble was chosen: what its candidates and its selection are worth.

The candidates of the default search are trained on 75 % of the rows of each table of a folder.
Their held-out predictions and those of the other rows are recorded once. Ensembles are then
selected without some of the candidates, or in another way. Printed are the mean over tables of
log(loss / the default ensemble's loss) on the other rows, its standard error, and the largest one.

With --larger, networks twice as wide and networks trained three times as long are tried beside
those of the default search, which is for tables of 10,000 rows and more.

    python benchmarks/choose_ensemble.py --data FOLDER [--rows N] [--every N]
        [--tables NAME ...] [--larger]
"""

from __future__ import annotations

import argparse
import threading
import warnings
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from _measure import print_header, print_table
from _models import make_search
from _tables import read_tables
from bench_quality import KINDS, name_kind
from sklearn.model_selection import train_test_split

from skreg._model_selection.ensemble import select_greedily

ENCODED: dict = {"numerical_encoding": ["piecewise", "periodic"]}
DEFAULT_KINDS: list[dict] = [{"hidden_layer_sizes": [()]}, ENCODED]
LARGER = (256, 128)
LONGER = 99  # epochs; "auto" is 33 for the 6,000 rows of a network if the table has 10,000
LARGER_KINDS = [ENCODED | {"hidden_layer_sizes": [LARGER]}, ENCODED | {"max_iter": [LONGER]}]
N_FOLDS = 5


def name_network(model) -> str:
    """Return what kind of network it is."""
    if not model.hidden_layer_sizes:
        return "linear"
    larger = ", larger" if model.hidden_layer_sizes == LARGER else ""
    return model.numerical_encoding + larger + (", longer" if model.max_iter == LONGER else "")


def record(is_classes: bool, frame, y, split: int, kinds: list[dict]):
    """Return candidates, held-out and test predictions, and both targets.

    Predictions of classes are the probability of the right one.
    """
    stratify = y if is_classes else None
    parts = train_test_split(frame, y, test_size=0.25, random_state=split, stratify=stratify)
    train, test, y_train, y_test = parts
    train = train.reset_index(drop=True)
    unit = 1.0 if is_classes else y_train.std()
    targets = (y_train, y_test) if is_classes else (y_train / unit, y_test / unit)
    found: dict = {}
    lock = threading.Lock()

    def predict(model, X, y):
        if not is_classes:
            return np.asarray(model.predict(X), np.float64)
        codes = np.searchsorted(model.classes_, y)
        return model.predict_proba(X)[np.arange(len(y)), codes].astype(np.float64)

    def score(model, X, y):
        name, of_fold = (name_network(model), model.dropout, model.l2), predict(model, X, y)
        of_test = predict(model, test, targets[1]) / N_FOLDS
        with lock:  # networks train in threads
            held_out, on_test = found.setdefault(name, (np.empty(len(train)), np.zeros(len(test))))
            held_out[X.index] = of_fold
            on_test += of_test
        return model.score(X, y)

    options = {"candidates": kinds, "refit": False, "scoring": score}
    make_search(is_classes, train, **options).fit(train, targets[0])
    held_out, on_test = (np.array(part) for part in zip(*found.values(), strict=True))
    return list(found), held_out, on_test, targets


def compute_loss(predictions, targets, is_classes: bool):
    """Return the log loss, or the mean squared error."""
    if is_classes:
        return -np.log(np.maximum(predictions, 1e-15)).mean(axis=-1)
    return ((predictions - targets) ** 2).mean(axis=-1)


# -- selections, from held-out losses and targets to weights -----------------------------------


def select_one_by_one(held_out, targets, is_classes: bool, n_picks: int = 25) -> np.ndarray:
    """Return the weights of the greedy selection."""
    losses = compute_loss(held_out, targets, is_classes)

    def score(counts):
        return -compute_loss(counts / counts.sum() @ held_out, targets, is_classes)

    order = range(len(losses))
    return select_greedily(score, len(losses), int(losses.argmin()), order, n_picks).weights


def select_on_halves(held_out, targets, is_classes: bool, n_repeats: int = 20) -> np.ndarray:
    """Return the mean of the weights of greedy selections on random halves of the rows."""
    rng, n_rows = np.random.default_rng(0), held_out.shape[1]
    halves = (rng.permutation(n_rows)[: n_rows // 2] for _ in range(n_repeats))
    weights = [select_one_by_one(held_out[:, h], targets[h], is_classes) for h in halves]
    return np.mean(weights, axis=0)


def take_best(held_out, targets, is_classes: bool, n_best: int = 1) -> np.ndarray:
    """Return equal weights of the best candidates."""
    order = np.argsort(compute_loss(held_out, targets, is_classes))
    return np.isin(np.arange(len(order)), order[:n_best]) / n_best


SELECTIONS = {
    "greedy, 25 picks": select_one_by_one,
    "greedy, 10 picks": partial(select_one_by_one, n_picks=10),
    "greedy, 50 picks": partial(select_one_by_one, n_picks=50),
    "greedy on 20 halves of the rows": select_on_halves,
    "the best candidate": take_best,
    "the mean of the best five": partial(take_best, n_best=5),
}


# -- pools, from (kind, dropout, index of the strength) to whether a candidate is in -----------

# The first one, "all", is what others are compared with.
LARGER_POOLS = {
    "all": lambda kind, dropout, index: "," not in kind,
    "with larger networks": lambda kind, dropout, index: not kind.endswith("longer"),
    "with longer training": lambda kind, dropout, index: not kind.endswith("larger"),
    "with both": lambda kind, dropout, index: True,
    "larger networks instead": lambda kind, dropout, index: kind.endswith(("linear", "larger")),
    "longer training instead": lambda kind, dropout, index: kind.endswith(("linear", "longer")),
}
POOLS = {
    "all": lambda encoding, dropout, index: True,
    "no linear models": lambda encoding, dropout, index: encoding != "linear",
    "no piecewise": lambda encoding, dropout, index: encoding != "piecewise",
    "no periodic": lambda encoding, dropout, index: encoding != "periodic",
    "no dropout": lambda encoding, dropout, index: not dropout,
    "dropout 0.3 only": lambda encoding, dropout, index: encoding == "linear" or dropout,
    "without the weakest strength": lambda encoding, dropout, index: index > 0,
    "without the strongest one": lambda encoding, dropout, index: index < 4,
    "strengths alternate with dropout": lambda encoding, dropout, index: (
        encoding == "linear" or index % 2 == bool(dropout)
    ),
}


def index_strengths(candidates) -> list[tuple]:
    """Return encoding, dropout, and the index of the strength among those of both."""
    strengths: dict = {}
    for encoding, dropout, l2 in candidates:
        strengths.setdefault((encoding, dropout), []).append(l2)
    return [(e, d, sorted(strengths[e, d]).index(l2)) for e, d, l2 in candidates]


def compare(candidates, held_out, on_test, targets, is_classes, pools) -> dict[str, float]:
    """Return the logarithm of the loss on the other rows for each selection and each pool."""
    train, test = targets
    if is_classes:
        train, test = np.arange(len(train)), np.arange(len(test))  # the right class is known
    losses = {}
    indices = index_strengths(candidates)
    for name, is_in in pools.items():
        chosen = [k for k, index in enumerate(indices) if is_in(*index)]
        for how, select in SELECTIONS.items():
            if name != "all" and how != "greedy, 25 picks":
                continue
            weights = select(held_out[chosen], train, is_classes)
            loss = compute_loss(weights @ on_test[chosen], test, is_classes)
            losses[how if name == "all" else name] = np.log(loss) / (1 if is_classes else 2)
    return losses


def main():
    """Print a table for each kind of task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=4000, help="most rows of a table")
    parser.add_argument("--every", type=int, default=1, help="use only every so many tables")
    parser.add_argument("--tables", nargs="+", help="use only these")
    parser.add_argument("--larger", action="store_true", help="try larger networks, more epochs")
    arguments = parser.parse_args()
    print_header("What is in an ensemble?")
    warnings.simplefilter("ignore")
    kinds = DEFAULT_KINDS + (LARGER_KINDS if arguments.larger else [])
    pools = LARGER_POOLS if arguments.larger else POOLS
    found: dict[str, list] = {kind: [] for kind in KINDS}
    tables = read_tables(arguments.data, arguments.rows)
    for name, frame, y, is_classes in islice(tables, None, None, arguments.every):
        if arguments.tables and name not in arguments.tables:
            continue
        recorded = record(is_classes, frame, y, split=0, kinds=kinds)
        compared = compare(*recorded, is_classes, pools)
        found[name_kind(y, is_classes)].append(compared)
        print(name, flush=True)
    for kind, tables in found.items():
        if not tables:
            continue
        print(f"{kind}, {len(tables)} tables")
        rows = []
        for name in tables[0]:
            differences = np.array([table[name] - table["greedy, 25 picks"] for table in tables])
            error = differences.std(ddof=1) / np.sqrt(len(differences))
            rows.append([name, differences.mean(), error, differences.max()])
        print_table(["", "log ratio", "error", "largest"], rows)


if __name__ == "__main__":
    main()
