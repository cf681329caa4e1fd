"""The made-up tables of the benchmarks of scaling, memory and sparse tables: two noisy classes."""

from __future__ import annotations

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
