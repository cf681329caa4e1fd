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


def bucket(size: int) -> int:
    """Round `size` up to at most 9 values an octave, so that near sizes share one program.

    Between two powers of two the step is an eighth of the lower one, at least 8: padding wastes
    less than an eighth of the rows (apart from tables of fewer than 64), and folds of 379 and 380
    rows are both 384.
    """
    step = max(8, 1 << max(size.bit_length() - 4, 0))
    return -(-size // step) * step


# Rows whose validation loss is computed at once.
VALIDATION_BLOCK = 1024


def piece_size(n_nonzeros: int, n_rows: int) -> int:
    """Non-zeros of a piece: about a mean row, for then most rows are one piece, hardly padded.

    A power of two, so that folds share one program.
    """
    mean = -(-n_nonzeros // max(n_rows, 1))
    return min(16, 1 << max(mean - 1, 0).bit_length())


def padded_outputs(n_outputs: int) -> int:
    """Fill up few outputs, 2 to 15, to 16.

    Eigen splits the inner axis of a product with so few columns among its threads, and the bits of
    the sum would depend on their number. One column is summed in order anyway.
    """
    return n_outputs if n_outputs == 1 else max(n_outputs, 16)


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


@dataclass(frozen=True)
class Hyperparameters:
    """The values of one member: tensors inside the program, so that no value compiles anything.

    Attributes
    ----------
    dropout : tuple of float
        Rate in [0, 1) after each hidden layer.
    input_dropout : float
        Rate in [0, 1) on the inputs.
    l2 : tuple of float
        Strength of each kernel's penalty ``strength * sum(kernel ** 2)``.
    weight_decay : float
        Decoupled decay of the kernels, multiplied by the learning rate in each step.
    learning_rate_init : float
        Learning rate of the first step.
    cosine : bool
        Whether the learning rate falls to zero along half a cosine; else it is constant.
    momentum, nesterovs_momentum : float, bool
        Of sgd.
    beta_1, beta_2, epsilon : float
        Of adam.
    max_iter : int
        Epochs.
    tol : float or None
        Smallest improvement of the smoothed training loss, or of the validation loss, that counts.
        None never stops by the training loss, and is 0 for the validation loss.
    n_iter_no_change : int
        Epochs without improvement after which training stops.
    quantile : float
        Level in (0, 1), for the head of that name.
    """

    dropout: tuple[float, ...]
    input_dropout: float
    l2: tuple[float, ...]
    weight_decay: float
    learning_rate_init: float
    cosine: bool
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    quantile: float = 0.5


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
