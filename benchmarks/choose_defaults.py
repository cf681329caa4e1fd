"""How the defaults that are not the network's were chosen: a grid over many tables.

The network (128, 64) is cross-validated on every table of a folder with each candidate of a stage,
and the candidates are ranked by their loss: log loss for classes (stages rates and batches, at
dropout 0.5 and l2 0.001), 1 - R^2 for numbers (stage regression). A folder holds `index.json` (a
list of tables with `name`, `file`, `task`) and the tables as CSV with a column `target`.

    python benchmarks/choose_defaults.py --data FOLDER [--stage STAGE] [--limit N]
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
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

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
    "regression": {
        "dropout": [0.0, 0.05, 0.1, 0.25, 0.5],
        "l2": [1e-4, 1e-3],
        "max_iter": [50, 200],
    },
}


def load_tables(folder: Path, tasks: tuple[str, ...], most_rows: int, limit: int | None):
    """Yield (name, X, y) of the tables of the tasks, encoded, imputed and at most so long."""
    entries = json.loads((folder / "index.json").read_text())
    entries = [entry for entry in entries if entry["task"] in tasks]
    for entry in entries[:limit]:
        frame = pd.read_csv(folder / entry["file"])
        frame = frame.sample(min(len(frame), most_rows), random_state=0)
        if entry["task"] != "regression":
            counts = frame["target"].value_counts()
            frame = frame[frame["target"].map(counts) >= 3]  # one in every fold
            frame["target"] = frame["target"].astype(str)
        y = frame.pop("target").to_numpy()
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
    """Mean loss and score over three folds, and the seconds of their fits."""
    losses, scores, seconds = [], [], 0.0
    classes = isinstance(model, RegularizedMLPClassifier)
    folds = (StratifiedKFold if classes else KFold)(3, shuffle=True, random_state=0)
    for train, test in folds.split(X, y):
        fitted = clone(model)
        start = time.perf_counter()
        fitted.fit(X[train], y[train])
        seconds += time.perf_counter() - start
        scores.append(fitted.score(X[test], y[test]))
        if classes:
            probabilities = fitted.predict_proba(X[test])
            losses.append(log_loss(y[test], probabilities, labels=fitted.classes_))
        else:
            losses.append(1 - scores[-1])
    return np.mean(losses), np.mean(scores), seconds


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
    numbers = arguments.stage == "regression"
    estimator = RegularizedMLPRegressor if numbers else RegularizedMLPClassifier
    tasks = ("regression",) if numbers else ("binary", "multiclass")
    results = []
    for name, X, y in load_tables(arguments.data, tasks, arguments.rows, arguments.limit):
        jobs = [
            joblib.delayed(cross_validated)(estimator(random_state=0, **candidate), X, y)
            for candidate in candidates
        ]
        results.append(joblib.Parallel(n_jobs=2, backend="threading")(jobs))
        print(f"{name:20s} {X.shape[0]:6d} x {X.shape[1]:4d}", flush=True)
    # (tables, candidates, measures)
    scores = np.array(results)
    losses = scores[:, :, 0]
    relative = losses / losses.min(axis=1, keepdims=True)
    ranks = losses.argsort(axis=1).argsort(axis=1) + 1
    print(f"\n{len(results)} tables; loss is over that of the table's best candidate\n")
    columns = [*grid, "loss", "rank", "score", "seconds"]
    print(" ".join(f"{name:>13.13s}" for name in columns))
    for k in relative.mean(axis=0).argsort():
        cells = [
            *map(str, candidates[k].values()),
            f"{relative[:, k].mean():.4f}",
            f"{ranks[:, k].mean():.1f}",
            f"{scores[:, k, 1].mean():.4f}",
            f"{scores[:, k, 2].sum():.1f}",
        ]
        print(" ".join(f"{cell:>13s}" for cell in cells))


if __name__ == "__main__":
    main()
