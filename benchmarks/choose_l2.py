"""What `l2="auto"` is: c / n for several c and dropouts, beside the defaults and linear models.

Untuned networks are trained on the data frames of a folder, as in bench_quality.py. Printed is the
mean over tables of log(loss / the linear model's loss), clipped at +-0.7, with its standard error,
and the largest one.

    python benchmarks/choose_l2.py --data FOLDER [--rows N] [--splits N] [--numbers]
"""

from __future__ import annotations

import argparse
import functools
import warnings
from pathlib import Path

import numpy as np
from _measure import print_table
from _tables import read_tables
from bench_quality import KINDS, make_linear, make_skreg, name_kind, score
from joblib import Parallel, delayed

STRENGTHS = {"classes": (1.0, 2.0, 4.0, 6.0, 8.0), "numbers": (0.3, 1.0, 3.0, 10.0)}
DROPOUTS = {"classes": (0.15, 0.3), "numbers": (0.0, 0.05, 0.1)}
_CLIP = 0.7


def make_network(is_classes, frame, *, strength, dropout):
    """Return a network with l2 = strength / rows."""
    return make_skreg(is_classes, frame, l2=strength / len(frame), dropout=dropout)


def make_models(task: str) -> dict:
    """Return the models by name; the first one is the linear one."""
    models = {"linear": make_linear, "defaults": make_skreg}
    for dropout in DROPOUTS[task]:
        for strength in STRENGTHS[task]:
            name = f"{strength:g} / n, dropout {dropout:g}"
            models[name] = functools.partial(make_network, strength=strength, dropout=dropout)
    return models


def measure(models, frame, y, is_classes, n_splits) -> np.ndarray:
    """Return the clipped mean log ratio of each model to the first one."""
    warnings.simplefilter("ignore")
    logs = [
        [np.log(score(make_model, frame, y, is_classes, split)[0]) for split in range(n_splits)]
        for make_model in models.values()
    ]
    return (np.array(logs) - logs[0]).mean(axis=1).clip(-_CLIP, _CLIP)


def main():
    """Print a table for each kind of task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1500, help="most rows of a table")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--numbers", action="store_true", help="tables of numbers, not of classes")
    arguments = parser.parse_args()
    models = make_models("numbers" if arguments.numbers else "classes")
    tables = [
        table
        for table in read_tables(arguments.data, arguments.rows)
        if table[3] != arguments.numbers
    ]
    ratios = np.array(
        Parallel(2)(
            delayed(measure)(models, frame, y, is_classes, arguments.splits)
            for _, frame, y, is_classes in tables
        )
    )
    kinds = np.array([name_kind(y, is_classes) for _, _, y, is_classes in tables])
    for kind in KINDS:
        of_kind = ratios[kinds == kind]
        if len(of_kind):
            error = of_kind.std(axis=0, ddof=1) / np.sqrt(len(of_kind))
            columns = zip(models, of_kind.mean(axis=0), error, of_kind.max(axis=0), strict=True)
            print(f"{kind}, {len(of_kind)} tables")
            print_table(["", "log ratio", "error", "largest"], [list(row) for row in columns])


if __name__ == "__main__":
    main()
