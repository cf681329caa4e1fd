"""What a member is made of: the static spec, the dynamic values, how a run can end.

Owns the seam between what shapes a compiled program (`ProgramSpec`, the cache key) and what is
only a number inside it (`Hyperparameters`, tensors: never a reason to compile again), the bucket
rule that keeps the number of shapes small, and the sentences that a run can end with.
Does not own any arithmetic of training, nor any word of scikit-learn's.

Axes, always in this order and by these letters:

==  =======================================
n   rows of the table
b   batch slots, the rows of one step
d   features (columns of the table)
h   units of a hidden layer
q   outputs (columns of the logits)
==  =======================================

A kernel is ``(d, h)``: inputs before outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


@dataclass(frozen=True)
class ProgramSpec:
    """Everything that decides the shapes and the operations of one compiled program.

    Attributes
    ----------
    layer_sizes : tuple of int
        Padded number of features, units of each hidden layer, padded number of outputs.
    n_outputs : int
        Number of outputs that mean something.
    activation : {"relu", "tanh", "logistic", "identity"}
        Of every hidden layer.
    head : str
        The pair of loss and link, a key of `_heads.HEADS`.
    solver : {"adam", "sgd"}
        The update rule.
    batch_slots : int
        Rows of a step, padding included.
    row_slots : int
        Rows of the table, padding included.
    visit_slots : int
        Upper bound on the visits of an epoch.
    epoch_slots : int
        Epochs whose permutations are handed over together.
    validation_slots : int
        Rows of the validation table, padding included; 0 when there is none.
    piece : int
        Non-zeros of sparse rows that are worked on together; 0 for dense rows.
    nonzero_slots : tuple of int
        Non-zeros of the table and of the validation table, padding included.
    """

    layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: str
    head: str
    solver: str
    batch_slots: int
    row_slots: int
    visit_slots: int
    epoch_slots: int
    validation_slots: int
    piece: int
    nonzero_slots: tuple[int, int]

    @property
    def n_hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.layer_sizes) - 2

    @property
    def kernel_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape ``(inputs, outputs)`` of each kernel, from the inputs on."""
        return tuple(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True))


class Monitor(IntEnum):
    """What ends the training of a member before max_iter, besides divergence."""

    NOTHING = 0  # inside the program; a watcher outside may
    TRAINING_LOSS = 1
    VALIDATION_LOSS = 2  # and the weights of its best epoch are kept


class Status(Enum):
    """How a member stands; the values are the sentences a user reads."""

    RUNNING = "Training has not ended."
    FINISHED = "Training ran for max_iter={max_iter} epochs."
    CONVERGED = (
        "The {measure} did not improve by more than tol={tol} "
        "for {n_iter_no_change} epochs in a row."
    )
    STOPPED = "Training was stopped by a callback."
    INTERRUPTED = (
        "Training was interrupted after {n_iter} epochs; the best weights so far are kept."
    )
    DIVERGED = (
        "Training diverged: the loss or a weight was not finite in epoch {n_iter}. The weights "
        "from before are kept. Try a smaller learning_rate_init (now {learning_rate_init:g}), a "
        "smaller l2 or weight_decay, or standardize=True."
    )
    NOT_CONVERGED = (
        "max_iter={max_iter} epochs were over before the {measure} stopped improving by more than "
        "tol={tol} for {n_iter_no_change} epochs. Increase max_iter, or use tol=None to train for "
        "max_iter epochs on purpose."
    )

    @property
    def code(self) -> int:
        """The number that stands for this status inside a compiled program."""
        return STATUSES.index(self)


STATUSES = tuple(Status)  # by their codes
