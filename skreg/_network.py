"""The multilayer perceptron: first weights, forward pass, backward pass.

Owns the activations and the passes, once compiled (with dropout, and with the gradient by hand) and
once in NumPy (prediction). Does not own losses, penalties, updates or how dropout masks are drawn:
they are handed in.

The gradient is written out rather than taped because a table's network is small: its step is a few
dozen kernels, and every one that an automatic gradient adds can be measured.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from skreg._tensorflow import tensorflow

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

# OpenBLAS multiplies in one thread up to this many multiplications (its SMP_THRESHOLD_MIN times
# GEMM_MULTITHREAD_THRESHOLD). Beyond, its threads wake, and spin for some 25 ms afterwards: in a
# search, which scores one network and trains the next one, on the cores that train.
_SERIAL = 1 << 18
# Up to here one thread takes some three milliseconds in float32; in parts of fewer rows than 16, as
# of kernels larger than these, up to eight times as long.
_FEW, _LARGEST_KERNEL = 1 << 27, 1 << 14


def initial_parameters(layer_sizes, n_features, n_outputs, generator: np.random.Generator):
    """First kernels and biases, as Keras' Dense draws them: glorot_uniform and zeros.

    Parameters
    ----------
    layer_sizes : tuple of int
        With the padded numbers of features first and of outputs last.
    n_features, n_outputs : int
        The real ones: rows of the first kernel and columns of the last beyond them are zero, and
        stay so, since their inputs and their derivatives are.
    generator : numpy.random.Generator
        The member's own.

    Returns
    -------
    kernels : list of ndarray of float32, shape (inputs, outputs)
    biases : list of ndarray of float32, shape (outputs,)
    """
    real_sizes = (n_features, *layer_sizes[1:-1], n_outputs)
    kernels, biases = [], []
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(real_sizes)):
        limit = np.sqrt(6.0 / (fan_in + fan_out))
        kernel = np.zeros(layer_sizes[layer : layer + 2], dtype=np.float32)
        kernel[:fan_in, :fan_out] = generator.uniform(-limit, limit, size=(fan_in, fan_out))
        kernels.append(kernel)
        biases.append(np.zeros(layer_sizes[layer + 1], dtype=np.float32))
    return kernels, biases


class DenseBatch(NamedTuple):
    """Inputs of a batch as they enter the first layer, its dropout done; shape (b, d)."""

    values: Any

    def times(self, kernel):
        """The batch times the kernel (d, h), shape (b, h)."""
        return tensorflow().matmul(self.values, kernel)

    def transposed_times(self, delta):
        """The transpose of the batch times delta (b, h), shape (d, h)."""
        return tensorflow().matmul(self.values, delta, transpose_a=True)


def dropped(values, keep, scale):
    """Inverted dropout: what is not kept is zero, and the rest keeps the mean by `scale`."""
    return tensorflow().where(keep, values * scale, 0.0)


def compiled_loss_and_gradients(kernels, biases, inputs, activation: str, masks, head_loss):
    """Loss of a batch and its gradients by every kernel and bias, dropout on.

    Parameters
    ----------
    kernels, biases : sequence of tensors
    inputs : DenseBatch or SparseBatch
        Whose `times` and `transposed_times` are the first layer.
    activation : str
        Of the hidden layers.
    masks : sequence of (keep, scale)
        For each hidden layer, the boolean tensor of kept units and the factor 1 / (1 - rate).
    head_loss : callable
        Logits to (loss, derivative by the logits).

    Returns
    -------
    loss : tensor, shape ()
    kernel_gradients, bias_gradients : list of tensors
    """
    tf = tensorflow()
    function, slope = _COMPILED[activation]

    layer_inputs = [inputs]
    hidden = []  # before dropout
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        logits = layer_inputs[layer].times(kernel) + bias
        if layer < len(kernels) - 1:
            hidden.append(function(tf, logits))
            layer_inputs.append(DenseBatch(dropped(hidden[layer], *masks[layer])))

    loss, delta = head_loss(logits)
    ones = tf.ones((1, delta.shape[0]))
    kernel_gradients, bias_gradients = [], []
    for layer in reversed(range(len(kernels))):
        kernel_gradients.append(layer_inputs[layer].transposed_times(delta))
        # The column sums as a product: XLA's own reduction over rows is slower on a CPU.
        bias_gradients.append(tf.matmul(ones, delta)[0])
        if layer > 0:
            delta = tf.matmul(delta, kernels[layer], transpose_b=True)
            if activation == "relu":
                # A kept and active unit is a positive one, so that the mask is not hashed again.
                active = layer_inputs[layer].values > 0
                delta = tf.where(active, delta * masks[layer - 1][1], 0.0)
            else:
                delta = dropped(delta, *masks[layer - 1]) * slope(tf, hidden[layer - 1])
    return loss, kernel_gradients[::-1], bias_gradients[::-1]


def compiled_logits(kernels, biases, inputs, activation: str):
    """Logits of a batch, dropout off: the compiled twin of `numpy_logits`."""
    tf = tensorflow()
    function, _ = _COMPILED[activation]
    layer_inputs = inputs
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        values = layer_inputs.times(kernel) + bias
        if layer < len(kernels) - 1:
            layer_inputs = DenseBatch(function(tf, values))
    return values


def are_few(n_rows: int, kernels) -> bool:
    """Whether one thread multiplies so many rows with each kernel in a few milliseconds."""
    largest = max(kernel.size for kernel in kernels)
    return largest <= _LARGEST_KERNEL and n_rows * largest <= _FEW


def numpy_logits(inputs, kernels, biases, activation: str, few: bool = False, masks=None):
    """Logits in the precision of `inputs`: the network that predicts.

    Finite for all finite weights and inputs within +-LARGEST_INPUT.

    Parameters
    ----------
    inputs : ndarray or CSR, shape (n, d)
    kernels, biases : sequence of ndarray
    activation : str
    few : bool
        Whether the table, of which these rows may be a block, `are_few` rows: they are then
        multiplied in one thread.
    masks : NumpyMasks, default=None
        None has no dropout.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        logits = _numpy_forward(inputs, kernels, biases, activation, few, masks)
    if np.isfinite(logits).all():
        return logits
    # Huge weights, of a training that went wrong: again in float64, held within what one more
    # product with float32's largest numbers can bear, so that no inf - inf makes a NaN.
    wide = [kernel.astype(np.float64) for kernel in kernels]
    inputs_64 = inputs.astype(np.float64)
    logits = _numpy_forward(inputs_64, wide, biases, activation, few, masks, most=1e200)
    return np.clip(logits, -1e30, 1e30).astype(inputs.dtype)


