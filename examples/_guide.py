"""Helpers of the guide's scripts: tables, splits and printing.

Public tables come from OpenML through scikit-learn, which caches them, or from a local folder of
`.csv.gz` files with a column `target` and an `index.json`, a list of
`{"name": ..., "file": ...}`; only these need pandas. The smoke test uses tables of scikit-learn
and needs no download.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from _comparison import download
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.model_selection import train_test_split

# name -> id at openml.org
PUBLIC = {
    "sonar": 40,
    "ionosphere": 59,
    "pima_diabetes": 37,
    "german_credit": 31,
    "credit_approval": 29,
    "blood_transfusion": 1464,
    "eucalyptus": 188,
    "vowel": 307,
    "cmc": 23,
    "segment": 36,
    "splice": 46,
    "spambase": 44,
    "phoneme": 1489,
    "pendigits": 32,
}
BUILT_IN = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}
POOL = 70_000  # rows of the drawn problem
NAMES_OF_ROWS = [
    "Instance_name",
    "Speaker_Number",
    "Train_or_Test",
]  # columns that name rows, in splice and vowel


# -- tables ------------------------------------------------------------------------------------


def public_tables(folder=None, quick=False):
    """Yield (name, X, y) of the public tables, in quick mode of tables of scikit-learn."""
    if quick:
        for name, load in BUILT_IN.items():
            yield name, *load(return_X_y=True)
        return
    files = files_of(Path(folder)) if folder else {}
    for name, number in PUBLIC.items():
        frame, target = from_folder(files, name) if folder else from_openml(name, number)
        yield name, encoded(frame), np.unique(target, return_inverse=True)[1]


def files_of(folder):
    """Return the paths of the tables of a folder, by name."""
    try:
        index = json.loads((folder / "index.json").read_text())
    except OSError as error:
        raise SystemExit(f"--data {folder}: cannot read its index.json: {error}") from error
    return {entry["name"]: folder / entry["file"] for entry in index}


def from_folder(files, name):
    """Return columns and target of a table of a folder."""
    if name not in files:
        raise SystemExit(f"The folder's index.json has no table {name!r}; it has {sorted(files)}.")
    import pandas as pd

    frame = pd.read_csv(files[name])
    return frame, frame.pop("target").astype(str)


def from_openml(name, number):
    """Return columns and target of a table of OpenML, which is cached."""
    table = download(fetch_openml, name, data_id=number, as_frame=True)
    return table.data, table.target.astype(str)


def encoded(frame):
    """Return numbers with medians in place of missing values, and one-hot encoded categories.

    Medians and categories are those of the whole table. They do not depend on the target.
    """
    import pandas as pd

    frame = frame.drop(columns=NAMES_OF_ROWS, errors="ignore")
    numbers = frame.select_dtypes("number").astype(float)
    numbers = numbers.fillna(numbers.median())
    categories = frame.drop(columns=numbers.columns).astype(object)
    if categories.shape[1]:
        numbers = numbers.join(pd.get_dummies(categories, dummy_na=True, dtype=float))
    return numbers.loc[:, numbers.nunique() > 1].to_numpy()


def drawn_problem(n_columns=20, noise=0.1):
    """Return two classes in six clusters: ten informative columns, then columns of noise.

    A share `noise` of the labels is drawn again at random; half of these are wrong.
    """
    X, y = make_classification(
        POOL,
        n_columns,
        n_informative=10,
        n_redundant=0,
        n_clusters_per_class=3,
        flip_y=noise,
        shuffle=False,
        random_state=0,
    )
    order = np.random.default_rng(0).permutation(POOL)
    return X[order], y[order]


def drawn_splits(n_splits, n_train, n_test, **options):
    """Yield (X, X_test, y, y_test) of the drawn problem; the splits are disjoint."""
    X, y = drawn_problem(**options)
    for split in range(n_splits):
        start = split * (n_train + n_test)
        train, test = np.split(np.arange(start, start + n_train + n_test), [n_train])
        yield X[train], X[test], y[train], y[test]


def random_splits(X, y, n_splits, n_train, n_test):
    """Yield (X, X_test, y, y_test) of a table; the splits overlap."""
    for seed in range(n_splits):
        yield train_test_split(
            X, y, train_size=n_train, test_size=n_test, stratify=y, random_state=seed
        )


def three_tables(n_splits):
    """Return splits of the drawn problem, digits and breast cancer, some 300 training rows."""
    digits, cancer = load_digits(return_X_y=True), load_breast_cancer(return_X_y=True)
    return {
        "drawn": list(drawn_splits(n_splits, 300, 1000)),
        "digits": list(random_splits(*digits, n_splits, 300, 300)),
        "breast cancer": list(random_splits(*cancer, n_splits, 284, 284)),
    }


def print_table(title, columns, rows, widths=None):
    """Print rows of strings and numbers under a title, the first column left-aligned."""
    widths = widths or [max(16, len(columns[0])), *(max(8, len(name)) for name in columns[1:])]
    print(f"\n{title}\n")
    for row in [columns, *rows]:
        cells = [cell if isinstance(cell, str) else f"{cell:.3f}" for cell in row]
        first = f"  {cells[0]:<{widths[0]}}"
        line = first + "".join(
            f" {cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True)
        )
        print(line.rstrip(), flush=True)
