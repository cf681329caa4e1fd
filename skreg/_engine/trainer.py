"""Running jobs: the length of a call, callbacks, checkpoints, and what jobs of a fold share.

A trainer may be used from several threads at once, which is how jobs share the cores. A result
depends on its job only.
"""

from __future__ import annotations

import functools
import threading
import time
from typing import NamedTuple

import numpy as np

from skreg._data.epochs import draw_orders
from skreg._data.tables import TrainingRows, ValidationRows
from skreg._engine.epoch import (
    FIRST_COUNTERS,
    Counters,
    DataTensors,
    TrainingState,
    make_initial_state,
    map_leaves,
    read_best_parameters,
)
from skreg._engine.hyperparameters import (
    HyperparameterTensors,
    make_tensors,
    replace_regularization,
)
from skreg._engine.job import (
    Checkpoint,
    Decision,
    EpochCallback,
    EpochReport,
    Strengths,
    TrainingInterrupted,
    TrainingJob,
    TrainingResult,
    TrainingStopped,
    WarmStart,
    Weights,
)
from skreg._engine.program import get_program
from skreg._engine.spec import ProgramSpec
from skreg._engine.status import Status
from skreg._nn.encoding import Encoding
from skreg._nn.mlp import draw_parameters
from skreg._tensorflow import ActiveThread, tensorflow, use_cpu, view_as_tensor

# A call returns after about this many seconds, so that an interrupt is noticed soon.
_CALL_SECONDS = 0.25
# Guesses until the first call is measured: seconds per step, and multiply-adds per second.
_FIRST_STEP_SECONDS = 2e-5
_MULTIPLICATIONS_PER_SECOND = 5e9

# Uses of a job's generator. The third word of its counter keeps them apart from each other and from
# the order of the rows.
FIRST_WEIGHTS, HELD_OUT, FIRST_ENCODING = 1, 2, 3


def make_generator(seed: tuple[int, int], use: int) -> np.random.Generator:
    """Return the generator of a job for one use, such as FIRST_WEIGHTS."""
    return np.random.Generator(
        np.random.Philox(key=make_generator_key(seed), counter=[0, 0, use, 0])
    )


def make_generator_key(seed: tuple[int, int]) -> int:
    """Return the 64-bit key of a job's generators."""
    return seed[0] | seed[1] << 32


def train(job: TrainingJob, callback: EpochCallback | None = None) -> TrainingResult:
    """Run one job to its end."""
    return Trainer(job).train(callback)


class Trainer:
    """Runs a job, and others that differ from it in dropout and strengths of penalties only.

    What they share is made once: the program, the tensors of rows, values and first weights, and
    the orders of the rows.

    Parameters
    ----------
    job : TrainingJob

    Attributes
    ----------
    spec : ProgramSpec
    program : Program
    data : DataTensors
    tensors : HyperparameterTensors
        Of `job`.
    first_state : TrainingState
        No call changes a state, so all jobs begin with the same one.
    orders : callable
        From a block of epochs to the tensor of its visits. The last few are cached.
    steps_per_second : float
        A guess.
    """

    def __init__(self, job: TrainingJob):
        self.job, self.spec = job, job.spec
        self.program = get_program(self.spec)
        start = job.warm_start or WarmStart([], [])
        with use_cpu():
            self.data = _make_data(self.spec, job.rows, job.validation, job.encoding)
            self.first_state = _make_first_state(job, self.spec)
            self.tensors = make_tensors(
                job.hyper,
                job.solver,
                job.loss,
                self.spec.penalties,
                job.seed,
                n_visits=len(job.rows.visits),
                n_steps=job.n_steps,
                first_step=start.n_steps,
                first_update=start.n_updates,
                stop_criterion=job.stop_criterion,
                n_validation_rows=0 if job.validation is None else job.validation.n_rows,
            )
        # The cached function holds no reference to the trainer, so its memory is freed at once.
        make_orders = functools.partial(_make_orders, job, self.spec, start.n_epochs)
        self.orders = functools.lru_cache(maxsize=4)(make_orders)
        products = sum(rows * columns for rows, columns in self.spec.kernel_shapes)
        multiplications = 3 * self.spec.padded_batch * products
        seconds = _FIRST_STEP_SECONDS + multiplications / _MULTIPLICATIONS_PER_SECOND
        self.steps_per_second = 1 / seconds

    def train(
        self,
        callback: EpochCallback | None = None,
        *,
        dropout: tuple[float, ...] | None = None,
        strengths: Strengths | None = None,
        until: int | None = None,
        checkpoint: Checkpoint | None = None,
        stop: threading.Event | None = None,
    ) -> TrainingResult:
        """Run the job, with other rates and strengths if they are given.

        The result depends on the job, `dropout` and `strengths` only: not on jobs in other threads,
        not on the seconds of a call, and not on where the training was paused.

        Parameters
        ----------
        callback : EpochCallback, default=None
        dropout : tuple of float, default=None
            As in `Hyperparameters`. None takes those of the job.
        strengths : mapping of str to tuple of float, default=None
            Penalties that are not those of the job.
        until : int, default=None
            Pause at the end of this epoch; the status is then RUNNING. None trains to the end.
        checkpoint : Checkpoint, default=None
            Of the same job, to continue from.
        stop : threading.Event, default=None
            Once it is set, `TrainingStopped` is raised at the end of the call.

        Raises
        ------
        TrainingInterrupted
            On Ctrl-C after the first epoch, with the result so far.
        """
        with ActiveThread() as thread, use_cpu():  # a device scope belongs to its thread
            tensors = self._make_tensors(dropout, strengths)
            training = _Training(self, tensors, callback or EpochCallback(), checkpoint)
            try:
                while training.is_running(until):
                    if thread.is_ending or (stop is not None and stop.is_set()):
                        raise TrainingStopped
                    training.advance(until)
            except KeyboardInterrupt as interrupt:
                if not training.progress.losses:
                    raise
                training.status = Status.INTERRUPTED
                raise TrainingInterrupted(training.make_result()) from interrupt
            return training.make_result()

    def _make_tensors(self, dropout, strengths) -> HyperparameterTensors:
        hyper = self.job.hyper
        rates = hyper.input_dropout, *(hyper.dropout if dropout is None else dropout)
        others = strengths or {}
        for name, kernel_strengths in others.items():
            if name not in self.spec.penalties and any(kernel_strengths):
                raise ValueError(f"The program of this job does not compute the penalty {name!r}.")
        ordered = tuple(others.get(name, hyper.penalties[name]) for name in self.spec.penalties)
        return replace_regularization(self.tensors, rates, ordered)


