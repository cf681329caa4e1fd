"""Links in NumPy: exact, and finite for every finite logit."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

from skreg._nn.losses import HEADS
from skreg._tensorflow import tensorflow

EXTREME = np.array([-1e30, -800.0, -37.0, -1.0, 0.0, 1.0, 37.0, 800.0, 1e30])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_exact_at_both_ends(dtype):
    logits = EXTREME.astype(dtype)[:, None]
    probabilities = HEADS["sigmoid"].probabilities(logits)
    assert probabilities.dtype == dtype
    tolerance = 4 * np.finfo(dtype).eps
    expected = np.hstack([expit(-logits), expit(logits)])
    np.testing.assert_allclose(probabilities, expected, rtol=tolerance)
    logs = HEADS["sigmoid"].log_probabilities(logits)
    np.testing.assert_allclose(
        logs, np.hstack([log_expit(-logits), log_expit(logits)]), rtol=tolerance
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_is_exact_at_both_ends(dtype):
    rng = np.random.default_rng(0)
    logits = rng.choice(EXTREME, size=(50, 4)).astype(dtype)
    head = HEADS["softmax"]
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(head.probabilities(logits), softmax(logits, axis=1), rtol=tolerance)
    np.testing.assert_allclose(
        head.log_probabilities(logits), log_softmax(logits, axis=1), rtol=tolerance
    )


@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
def test_compiled_loss_and_its_derivative_are_finite_for_extreme_logits(name):
    tf = tensorflow()
    logits = tf.constant(EXTREME[:, None] * [[1.0, -1.0]], tf.float32)
    logits = logits[:, :1] if name == "sigmoid" else logits
    codes = tf.constant([0, 1, 0, 1, 0, 1, 0, 1, 0])
    targets = tf.cast(codes[:, None], tf.float32) if name == "sigmoid" else codes
    losses, delta = HEADS[name].losses_and_delta(logits, targets, tf.constant(0.5))
    assert np.isfinite(losses).all()
    assert np.isfinite(delta).all()


WRITTEN_OUT = {
    "sigmoid": lambda f, y, q: np.log1p(np.exp(f)) - y * f,
    "squared_error": lambda f, y, q: (f - y) ** 2,
    "absolute_error": lambda f, y, q: np.abs(f - y),
    "huber": lambda f, y, q: np.where(np.abs(f - y) <= 1, 0.5 * (f - y) ** 2, np.abs(f - y) - 0.5),
    "quantile": lambda f, y, q: np.maximum(q * (y - f), (q - 1) * (y - f)),
    "poisson": lambda f, y, q: np.exp(f) - y * f,
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_loss_is_the_mean_over_outputs_and_delta_its_derivative(name, n_outputs):
    tf = tensorflow()
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(50, n_outputs)).astype(np.float32)
    targets = rng.integers(0, 2, size=logits.shape).astype(np.float32)
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        losses, delta = HEADS[name].losses_and_delta(variable, targets, tf.constant(0.3))
        total = tf.reduce_sum(losses)
    expected = WRITTEN_OUT[name](logits.astype(float), targets, 0.3).mean(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(delta, tape.gradient(total, variable), rtol=1e-5, atol=1e-6)
