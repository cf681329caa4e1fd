"""Dropout masks as a pure function of (member seed, step, layer, position).

Owns the counter hash, once for compiled programs and once for NumPy, equal bit for bit.
Does not own what a mask is multiplied with, nor any random state: there is none. The same four
arguments give the same mask on every thread, whatever was drawn before.

Why a hash: XLA expands TensorFlow's random operations on a CPU into some 20 times the work of the
rest of a training step, while a few xor-shift-multiply rounds fuse into the kernel that applies
the mask. The rounds are those of C. Wellons' ``lowbias32`` (exact bias 0.17), with 64 key bits:
one half shifts the counters, the other enters between the multiplications, so that two steps whose
windows of counters overlap still get unrelated masks.
"""

from __future__ import annotations

import numpy as np

from skreg._tensorflow import tensorflow

_MULTIPLIER_1 = 0x7FEB352D


_MULTIPLIER_2 = 0x846CA68B


_WEYL = 0x9E3779B9  # 2**32 / golden ratio: sets apart the roles of step and layer


def keep_threshold(rate: float) -> int:
    """Largest 32-bit hash value that keeps a unit dropped with probability `rate`."""
    return max(round((1.0 - rate) * 2**32), 1) - 1


def _mix(x, shift, between=None):
    """Two xor-shift-multiply rounds on uint32, with an optional key between them."""
    dtype = x.dtype.type if isinstance(x, np.ndarray) else None
    number = dtype or (lambda value: tensorflow().constant(value, "uint32"))
    x = (x ^ shift(x, 16)) * number(_MULTIPLIER_1)
    if between is not None:
        x = x ^ between
    x = (x ^ shift(x, 15)) * number(_MULTIPLIER_2)
    return x ^ shift(x, 16)


def _keys(seed, step, layer, shift):
    """Two 32-bit keys; for one seed and layer no two steps share either of them."""
    first = _mix(seed[0] + _mix(step + layer, shift), shift)
    second = _mix(seed[1] ^ _mix(step ^ (layer + layer), shift), shift)
    return first, second


def _hash(counters, seed, step, layer, shift):
    first, second = _keys(seed, step, layer, shift)
    return _mix(counters + first, shift, between=second)


def compiled_keep(shape, seed, step, layer: int, threshold):
    """Boolean tensor of `shape`: which units a training step keeps.

    Parameters
    ----------
    shape : tuple of int
        ``(b, h)``.
    seed : tensor of uint32, shape (2,)
        The member's.
    step : tensor of uint32, shape ()
        Steps since the first one of the fit.
    layer : int
        0 for the inputs, 1 for the first hidden layer.
    threshold : tensor of uint32, shape ()
        From `keep_threshold`.
    """
    tf = tensorflow()
    counters = tf.cast(tf.reshape(tf.range(shape[0] * shape[1], dtype=tf.int32), shape), tf.uint32)
    return compiled_keep_at(counters, seed, step, layer, threshold)


def compiled_keep_at(counters, seed, step, layer: int, threshold):
    """The mask of `compiled_keep` at some of its positions, row * h + column, of dtype uint32."""
    tf = tensorflow()

    def shift(x, k):
        return tf.bitwise.right_shift(x, tf.constant(k, tf.uint32))

    layer_key = tf.constant((layer + 1) * _WEYL % 2**32, tf.uint32)
    return _hash(counters, seed, step, layer_key, shift) <= threshold


def numpy_keep(shape, seed, step: int, layer: int, threshold: int):
    """The NumPy twin of `compiled_keep`, equal bit for bit; `seed` is a pair of integers."""

    def shift(x, k):
        return np.right_shift(x, np.uint32(k))

    def word(value):  # an array, since NumPy warns of overflow for scalars only
        return np.full(1, value, dtype=np.uint32)

    counters = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape)
    layer_key = word((layer + 1) * _WEYL % 2**32)
    keys = word(seed[0]), word(seed[1])
    return _hash(counters, keys, word(step), layer_key, shift) <= np.uint32(threshold)


def dropped(values, keep, scale):
    """Inverted dropout: what is not kept is zero, and the rest keeps the mean by `scale`."""
    return tensorflow().where(keep, values * scale, 0.0)
