"""The multilayer perceptron: first weights, compiled forward pass and compiled backward pass.

The gradient is written out instead of recorded on a tape. A step runs only a few dozen kernels, so
each kernel that automatic differentiation adds costs measurable time.
"""

from __future__ import annotations

import itertools

import numpy as np

from skreg._nn.activations import Activation, HiddenLayer
from skreg._nn.inputs import DenseBatch
from skreg._tensorflow import tensorflow


def draw_parameters(layer_sizes, n_features, n_outputs, generator: np.random.Generator):
    """Draw the first kernels and biases as Keras' Dense does: glorot_uniform and zeros.

    Parameters
    ----------
    layer_sizes : tuple of int
        Begins with the padded features and ends with the padded outputs.
    n_features, n_outputs : int
        Without padding. The padded rows of the first kernel and the padded columns of the last
        are zero. They stay zero, since their inputs and their derivatives are.
    generator : numpy.random.Generator

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


def compute_loss_and_gradients(kernels, biases, inputs, activation: Activation, masks, loss):
    """Compute the loss of a batch and its gradients, dropout on.

    Parameters
    ----------
    kernels, biases : sequence of tensors
    inputs : DenseBatch, SparseBatch or PeriodicBatch
    activation : Activation
        Of the hidden layers.
    masks : sequence of Mask
        One for each hidden layer.
    loss : callable
        From logits to (loss, derivative with respect to the logits).

    Returns
    -------
    loss : tensor, shape ()
    kernel_gradients, bias_gradients : list of tensors
    input_gradients : list of tensors
        With respect to the parameters of the input layer, if there are any.
    """
    tf = tensorflow()
    layer_inputs, hidden = [inputs], []
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        z = layer_inputs[layer].matmul(kernel) + bias
        if layer < len(kernels) - 1:
            a = activation.compute(z)
            dropped = masks[layer].apply(a)
            hidden.append(HiddenLayer(z, a, dropped, masks[layer]))
            layer_inputs.append(DenseBatch(dropped))

    value, delta = loss(z)
    ones = tf.ones((1, delta.shape[0]))
    kernel_gradients, bias_gradients = [], []
    for layer in reversed(range(len(kernels))):
        kernel_gradients.append(layer_inputs[layer].matmul_transposed(delta))
        # Column sums as a product: XLA's own reduction over rows is slower on a CPU.
        bias_gradients.append(tf.matmul(ones, delta)[0])
        if layer > 0:
            delta = tf.matmul(delta, kernels[layer], transpose_b=True)
            delta = activation.backward(delta, hidden[layer - 1])
    input_gradients = inputs.compute_gradients(delta, kernels[0])
    return value, kernel_gradients[::-1], bias_gradients[::-1], input_gradients


def compute_logits(kernels, biases, inputs, activation: Activation):
    """Compute the logits of a batch, dropout off. `predict.forward` is its twin in NumPy."""
    layer_inputs = inputs
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        z = layer_inputs.matmul(kernel) + bias
        if layer < len(kernels) - 1:
            layer_inputs = DenseBatch(activation.compute(z))
    return z
