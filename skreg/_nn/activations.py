"""Activations of the hidden layers.

An activation is one class: its compiled form, its slope, its NumPy form, its name in Keras and its
form in ONNX.
To add one, write the class and add it to `ACTIVATIONS`.

In this file `z` is what enters an activation and `a` is what leaves it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import expit, ndtr

from skreg._nn.dropout import Mask
from skreg._tensorflow import tensorflow


class HiddenLayer(NamedTuple):
    """Tensors of shape (b, h) that the forward pass keeps for the backward pass."""

    z: Any
    a: Any
    dropped: Any  # the activation after dropout
    mask: Mask


class Activation(ABC):
    """Contract of an activation.

    Attributes
    ----------
    name : str
        Value of the parameter `activation`.
    keras_name : str
        Name of the same function in Keras.
    largest_slope : float
        Largest slope, approximately: gelu and silu reach 1.1.
    """

    name: str
    keras_name: str
    largest_slope: ClassVar[float] = 1.0

    @abstractmethod
    def compute(self, z):
        """Return the activation as a tensor."""

    @abstractmethod
    def compute_numpy(self, z: np.ndarray) -> np.ndarray:
        """Return the activation as an array. It may overwrite `z`."""

    @abstractmethod
    def compute_slope(self, z, a):
        """Return the derivative of `a` with respect to `z`."""

    @abstractmethod
    def add_to_onnx(self, graph, z: str) -> str:
        """Add the activation to a `skreg.onnx` graph. Return the name of its tensor."""

    def backward(self, delta, layer: HiddenLayer):
        """Return the derivative of the loss with respect to `z`.

        `delta` is that with respect to the dropped activation.
        """
        return layer.mask.apply(delta) * self.compute_slope(layer.z, layer.a)


class Identity(Activation):
    """z, which makes the network a linear model."""

    name, keras_name = "identity", "linear"

    def compute(self, z):
        """Return `z`."""
        return z

    def compute_numpy(self, z):
        """Return `z`."""
        return z

    def compute_slope(self, z, a):
        """Return ones."""
        return tensorflow().ones_like(a)

    def add_to_onnx(self, graph, z):
        """Return `z`."""
        return z


class Logistic(Activation):
    """1 / (1 + exp(-z))."""

    name, keras_name = "logistic", "sigmoid"
    largest_slope = 0.25

    def compute(self, z):
        """Return the sigmoid of `z`."""
        return tensorflow().sigmoid(z)

    def compute_numpy(self, z):
        """Return the sigmoid of `z`, which does not overflow in this form."""
        # Two to four times as fast as scipy.special.expit.
        return 0.5 * (1.0 + np.tanh(0.5 * z))

    def compute_slope(self, z, a):
        """Return a (1 - a)."""
        return a * (1.0 - a)

    def add_to_onnx(self, graph, z):
        """Add a sigmoid."""
        return graph.add("Sigmoid", z)


class Tanh(Activation):
    """The hyperbolic tangent."""

    name, keras_name = "tanh", "tanh"

    def compute(self, z):
        """Return tanh(z)."""
        return tensorflow().tanh(z)

    def compute_numpy(self, z):
        """Return tanh(z), in place."""
        return np.tanh(z, out=z)

    def compute_slope(self, z, a):
        """Return 1 - a^2."""
        return 1.0 - a * a

    def add_to_onnx(self, graph, z):
        """Add tanh(z)."""
        return graph.add("Tanh", z)


class ReLU(Activation):
    """max(z, 0)."""

    name, keras_name = "relu", "relu"

    def compute(self, z):
        """Return max(z, 0)."""
        return tensorflow().nn.relu(z)

    def compute_numpy(self, z):
        """Return max(z, 0), in place."""
        # Against a row of zeros, which NumPy does a third faster than against a number.
        return np.maximum(z, np.zeros(z.shape[-1], z.dtype), out=z)

    def compute_slope(self, z, a):
        """Return 1 where the unit is active, else 0."""
        tf = tensorflow()
        return tf.cast(a > 0, tf.float32)

    def backward(self, delta, layer):
        """Return the derivative of the loss without computing the dropout mask again."""
        # A unit that is both kept and active is positive after dropout, and no other one is.
        return tensorflow().where(layer.dropped > 0, delta * layer.mask.scale, 0.0)

    def add_to_onnx(self, graph, z):
        """Add max(z, 0)."""
        return graph.add("Relu", z)


class GELU(Activation):
    """z times the normal distribution function of z (Hendrycks and Gimpel 2016)."""

    name, keras_name = "gelu", "gelu"

    def compute(self, z):
        """Return z Phi(z), exact, as Keras with ``approximate=False``."""
        return z * self._compute_distribution(z)

    def compute_numpy(self, z):
        """Return z Phi(z)."""
        return z * ndtr(z)

    def compute_slope(self, z, a):
        """Return Phi(z) + z phi(z)."""
        density = tensorflow().exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        return self._compute_distribution(z) + z * density

    def add_to_onnx(self, graph, z):
        """Add z Phi(z), with an error function, since ONNX has GELU only since opset 20."""
        error = graph.add("Erf", graph.add("Div", z, np.float32(math.sqrt(2.0))))
        half = graph.add("Mul", z, np.float32(0.5))
        return graph.add("Mul", half, graph.add("Add", error, np.float32(1.0)))

    def _compute_distribution(self, z):
        return 0.5 * (1.0 + tensorflow().math.erf(z / math.sqrt(2.0)))


class SiLU(Activation):
    """z times the sigmoid of z, also called swish (Elfwing et al. 2018)."""

    name, keras_name = "silu", "silu"

    def compute(self, z):
        """Return z sigmoid(z)."""
        return z * tensorflow().sigmoid(z)

    def compute_numpy(self, z):
        """Return z sigmoid(z)."""
        return z * expit(z)

    def compute_slope(self, z, a):
        """Return s + a (1 - s) with the sigmoid s of z."""
        sigmoid = tensorflow().sigmoid(z)
        return sigmoid + a * (1.0 - sigmoid)

    def add_to_onnx(self, graph, z):
        """Add z sigmoid(z)."""
        return graph.add("Mul", z, graph.add("Sigmoid", z))


ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (Identity(), Logistic(), Tanh(), ReLU(), GELU(), SiLU())
}
