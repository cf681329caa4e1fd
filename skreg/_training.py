"""Running members to their end: the queue, the threads, the length of a call, the outcome.

Owns how a list of members is spread over threads, how long a call of the program may be, how the
permutations are handed over, and what a finished member returns. Does not own any arithmetic that
decides a result, nor warnings: it returns a status, and the estimators say it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from skreg._network import initial_parameters
from skreg._program import (
    Data,
    State,
    initial_state,
    kept_parameters,
    member_values,
    program_for,
)
from skreg._rows import TrainingRows, permutations
from skreg._spec import Hyperparameters, ProgramSpec, Status, bucket, padded_outputs
from skreg._tensorflow import on_cpu, tensorflow, zero_copy

# A call returns after about this many seconds, so that an interrupt is seen soon after it came.
_CALL_SECONDS = 0.25
# Before anything is measured, a core is taken to do this many multiply-adds a second.
_FIRST_GUESS = 5e9
# Integers of the permutations that are handed over together (4 bytes each).
_BLOCK_VISITS = 1 << 18


@dataclass(frozen=True)
class Member:
    """One network to train.

    Attributes
    ----------
    rows : TrainingRows
        Shared with other members, by identity.
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
            epoch_slots=int(np.clip(_BLOCK_VISITS // visit_slots, 1, 128)),
        )


@dataclass(frozen=True)
class Outcome:
    """A trained member.

    Attributes
    ----------
    kernels, biases : list of ndarray of float32
        Without the padded features and outputs.
    losses : list of float
        Objective of each epoch.
    status : Status
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    losses: list[float]
    status: Status


def train(
    members: Sequence[Member],
    n_threads: int = 1,
    on_epochs: Callable[[int, int, list[float]], None] | None = None,
) -> list[Outcome]:
    """Train all members and return their outcomes, in their order.

    An outcome depends on its member only: not on the others, the threads or the time a call takes.

    Parameters
    ----------
    members : sequence of Member
    n_threads : int, default=1
        1 trains in the calling thread.
    on_epochs : callable, default=None
        Called between calls as ``on_epochs(member, first_epoch, losses)``, from the thread that
        trains the member.
    """
    stop = threading.Event()
    with on_cpu():
        tensors = {id(member.rows): _data(member.rows) for member in members}
    if n_threads == 1 or len(members) == 1:
        return [
            _train_member(member, tensors[id(member.rows)], k, on_epochs, stop)
            for k, member in enumerate(members)
        ]
    with ThreadPoolExecutor(n_threads, thread_name_prefix="skreg") as pool:
        futures = [
            pool.submit(_train_member, member, tensors[id(member.rows)], k, on_epochs, stop)
            for k, member in enumerate(members)
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            return [future.result() for future in futures]
        finally:  # after an error or an interrupt: members in flight end at their next call
            stop.set()
            pool.shutdown(cancel_futures=True)


def _data(rows: TrainingRows) -> Data:
    tf = tensorflow()
    return Data(zero_copy(rows.table), tf.constant(rows.targets), tf.constant(rows.visit_weight))


class _Interrupted(Exception):
    """Another member failed or the caller was interrupted."""


def _generators(seed: tuple[int, int]) -> tuple[np.random.Generator, int]:
    """The generator of the first weights, and the key of the permutations."""
    key = seed[0] | seed[1] << 32
    # The third word of the counter sets the weights apart from every epoch's permutation.
    bits = np.random.Philox(key=key, counter=[0, 0, 1, 0])
    return np.random.Generator(bits), key


def _train_member(member: Member, data: Data, index, on_epochs, stop) -> Outcome:
    with on_cpu():  # a device scope belongs to its thread
        state, losses, status = _run(member, data, index, on_epochs, stop)
    return _outcome(member, state, losses, status)


def _run(member: Member, data: Data, index, on_epochs, stop):
    """Call the program until the member has ended; return its state, losses and status."""
    spec = member.spec
    program = program_for(spec)
    generator, key = _generators(member.seed)
    kernels, biases = initial_parameters(
        spec.layer_sizes, member.n_features, member.n_outputs, generator
    )
    state = initial_state(spec, kernels, biases)
    n_visits = len(member.rows.visits)
    values = member_values(member.hyper, np.array(member.seed), n_visits, member.n_steps)
    multiplications = 3 * spec.batch_slots * sum(rows * cols for rows, cols in spec.kernel_shapes)
    rate = _FIRST_GUESS / multiplications  # steps a second
    losses: list[float] = []
    status = Status.RUNNING
    block = order = None
    epoch = step = 0
    while status is Status.RUNNING:
        if stop.is_set():
            raise _Interrupted
        if block != epoch // spec.epoch_slots:
            block = epoch // spec.epoch_slots
            order = _orders(member, spec, key, block)
        left_in_block = ((block + 1) * spec.epoch_slots - epoch) * member.n_steps - step
        budget = max(1, min(int(rate * _CALL_SECONDS), left_in_block))
        start = time.perf_counter()
        compiled_before = program.compile_seconds
        state = program.advance(state, data, order, values, budget)
        reached, step, code, _ = (int(number) for number in state.counters.numpy())
        seconds = time.perf_counter() - start - (program.compile_seconds - compiled_before)
        rate = budget / max(seconds, 1e-6)
        status = list(Status)[code]
        if reached > epoch:
            slots = np.arange(epoch, reached) % spec.epoch_slots
            new = state.losses.numpy()[slots].tolist()
            losses += new
            if on_epochs is not None:
                on_epochs(index, epoch, new)
        epoch = reached
    return state, losses, status


def _orders(member: Member, spec: ProgramSpec, key: int, block: int):
    """Tensor of the visits of one block of epochs, one epoch after the other, padded."""
    first = block * spec.epoch_slots
    n_epochs = min(spec.epoch_slots, member.hyper.max_iter - first)
    width = spec.visit_slots + spec.batch_slots
    orders = np.zeros((spec.epoch_slots, width), dtype=np.int32)
    orders[:n_epochs] = permutations(member.rows.visits, key, first, n_epochs, width)
    return tensorflow().constant(orders.ravel())


def _outcome(member: Member, state: State, losses: list[float], status: Status) -> Outcome:
    kernels, biases = kept_parameters(member.spec, state)
    kernels[0] = kernels[0][: member.n_features].copy()
    kernels[-1] = kernels[-1][:, : member.n_outputs].copy()
    biases[-1] = biases[-1][: member.n_outputs]
    if status is Status.FINISHED and member.hyper.tol is not None:
        status = Status.NOT_CONVERGED
    return Outcome(kernels, biases, losses, status)
