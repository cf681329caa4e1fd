"""How the defaults that are not the network's were chosen: a grid over many tables.

For each candidate (learning_rate_init, learning_rate, max_iter, batch_size) the seed network
(128, 64), dropout 0.5, l2 0.001 is cross-validated on every classification table of a folder, and
the candidates are ranked by log loss. A folder holds `index.json` (a list of tables with `name`,
`file`, `task`) and the tables as CSV with a column `target`.

    python benchmarks/choose_defaults.py --data FOLDER [--stage rates|batches] [--limit N]
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skreg import RegularizedMLPClassifier

STAGES = {
    "rates": {
        "learning_rate_init": [1e-3, 2e-3, 5e-3, 1e-2],
        "learning_rate": ["constant", "cosine"],
        "max_iter": [50, 100, 200],
        "batch_size": ["auto"],
    },
    "batches": {
        "learning_rate_init": [2e-3, 5e-3, 1e-2],
        "learning_rate": ["cosine"],
        "max_iter": [50],
        "batch_size": [16, 32, 64, 128, 256, "auto"],
    },
}


def load_tables(folder: Path, most_rows: int, limit: int | None):
    """Yield (name, X, y) of the classification tables, encoded, imputed and at most so long."""
    entries = json.loads((folder / "index.json").read_text())
    entries = [entry for entry in entries if entry["task"] in ("binary", "multiclass")]
    for entry in entries[:limit]:
        frame = pd.read_csv(folder / entry["file"])
        frame = frame.sample(min(len(frame), most_rows), random_state=0)
        counts = frame["target"].value_counts()
        frame = frame[frame["target"].map(counts) >= 3]  # one in every fold
        y = frame.pop("target").astype(str).to_numpy()
        encode = make_column_transformer(
            (SimpleImputer(), make_column_selector(dtype_include="number")),
            (
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"),
                    OneHotEncoder(min_frequency=5, handle_unknown="ignore", sparse_output=False),
                ),
                make_column_selector(dtype_exclude="number"),
            ),
        )
        yield entry["name"], encode.fit_transform(frame), y


def cross_validated(model, X, y):
    """Mean log loss and accuracy over three folds, and the seconds of their fits."""
    losses, accuracies, seconds = [], [], 0.0
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    for train, test in folds.split(X, y):
        fitted = clone(model)
        start = time.perf_counter()
        fitted.fit(X[train], y[train])
        seconds += time.perf_counter() - start
        probabilities = fitted.predict_proba(X[test])
        losses.append(log_loss(y[test], probabilities, labels=fitted.classes_))
        accuracies.append(accuracy_score(y[test], fitted.predict(X[test])))
    return np.mean(losses), np.mean(accuracies), seconds


def main():
    """Print one line a candidate, best first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stage", choices=STAGES, default="rates")
    parser.add_argument("--limit", type=int, help="use only the first so many tables")
    parser.add_argument("--rows", type=int, default=2000, help="most rows of a table")
    arguments = parser.parse_args()

    grid = STAGES[arguments.stage]
    candidates = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    results = []
    for name, X, y in load_tables(arguments.data, arguments.rows, arguments.limit):
        jobs = [
            joblib.delayed(cross_validated)(
                RegularizedMLPClassifier(random_state=0, **candidate), X, y
            )
            for candidate in candidates
        ]
        results.append(joblib.Parallel(n_jobs=2, backend="threading")(jobs))
        print(f"{name:20s} {X.shape[0]:6d} x {X.shape[1]:4d}", flush=True)
    # (tables, candidates, measures)
    scores = np.array(results)
    losses = scores[:, :, 0]
    relative = losses / losses.min(axis=1, keepdims=True)
    ranks = losses.argsort(axis=1).argsort(axis=1) + 1
    print(f"\n{len(results)} tables; loss is log loss over that of the table's best candidate\n")
    print(
        f"{'rate':>7s} {'schedule':9s} {'epochs':>6s} {'batch':>5s}"
        f" {'loss':>7s} {'rank':>5s} {'accuracy':>8s} {'seconds':>7s}"
    )
    for k in relative.mean(axis=0).argsort():
        c = candidates[k]
        print(
            f"{c['learning_rate_init']:7g} {c['learning_rate']:9s} {c['max_iter']:6d}"
            f" {c['batch_size']!s:>5s} {relative[:, k].mean():7.4f} {ranks[:, k].mean():5.1f}"
            f" {scores[:, k, 1].mean():8.4f} {scores[:, k, 2].sum():7.1f}"
        )


if __name__ == "__main__":
    main()
