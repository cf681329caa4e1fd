"""Heads: the link and the loss of a task, in one object each.

Owns, for each head, the compiled loss with its derivative by the logits, and the NumPy link from
logits to probabilities. Does not own the network that makes the logits, nor labels: targets are
class codes 0, 1, ... of shape (n,).
"""

from __future__ import annotations

import numpy as np

from skreg._tensorflow import tensorflow


class Sigmoid:
    """Two classes from one logit: binary cross-entropy."""

    def loss_and_delta(self, logits, targets, weights):
        """Weighted sum of the losses over the batch, and its derivative by the logits.

        Parameters
        ----------
        logits : tensor of float32, shape (b, 1)
        targets : tensor of int32, shape (b,)
        weights : tensor of float32, shape (b,)
            Zero for padding; they sum to about 1.

        Returns
        -------
        loss : tensor, shape ()
        delta : tensor, shape (b, 1)
        """
        tf = tensorflow()
        y = tf.cast(targets[:, None], tf.float32)
        # max(z, 0) - z y + log(1 + exp(-|z|)) is -log sigmoid(+-z) without overflow.
        loss = tf.nn.relu(logits) - logits * y + tf.math.log1p(tf.exp(-tf.abs(logits)))
        delta = tf.sigmoid(logits) - y
        return tf.reduce_sum(weights[:, None] * loss), weights[:, None] * delta

    def probabilities(self, logits):
        """Probability of each class, shape (n, 2), from logits of shape (n, 1)."""
        # exp(-|z|) never overflows, and its multiple is 1 - likelier without cancellation.
        small = np.exp(-np.abs(logits))
        likelier = 1.0 / (1.0 + small)
        other = small * likelier
        positive = logits >= 0
        first = np.where(positive, other, likelier)
        second = np.where(positive, likelier, other)
        return np.hstack([first, second])

    def log_probabilities(self, logits):
        """Logarithm of `probabilities`, finite for every finite logit."""
        return -np.logaddexp(0, np.hstack([logits, -logits]))


class Softmax:
    """Any number of classes, one logit each: categorical cross-entropy."""

    def loss_and_delta(self, logits, targets, weights):
        """Weighted sum of the losses over the batch, and its derivative by the logits.

        Parameters
        ----------
        logits : tensor of float32, shape (b, q)
        targets : tensor of int32, shape (b,)
        weights : tensor of float32, shape (b,)
            Zero for padding; they sum to about 1.

        Returns
        -------
        loss : tensor, shape ()
        delta : tensor, shape (b, q)
        """
        tf = tensorflow()
        y = tf.one_hot(targets, logits.shape[1], dtype=tf.float32)
        shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
        exps = tf.exp(shifted)
        total = tf.reduce_sum(exps, axis=1, keepdims=True)
        loss = tf.math.log(total[:, 0]) - tf.reduce_sum(y * shifted, axis=1)
        return tf.reduce_sum(weights * loss), weights[:, None] * (exps / total - y)

    def probabilities(self, logits):
        """Probability of each class, shape (n, q), from logits of the same shape."""
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        exps /= exps.sum(axis=1, keepdims=True)
        return exps

    def log_probabilities(self, logits):
        """Logarithm of `probabilities`, finite for every finite logit."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


HEADS: dict[str, Sigmoid | Softmax] = {"sigmoid": Sigmoid(), "softmax": Softmax()}
