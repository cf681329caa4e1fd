"""What shapes a compiled program.

`ProgramSpec` decides which program is compiled, and is the key of the cache of programs.
"""

from __future__ import annotations

from dataclasses import dataclass

from skreg._nn.inputs import InputLayer


@dataclass(frozen=True)
class ProgramSpec:
    """Everything that decides the shapes and the operations of one compiled program.

    Attributes
    ----------
    layer_sizes : tuple of int
        Padded inputs, units of each hidden layer, padded outputs.
    n_outputs : int
        Outputs without padding.
    activation : str
        Key of `activations.ACTIVATIONS`.
    loss : str
        Key of `losses.LOSSES`.
    solver : str
        Key of `solvers.SOLVERS`.
    penalties : tuple of str
        Keys of `penalties.PENALTIES` that the program computes.
    input_layer : InputLayer
        What the first layer takes, in training and of held-out rows.
    padded_batch : int
        Rows of a step, padding included.
    padded_rows : int
        Rows of the table, padding included.
    padded_visits : int
        Upper bound on the visits of an epoch.
    epochs_per_block : int
        Epochs whose orders of the rows are handed over together.
    padded_validation_rows : int
        Held-out rows, padding included; 0 if there are none.
    padded_nonzeros : tuple of int
        Non-zeros of the table and of the held-out rows, padding included; 0 for dense rows.
    """

    layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: str
    loss: str
    solver: str
    penalties: tuple[str, ...]
    input_layer: InputLayer
    padded_batch: int
    padded_rows: int
    padded_visits: int
    epochs_per_block: int
    padded_validation_rows: int
    padded_nonzeros: tuple[int, int]

    @property
    def kernel_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape ``(inputs, outputs)`` of each kernel, from the inputs on."""
        return tuple(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True))
