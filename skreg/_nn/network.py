"""The trained network as one record, which prediction, Keras export and Keras import share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skreg._nn.encoding import Encoding


class Scaling(NamedTuple):
    """Location and scale of each column.

    Inputs become ``(x - center) / scale``. Predictions become ``center + scale * prediction``.
    """

    center: np.ndarray  # float64, shape (d,), as the next one
    scale: np.ndarray


@dataclass(frozen=True)
class Network:
    """Weights, activation, link, and how inputs are prepared.

    Attributes
    ----------
    kernels : sequence of ndarray of float32, shape (inputs, outputs)
    biases : sequence of ndarray of float32, shape (outputs,)
    activation : str
        Of the hidden layers, a key of `activations.ACTIVATIONS`.
    link : str
        From logits to predictions, a key of `links.LINKS`.
    input_scaling : Scaling or None
        None takes the columns as they are.
    encoding : Encoding or None
        Of numeric columns, after the scaling.
    output_scaling : Scaling or None
        None takes the predictions as they are.
    input_dropout : float
    dropout : tuple of float
        Rate of each hidden layer.
    penalties : mapping of str to tuple of float
        Strength of each kernel, by the name of the penalty.
    is_sparse : bool
        Whether it was trained on a table held as CSR. Its inputs are then multiplied as sparse
        rows, however they are stored.
    levels : tuple of float
        Levels of the quantiles that the outputs are, for a link that sorts them.
    rounds_inputs : bool
        Whether inputs are rounded to float32 before they are scaled, as in Keras, which divides a
        constant column by 1e-7.
    """

    kernels: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]
    activation: str
    link: str
    input_scaling: Scaling | None = None
    encoding: Encoding | None = None
    output_scaling: Scaling | None = None
    input_dropout: float = 0.0
    dropout: tuple[float, ...] = ()
    penalties: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    is_sparse: bool = False
    levels: tuple[float, ...] = ()
    rounds_inputs: bool = False

    @property
    def n_columns(self) -> int:
        """Columns of the table."""
        return len(self.kernels[0]) - (0 if self.encoding is None else self.encoding.n_outputs)

    @property
    def inputs_key(self) -> tuple:
        """Key of a dict, equal for networks whose first layers take the same inputs."""
        scaling = () if self.input_scaling is None else self.input_scaling
        parts = (part.tobytes() for part in scaling)
        return (self.is_sparse, *parts, None if self.encoding is None else self.encoding.key)
