"""Activations: compiled and NumPy forms against Keras, and slopes against automatic gradients."""

import keras
import numpy as np
import pytest

from skreg._nn.activations import ACTIVATIONS, HiddenLayer
from skreg._nn.dropout import Mask
from skreg._tensorflow import tensorflow

Z = np.concatenate([np.linspace(-12, 12, 241), [-1e4, 1e4]]).astype(np.float32)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_compiled_form_is_that_of_keras(name):
    expected = keras.activations.get(ACTIVATIONS[name].keras_name)(Z)
    np.testing.assert_allclose(ACTIVATIONS[name].compute(Z), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_form_equals_the_compiled_one(name, dtype):
    got = ACTIVATIONS[name].compute_numpy(Z.astype(dtype))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, ACTIVATIONS[name].compute(Z), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_is_the_derivative(name):
    tf = tensorflow()
    z = tf.Variable(Z)
    with tf.GradientTape() as tape:
        a = ACTIVATIONS[name].compute(z)
    expected = tape.gradient(a, z)
    np.testing.assert_allclose(
        ACTIVATIONS[name].compute_slope(z, a), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_the_derivative_behind_dropout(name):
    tf = tensorflow()
    z, mask = tf.Variable(Z), Mask(tf.constant(np.arange(len(Z)) % 3 > 0), tf.constant(1.5))
    delta = tf.constant(np.random.default_rng(0).normal(size=len(Z)), tf.float32)
    with tf.GradientTape() as tape:
        a = ACTIVATIONS[name].compute(z)
        dropped = mask.apply(a)
        total = tf.reduce_sum(delta * dropped)
    got = ACTIVATIONS[name].backward(delta, HiddenLayer(z, a, dropped, mask))
    np.testing.assert_allclose(got, tape.gradient(total, z), rtol=1e-5, atol=1e-5)
