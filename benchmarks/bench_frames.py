"""Data frames: preparing a million rows, and predicting one row.

Preparing is timed beside OrdinalEncoder and StandardScaler for the same columns, with everything
that a fit does to a frame before its training: checks, levels, medians, equal rows, statistics and
the table that the program reads. One row is predicted beside HistGradientBoostingClassifier.

    python benchmarks/bench_frames.py [--quick] [--check]
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from _measure import (
    check_targets,
    interleaved,
    median_seconds,
    parse_arguments,
    print_header,
    print_table,
)
from _tables import customer_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from skreg import RegularizedMLPClassifier
from skreg._estimators.fit import make_job, prepare_fit, read_settings


def make_wide_frame(n_rows: int, seed: int = 0):
    """Return a frame of 40 numbers and 10 columns of strings, and two classes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.standard_normal((n_rows, 40)), columns=[f"n{k}" for k in range(40)])
    for k, n_levels in enumerate((2, 3, 5, 8, 10, 20, 30, 40, 100, 400)):
        levels = np.array([f"level {code}" for code in range(n_levels)], dtype=object)
        frame[f"c{k}"] = levels[rng.integers(n_levels, size=n_rows)]
    return frame, (frame["n0"] > 0).to_numpy().astype(int)


def prepare(frame, y):
    """Do what a fit does before its training."""
    model = RegularizedMLPClassifier(random_state=0)
    make_job(prepare_fit(model, model._make_request(frame, y), read_settings(model)))


def encode_and_scale(frame):
    """Do what scikit-learn does with the same columns."""
    text = frame.columns.str.startswith("c")
    OrdinalEncoder().fit_transform(frame.loc[:, text])
    StandardScaler().fit_transform(frame.loc[:, ~text])


def make_categories(customers):
    """Return the frame as HistGradientBoosting takes it: categories, of 255 levels at most."""
    frequent = customers["city"].value_counts().index[:254]
    customers = customers.assign(city=customers["city"].where(customers["city"].isin(frequent)))
    text = customers.columns[customers.dtypes.map(pd.api.types.is_string_dtype)]
    return customers.astype(dict.fromkeys(text, "category"))


def main():
    """Print both ratios."""
    arguments = parse_arguments(__doc__.splitlines()[0])
    n_rows, repeats = (20_000, 1) if arguments.quick else (1_000_000, 3)
    print_header("How fast are data frames?")
    warnings.simplefilter("ignore")
    frame, y = make_wide_frame(n_rows)
    prepared = {"skreg": lambda: prepare(frame, y), "peers": lambda: encode_and_scale(frame)}
    customers, leaves = customer_table()
    typed = make_categories(customers)
    network = RegularizedMLPClassifier(random_state=0).fit(customers, leaves)
    trees = HistGradientBoostingClassifier(random_state=0).fit(typed, leaves)
    predicted = {
        "skreg": lambda: network.predict_proba(customers.iloc[:1]),
        "peers": lambda: trees.predict_proba(typed.iloc[:1]),
    }
    rows, targets = [], {}
    for what, runs, count in (
        (f"prepare {n_rows:,} rows", prepared, repeats),
        ("predict one row", predicted, 100 * repeats),
    ):
        seconds = median_seconds(interleaved(runs, count))
        (ours, our_cpu), (peers, cpu) = seconds["skreg"], seconds["peers"]
        rows.append([what, 1e3 * ours, 1e3 * our_cpu, 1e3 * peers, 1e3 * cpu, ours / peers])
        targets[what] = (ours / peers, "<=", 3.0, True)
    print_table(["milliseconds", "skreg", "CPU", "scikit-learn", "CPU", "ratio"], rows)
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
