"""The contract of an encoding of numeric columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from skreg._nn.inputs import InputLayer

# From levels within (0, 1) to the weighted quantiles of the encoded columns at these levels between
# their smallest and largest values: shape (n_levels + 2, n_encoded), in standardised units.
FindQuantiles = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Encoding(ABC):
    """What an encoding knows, in NumPy.

    The inputs of the first layer are the standardised columns, and after them the encoded inputs.
    Dropout of the inputs drops columns: a column together with its encoded inputs.

    Attributes
    ----------
    name : str
        Value of the parameter `numerical_encoding`.
    columns : ndarray of int32, shape (n_encoded,)
        Indices of the encoded columns. An encoding may repeat a column.
    keras_layers : tuple of str
        Names of its layers in Keras.
    """

    name: ClassVar[str]
    keras_layers: ClassVar[tuple[str, ...]]
    columns: np.ndarray

    @classmethod
    @abstractmethod
    def initialize(
        cls,
        columns: np.ndarray,
        find_quantiles: FindQuantiles,
        generator: np.random.Generator,
    ) -> Encoding:
        """Return the encoding of these columns before training."""

    @property
    @abstractmethod
    def sources(self) -> np.ndarray:
        """Index of the column that each encoded input is made of, shape (n_outputs,)."""

    @property
    def n_outputs(self) -> int:
        """Encoded inputs."""
        return len(self.sources)

    @property
    def key(self) -> tuple:
        """Key of a dict, equal for encodings that compute the same."""
        return (self.name, *(array.tobytes() for array in vars(self).values()))

    @abstractmethod
    def name_outputs(self, names: Sequence[str]) -> list[str]:
        """Return names of the encoded inputs, given those of the columns."""

    @abstractmethod
    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the encoded inputs (n, n_outputs) of standardised rows, in their precision."""

    @abstractmethod
    def make_layer(self, n_columns: int) -> InputLayer:
        """Return the layer of the compiled program, for so many padded columns."""

    def get_parameters(self) -> np.ndarray:
        """Return the numbers that are trained as the vector of the layer, padding included."""
        return np.empty(0, np.float32)

    def replace_parameters(self, parameters: np.ndarray) -> Encoding:
        """Return the encoding with other numbers, given as in `get_parameters`."""
        return self

    @abstractmethod
    def rescale(self, ratio: np.ndarray, shift: np.ndarray) -> Encoding:
        """Return the same function of columns that were ``x`` and are ``(x - shift) / ratio`` now.

        Both are of shape (n_columns,).
        """

    @abstractmethod
    def apply_in_keras(self, keras: Any, columns, dtype: str):
        """Return a Keras tensor (None, n_outputs), given that of the `columns`."""

    @abstractmethod
    def add_to_onnx(self, graph, values: str) -> str:
        """Add the encoded inputs (n, n_outputs) of standardised rows to a `skreg.onnx` graph.

        The rows are in float64, and the result is in float32.
        """

    def get_keras_weights(self) -> dict[str, list[np.ndarray]]:
        """Return the weights of the layers in Keras by their names."""
        return {}

    @classmethod
    @abstractmethod
    def from_keras(cls, columns: np.ndarray, layers: dict[str, Any]) -> Encoding:
        """Return the encoding, given its `columns` and the layers of Keras by their names."""

    def extend(self, values: np.ndarray) -> np.ndarray:
        """Return the columns with the encoded inputs after them."""
        return np.concatenate([values, self.encode(values)], axis=1)

    def extend_factor(self, factor: np.ndarray) -> np.ndarray:
        """Return a factor of each input, given that of each column, which is 0 if it is dropped."""
        return np.concatenate([factor, factor[:, self.sources]], axis=1)


def pad_encoded(n_outputs: int) -> int:
    """Round the encoded inputs up to a multiple of 16, so that few shapes are compiled.

    There is at least one of padding where there is no column to encode.
    """
    return max(16, -(-n_outputs // 16) * 16)


def pad_vector(vector: np.ndarray, size: int, value: float = 0.0) -> np.ndarray:
    """Return the vector filled up to `size`."""
    padded = np.full(size, value, vector.dtype)
    padded[: len(vector)] = vector
    return padded
