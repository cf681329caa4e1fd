"""Running a member to its end, or to a pause: the length of a call, the watcher, the outcome.

Owns how long a call of the program may be, how the permutations are handed over, what a watcher is
told and may decide, how a member is paused and taken up again, and what it returns. Safe to call
from several threads at once, which is how members share the cores: an outcome depends on its member
only. Does not own any arithmetic that decides a result, nor warnings: it returns a status, and the
estimators say it.
"""

from __future__ import annotations

import functools
import threading
import time

import numpy as np

from skreg._data.tables import CSRTable, TrainingRows, ValidationRows, permutations
from skreg._engine.epoch import (
    Data,
    State,
    initial_state,
    kept_parameters,
    state_in_numpy,
    state_in_tensors,
)
from skreg._engine.hyperparameters import Values, member_values, with_regularisation
from skreg._engine.job import Member, Outcome, Paused, Report, Start, Stopped, Watcher
from skreg._engine.program import program_for
from skreg._engine.spec import STATUSES, ProgramSpec, Status
from skreg._nn.inputs import SparseTable
from skreg._nn.mlp import initial_parameters
from skreg._tensorflow import InFlight, on_cpu, tensorflow, zero_copy

# A call returns after about this many seconds, so that an interrupt is seen soon after it came.
_CALL_SECONDS = 0.25


# Before anything is measured, a step is taken to last this long, and a core to do this many
# multiply-adds a second.
_FIRST_STEP_SECONDS = 2e-5


_FIRST_GUESS = 5e9


def train(member: Member, watcher: Watcher | None = None) -> Outcome:
    """Train one member to its end; `Trainer` does it for several, and in parts."""
    return Trainer(member).train(watcher)


