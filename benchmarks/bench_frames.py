"""Data frames: preparing a million rows, and predicting one row.

Preparing is timed beside OrdinalEncoder and StandardScaler for the same columns, with everything
that a fit does to a frame before its training: checks, levels, medians, equal rows, statistics and
the table that the program reads. One row is predicted beside HistGradientBoostingClassifier.

    python benchmarks/bench_frames.py [--rows N] [--repeats N] [--check]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
import pandas as pd
from _measure import check_targets, print_header, print_table
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


def time_call(function, *arguments, repeats: int) -> float:
    """Return the median seconds of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    print_header("How fast are data frames?")
    warnings.simplefilter("ignore")
    frame, y = make_wide_frame(arguments.rows)
    ours = time_call(prepare, frame, y, repeats=arguments.repeats)
    peers = time_call(encode_and_scale, frame, repeats=arguments.repeats)
    customers, leaves = customer_table()
    typed = make_categories(customers)
    network = RegularizedMLPClassifier(random_state=0).fit(customers, leaves)
    trees = HistGradientBoostingClassifier(random_state=0).fit(typed, leaves)
    one = 100 * arguments.repeats
    ours_one = time_call(network.predict_proba, customers.iloc[:1], repeats=one)
    trees_one = time_call(trees.predict_proba, typed.iloc[:1], repeats=one)
    rows = [
        [f"prepare {arguments.rows:,} rows, s", ours, peers, ours / peers],
        ["predict one row, ms", 1e3 * ours_one, 1e3 * trees_one, ours_one / trees_one],
    ]
    print_table(["", "skreg", "scikit-learn", "ratio"], rows)
    targets = {
        "preparing, times OrdinalEncoder and StandardScaler": (ours / peers, "<=", 3.0),
        "one row, times HistGradientBoosting": (ours_one / trees_one, "<=", 3.0),
    }
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
