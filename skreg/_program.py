"""The compiled program: the training of one member, epoch after epoch, as one XLA computation.

Owns the only tf.function: the step, the loop over steps and epochs, what is decided at the end of an
epoch (divergence, stopping by tol), the state that passes from call to call, and the cache of
compiled programs. Does not own the mathematics of the parts (network, noise, heads, penalties,
solvers), nor rows, threads and the length of a call.

A call runs a given number of steps, so that it can be kept short whatever the size of an epoch; all
that decides the result is computed inside, at the end of each epoch, so that the result does not
depend on where the calls were cut.

Parameters and moments are one tensor a layer: fused into one flat vector, XLA's kernels for the
update index element by element and took twice the time (CONTRIBUTING.md has the figures).
"""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple

import numpy as np

from skreg._heads import HEADS
from skreg._network import compiled_loss_and_gradients
from skreg._noise import compiled_keep, keep_threshold
from skreg._penalties import decayed, l2_gradient, l2_value
from skreg._solvers import SOLVERS, SolverValues, scheduled
from skreg._spec import Hyperparameters, ProgramSpec, Status
from skreg._tensorflow import quiet_start, tensorflow

# Share of the past in the smoothed training loss: dropout makes the loss of an epoch noisy, and a
# mean over some five epochs is what tol is compared with.
_SMOOTHING = 0.8


class State(NamedTuple):
    """What passes from one call to the next; a tuple of tensors, or of tuples of them."""

    kernels: tuple
    biases: tuple
    slots: tuple  # of the solver, for each kernel, then for each bias
    kept_kernels: tuple  # at the end of the last epoch in which all was finite
    kept_biases: tuple
    counters: Any  # int32: epoch, step in the epoch, status, epochs without improvement
    sums: Any  # float32: loss of the epoch so far, smoothed loss, best smoothed loss
    losses: Any  # float32, shape (epoch_slots,): the losses of this block of epochs


class Data(NamedTuple):
    """The tensors of `TrainingRows`, shared by all members that train on them."""

    table: Any
    targets: Any
    visit_weight: Any


class Values(NamedTuple):
    """The hyperparameters and the member's seed, as tensors."""

    numbers: Any  # float32, in the order of `_NUMBERS`
    integers: Any  # int32: max_iter, n_iter_no_change, visits of an epoch, steps of an epoch
    l2: Any  # float32, one a kernel
    thresholds: Any  # uint32, inputs first
    scales: Any  # float32, 1 / (1 - rate), inputs first
    seed: Any  # uint32, shape (2,)


_NUMBERS = (
    "learning_rate_init",
    "cosine",
    "momentum",
    "nesterovs_momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "weight_decay",
    "tol",
)


def member_values(
    hyper: Hyperparameters, seed: np.ndarray, n_visits: int, n_steps: int
) -> Values:
    """Turn a member's hyperparameters, seed and epoch into tensors."""
    tf = tensorflow()
    rates = np.array([hyper.input_dropout, *hyper.dropout])
    numbers = {name: getattr(hyper, name) for name in _NUMBERS}
    numbers["tol"] = -1.0 if hyper.tol is None else hyper.tol
    integers = [hyper.max_iter, hyper.n_iter_no_change, n_visits, n_steps]
    return Values(
        numbers=tf.constant([float(numbers[name]) for name in _NUMBERS], tf.float32),
        integers=tf.constant(np.clip(integers, 0, 2**31 - 1), tf.int32),
        l2=tf.constant(hyper.l2, tf.float32),
        thresholds=tf.constant([keep_threshold(rate) for rate in rates], tf.uint32),
        scales=tf.constant(1.0 / (1.0 - rates), tf.float32),
        seed=tf.constant(seed, tf.uint32),
    )


def initial_state(spec: ProgramSpec, kernels, biases) -> State:
    """State before the first step, from the first weights."""
    tf = tensorflow()
    kernels = tuple(tf.constant(kernel) for kernel in kernels)
    biases = tuple(tf.constant(bias) for bias in biases)
    n_slots = SOLVERS[spec.solver].n_slots
    slots = tuple((tf.zeros_like(p),) * n_slots for p in (*kernels, *biases))
    return State(
        kernels=kernels,
        biases=biases,
        slots=slots,
        kept_kernels=kernels,
        kept_biases=biases,
        counters=tf.constant([0, 0, Status.RUNNING.code, 0], tf.int32),
        sums=tf.constant([0.0, 0.0, np.inf], tf.float32),
        losses=tf.zeros((spec.epoch_slots,), tf.float32),
    )