class NumpyMasks(NamedTuple):
    """Dropout outside of training: rates of the inputs and of each hidden layer."""

    rates: tuple[float, ...]
    generator: np.random.Generator

    def dropped(self, values, layer: int):
        """Inverted dropout of what enters a layer; of a sparse table, of its stored entries."""
        rate = self.rates[layer]
        if not rate:
            return values
        if not isinstance(values, np.ndarray):
            values = values.copy()
            values.data = self.dropped(values.data, layer)
            return values
        keep = self.generator.random(values.shape, dtype=np.float32) >= rate
        return np.where(keep, values * values.dtype.type(1 / (1 - rate)), 0)


def _product(values, kernel: np.ndarray, few: bool) -> np.ndarray:
    """The product of the rows with the kernel, in one thread if they are few."""
    n_rows, step = values.shape[0], max(1, _SERIAL // kernel.size)
    if not few or n_rows <= step or not isinstance(values, np.ndarray):
        return values @ kernel  # in as many threads as BLAS likes, or of a sparse table
    whole = n_rows // step * step
    result = np.empty((n_rows, kernel.shape[1]), dtype=np.result_type(values, kernel))
    # A stack of products, each of which BLAS takes for a small one.
    stack = values[:whole].reshape(-1, step, values.shape[1])
    np.matmul(stack, kernel, out=result[:whole].reshape(-1, step, kernel.shape[1]))
    np.matmul(values[whole:], kernel, out=result[whole:])
    return result


def _numpy_forward(inputs, kernels, biases, activation, few, masks, most=None):
    function = _NUMPY[activation]
    values = inputs
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if masks is not None:
            values = masks.dropped(values, layer)
        values = _product(values, kernel, few)
        values += bias
        if layer < len(kernels) - 1:
            values = function(values)
        if most is not None:
            values = np.clip(values, -most, most)
    return values
