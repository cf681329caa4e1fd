"""TODO."""

from __future__ import annotations

import numpy as np

# name -> (compiled function, slope as a function of the activation itself, NumPy function)
_COMPILED = {
    "identity": (lambda tf, z: z, lambda tf, a: tf.ones_like(a)),
    "logistic": (lambda tf, z: tf.sigmoid(z), lambda tf, a: a * (1.0 - a)),
    "tanh": (lambda tf, z: tf.tanh(z), lambda tf, a: 1.0 - a * a),
    "relu": (lambda tf, z: tf.nn.relu(z), lambda tf, a: tf.cast(a > 0, tf.float32)),
}


def _logistic(z):
    # 1 / (1 + exp(-z)) without overflow for either sign.
    return 0.5 * (1.0 + np.tanh(0.5 * z))


_NUMPY = {
    "identity": lambda z: z,
    "logistic": _logistic,
    "tanh": lambda z: np.tanh(z, out=z),
    "relu": lambda z: np.maximum(z, 0, out=z),
}


ACTIVATIONS = tuple(_NUMPY)