def _training_step(spec, data, order, values, numbers, state, epoch, step):
    """One minibatch: gather, forward, backward, penalties, update; returns params, slots, loss."""
    tf = tensorflow()
    n_visits, n_steps = values.integers[2], values.integers[3]
    # L visits over S steps whose sizes differ by at most one: the first L mod S have one more.
    size, larger = n_visits // n_steps, n_visits % n_steps
    start = step * size + tf.minimum(step, larger)
    size = size + tf.cast(step < larger, tf.int32)
    row_width = spec.visit_slots + spec.batch_slots
    begin = (epoch % spec.epoch_slots) * row_width + start
    rows = tf.slice(order, begin[None], [spec.batch_slots])
    real = tf.cast(tf.range(spec.batch_slots) < size, tf.float32)
    weights = tf.gather(data.visit_weight, rows) * real / tf.cast(size, tf.float32)
    inputs = tf.gather(data.table, rows)
    targets = tf.gather(data.targets, rows)

    time_step = epoch * n_steps + step
    widths = spec.layer_sizes[:-1]
    dropped = [
        (
            compiled_keep(
                (spec.batch_slots, width),
                (values.seed[0], values.seed[1]),
                tf.cast(time_step, tf.uint32),
                layer,
                values.thresholds[layer],
            ),
            values.scales[layer],
        )
        for layer, width in enumerate(widths)
    ]
    loss, kernel_gradients, bias_gradients = compiled_loss_and_gradients(
        state.kernels,
        state.biases,
        inputs,
        spec.activation,
        dropped,
        lambda logits: HEADS[spec.head].loss_and_delta(logits, targets, weights),
    )
    solver = SOLVERS[spec.solver]
    ordinal = tf.cast(time_step, tf.float32)
    total = tf.cast(values.integers[0], tf.float32) * tf.cast(n_steps, tf.float32)
    solver_values = SolverValues(
        learning_rate=scheduled(numbers["learning_rate_init"], numbers["cosine"], ordinal, total),
        step=ordinal + 1.0,
        momentum=numbers["momentum"],
        nesterov=numbers["nesterovs_momentum"],
        beta_1=numbers["beta_1"],
        beta_2=numbers["beta_2"],
        epsilon=numbers["epsilon"],
    )
    updated = []
    for index, (kernel, gradient) in enumerate(zip(state.kernels, kernel_gradients, strict=True)):
        gradient = gradient + l2_gradient(kernel, values.l2[index])
        kernel = decayed(kernel, numbers["weight_decay"], solver_values.learning_rate)
        updated.append(solver.update(kernel, state.slots[index], gradient, solver_values))
    for index, (bias, gradient) in enumerate(zip(state.biases, bias_gradients, strict=True)):
        slots = state.slots[len(state.kernels) + index]
        updated.append(solver.update(bias, slots, gradient, solver_values))
    parameters = tuple(parameter for parameter, _ in updated)
    n_kernels = len(state.kernels)
    return (
        parameters[:n_kernels],
        parameters[n_kernels:],
        tuple(slots for _, slots in updated),
        loss * tf.cast(size, tf.float32) / tf.cast(n_visits, tf.float32),
    )