class _TrainingProgress(NamedTuple):
    """Where a training stands. It is replaced as a whole, so an interrupt finds no half of it."""

    state: TrainingState
    counters: Counters  # of integers
    losses: list[float]
    validation_losses: list[float]
    # Epoch and state that the callback decided to keep.
    best: tuple[int, TrainingState] | None = None


class _Training:
    """One job in progress."""

    def __init__(
        self,
        trainer: Trainer,
        tensors: HyperparameterTensors,
        callback: EpochCallback,
        checkpoint: Checkpoint | None,
    ):
        self.trainer, self.tensors, self.callback = trainer, tensors, callback
        self.progress = _TrainingProgress(trainer.first_state, FIRST_COUNTERS, [], [])
        if checkpoint is not None:
            self.progress = _restore_progress(checkpoint)
        self.steps_per_second = trainer.program.steps_per_second or trainer.steps_per_second
        self.status = Status.RUNNING

    def is_running(self, until: int | None) -> bool:
        """Return whether another call is needed."""
        n_epochs = len(self.progress.losses)
        return self.status is Status.RUNNING and (until is None or n_epochs < until)

    def advance(self, until: int | None) -> None:
        """Call the program once, at most up to the end of the epoch `until`."""
        trainer, before = self.trainer, self.progress
        program, block_size = trainer.program, trainer.spec.epochs_per_block
        epoch = len(before.losses)
        block = epoch // block_size
        order = trainer.orders(block)
        left = self._count_steps(block_size * (block + 1), until)
        budget = max(1, min(int(self.steps_per_second * _CALL_SECONDS), left))
        start, compiled_before = time.perf_counter(), program.compile_seconds
        state = program.advance(before.state, trainer.data, order, self.tensors, budget)
        counters = Counters(*state.counters.numpy().tolist())  # waits for the call to end
        seconds = time.perf_counter() - start - (program.compile_seconds - compiled_before)
        self.steps_per_second = program.steps_per_second = budget / max(seconds, 1e-6)
        if counters.epoch == epoch:
            self.progress = before._replace(state=state, counters=counters)
            return
        first = epoch - block * block_size
        curves = state.curves.numpy()[:, first : first + counters.epoch - epoch]
        losses, validation_losses = curves.tolist()
        after = _TrainingProgress(
            state,
            counters,
            before.losses + losses,
            before.validation_losses + validation_losses,
            before.best,
        )
        if not self.callback.every_epoch:  # else an epoch counts when the callback has seen it
            self.progress = after
        report = EpochReport(epoch, losses, validation_losses, lambda: self._read_weights(state))
        self._apply(self.callback(report), after)

    def _apply(self, decision: Decision, after: _TrainingProgress) -> None:
        """Take the decision of the callback on the epochs that have just ended."""
        status = Status(after.counters.status)
        if decision.is_best and status is not Status.DIVERGED:
            after = after._replace(best=(len(after.losses), after.state))
        self.progress = after
        if decision.status is not None and status in (Status.RUNNING, Status.FINISHED):
            status = decision.status
        self.status = status

    def _count_steps(self, last: int, until: int | None) -> int:
        """Return the steps to the end of epoch `last` or `until`, or of this one if needed."""
        n_steps, step = self.trainer.job.n_steps, self.progress.counters.step
        if self.callback.every_epoch:
            return n_steps - step
        last = last if until is None else min(last, until)
        return (last - len(self.progress.losses)) * n_steps - step

    def _read_weights(self, state: TrainingState) -> Weights:
        job, spec = self.trainer.job, self.trainer.spec
        rows = spec.input_layer.find_rows(job.n_features, job.n_inputs)
        kernels, biases, input_parameters = read_best_parameters(spec, state, rows, job.n_outputs)
        if job.encoding is None:
            return kernels, biases, None
        return kernels, biases, job.encoding.replace_parameters(input_parameters)

    def make_result(self) -> TrainingResult:
        """Return the result so far."""
        progress, status = self.progress, self.status
        best_epoch, state = progress.best or (progress.counters.best_epoch, progress.state)
        if status is Status.FINISHED and self.trainer.job.hyper.tol is not None:
            status = Status.NOT_CONVERGED
        kernels, biases, encoding = self._read_weights(state)
        return TrainingResult(
            kernels=kernels,
            biases=biases,
            encoding=encoding,
            losses=progress.losses,
            validation_losses=progress.validation_losses,
            best_epoch=best_epoch,
            status=status,
            get_moments=lambda: map_leaves(np.asarray, progress.state.moments),
            get_checkpoint=lambda: _make_checkpoint(progress, self.callback),
        )


