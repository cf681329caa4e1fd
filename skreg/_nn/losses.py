"""Heads: the loss and the link of a task, in one object each.

Owns, for each head, the compiled loss of a row with its derivative by the logits, and the NumPy
link from logits to what is predicted. Does not own the network that makes the logits, weights,
labels, nor the units of a target: a regression's are scaled by `_scaling`.

Targets are class codes 0, 1, ... of shape (b,) for softmax and float32 of shape (b, q) for every
other head. A loss is a mean over the q outputs.
"""

from __future__ import annotations

import numpy as np

from skreg._tensorflow import tensorflow


class Sigmoid:
    """Outputs that are true or false on their own: binary cross-entropy.

    One output serves two classes, several serve one label each.
    """

    def losses_and_delta(self, logits, targets, quantile):
        """Loss of each row, and its derivative by the logits.

        Parameters
        ----------
        logits : tensor of float32, shape (b, q)
        targets : tensor of float32, shape (b, q)
            Zeros and ones.
        quantile : tensor of float32, shape ()
            Of the quantile loss only.

        Returns
        -------
        losses : tensor, shape (b,)
        delta : tensor, shape (b, q)
        """
        tf = tensorflow()
        # max(z, 0) - z y + log(1 + exp(-|z|)) is -log sigmoid(+-z) without overflow.
        losses = tf.nn.relu(logits) - logits * targets + tf.math.log1p(tf.exp(-tf.abs(logits)))
        return _mean_over_outputs(losses, tf.sigmoid(logits) - targets)

    def probabilities(self, logits):
        """Probability of each class, shape (n, 2), from one logit a row."""
        return np.hstack([expit(-logits), expit(logits)])

    def log_probabilities(self, logits):
        """Logarithm of `probabilities`, finite for every finite logit."""
        return log_expit(np.hstack([-logits, logits]))


class Softmax:
    """One of any number of classes, one logit each: categorical cross-entropy."""

    def losses_and_delta(self, logits, targets, quantile):
        """As in `Sigmoid`, from class codes of shape (b,)."""
        tf = tensorflow()
        y = tf.one_hot(targets, logits.shape[1], dtype=tf.float32)
        shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
        exps = tf.exp(shifted)
        total = tf.reduce_sum(exps, axis=1, keepdims=True)
        losses = tf.math.log(total[:, 0]) - tf.reduce_sum(y * shifted, axis=1)
        return losses, exps / total - y

    def probabilities(self, logits):
        """Probability of each class, shape (n, q), from logits of the same shape."""
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        exps /= exps.sum(axis=1, keepdims=True)
        return exps

    def log_probabilities(self, logits):
        """Logarithm of `probabilities`, finite for every finite logit."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class SquaredError:
    """(f - y)^2, without the 1/2 of MLPRegressor: the mean squared error as everyone reports it."""

    def losses_and_delta(self, logits, targets, quantile):
        """As in `Sigmoid`, from targets of any size."""
        error = logits - targets
        return _mean_over_outputs(error * error, 2.0 * error)


class AbsoluteError:
    """|f - y|, whose best constant is the median."""

    def losses_and_delta(self, logits, targets, quantile):
        """As in `Sigmoid`, from targets of any size."""
        tf = tensorflow()
        error = logits - targets
        return _mean_over_outputs(tf.abs(error), tf.sign(error))


class Huber:
    """Half the squared error up to 1, then the absolute error less 1/2 (Keras' Huber(delta=1))."""

    def losses_and_delta(self, logits, targets, quantile):
        """As in `Sigmoid`, from targets of any size."""
        tf = tensorflow()
        error = logits - targets
        slope = tf.clip_by_value(error, -1.0, 1.0)
        # slope (error - slope / 2) is e^2 / 2 inside and |e| - 1/2 outside.
        return _mean_over_outputs(slope * (error - 0.5 * slope), slope)


class Quantile:
    """The pinball loss, whose best constant is the quantile (Koenker and Bassett 1978)."""

    def losses_and_delta(self, logits, targets, quantile):
        """As in `Sigmoid`, from targets of any size and the quantile's level in (0, 1)."""
        tf = tensorflow()
        error = logits - targets
        slope = tf.where(error > 0.0, 1.0 - quantile, -quantile)
        slope = tf.where(error == 0.0, 0.0, slope)
        return _mean_over_outputs(slope * error, slope)


class Poisson:
    """exp(f) - y f, half the Poisson deviance apart from what depends on y alone; log link."""

    def losses_and_delta(self, logits, targets, quantile):
        """As in `Sigmoid`, from targets >= 0."""
        tf = tensorflow()
        mean = tf.exp(logits)
        return _mean_over_outputs(mean - targets * logits, mean - targets)


def _mean_over_outputs(losses, delta):
    n_outputs = losses.shape[1]
    return tensorflow().reduce_sum(losses, axis=1) / n_outputs, delta / n_outputs


def expit(logits):
    """1 / (1 + exp(-z)), without overflow and without cancellation at either end."""
    # exp(-|z|) never overflows, and its multiple is 1 - likelier without cancellation.
    small = np.exp(-np.abs(logits))
    likelier = 1.0 / (1.0 + small)
    return np.where(logits >= 0, likelier, small * likelier)


def log_expit(logits):
    """Logarithm of `expit`, finite for every finite logit."""
    return -np.logaddexp(0, -logits)


CLASS_HEADS: dict[str, Sigmoid | Softmax] = {"sigmoid": Sigmoid(), "softmax": Softmax()}


REGRESSION_HEADS = {
    "squared_error": SquaredError(),
    "absolute_error": AbsoluteError(),
    "huber": Huber(),
    "quantile": Quantile(),
    "poisson": Poisson(),
}


HEADS = {**CLASS_HEADS, **REGRESSION_HEADS}