def _end_of_epoch(spec, values, numbers, state: State) -> State:
    """Book the epoch's loss and decide whether the member goes on; only `state` decides."""
    tf = tensorflow()
    epoch, waited = state.counters[0], state.counters[3]
    penalty = tf.add_n(
        [l2_value(kernel, values.l2[k]) for k, kernel in enumerate(state.kernels)]
    )
    loss = state.sums[0] + penalty
    finite = tf.reduce_all(
        [tf.math.is_finite(loss)]
        + [tf.reduce_all(tf.math.is_finite(p)) for p in (*state.kernels, *state.biases)]
    )

    def last_finite(new, kept):
        return tuple(tf.where(finite, n, k) for n, k in zip(new, kept, strict=True))

    past = tf.where(epoch == 0, loss, state.sums[1])
    smoothed = _SMOOTHING * past + (1.0 - _SMOOTHING) * loss
    best = state.sums[2]
    # As in MLPClassifier: an epoch counts as stalled unless it beats the best by more than tol.
    waited = tf.where(smoothed > best - numbers["tol"], waited + 1, 0)
    stalled = (numbers["tol"] >= 0.0) & (waited >= values.integers[1])
    status = tf.where(epoch + 1 >= values.integers[0], Status.FINISHED.code, Status.RUNNING.code)
    status = tf.where(stalled, Status.CONVERGED.code, status)
    status = tf.where(finite, status, Status.DIVERGED.code)
    kept_kernels = last_finite(state.kernels, state.kept_kernels)
    kept_biases = last_finite(state.biases, state.kept_biases)
    slot = epoch % spec.epoch_slots
    return state._replace(
        kept_kernels=kept_kernels,
        kept_biases=kept_biases,
        counters=tf.stack([epoch + 1, 0, status, waited]),
        sums=tf.stack([0.0, smoothed, tf.minimum(best, smoothed)]),
        losses=tf.where(tf.range(spec.epoch_slots) == slot, loss, state.losses),
    )


def _build(spec: ProgramSpec):
    """Return the tf.function that advances a member by at most `budget` steps."""
    tf = tensorflow()

    @tf.function(jit_compile=True, autograph=False)
    def advance(state: State, data: Data, order, values: Values, budget):
        numbers = {name: values.numbers[k] for k, name in enumerate(_NUMBERS)}
        n_steps = values.integers[3]

        def steps_of_an_epoch(left, state):
            first = state.counters[1]
            last = tf.minimum(n_steps, first + left)

            def body(step, kernels, biases, slots, loss_sum):
                at = state._replace(kernels=kernels, biases=biases, slots=slots)
                kernels, biases, slots, loss = _training_step(
                    spec, data, order, values, numbers, at, state.counters[0], step
                )
                return step + 1, kernels, biases, slots, loss_sum + loss

            start = (first, state.kernels, state.biases, state.slots, state.sums[0])
            step, kernels, biases, slots, loss_sum = tf.while_loop(
                lambda step, *_: step < last, body, start
            )
            state = state._replace(kernels=kernels, biases=biases, slots=slots)
            state = state._replace(
                counters=tf.tensor_scatter_nd_update(state.counters, [[1]], step[None]),
                sums=tf.tensor_scatter_nd_update(state.sums, [[0]], loss_sum[None]),
            )
            ended = _end_of_epoch(spec, values, numbers, state)
            complete = step == n_steps
            state = tf.nest.map_structure(lambda a, b: tf.where(complete, a, b), ended, state)
            return left - (step - first), state

        def goes_on(left, state):
            running = state.counters[2] == Status.RUNNING.code
            return (left > 0) & running

        return tf.while_loop(goes_on, steps_of_an_epoch, (budget, state))[1]

    return advance


class Program:
    """One compiled program, made ready on its first use and then callable from any thread."""

    def __init__(self, spec: ProgramSpec):
        self.spec = spec
        self.compile_seconds = 0.0
        self._lock = threading.Lock()
        self._advance = None

    def advance(self, state: State, data: Data, order, values: Values, budget: int) -> State:
        """Run at most `budget` steps; TensorFlow releases the GIL meanwhile."""
        tf = tensorflow()
        arguments = (state, data, order, values)
        if self._advance is None:
            self._make_ready(arguments)
        return self._advance(*arguments, tf.constant(budget, tf.int32))

    def _make_ready(self, arguments) -> None:
        """Trace and compile by a call of no steps, in one thread while the others wait."""
        tf = tensorflow()
        with self._lock:
            if self._advance is None:
                start = time.perf_counter()
                advance = _build(self.spec)
                with quiet_start():  # XLA says once that it is there
                    advance(*arguments, tf.constant(0, tf.int32))
                self.compile_seconds = time.perf_counter() - start
                self._advance = advance


_programs: dict[ProgramSpec, Program] = {}
_programs_lock = threading.Lock()


def program_for(spec: ProgramSpec) -> Program:
    """Return the one program of this spec in this process."""
    with _programs_lock:
        return _programs.setdefault(spec, Program(spec))


def n_programs() -> int:
    """Return how many programs this process has compiled; each keeps about 6 MB for its life."""
    return sum(program.compile_seconds > 0 for program in list(_programs.values()))
