"""The forward pass in NumPy."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from skreg._nn.activations import ACTIVATIONS
from skreg._nn.network import Network, Scaling
from skreg._nn.predict import forward, predict_logits


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_pass_in_numpy_equals_that_of_keras(activation):
    import keras

    rng = np.random.default_rng(0)
    sizes = (5, 9, 7, 3)
    kernels = [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    biases = [rng.normal(size=size) for size in sizes[1:]]
    model = keras.Sequential([keras.Input((5,))])
    for size in sizes[1:-1]:
        model.add(keras.layers.Dense(size, activation=ACTIVATIONS[activation].keras_name))
    model.add(keras.layers.Dense(3))
    model.set_weights([w for pair in zip(kernels, biases, strict=True) for w in pair])
    X = rng.normal(size=(20, 5))
    got = forward(X, kernels, biases, activation)
    expected = model(X.astype(np.float32)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_pass_of_huge_weights_is_finite_and_warns_of_nothing(activation, dtype):
    rng = np.random.default_rng(0)
    sizes = (5, *[4] * 30, 3)
    kernels = [rng.choice([-1e30, 1e30], size=s).astype(dtype) for s in itertools.pairwise(sizes)]
    biases = [np.zeros(size, np.float32) for size in sizes[1:]]
    X = rng.choice([-1e18, 1e18], size=(20, 5)).astype(dtype)
    got = forward(X, kernels, biases, activation)
    assert got.dtype == dtype
    assert np.isfinite(got).all()


@pytest.fixture(scope="module")
def centred_network():
    rng = np.random.default_rng(0)
    return Network(
        kernels=[rng.normal(size=(30, 7)).astype(np.float32), np.ones((7, 1), np.float32)],
        biases=[np.zeros(7, np.float32), np.zeros(1, np.float32)],
        activation="relu",
        link="identity",
        input_scaling=Scaling(np.full(30, 0.3), np.full(30, 2.0)),
    )


@pytest.mark.parametrize(
    "convert",
    [np.asfortranarray, lambda X: X.repeat(2, axis=0)[::2], sparse.csr_array, sparse.csr_matrix],
    ids=["Fortran order", "strided", "CSR array", "CSR matrix"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_storage_changes_no_bit_of_a_prediction(centred_network, convert, dtype):
    X = np.random.default_rng(1).normal(size=(24, 30)).astype(dtype)
    expected = predict_logits(centred_network, X, dtype)
    np.testing.assert_array_equal(predict_logits(centred_network, convert(X), dtype), expected)
