"""The multilayer perceptron: first weights, forward pass, backward pass.

Owns the activations and the passes, once compiled (with dropout, and with the gradient by hand) and
once in NumPy (prediction). Does not own losses, penalties, updates or how dropout masks are drawn:
they are handed in.

The gradient is written out rather than taped because a table's network is small: its step is a few
dozen kernels, and every one that an automatic gradient adds can be measured.
"""

from __future__ import annotations

import itertools

import numpy as np

from skreg._nn.activations import _COMPILED
from skreg._nn.dropout import dropped
from skreg._nn.inputs import DenseBatch
from skreg._tensorflow import tensorflow


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