def _make_checkpoint(progress: _TrainingProgress, callback: EpochCallback) -> Checkpoint:
    best = progress.best
    if best is not None:
        best = best[0], map_leaves(np.asarray, best[1])
    state = map_leaves(np.asarray, progress.state)
    if progress.counters.best_epoch == len(progress.losses):
        # The last parameters are the best ones. Hold and pickle them once.
        state = state._replace(best_parameters=state.parameters)
    return Checkpoint(state, best, progress.losses, progress.validation_losses, callback.state)


def _restore_progress(checkpoint: Checkpoint) -> _TrainingProgress:
    make_tensor = tensorflow().constant
    best = checkpoint.best
    if best is not None:
        best = best[0], map_leaves(make_tensor, best[1])
    return _TrainingProgress(
        state=map_leaves(make_tensor, checkpoint.state),
        counters=Counters(*checkpoint.state.counters.tolist()),
        losses=checkpoint.losses,
        validation_losses=checkpoint.validation_losses,
        best=best,
    )


def _make_data(
    spec: ProgramSpec,
    rows: TrainingRows,
    validation: ValidationRows | None,
    encoding: Encoding | None,
) -> DataTensors:
    make_tensor = tensorflow().constant
    held_out: tuple = ()
    if validation is not None:
        held_out = (
            spec.input_layer.to_tensors(validation.table, encoding),
            make_tensor(validation.targets),
            make_tensor(validation.share),
        )
    return DataTensors(
        spec.input_layer.to_tensors(rows.table, encoding),
        make_tensor(rows.targets),
        make_tensor(rows.visit_weight),
        held_out,
    )


def _make_first_state(job: TrainingJob, spec: ProgramSpec) -> TrainingState:
    start, moments = job.warm_start, None
    input_parameters = None if job.encoding is None else job.encoding.get_parameters()
    if start is None:
        generator = make_generator(job.seed, FIRST_WEIGHTS)
        sizes = job.n_inputs, *spec.layer_sizes[1:]
        kernels, biases = draw_parameters(sizes, job.n_inputs, job.n_outputs, generator)
        if job.first_bias is not None:
            biases[-1][: job.n_outputs] = job.first_bias
    else:
        moments = start.moments
        kernels = [
            _fill_up(kernel, shape)
            for kernel, shape in zip(start.kernels[1:], spec.kernel_shapes[1:], strict=True)
        ]
        kernels = [start.kernels[0], *kernels]
        biases = [
            _fill_up(bias, (size,))
            for bias, size in zip(start.biases, spec.layer_sizes[1:], strict=True)
        ]
    first = np.zeros(spec.kernel_shapes[0], dtype=np.float32)
    rows = spec.input_layer.find_rows(job.n_features, job.n_inputs)
    first[rows, : kernels[0].shape[1]] = kernels[0]
    return make_initial_state(spec, [first, *kernels[1:]], biases, input_parameters, moments)


def _fill_up(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array in float32 with zeros up to the shape."""
    filled = np.zeros(shape, dtype=np.float32)
    filled[tuple(slice(size) for size in array.shape)] = array
    return filled


def _make_orders(job: TrainingJob, spec: ProgramSpec, first_epoch: int, block: int):
    """Return the visits of one block of epochs, one epoch after the other, padded."""
    first = block * spec.epochs_per_block
    n_epochs = min(spec.epochs_per_block, job.hyper.max_iter - first)
    shape = spec.epochs_per_block, spec.padded_visits + spec.padded_batch
    orders = draw_orders(
        job.rows.visits, make_generator_key(job.seed), first_epoch + first, n_epochs, shape
    )
    return view_as_tensor(orders.ravel())
