"""Prediction by several networks."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg._nn.members import Member, predict_members
from skreg._nn.network import Network, Scaling
from skreg._nn.piecewise import PiecewiseEncoding
from skreg._nn.predict import predict_logits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))


def make_network(hidden=(8,), shift=0.0, encoding=None, is_sparse=False):
    n_inputs = 4 + (0 if encoding is None else encoding.n_outputs)
    widths = n_inputs, *hidden, 2
    return Network(
        kernels=[RNG.normal(size=pair).astype(np.float32) for pair in itertools.pairwise(widths)],
        biases=[RNG.normal(size=width).astype(np.float32) for width in widths[1:]],
        activation="relu",
        link="softmax",
        input_scaling=Scaling(np.full(4, shift), np.full(4, 2.0)),
        encoding=encoding,
        is_sparse=is_sparse,
    )


def make_encoding():
    columns = np.array([0, 0, 2], np.int32)
    lower, width = np.array([-1, 0, 0], np.float32), np.ones(3, np.float32)
    return PiecewiseEncoding(columns, lower, width)


NETWORKS = [
    make_network(),
    make_network((), shift=1.0),
    make_network((8, 5)),
    make_network(encoding=make_encoding()),
    make_network(encoding=make_encoding()),
    make_network(is_sparse=True),
]


def predict(networks, table, dtype=np.float64, n_threads=1):
    members = [Member(network, table) for network in networks]
    return predict_members(members, dtype, lambda logits: np.stack(logits, axis=1), n_threads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_networks_predict_together_what_they_predict_alone(make, dtype):
    table = make(X.astype(dtype))
    found = predict(NETWORKS, table, dtype)
    assert found.dtype == dtype
    for k, network in enumerate(NETWORKS):
        assert_array_equal(found[:, k], predict_logits(network, table, dtype))


def test_rows_are_scaled_and_encoded_once_for_networks_that_do_it_alike(monkeypatch):
    calls = []
    encode = PiecewiseEncoding.encode
    monkeypatch.setattr(PiecewiseEncoding, "encode", lambda *a: calls.append(1) or encode(*a))
    other = make_network(encoding=replace(make_encoding(), width=np.full(3, 2, np.float32)))
    predict([*NETWORKS, other], X)
    assert len(calls) == 2


def test_threads_predict_what_one_predicts(monkeypatch):
    monkeypatch.setattr("skreg._nn.members._SINGLE_THREAD_MULTIPLICATIONS", 1)
    for n_rows in (1, 2, 255, 300):
        expected = predict(NETWORKS, X[:n_rows])
        assert_allclose(predict(NETWORKS, X[:n_rows], n_threads=3), expected, rtol=1e-12)


def test_blocks_of_rows_do_not_change_predictions(monkeypatch):
    expected = predict(NETWORKS, X)
    monkeypatch.setattr("skreg._data.statistics._BLOCK_VALUES", 64)
    assert_allclose(predict(NETWORKS, X), expected, rtol=1e-12)


def test_large_kernels_are_left_to_blas(monkeypatch):
    expected = predict(NETWORKS, X)
    monkeypatch.setattr("skreg._nn.members._MAX_SERIAL_KERNEL", 1)
    assert_allclose(predict(NETWORKS, X, n_threads=2), expected, rtol=1e-12)
