"""First weights, and the gradient that is written by hand."""

import itertools

import numpy as np
import pytest
from helpers import make_job

from skreg._engine.trainer import FIRST_WEIGHTS, make_generator
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.dropout import Mask
from skreg._nn.inputs import DenseBatch
from skreg._nn.mlp import compute_loss_and_gradients, draw_parameters
from skreg._tensorflow import tensorflow


@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_first_weights_are_glorots_and_padding_is_zero(n_classes):
    """Uniform within sqrt(6 / (fan_in + fan_out)) of the real sizes, as Keras' Dense."""
    job = make_job(n_classes=n_classes, hidden=(400, 300))
    generator = make_generator(job.seed, FIRST_WEIGHTS)
    sizes = job.spec.layer_sizes
    kernels, biases = draw_parameters(sizes, 5, job.n_outputs, generator)
    reals = (5, 400, 300, job.n_outputs)
    for k, kernel in enumerate(kernels):
        real = kernel[: reals[k], : reals[k + 1]]
        limit = np.sqrt(6 / (reals[k] + reals[k + 1]))
        assert np.abs(real).max() <= limit
        np.testing.assert_allclose(real.std(), limit / np.sqrt(3), rtol=0.1)
        assert np.count_nonzero(kernel) == real.size
        assert not biases[k].any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hand_written_gradient_equals_the_taped_one(activation):
    tf = tensorflow()
    rng = np.random.default_rng(0)
    sizes = (5, 7, 6, 3)
    kernels = [
        tf.Variable(rng.normal(size=shape), dtype=tf.float32) for shape in itertools.pairwise(sizes)
    ]
    biases = [tf.Variable(rng.normal(size=size), dtype=tf.float32) for size in sizes[1:]]
    inputs = DenseBatch(tf.constant(rng.normal(size=(11, 5)), tf.float32))
    masks = [
        Mask(tf.constant(rng.uniform(size=(11, size)) > 0.4), tf.constant(1 / 0.6, tf.float32))
        for size in sizes[1:-1]
    ]
    target = tf.constant(rng.normal(size=(11, 3)), tf.float32)

    def half_squares(logits):
        return 0.5 * tf.reduce_sum((logits - target) ** 2), logits - target

    with tf.GradientTape() as tape:
        loss, kernel_gradients, bias_gradients, _ = compute_loss_and_gradients(
            kernels, biases, inputs, ACTIVATIONS[activation], masks, half_squares
        )
    taped = tape.gradient(loss, [*kernels, *biases])
    for got, expected in zip([*kernel_gradients, *bias_gradients], taped, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
