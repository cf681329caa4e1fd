"""Dropout masks as a pure function of (seed, step, layer, position).

There is no random state: the same four arguments give the same mask on every thread.

XLA expands TensorFlow's random operations on a CPU into some 20 times the work of the rest of a
training step. A few xor-shift-multiply rounds fuse into the kernel that applies the mask. The
rounds are those of C. Wellons' ``lowbias32`` (exact bias 0.17) with 64 key bits: one half shifts
the counters, the other half enters between the multiplications. So two steps whose windows of
counters overlap still have unrelated masks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from skreg._tensorflow import tensorflow

_MULTIPLIER_1 = 0x7FEB352D
_MULTIPLIER_2 = 0x846CA68B
_WEYL = 0x9E3779B9  # 2**32 / golden ratio; separates the keys of layers from those of steps


class Mask(NamedTuple):
    """Inverted dropout: the units to keep, and the factor that preserves the mean."""

    is_kept: Any  # boolean tensor
    scale: Any  # 1 / (1 - rate)

    def apply(self, values):
        """Set the units that are not kept to zero, and scale the others."""
        return tensorflow().where(self.is_kept, values * self.scale, 0.0)


def compute_threshold(rate: float) -> int:
    """Return the largest 32-bit hash that keeps a unit, for dropout with probability `rate`."""
    return max(round((1.0 - rate) * 2**32), 1) - 1


def compute_mask(shape, seed, step, layer: int, threshold):
    """Return which units of a layer a training step keeps.

    Parameters
    ----------
    shape : tuple of int
        ``(b, h)``.
    seed : tensor of uint32, shape (2,)
        Seed of the job.
    step : tensor of uint32, shape ()
        Steps since the first one of the training.
    layer : int
        0 for the inputs, 1 for the first hidden layer.
    threshold : tensor of uint32, shape ()
        From `compute_threshold`.

    Returns
    -------
    mask : tensor of bool, shape (b, h)
    """
    tf = tensorflow()
    counters = tf.cast(tf.reshape(tf.range(shape[0] * shape[1], dtype=tf.int32), shape), tf.uint32)
    return compute_mask_at(counters, seed, step, layer, threshold)


def compute_mask_at(counters, seed, step, layer: int, threshold):
    """Return `compute_mask` at some positions only: row * h + column, of dtype uint32."""
    layer_key = tensorflow().constant((layer + 1) * _WEYL % 2**32, "uint32")
    return _hash(counters, seed, step, layer_key) <= threshold


def _hash(counters, seed, step, layer_key):
    """Hash counters with two 32-bit keys, none of which two steps of a layer share."""
    first = _mix(seed[0] + _mix(step + layer_key))
    second = _mix(seed[1] ^ _mix(step ^ (layer_key + layer_key)))
    return _mix(counters + first, between=second)


def _mix(x, between=None):
    """Apply two xor-shift-multiply rounds to uint32, with an optional key between them."""
    tf = tensorflow()

    def word(value):
        return tf.constant(value, tf.uint32)

    x = (x ^ tf.bitwise.right_shift(x, word(16))) * word(_MULTIPLIER_1)
    if between is not None:
        x = x ^ between
    x = (x ^ tf.bitwise.right_shift(x, word(15))) * word(_MULTIPLIER_2)
    return x ^ tf.bitwise.right_shift(x, word(16))
