"""Links in NumPy: exact, and finite for every finite logit."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

from skreg._heads import HEADS
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
    loss, delta = HEADS[name].loss_and_delta(
        logits, tf.constant([0, 1, 0, 1, 0, 1, 0, 1, 0]), tf.fill((9,), 1 / 9)
    )
    assert np.isfinite(loss)
    assert np.isfinite(delta).all()
