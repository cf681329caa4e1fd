"""Sparse tables: the compiled products, the same network as from dense rows, and cost."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers import compute_mask_numpy, make_job
from scipy import sparse
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import KBinsDiscretizer

import skreg._data.tables as tables_module
from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._data.rows import merge_rows
from skreg._data.tables import CSRTable, DenseTable, choose_csr_chunk, make_training_rows
from skreg._engine.trainer import train
from skreg._nn.dropout import compute_threshold
from skreg._nn.sparse_inputs import SparseInputs, SparseTensors
from skreg._tensorflow import tensorflow


def random_csr(n, d, density=0.1, seed=0):
    X = sparse.random_array((n, d), density=density, rng=np.random.default_rng(seed), format="csr")
    X.data -= 0.5
    return X


def skewed_csr():
    """Rows of 0 to 8 non-zeros and one of 900."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 9, size=60)
    lengths[7] = 900
    indices = np.concatenate([rng.choice(1000, size, replace=False) for size in lengths])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_array((rng.normal(size=len(indices)), indices, indptr), shape=(60, 1000))


def tensors(X):
    tf = tensorflow()
    return SparseTensors(
        tf.constant(X.indptr.astype(np.int32)),
        tf.constant(X.indices.astype(np.int32)),
        tf.constant(X.data.astype(np.float32)),
    )


