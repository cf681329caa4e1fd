"""Records of a training: the job, where it continues from, what it reports and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skreg._data.padding import pad_outputs, pad_size
from skreg._data.tables import TrainingRows, ValidationRows
from skreg._engine.epoch import TrainingState
from skreg._engine.hyperparameters import Hyperparameters
from skreg._engine.spec import ProgramSpec
from skreg._engine.status import Status, StopCriterion
from skreg._nn.encoding import Encoding
from skreg._nn.encodings import make_input_layer
from skreg._nn.penalties import select_penalties

# Integers of the orders of rows that are handed over together (4 bytes each).
_BLOCK_VISITS = 1 << 18

# Kernels, biases and the encoding of numeric columns.
Weights = tuple[list[np.ndarray], list[np.ndarray], Encoding | None]
Strengths = Mapping[str, tuple[float, ...]]  # of penalties, by name


@dataclass(frozen=True)
class WarmStart:
    """Where a training begins that continues an earlier one.

    Attributes
    ----------
    kernels, biases : sequence of ndarray of float32
        Without padding.
    moments : tuple or None
        Of the solver, from `TrainingResult.get_moments`. None begins with zeros.
    n_updates : int
        Steps that the moments have seen.
    n_steps, n_epochs : int
        Run so far. They decide the next dropout masks and the next order of the rows.
    """

    kernels: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]
    moments: tuple | None = None
    n_updates: int = 0
    n_steps: int = 0
    n_epochs: int = 0


@dataclass(frozen=True)
class TrainingJob:
    """One network to train. The job decides every bit of the result.

    Attributes
    ----------
    rows : TrainingRows
    n_features : int
        Columns before padding.
    hidden_layer_sizes : tuple of int
    n_outputs : int
    activation, loss, solver : str
        Keys of `ACTIVATIONS`, `LOSSES` and `SOLVERS`.
    batch_size : int
        Maximum rows of a step.
    hyper : Hyperparameters
    seed : tuple of two int
        Each of 32 bits.
    stop_criterion : StopCriterion
    validation : ValidationRows or None
    warm_start : WarmStart or None
        None draws the first weights.
    first_bias : ndarray of float32, shape (n_outputs,), or None
        Of the last layer, where the first weights are drawn. None is zeros.
    encoding : Encoding or None
        Of numeric columns, with the numbers that training begins with.
    """

    rows: TrainingRows
    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: str
    loss: str
    solver: str
    batch_size: int
    hyper: Hyperparameters
    seed: tuple[int, int]
    stop_criterion: StopCriterion = StopCriterion.NONE
    validation: ValidationRows | None = None
    warm_start: WarmStart | None = None
    first_bias: np.ndarray | None = None
    encoding: Encoding | None = None

    @property
    def n_inputs(self) -> int:
        """Rows of the first kernel before padding."""
        return self.n_features + (0 if self.encoding is None else self.encoding.n_outputs)

    @property
    def n_steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.rows.visits) // self.batch_size)

    @property
    def spec(self) -> ProgramSpec:
        """The program that runs this job."""
        table, n_visits = self.rows.table, len(self.rows.visits)
        held_out = None if self.validation is None else self.validation.table
        padded_visits = pad_size(n_visits)
        is_full_batch = self.batch_size >= n_visits
        input_layer = make_input_layer(table, self.encoding)
        return ProgramSpec(
            layer_sizes=(
                input_layer.n_inputs,
                *self.hidden_layer_sizes,
                pad_outputs(self.n_outputs),
            ),
            n_outputs=self.n_outputs,
            activation=self.activation,
            loss=self.loss,
            solver=self.solver,
            penalties=select_penalties(self.hyper.penalties),
            input_layer=input_layer,
            padded_batch=padded_visits if is_full_batch else self.batch_size,
            padded_rows=table.shape[0],
            padded_visits=padded_visits,
            epochs_per_block=max(1, min(_BLOCK_VISITS // padded_visits, 128)),
            padded_validation_rows=0 if held_out is None else held_out.shape[0],
            padded_nonzeros=(
                table.padded_nonzeros,
                0 if held_out is None else held_out.padded_nonzeros,
            ),
        )


class Checkpoint(NamedTuple):
    """A training between two epochs, in NumPy, to be continued in any process."""

    state: TrainingState
    best: tuple[int, TrainingState] | None  # epoch and state that a callback decided to keep
    losses: list[float]
    validation_losses: list[float]
    callback_state: Any


@dataclass(frozen=True)
class TrainingResult:
    """What a training returns.

    Attributes
    ----------
    kernels, biases : list of ndarray of float32
        Without padding.
    encoding : Encoding or None
        That of the job after training.
    losses : list of float
        Objective of each epoch.
    validation_losses : list of float
        Of each epoch; zeros without validation rows.
    best_epoch : int
        Epoch, from 1 on, that ended with these weights; 0 for the first weights.
    status : Status
    get_moments : callable
        Returns the moments of the solver at the end, for a `WarmStart`.
    get_checkpoint : callable
        Returns a `Checkpoint`, of use where the status is RUNNING.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    encoding: Encoding | None
    losses: list[float]
    validation_losses: list[float]
    best_epoch: int
    status: Status
    get_moments: Callable[[], tuple]
    get_checkpoint: Callable[[], Checkpoint]


class EpochReport(NamedTuple):
    """What a callback learns after a call of the program."""

    first_epoch: int  # epochs before these
    losses: list[float]
    validation_losses: list[float]
    get_weights: Callable[[], Weights]  # those that the result would have now


class Decision(NamedTuple):
    """What a callback decides."""

    is_best: bool = False  # these weights are the best so far
    status: Status | None = None  # ends the training


class EpochCallback:
    """Called between calls of the program, from the thread that trains. The base does nothing.

    Attributes
    ----------
    every_epoch : bool
        Whether the callback needs a report of every single epoch. It does if its decisions depend
        on the reports, so that they do not depend on the speed of the machine.
    """

    every_epoch = False

    def __call__(self, report: EpochReport) -> Decision:
        """Receive the epochs since the last call."""
        return Decision()

    @property
    def state(self) -> Any:
        """What a training that continues from a checkpoint needs to know."""
        return None


class TrainingStopped(Exception):
    """Another thread stopped the training, or the interpreter is ending. There is no result."""


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C, with the result of the epochs before it."""

    def __init__(self, result: TrainingResult):
        super().__init__()
        self.result = result
