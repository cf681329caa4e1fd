"""TODO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skreg._data.padding import bucket, padded_outputs
from skreg._data.tables import TrainingRows, ValidationRows
from skreg._engine.epoch import State
from skreg._engine.hyperparameters import Hyperparameters
from skreg._engine.spec import Monitor, ProgramSpec, Status

# Integers of the permutations that are handed over together (4 bytes each).
_BLOCK_VISITS = 1 << 18


@dataclass(frozen=True)
class Start:
    """Where a member begins that goes on from earlier training.

    Attributes
    ----------
    kernels, biases : sequence of ndarray of float32
        Without padding.
    slots : tuple or None
        The solver's, as an `Outcome` has them; None begins with zeros.
    n_steps, n_epochs : int
        Run so far; they decide the next dropout masks and the next order of the rows.
    """

    kernels: Sequence[np.ndarray]
    biases: Sequence[np.ndarray]
    slots: tuple | None = None
    n_steps: int = 0
    n_epochs: int = 0


@dataclass(frozen=True)
class Member:
    """One network to train.

    Attributes
    ----------
    rows : TrainingRows
    n_features : int
        Columns before padding.
    hidden_layer_sizes : tuple of int
    n_outputs : int
    activation, head, solver : str
    batch_size : int
        Largest number of rows of a step.
    hyper : Hyperparameters
    seed : tuple of two int
        Each of 32 bits; with the rows and the values it decides every bit of the result.
    monitor : Monitor
    validation : ValidationRows or None
    start : Start or None
        None draws the first weights.
    """

    rows: TrainingRows
    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: str
    head: str
    solver: str
    batch_size: int
    hyper: Hyperparameters
    seed: tuple[int, int]
    monitor: Monitor = Monitor.NOTHING
    validation: ValidationRows | None = None
    start: Start | None = None

    @property
    def n_steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.rows.visits) // self.batch_size)

    @property
    def spec(self) -> ProgramSpec:
        """The program that trains this member."""
        n_visits = len(self.rows.visits)
        row_slots, n_columns = self.rows.table.shape
        visit_slots = bucket(n_visits)
        fits_in_one = self.batch_size >= n_visits
        return ProgramSpec(
            layer_sizes=(n_columns, *self.hidden_layer_sizes, padded_outputs(self.n_outputs)),
            n_outputs=self.n_outputs,
            activation=self.activation,
            head=self.head,
            solver=self.solver,
            batch_slots=visit_slots if fits_in_one else self.batch_size,
            row_slots=row_slots,
            visit_slots=visit_slots,
            epoch_slots=max(1, min(_BLOCK_VISITS // visit_slots, 128)),
            validation_slots=0 if self.validation is None else self.validation.table.shape[0],
            piece=getattr(self.rows.table, "piece", 0),
            nonzero_slots=(
                getattr(self.rows.table, "nonzero_slots", 0),
                0
                if self.validation is None
                else getattr(self.validation.table, "nonzero_slots", 0),
            ),
        )


class Paused(NamedTuple):
    """A member between two epochs, in NumPy; it pickles."""

    state: State
    kept: tuple[int, State] | None
    losses: list[float]
    validation_losses: list[float]
    watched: Any  # what the watcher remembers


@dataclass(frozen=True)
class Outcome:
    """What has come of a member.

    Attributes
    ----------
    kernels, biases : list of ndarray of float32
        Without the padded features and outputs.
    losses : list of float
        Objective of each epoch.
    validation_losses : list of float
        Of each epoch; zeros when there are no validation rows.
    best_epoch : int
        The epoch, from 1 on, at whose end the weights were these; 0 for the first weights.
    status : Status
    slots : callable
        Returns the solver's slots at the end, to continue with.
    paused : callable
        Returns what to take the member up with again; of use where the status is RUNNING.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    losses: list[float]
    validation_losses: list[float]
    best_epoch: int
    status: Status
    slots: Callable[[], tuple]
    paused: Callable[[], Paused]


class Report(NamedTuple):
    """What a watcher is told after a call of the program."""

    first_epoch: int  # epochs before these
    losses: list[float]
    validation_losses: list[float]
    weights: Callable[[], tuple[list[np.ndarray], list[np.ndarray]]]  # kept so far


class Verdict(NamedTuple):
    """What a watcher decides."""

    keep: bool = False  # these weights are the best so far
    status: Status | None = None  # ends the training


class Watcher:
    """Looks on between calls; the base watches nothing.

    Called from the thread that trains the member. One whose verdicts depend on what it is told has
    to see every epoch, so that they do not depend on the machine's speed.
    """

    every_epoch = False

    def __call__(self, report: Report) -> Verdict:
        """Look at the epochs since the last call."""
        return Verdict()

    def keeps_interrupted(self) -> bool:
        """Whether a KeyboardInterrupt ends the training well instead of going through."""
        return False

    @property
    def memory(self):
        """What a member that is paused needs to be watched again."""
        return None


class Stopped(Exception):
    """Another member failed, who wanted this one was interrupted, or the interpreter ends."""
