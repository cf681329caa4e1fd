"""The tables of the benchmarks: made-up ones with two noisy classes, and those of a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse


def dense_table(n_rows: int, n_columns: int, seed: int = 0):
    """Return float32 normal columns, of which the first tells the class."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns), dtype=np.float32)
    return X, (X[:, 0] + rng.standard_normal(n_rows) > 0).astype(int)


def text_table(n_rows: int, n_columns: int, seed: int = 0):
    """Return CSR float32 rows, 0.1 % filled; the even columns speak for class 1."""
    rng = np.random.default_rng(seed)
    X = sparse.random(n_rows, n_columns, 0.001, format="csr", dtype=np.float32, random_state=rng)
    sides = np.where(np.arange(n_columns) % 2, -1.0, 1.0)
    return X, (X @ sides + rng.standard_normal(n_rows) > 0).astype(int)


def one_hot_table(n_rows: int, seed: int = 0):
    """Return 10 columns of 10 categories by OneHotEncoder: CSR, 100 columns, 10 ones a row."""
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(seed)
    codes = rng.integers(10, size=(n_rows, 10))
    X = OneHotEncoder(categories=[range(10)] * 10, dtype=np.float32).fit_transform(codes)
    y = codes[:, 0] - codes[:, 1] + 3 * rng.standard_normal(n_rows) > 0
    return X, y.astype(int)


def customer_table(n_rows: int = 5000, seed: int = 0):
    """Return a data frame of customers, and which 12 % of them leave.

    It has six numbers with 5 % missing, two of them heavy-tailed; categories of 2, 5, 30 and 400
    levels, the last two of unequal frequency; and a boolean.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n_rows, 6))
    # Frequencies of a city and of a product fall as 1 / rank.
    city = rng.choice(400, n_rows, p=_fall(400))
    product = rng.choice(30, n_rows, p=_fall(30))
    plan, sex = rng.integers(5, size=n_rows), rng.integers(2, size=n_rows)
    is_online = rng.random(n_rows) < 0.6
    effects = [0.8 * rng.standard_normal(size) for size in (400, 30, 5)]
    logit = sum(effect[codes] for effect, codes in zip(effects, (city, product, plan), strict=True))
    logit += 0.9 * numbers[:, 0] - 0.7 * numbers[:, 1] + 0.6 * numbers[:, 2] * numbers[:, 0]
    logit += 0.8 * np.tanh(numbers[:, 4]) + 0.6 * is_online - 0.4 * sex
    noisy = logit + rng.logistic(size=n_rows)
    y = (noisy > np.quantile(noisy, 0.88)).astype(int)
    numbers[:, 4:] = np.exp(1.5 * numbers[:, 4:])
    numbers[rng.random(numbers.shape) < 0.05] = np.nan
    names = ["age", "tenure", "visits", "distance", "revenue", "balance"]
    frame = pd.DataFrame(numbers, columns=names)
    frame["sex"] = np.array(["female", "male"])[sex]
    frame["plan"] = np.array(["free", "basic", "plus", "family", "team"])[plan]
    frame["product"] = [f"product {code}" for code in product]
    frame["city"] = [f"city {code}" for code in city]
    frame["is_online"] = is_online
    return frame, y


def _fall(n_levels: int) -> np.ndarray:
    """Return probabilities that fall as 1 / rank."""
    shares = 1 / np.arange(1, n_levels + 1)
    return shares / shares.sum()


def read_tables(folder: Path, most_rows: int):
    """Yield (name, frame, y, whether y has classes) of the tables of a folder."""
    import pandas as pd

    for entry in json.loads((folder / "index.json").read_text()):
        frame, is_classes = pd.read_csv(folder / entry["file"]), entry["task"] != "regression"
        yield entry["name"], *_sample(frame, most_rows, is_classes), is_classes


def load_tables(openml_ids: Sequence[int], most_rows: int):
    """Yield those of scikit-learn, and those of OpenML with these ids, as `read_tables` does."""
    from sklearn import datasets

    for name in ("breast_cancer", "wine", "digits", "diabetes"):
        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        yield name, *_sample(frame, most_rows, name != "diabetes"), name != "diabetes"
    for number in openml_ids:
        found = datasets.fetch_openml(data_id=number, as_frame=True)
        frame, is_classes = found.data.assign(target=found.target), found.target.dtype == "category"
        yield found.details["name"], *_sample(frame, most_rows, is_classes), is_classes


def _sample(frame, most_rows: int, is_classes: bool):
    """Return columns and target of at most so many rows, without classes of fewer than five."""
    frame = frame.sample(min(len(frame), most_rows), random_state=0)
    if is_classes:
        frame["target"] = frame["target"].astype(str)
        counts = frame["target"].value_counts()
        frame = frame[frame["target"].map(counts) >= 5]
    return frame, frame.pop("target").to_numpy()


def read_encoded_tables(folder: Path, tasks: tuple[str, ...], most_rows: int, limit: int | None):
    """Yield (name, X, y) of the tables of the tasks, encoded, imputed and at most so long."""
    import pandas as pd
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

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
