"""The encodings of numeric columns by name, and the input layer of a table.

An encoding makes several inputs of each numeric column, which stand beside the columns. It is one
class: how it begins, its NumPy form, its layer of the compiled program, and its forms in Keras and
ONNX. To add one, write the class and add it to `ENCODINGS`.
"""

from __future__ import annotations

from skreg._data.tables import CSRTable, DenseTable, Table
from skreg._nn.encoding import Encoding
from skreg._nn.inputs import DenseInputs, InputLayer
from skreg._nn.periodic import PeriodicEncoding
from skreg._nn.piecewise import PiecewiseEncoding
from skreg._nn.sparse_inputs import SparseInputs

# By the value of the parameter `numerical_encoding`.
ENCODINGS: dict[str, type[Encoding]] = {
    encoding.name: encoding for encoding in (PiecewiseEncoding, PeriodicEncoding)
}


def make_input_layer(table: Table, encoding: Encoding | None = None) -> InputLayer:
    """Return the input layer of a table."""
    if isinstance(table, DenseTable):
        n_columns = table.shape[1]
        return DenseInputs(n_columns) if encoding is None else encoding.make_layer(n_columns)
    if isinstance(table, CSRTable) and encoding is None:
        return SparseInputs(table.shape[1], table.chunk)
    expected = "a DenseTable or a CSRTable" if encoding is None else "a DenseTable"
    raise TypeError(f"Expected {expected}; received {type(table).__name__}.")
