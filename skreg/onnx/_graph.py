"""Nodes and constants of an ONNX graph, whose tensors are known by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

NODE_PREFIX = "skreg_"


class Graph:
    """Writes nodes into the container of a conversion by skl2onnx.

    Parameters
    ----------
    scope, container
        What skl2onnx hands to a converter.
    """

    def __init__(self, scope: Any, container: Any):
        self._scope, self._container = scope, container

    def add(
        self, operator: str, *inputs, domain: str = "", n_outputs: int = 1, **attributes
    ) -> str:
        """Add a node and return the name of its first output.

        Parameters
        ----------
        operator : str
            Of ONNX, in its newest version that the target has.
        *inputs : str or ndarray
            Names of tensors, or constants.
        domain : str, default=""
        n_outputs : int, default=1
        **attributes
            Of the node.
        """
        names = [self.name(tensor) for tensor in inputs]
        outputs = [self._scope.get_unique_variable_name(operator) for _ in range(n_outputs)]
        # A name of its own, which skl2onnx would look for among all nodes.
        node = self._scope.get_unique_operator_name(NODE_PREFIX + operator)
        self._container.add_node(
            operator, names, outputs, op_domain=domain, name=node, **attributes
        )
        return outputs[0]

    def name(self, tensor) -> str:
        """Return the name of a tensor; an array becomes a constant."""
        if isinstance(tensor, str):
            return tensor
        array = np.asarray(tensor)
        name = self._scope.get_unique_variable_name("constant")
        if array.dtype.kind in "UO":
            strings = [string.encode() for string in array.ravel().tolist()]
            self._container.add_initializer(name, TensorProto.STRING, array.shape, strings)
        else:
            self._container.add_initializer(name, None, None, numpy_helper.from_array(array))
        return name

    def cast(self, tensor: str, dtype) -> str:
        """Return the tensor in another type of NumPy."""
        return self.add("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def set_output(self, variable, tensor: str) -> None:
        """Make a tensor the value of a variable of skl2onnx."""
        node = self._scope.get_unique_operator_name(NODE_PREFIX + "Identity")
        self._container.add_node("Identity", [tensor], [variable.full_name], name=node)

    def concatenate(self, tensors: list[str]) -> str:
        """Return columns side by side."""
        return tensors[0] if len(tensors) == 1 else self.add("Concat", *tensors, axis=1)

    def take_columns(self, tensor: str, indices) -> str:
        """Return columns of a table, in any order."""
        return self.add("Gather", tensor, np.asarray(indices, np.int64), axis=1)