@pytest.mark.parametrize("k", [1, 4, 16])
@pytest.mark.parametrize("make", [lambda: random_csr(60, 1000, 0.02), skewed_csr])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_products_equal_those_of_the_dense_rows(make, k, size):
    tf = tensorflow()
    X, rng = make(), np.random.default_rng(1)
    rows = rng.integers(0, 60, size=size).astype(np.int32)  # with repetitions
    kernel = rng.normal(size=(1000, 5)).astype(np.float32)
    delta = rng.normal(size=(size, 5)).astype(np.float32)

    @tf.function(jit_compile=True)
    def products(rows):
        batch = SparseInputs(1000, k).make_batch(tensors(X), rows)
        return batch.matmul(tf.constant(kernel)), batch.matmul_transposed(tf.constant(delta))

    forward, backward = products(tf.constant(rows))
    dense = X[rows].toarray()
    np.testing.assert_allclose(forward, dense @ kernel, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(backward, dense.T @ delta, rtol=1e-4, atol=1e-4)


def test_dropout_of_sparse_inputs_is_the_mask_of_dense_ones():
    tf = tensorflow()
    X = random_csr(20, 50, 0.3)
    keep = compute_mask_numpy((20, 50), (3, 4), 5, 0, compute_threshold(0.4))
    flat = tf.constant(keep.ravel())
    batch = SparseInputs(50, 4).make_batch(
        tensors(X), tf.range(20), lambda at: tf.gather(flat, tf.cast(at, tf.int32)), 1 / 0.6
    )
    got = batch.matmul(tf.eye(50))
    np.testing.assert_allclose(got, np.where(keep, X.toarray() / 0.6, 0), rtol=1e-5)


CASES = [{}, {"input_dropout": 0.3}, {"hidden_layer_sizes": ()}, {"solver": "sgd"}]


def train_on_rows(X, dense_share, monkeypatch, y):
    """Train on the same rows, held as CSR or as dense ones."""
    monkeypatch.setattr(tables_module, "_DENSE_SHARE", dense_share)
    merged = merge_rows(X, y, None)
    rows = make_training_rows(
        X,
        y[:, None].astype(np.float32),
        merged,
        None,
        None,
        choose_csr_chunk(X, merged, None, None),
    )
    job = make_job(hidden=(12, 8), input_dropout=0.3, dropout=(0.5, 0.2), max_iter=20)
    return rows, train(dataclasses.replace(job, rows=rows, n_features=X.shape[1]))


def test_network_of_sparse_rows_is_that_of_the_same_rows_made_dense(monkeypatch):
    X = random_csr(200, 64, 0.1)
    y = (np.asarray(X.sum(axis=1)).ravel() > 0).astype(int)
    rows, of_csr = train_on_rows(X, 1, monkeypatch, y)
    assert isinstance(rows.table, CSRTable)
    rows, of_dense = train_on_rows(X, 1e-9, monkeypatch, y)
    assert isinstance(rows.table, DenseTable)
    np.testing.assert_allclose(of_csr.losses, of_dense.losses, rtol=1e-4)
    for one, other in zip(of_csr.kernels, of_dense.kernels, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


FORMATS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
    "64-bit indices": lambda X: _with_64_bits(sparse.csr_array(X)),
    "float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "duplicates and stored zeros": lambda X: _untidy(X),
    "array": np.asarray,
    "columns in a row": np.asfortranarray,
    "frame": pd.DataFrame,
}


def _with_64_bits(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def _untidy(X):
    """The same values, each in two halves, beside stored zeros."""
    row, column = np.nonzero(np.ones_like(X))
    return sparse.csr_array(
        sparse.coo_array(
            (np.tile(X[row, column] / 2, 2), (np.tile(row, 2), np.tile(column, 2))), shape=X.shape
        )
    )


@pytest.mark.parametrize("convert", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("estimator", [RegularizedMLPClassifier, RegularizedMLPRegressor])
@pytest.mark.parametrize("density", [0.02, 0.1])
def test_any_table_of_the_same_numbers_gives_the_same_bits(estimator, convert, density):
    """Indicators, mostly zeros, numbers and a constant; held as dense rows and as CSR."""
    X = np.round(8 * random_csr(120, 160, density).toarray()) / 8  # float32 holds them
    X[:, 0], X[:, 1] = np.arange(120) / 8, 3
    X[:, 2:40] = X[:, 2:40] != 0
    y = (X[:, 0] + 20 * X[:, 2] > 8).astype(int)
    model = estimator(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    expected = model.fit(sparse.csr_array(X), y)
    assert expected._is_sparse == (density == 0.02)
    kernel, scale = expected.coefs_[0], expected.scale_
    predictions = expected.predict(X)
    table = convert(X)
    before = table.copy()
    np.testing.assert_array_equal(model.fit(table, y).coefs_[0], kernel)
    np.testing.assert_array_equal(model.scale_, scale)
    assert not np.asarray((table != before).sum()).any()
    if getattr(table, "dtype", None) == np.float32:
        np.testing.assert_allclose(model.predict(table), predictions, rtol=1e-4)
    else:
        np.testing.assert_array_equal(model.predict(table), predictions)


@pytest.mark.parametrize("density", [0.02, 0.3])
def test_weights_are_copies_of_sparse_rows_bit_for_bit(density):
    X = random_csr(100, 40, density)
    X = sparse.vstack([X, X[:30]], format="csr")
    y = np.arange(130) % 2
    counts = np.random.default_rng(0).integers(0, 4, size=130)
    model = RegularizedMLPClassifier((8,), max_iter=5, random_state=0)
    weighted = model.fit(X, y, sample_weight=counts).coefs_[0]
    order = np.random.default_rng(1).permutation(counts.sum())
    repeated = X[np.arange(130).repeat(counts)][order]
    np.testing.assert_array_equal(model.fit(repeated, y.repeat(counts)[order]).coefs_[0], weighted)


def test_sparse_streams_warm_starts_and_early_stopping_learn():
    X, y = load_breast_cancer(return_X_y=True)
    X = KBinsDiscretizer(8, encode="onehot", quantile_method="averaged_inverted_cdf").fit_transform(
        X
    )
    base = {"hidden_layer_sizes": (16,), "random_state": 0, "dropout": 0.2}
    assert RegularizedMLPClassifier(early_stopping=True, **base).fit(X, y).score(X, y) > 0.95
    model = RegularizedMLPClassifier(**base)
    for _ in range(20):
        for k in range(3):
            model.partial_fit(X[k::3], y[k::3], classes=[0, 1])
    assert model.score(X, y) > 0.95
    before = model.decision_function(X)
    # On to dense rows, which are the same.
    model.set_params(learning_rate_init=1e-30).partial_fit(X.toarray(), y)
    np.testing.assert_allclose(model.decision_function(X), before, rtol=1e-3, atol=1e-2)
