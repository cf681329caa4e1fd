"""TODO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Network:
    """What the layers of both sides say.

    Attributes
    ----------
    kernels, biases : sequence of ndarray of float32
    activation : str
        Of the hidden layers, a key of `_network.ACTIVATIONS`.
    link : {"logistic", "softmax", "identity", "exp"}
        From logits to predictions.
    dropout, l2 : tuple of float
        One rate a hidden layer, one strength a kernel.
    input_dropout : float
    inputs, outputs : tuple of (center, scale), or None
        Inputs are ``(x - center) / scale``, outputs ``center + scale * prediction``; arrays of
        float64 of one number a column. None for as they are.
    """

    kernels: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]
    activation: str
    link: str
    dropout: tuple[float, ...]
    l2: tuple[float, ...]
    input_dropout: float = 0.0
    inputs: tuple[np.ndarray, np.ndarray] | None = None
    outputs: tuple[np.ndarray, np.ndarray] | None = None
