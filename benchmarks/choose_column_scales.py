"""How columns are scaled: rules for indicators and for columns of mostly zeros, compared.

Each table is encoded with one indicator a level (at most 40 a column), and its columns are centred
and scaled by each rule with the statistics of the training rows. One network without scaling of its
own is trained on each, with l2 = c / n for several c. Printed is the mean over splits of the log
loss (numbers: root mean squared error) less that of standardising, as a difference of logarithms,
for the best c of each rule on the same rows. Beside the tables of a folder: docstrings as tf-idf
rows, whose class is their package, and the made-up customers with one indicator a city.

    python benchmarks/choose_column_scales.py --data FOLDER [--rows N] [--splits N]
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import print_table
from _tables import customer_table, read_tables
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)
PACKAGES = ("numpy", "scipy.stats", "sklearn.metrics", "pandas", "tensorflow", "os", "asyncio")


# -- rules: from the values of a column to its center and scale ----------------------------------


def standardise(x):
    """Mean and standard deviation."""
    return x.mean(), x.std()


def two_valued(x):
    """Two values become 0 and 1; other columns are standardised."""
    low, high = x.min(), x.max()
    if not np.isin(x, (low, high)).all():
        return standardise(x)
    return (low if (x == low).mean() >= 0.5 else high), high - low


def _mode(x):
    """The one of zero, the smallest and the largest value that half of the rows have, or None."""
    for value in (0.0, x.min(), x.max()):
        if (x == value).mean() >= 0.5:
            return value
    return None


def zero_deviation(x):
    """Two values become 0 and 1. Columns of mostly zeros are not centred."""
    mode = _mode(x)
    if mode != 0 or np.isin(x, (x.min(), x.max())).all():
        return two_valued(x)
    return mode, x.std()


def zero_floor(x):
    """The same, or a tenth of the largest absolute value if that is more."""
    center, scale = zero_deviation(x)
    return center, max(scale, np.abs(x).max() / 10) if _mode(x) == 0 else scale


def zero_rms(x):
    """The same, with the root mean square of what is not zero."""
    mode = _mode(x)
    if mode != 0 or np.isin(x, (x.min(), x.max())).all():
        return two_valued(x)
    return mode, np.sqrt((x[x != 0] ** 2).mean())


def zero_range(x):
    """The same, with the largest absolute value."""
    mode = _mode(x)
    if mode != 0 or np.isin(x, (x.min(), x.max())).all():
        return two_valued(x)
    return mode, np.abs(x).max()


def mode_rms(x):
    """The value of half of the rows, and the root mean square distance of the other rows."""
    mode = _mode(x)
    if mode is None:
        return standardise(x)
    others = x[x != mode] - mode
    return mode, np.sqrt((others**2).mean())


RULES = [standardise, two_valued, zero_deviation, zero_floor, zero_rms, zero_range, mode_rms]


# -- tables ------------------------------------------------------------------------------------


def read_docstrings():
    """Return paragraphs of docstrings, and the package of each."""
    texts, labels = [], []
    for name in PACKAGES:
        module, found = importlib.import_module(name), []
        for _, member in sorted(vars(module).items(), key=lambda item: item[0]):
            text = inspect.getdoc(member) if callable(member) else None
            found += [part for part in (text or "").split("\n\n") if len(part) > 60]
        texts += found[:400]
        labels += [name] * len(found[:400])
    return texts, np.array(labels)


def encode(train, test):
    """Return both frames as numbers: medians and one indicator a level."""
    transform = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(max_categories=40, handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return transform.fit_transform(train), transform.transform(test)


# -- measuring ---------------------------------------------------------------------------------


def make_settings(strength: float, n_rows: int) -> dict:
    """Return the parameters of a network of about a thousand steps."""
    return {
        "dropout": 0.15,
        "l2": strength / n_rows,
        "learning_rate_init": 0.01,
        "beta_2": 0.99,
        "max_iter": max(8, -(-1000 // max(1, n_rows // 64))),
        "numerical_encoding": None,
        "random_state": 0,
    }


def measure(train, test, y_train, y_test, is_classes: bool) -> np.ndarray:
    """Return the loss of each rule (rows) and strength (columns)."""
    losses, known = np.empty((len(RULES), len(STRENGTHS))), {}
    if all((rule(column) == standardise(column)) for rule in RULES for column in train.T):
        return np.ones_like(losses)
    for row, rule in enumerate(RULES):
        center, scale = np.array([rule(column) for column in train.T]).T
        scale = np.where(scale > 1e-12 * np.abs(center), scale, np.inf)
        key = center.tobytes() + scale.tobytes()
        if key in known:
            losses[row] = losses[known[key]]
            continue
        known[key] = row
        with np.errstate(all="ignore"):
            X, X_test = (train - center) / scale, np.clip((test - center) / scale, -1e6, 1e6)
        for column, strength in enumerate(STRENGTHS):
            settings = make_settings(strength, len(X)) | {"standardize": False}
            if is_classes:
                model = RegularizedMLPClassifier(**settings).fit(X, y_train)
                probabilities = model.predict_proba(X_test)
                losses[row, column] = log_loss(y_test, probabilities, labels=model.classes_)
            else:
                unit = y_train.std()
                model = RegularizedMLPRegressor(**settings).fit(X, y_train / unit)
                error = model.predict(X_test) - y_test / unit
                losses[row, column] = np.sqrt((error**2).mean())
    return losses


def measure_table(name, rows, y, is_classes, n_splits: int):
    """Return the name and the mean difference of logarithms, of each rule and strength."""
    warnings.simplefilter("ignore")
    logs = []
    for split in range(n_splits):
        strata = y if is_classes else None
        parts = train_test_split(rows, y, test_size=0.25, random_state=split, stratify=strata)
        train, test, y_train, y_test = parts
        if isinstance(rows, list):  # texts
            words = TfidfVectorizer(min_df=3, max_features=2000)
            train, test = words.fit_transform(train), words.transform(test)
        elif isinstance(rows, pd.DataFrame):
            train, test = encode(train, test)
        if sparse.issparse(train):
            train, test = train.toarray(), test.toarray()
        logs.append(np.log(measure(train, test, y_train, y_test, is_classes)))
    return name, np.mean(logs, axis=0)


def main():
    """Print a line for each table and rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=3000, help="most rows of a table")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    customers, leaves = customer_table()
    # One indicator a city, as a OneHotEncoder without a limit makes them.
    cities = pd.get_dummies(customers["city"], prefix="city", dtype=float)
    wide = pd.concat([customers.drop(columns="city"), cities], axis=1)
    wide["is_online"] = wide["is_online"].astype(float)
    tables = [("customers", wide, leaves, True), ("docstrings", *read_docstrings(), True)]
    tables += read_tables(arguments.data, arguments.rows)
    results = Parallel(arguments.jobs, return_as="generator")(
        delayed(measure_table)(*table, arguments.splits) for table in tables
    )
    lines = []
    for name, logs in results:
        gains = logs.min(axis=1) - logs[0].min()
        best = [STRENGTHS[index] for index in logs.argmin(axis=1)]
        lines.append([name, *gains])
        print(
            name, *(f"{gain:+.3f} ({c})" for gain, c in zip(gains, best, strict=True)), flush=True
        )
    values = np.array([line[1:] for line in lines])
    differ = np.abs(values[:, : len(RULES)]).max(axis=1) > 0
    for label, chosen in (("all", slice(None)), ("where rules differ", differ)):
        lines.append([f"mean, {label}", *values[chosen].mean(axis=0)])
    print_table(["table", *(rule.__name__ for rule in RULES)], lines)


if __name__ == "__main__":
    main()
