"""Tables of the examples and of the guide, and their splits.

Public tables come from OpenML through scikit-learn, which caches them, or from a local folder of
`.csv.gz` files with a column `target` and an `index.json`, a list of
`{"name": ..., "file": ...}`; these and the customers need pandas. The smoke test uses
tables of scikit-learn and needs no download.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

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


# -- of files and of OpenML


class Table(NamedTuple):
    """Rows, their classes, and groups that must not be on both sides of a split."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None


def read_table(folder, name):
    """Read NAME.csv.gz, which has a column `target`, perhaps one `group`, and numbers."""
    path = Path(folder) / f"{name}.csv.gz"
    if not path.exists():
        raise SystemExit(f"There is no {path}. --data takes a folder with {path.name} in it.")
    cells = np.loadtxt(path, dtype=str, delimiter=",", comments=None)
    columns = dict(zip(cells[0], cells[1:].T, strict=True))
    y, groups = columns.pop("target"), columns.pop("group", None)
    return Table(np.array(list(columns.values()), dtype=float).T, y, groups)


def download(fetch, name, **options):
    """Return `fetch(**options)`, or exit with a message about `--data`."""
    try:
        return fetch(**options)
    except (OSError, ValueError) as error:
        raise SystemExit(
            f"{fetch.__name__} of {options} failed: {error!r}\n"
            f"Without a network, --data FOLDER reads {name}.csv.gz from a local folder."
        ) from error


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


# -- made up


def stand_in(n_rows, n_columns, n_classes, n_groups=None):
    """Generate a table with as many columns, classes and groups as the real one."""
    options = {"n_informative": 8, "n_classes": n_classes, "random_state": 0}
    X, y = make_classification(n_rows, n_columns, **options)
    groups = None if n_groups is None else np.arange(n_rows) % n_groups
    return Table(X, y.astype(str), groups)


def make_customers(n_rows, seed=0):
    """Return a data frame of customers, and whether each of them left."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "months": rng.gamma(2.0, 12.0, n_rows).round(),
            "price": rng.lognormal(3.0, 0.4, n_rows).round(2),
            "calls": rng.poisson(2.0, n_rows).astype(float),
            "revenue": rng.lognormal(5.0, 1.2, n_rows).round(2),
            "plan": rng.choice(["basic", "family", "team"], n_rows, p=[0.6, 0.3, 0.1]),
            "product": [f"product {k}" for k in rng.geometric(0.15, n_rows).clip(max=25)],
            "city": [f"city {k}" for k in rng.geometric(0.03, n_rows).clip(max=120)],
            "online": rng.random(n_rows) < 0.6,
        }
    )
    of_city, of_product = rng.normal(0, 0.7, 121), rng.normal(0, 0.5, 26)
    city = frame["city"].str.removeprefix("city ").astype(int)
    product = frame["product"].str.removeprefix("product ").astype(int)
    logit = of_city[city] + of_product[product] - 0.5 * frame["online"]
    logit += 1.5 * np.exp(-frame["months"] / 10) + 0.5 * np.abs(frame["calls"] - 2)
    logit += np.where(frame["plan"] == "basic", 1.0, -0.3) * (frame["price"] - 20) / 8
    noisy = logit + rng.logistic(size=n_rows)
    left = (noisy > np.quantile(noisy, 0.85)).astype(int)
    for name in ("months", "price", "revenue", "city"):
        frame.loc[rng.random(n_rows) < 0.06, name] = None
    return frame, left.to_numpy()


def noisy_tables(n_rows):
    """Return X and y of diabetes, and of two made-up tables whose noise depends on a column."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(n_rows, 5))
    wave = np.sin(2 * np.pi * X[:, 0]) + X[:, 1] + (0.1 + X[:, 2]) * rng.exponential(size=n_rows)
    steps = np.floor(4 * X[:, 0]) + (0.1 + X[:, 1]) * rng.standard_t(3, size=n_rows)
    return {
        "diabetes": load_diabetes(return_X_y=True),
        "waves, skewed noise": (X, wave),
        "steps, heavy tails": (X, steps),
    }


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


def linear_splits(n_splits, n_train, n_test=5000):
    """Return splits whose classes follow a logistic regression, and its mean test loss."""
    splits, losses = [], []
    for seed in range(n_splits):
        generator = np.random.default_rng(seed)
        X = generator.normal(size=(n_train + n_test, 20))
        truth = expit(X @ generator.normal(scale=0.5, size=20))
        y = (generator.random(len(X)) < truth).astype(int)
        splits.append((X[:n_train], X[n_train:], y[:n_train], y[n_train:]))
        losses.append(log_loss(y[n_train:], truth[n_train:]))
    return splits, np.mean(losses)


def three_tables(n_splits):
    """Return splits of the drawn problem, digits and breast cancer, some 300 training rows."""
    digits, cancer = load_digits(return_X_y=True), load_breast_cancer(return_X_y=True)
    return {
        "drawn": list(drawn_splits(n_splits, 300, 1000)),
        "digits": list(random_splits(*digits, n_splits, 300, 300)),
        "breast cancer": list(random_splits(*cancer, n_splits, 284, 284)),
    }


def separate_splits(y, n_splits, n_train):
    """Return splits that share no row, so their scores are independent."""
    blocks = StratifiedKFold(n_splits, shuffle=True, random_state=0).split(y, y)
    return [
        train_test_split(block, train_size=n_train, stratify=y[block], random_state=number)
        for number, (_, block) in enumerate(blocks)
    ]