class Trainer:
    """Trains a member, and others that differ from it in dropout and L2 only.

    What they share is made once: the program, the tensors of rows, values and first weights, and
    the orders of the rows. May be used from several threads at once.

    Parameters
    ----------
    member : Member

    Attributes
    ----------
    spec : ProgramSpec
    program : Program
    data : Data
    values : Values
        Of `member`.
    first_state : State
        No call changes a state, so that all begin with the same one.
    orders : callable
        From a block of epochs to the tensor of its visits; the last few are remembered.
    rate : float
        Steps a second, guessed.
    """

    def __init__(self, member: Member):
        self.member, self.spec = member, member.spec
        self.program = program_for(self.spec)
        start = member.start or Start([], [])
        with on_cpu():
            self.data = _data(member.rows, member.validation)
            self.first_state = _first_state(member, self.spec)
            self.values = member_values(
                member.hyper,
                member.seed,
                n_visits=len(member.rows.visits),
                n_steps=member.n_steps,
                first_step=start.n_steps,
                monitor=member.monitor,
                n_validation=0 if member.validation is None else member.validation.n_rows,
            )
        # Of functions that do not hold the trainer, so that its memory goes with it at once.
        make_orders = functools.partial(_orders, member, self.spec, start.n_epochs)
        self.orders = functools.lru_cache(maxsize=4)(make_orders)
        products = sum(rows * cols for rows, cols in self.spec.kernel_shapes)
        multiplications = 3 * self.spec.batch_slots * products
        self.rate = 1 / (_FIRST_STEP_SECONDS + multiplications / _FIRST_GUESS)

    def train(
        self,
        watcher: Watcher | None = None,
        *,
        dropout: tuple[float, ...] | None = None,
        l2: tuple[float, ...] | None = None,
        until: int | None = None,
        paused: Paused | None = None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Train the member, with other rates and strengths if they are given.

        The outcome depends on the member, `dropout` and `l2` only: not on others that are trained
        in other threads, on the time that a call takes, nor on where it was paused.

        Parameters
        ----------
        watcher : Watcher, default=None
        dropout, l2 : tuple of float, default=None
            As in `Hyperparameters`. None takes the member's own.
        until : int, default=None
            Pause at the end of this epoch; the status is then RUNNING. None trains to the end.
        paused : Paused, default=None
            What an earlier outcome of the same member is taken up with.
        stop : threading.Event, default=None
            Once set, `Stopped` is raised at the end of the call.
        """
        watcher = watcher or Watcher()
        with InFlight() as flight, on_cpu():  # a device scope belongs to its thread
            hyper = self.member.hyper
            rates = hyper.input_dropout, *(hyper.dropout if dropout is None else dropout)
            values = with_regularisation(self.values, rates, hyper.l2 if l2 is None else l2)
            run = _Run(self, values, watcher, paused)
            try:
                while run.status is Status.RUNNING and (until is None or len(run.losses) < until):
                    if flight.is_ending or (stop is not None and stop.is_set()):
                        raise Stopped
                    run.advance(until)
            except KeyboardInterrupt:
                if not run.losses or not watcher.keeps_interrupted():
                    raise
                run.status = Status.INTERRUPTED
            return run.outcome()


def _data(rows: TrainingRows, validation: ValidationRows | None) -> Data:
    tf = tensorflow()
    held_out: tuple = ()
    if validation is not None:
        held_out = (
            _table(validation.table),
            tf.constant(validation.targets),
            tf.constant(validation.share),
        )
    return Data(
        _table(rows.table), tf.constant(rows.targets), tf.constant(rows.visit_weight), held_out
    )


def _table(table: np.ndarray | CSRTable):
    if isinstance(table, np.ndarray):
        return zero_copy(table)
    tf = tensorflow()
    return SparseTable(
        tf.constant(table.indptr), tf.constant(table.indices), tf.constant(table.values)
    )


# The third word of a generator's counter sets its uses apart, and from every epoch's permutation.
FIRST_WEIGHTS, HELD_OUT = 1, 2


def _key(seed: tuple[int, int]) -> int:
    return seed[0] | seed[1] << 32


def generator_of(seed: tuple[int, int], use: int) -> np.random.Generator:
    """The member's generator for one use: FIRST_WEIGHTS or HELD_OUT."""
    return np.random.Generator(np.random.Philox(key=_key(seed), counter=[0, 0, use, 0]))


class _Run:
    """One member on its way: the state of its program, and what is known of it so far."""

    def __init__(self, trainer: Trainer, values: Values, watcher: Watcher, paused: Paused | None):
        self.trainer, self.values, self.watcher = trainer, values, watcher
        self.losses: list[float] = []
        self.validation_losses: list[float] = []
        self.kept: tuple[int, State] | None = None  # what the watcher wants to keep
        self.state, self.best_epoch = trainer.first_state, 0
        if paused is not None:
            self.best_epoch = int(paused.state.counters[4])
            self.state = state_in_tensors(paused.state)
            self.kept = paused.kept and (paused.kept[0], state_in_tensors(paused.kept[1]))
            self.losses += paused.losses
            self.validation_losses += paused.validation_losses
        self.rate = trainer.program.rate or trainer.rate
        self.status = Status.RUNNING
        self.step = 0  # in the epoch

    def advance(self, until: int | None) -> None:
        """Call the program once, up to the end of the epoch `until`, and let the watcher look."""
        trainer, epoch = self.trainer, len(self.losses)
        program, n_epochs = trainer.program, trainer.spec.epoch_slots
        block = epoch // n_epochs
        order = trainer.orders(block)
        left = self._steps_left(n_epochs * (block + 1), until)
        budget = max(1, min(int(self.rate * _CALL_SECONDS), left))
        start, compiled_before = time.perf_counter(), program.compile_seconds
        state = program.advance(self.state, trainer.data, order, self.values, budget)
        # Waits for the call to end.
        reached, step, code, _, best_epoch = state.counters.numpy().tolist()
        seconds = time.perf_counter() - start - (program.compile_seconds - compiled_before)
        self.rate = program.rate = budget / max(seconds, 1e-6)
        self.state, self.step, self.status = state, step, STATUSES[code]
        self.best_epoch = best_epoch
        if reached == epoch:
            return
        first = epoch - block * n_epochs
        recorded = state.losses.numpy()[:, first : first + reached - epoch]
        losses, validation_losses = recorded.tolist()
        self.losses += losses
        self.validation_losses += validation_losses
        self._show(Report(epoch, losses, validation_losses, self._weights))

    def _steps_left(self, last: int, until: int | None) -> int:
        """Steps to the end of the epoch `last` or `until`, or of this one if it is watched."""
        n_steps = self.trainer.member.n_steps
        if self.watcher.every_epoch:
            return n_steps - self.step
        last = last if until is None else min(last, until)
        return (last - len(self.losses)) * n_steps - self.step

    def _show(self, report: Report) -> None:
        verdict = self.watcher(report)
        if verdict.keep and self.status is not Status.DIVERGED:
            self.kept = len(self.losses), self.state
        if verdict.status is not None and self.status in (Status.RUNNING, Status.FINISHED):
            self.status = verdict.status

    def _weights(self, state: State | None = None):
        """Kernels and biases that the state keeps, without the padded features and outputs."""
        member = self.trainer.member
        return kept_parameters(
            self.trainer.spec, state or self.state, member.n_features, member.n_outputs
        )

    def outcome(self) -> Outcome:
        """Return what has come of the member."""
        best_epoch, state = self.kept or (self.best_epoch, self.state)
        status = self.status
        if status is Status.FINISHED and self.trainer.member.hyper.tol is not None:
            status = Status.NOT_CONVERGED
        kernels, biases = self._weights(state)
        return Outcome(
            kernels=kernels,
            biases=biases,
            losses=self.losses,
            validation_losses=self.validation_losses,
            best_epoch=best_epoch,
            status=status,
            slots=lambda: state_in_numpy(self.state).slots,
            paused=self._paused,
        )

    def _paused(self) -> Paused:
        kept = self.kept and (self.kept[0], state_in_numpy(self.kept[1]))
        state = state_in_numpy(self.state)
        if self.best_epoch == len(self.losses):  # then they are equal, and held and pickled once
            state = state._replace(kept=state.parameters)
        return Paused(
            state,
            kept,
            self.losses,
            self.validation_losses,
            self.watcher.memory,
        )


def _first_state(member: Member, spec: ProgramSpec) -> State:
    if member.start is None:
        generator = generator_of(member.seed, FIRST_WEIGHTS)
        kernels, biases = initial_parameters(
            spec.layer_sizes, member.n_features, member.n_outputs, generator
        )
        return initial_state(spec, kernels, biases)
    pairs = zip(member.start.kernels, spec.kernel_shapes, strict=True)
    kernels = [_filled_up(kernel, shape) for kernel, shape in pairs]
    sizes = zip(member.start.biases, spec.layer_sizes[1:], strict=True)
    biases = [_filled_up(bias, (size,)) for bias, size in sizes]
    return initial_state(spec, kernels, biases, member.start.slots)


def _filled_up(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    filled = np.zeros(shape, dtype=np.float32)
    filled[tuple(slice(size) for size in array.shape)] = array
    return filled


def _orders(member: Member, spec: ProgramSpec, first_epoch: int, block: int):
    """Tensor of the visits of one block of epochs, one epoch after the other, padded."""
    first = block * spec.epoch_slots
    n_epochs = min(spec.epoch_slots, member.hyper.max_iter - first)
    shape = spec.epoch_slots, spec.visit_slots + spec.batch_slots
    orders = permutations(
        member.rows.visits, _key(member.seed), first_epoch + first, n_epochs, shape
    )
    return zero_copy(orders.ravel())
