"""Which levels of a category have a column of their own, and whether target statistics help.

Networks of one kind with l2 = c / n are trained on frames with categories. First, levels of less
than a share of the weight are put together, for several shares. Then a column of more than 40
levels is replaced by its smoothed target statistics (TargetEncoder, out of fold), or has both.
Printed is the log loss (numbers: root mean squared error) for the best c of each, as difference of
logarithms to that of no least share and no target statistics, with its standard error over splits.

    python benchmarks/choose_levels.py --data FOLDER [--rows N] [--splits N]
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import print_table
from _tables import customer_table, read_tables
from choose_column_scales import make_settings
from joblib import Parallel, delayed
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import TargetEncoder

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._data import columns

STRENGTHS = (1.0, 3.0, 10.0)
SHARES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02)
MANY = 40


def score(train, test, y_train, y_test, is_classes: bool) -> float:
    """Return the logarithm of the loss with the best strength."""
    losses = []
    for strength in STRENGTHS:
        settings = make_settings(strength, len(train))
        if is_classes:
            model = RegularizedMLPClassifier(**settings).fit(train, y_train)
            losses.append(log_loss(y_test, model.predict_proba(test), labels=model.classes_))
        else:
            model = RegularizedMLPRegressor(**settings).fit(train, y_train)
            losses.append(np.sqrt(((model.predict(test) - y_test) ** 2).mean()))
    return np.log(min(losses))


def add_target_statistics(train, test, y_train, is_classes: bool, keep: bool):
    """Return frames with target statistics, out of fold in training; None without many levels."""
    text = [name for name in train if not pd.api.types.is_numeric_dtype(train[name])]
    many = [name for name in text if train[name].nunique() > MANY]
    if not many:
        return None
    kind = "continuous" if not is_classes else "binary" if len(set(y_train)) == 2 else "multiclass"
    encoder = TargetEncoder(target_type=kind, random_state=0)
    parts = encoder.fit_transform(train[many], y_train), encoder.transform(test[many])
    frames = []
    for frame, part in zip((train, test), parts, strict=True):
        added = pd.DataFrame(part, index=frame.index).add_prefix("target_")
        frames.append(pd.concat([frame if keep else frame.drop(columns=many), added], axis=1))
    return frames


def measure(name, frame, y, is_classes, n_splits):
    """Return the differences of logarithms, of each split."""
    warnings.simplefilter("ignore")
    rows = []
    for split in range(n_splits):
        strata = y if is_classes else None
        parts = train_test_split(frame, y, test_size=0.25, random_state=split, stratify=strata)
        train, test, y_train, y_test = parts
        logs = []
        for share in SHARES:
            columns._MIN_SHARE = share
            logs.append(score(train, test, y_train, y_test, is_classes))
        columns._MIN_SHARE = 0.0
        for keep in (False, True):
            frames = add_target_statistics(train, test, y_train, is_classes, keep)
            logs.append(score(*frames, y_train, y_test, is_classes) if frames else np.nan)
        rows.append(np.array(logs) - logs[0])
    return name, np.array(rows)


def main():
    """Print a line for each table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=4000, help="most rows of a table")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    tables = [(f"customers {seed}", *customer_table(seed=seed), True) for seed in range(3)]
    for name, frame, y, is_classes in read_tables(arguments.data, arguments.rows):
        text = frame.select_dtypes(exclude="number")
        if text.shape[1] and text.nunique().max() > 4:
            tables.append((name, frame, y, is_classes))
    results = Parallel(arguments.jobs, return_as="generator")(
        delayed(measure)(*table, arguments.splits) for table in tables
    )
    lines, means = [], []
    for name, differences in results:
        mean = differences.mean(axis=0)
        error = differences.std(axis=0, ddof=1) / np.sqrt(len(differences))
        pairs = zip(mean, error, strict=True)
        lines.append([name, *(f"{m:+.3f} ({e:.3f})" for m, e in pairs)])
        print(*lines[-1], flush=True)
        means.append(mean)
    lines.append(["mean", *(f"{mean:+.4f}" for mean in np.nanmean(means, axis=0))])
    names = [f"share {share:g}" for share in SHARES]
    print_table(["table", *names, "target statistics", "beside levels"], lines)


if __name__ == "__main__":
    main()
