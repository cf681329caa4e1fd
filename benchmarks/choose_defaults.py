"""How the defaults of the networks were chosen: one parameter at a time, over many tables.

Untuned networks are trained on the data frames of a folder, as in bench_quality.py. A stage varies
one or two parameters, and leaves all others at their defaults. Printed is the mean over tables of
log(loss / the linear model's loss), clipped at +-0.7, with its standard error; the largest one; and
the seconds of all fits. On many rows networks are so much better that all are clipped: with
`--against defaults` losses are relative to those of the defaults.

    python benchmarks/choose_defaults.py --data FOLDER --stage STAGE [--numbers] [--least ROWS]
        [--rows ROWS] [--splits N] [--texts] [--against MODEL]
"""

from __future__ import annotations

import argparse
import functools
import warnings
from pathlib import Path

import numpy as np
from _measure import print_table
from _models import make_linear, make_skreg
from _tables import read_tables
from bench_quality import KINDS, name_kind, score
from joblib import Parallel, delayed

from skreg._data.epochs import MIN_EPOCHS, choose_batch_size

# By stage: values of parameters. "c" is the l2 strength times the rows, "steps" gives max_iter.
STAGES = {
    "l2": [{"c": c, "dropout": p} for p in (0.15, 0.3) for c in (1, 2, 4, 6, 8)],
    "l2 of numbers": [{"c": c, "dropout": p} for p in (0.0, 0.05, 0.1) for c in (0.3, 1, 3, 10)],
    "dropout": [{"dropout": p} for p in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)],
    "steps": [{"steps": n} for n in (300, 500, 700, 1000, 1400, 2000, 3000, 4000, 6000)],
    "epochs": [{"max_iter": n} for n in (4, 8, 12, 16, 25, 50)],
    "rates": [{"learning_rate_init": rate} for rate in (2e-3, 3e-3, 5e-3, 1e-2, 1.5e-2)],
    "schedules": [
        {"learning_rate": name, "learning_rate_init": rate}
        for name in ("constant", "cosine")
        for rate in (1e-3, 2e-3, 5e-3)
    ],
    "rates of linear models": [
        {"hidden_layer_sizes": (), "learning_rate_init": rate}
        for rate in (5e-3, 0.01, 0.02, 0.03, 0.05)
    ],
    "beta_2": [{"beta_2": beta} for beta in (0.95, 0.99, 0.999)],
    "batches": [{"batch_size": b} for b in (32, 64, 128, 256)],
    "encodings": [
        {"numerical_encoding": name, **changes}
        for name in (None, "piecewise", "periodic")
        for changes in ({}, {"c": 1}, {"c": 2}, {"c": 4}, {"c": 6}, {"c": 10}, {"c": 12})
    ],
    "activations": [{"activation": name} for name in ("tanh", "gelu", "silu")],
    "input dropout": [{"input_dropout": p} for p in (0.05, 0.1)],
    "widths": [{"hidden_layer_sizes": h} for h in ((64, 32), (256, 128), (128, 128, 64), ())],
}
_CLIP = 0.7


def has_more_texts(frame) -> bool:
    """Whether most columns become indicators."""
    return len(frame.select_dtypes(exclude="number").columns) > len(frame.columns) / 2


def make_network(is_classes, frame, *, values):
    """Return a network with the parameters of a stage."""
    values = dict(values)
    if "c" in values:
        values["l2"] = values.pop("c") / len(frame)
    if "steps" in values:
        steps_per_epoch = -(-len(frame) // choose_batch_size(len(frame)))
        values["max_iter"] = max(MIN_EPOCHS, -(-values.pop("steps") // steps_per_epoch))
    return make_skreg(is_classes, frame, **values)


def make_models(stage: str) -> dict:
    """Return the models by name."""
    models = {"linear": make_linear, "defaults": make_skreg}
    for values in STAGES[stage]:
        name = ", ".join(f"{name}={value}" for name, value in values.items())
        models[name] = functools.partial(make_network, values=values)
    return models


def measure(models, against, frame, y, is_classes, n_splits) -> tuple[np.ndarray, np.ndarray]:
    """Return the clipped mean log ratio of each model to that of the name, and its seconds."""
    warnings.simplefilter("ignore")
    found = [
        [score(make_model, frame, y, is_classes, split)[::2] for split in range(n_splits)]
        for make_model in models.values()
    ]
    losses, seconds = np.moveaxis(np.array(found), -1, 0)
    logs = np.log(losses)
    ratios = (logs - logs[list(models).index(against)]).mean(axis=1)
    return ratios.clip(-_CLIP, _CLIP), seconds.sum(axis=1)


def main():
    """Print a table for each kind of task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--least", type=int, default=0, help="least rows of a table")
    parser.add_argument("--rows", type=int, default=4000, help="most rows of a table")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--numbers", action="store_true", help="tables of numbers, not of classes")
    parser.add_argument("--against", choices=("linear", "defaults"), default="linear")
    parser.add_argument("--texts", action="store_true", help="tables of more texts than numbers")
    arguments = parser.parse_args()
    models = make_models(arguments.stage)
    tables = [
        table
        for table in read_tables(arguments.data, arguments.rows)
        if table[3] != arguments.numbers and len(table[1]) >= arguments.least
        if has_more_texts(table[1]) or not arguments.texts
    ]
    measured = Parallel(arguments.jobs)(
        delayed(measure)(models, arguments.against, frame, y, is_classes, arguments.splits)
        for _, frame, y, is_classes in tables
    )
    ratios, seconds = np.moveaxis(np.array(measured), 1, 0)
    kinds = np.array([name_kind(y, is_classes) for _, _, y, is_classes in tables])
    for kind in KINDS:
        of_kind = ratios[kinds == kind]
        if len(of_kind):
            error = of_kind.std(axis=0, ddof=1) / np.sqrt(max(len(of_kind), 2))
            columns = of_kind.mean(axis=0), error, of_kind.max(axis=0)
            rows = zip(models, *columns, seconds[kinds == kind].sum(axis=0), strict=True)
            print(f"{kind}, {len(of_kind)} tables")
            print_table(["", "log ratio", "error", "largest", "seconds"], list(map(list, rows)))


if __name__ == "__main__":
    main()
