"""TODO."""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from skreg._data.padding import VALIDATION_BLOCK
from skreg._engine.hyperparameters import INTEGERS, NUMBERS, Values
from skreg._engine.spec import Monitor, ProgramSpec, Status
from skreg._nn.dropout import compiled_keep, compiled_keep_at, dropped
from skreg._nn.inputs import DenseBatch, sparse_batch
from skreg._nn.losses import HEADS
from skreg._nn.mlp import compiled_logits, compiled_loss_and_gradients
from skreg._nn.penalties import decayed, l2_gradient, l2_value
from skreg._nn.solvers import SOLVERS, SolverValues, scheduled
from skreg._tensorflow import tensorflow

# Share of the past in the smoothed training loss: dropout makes the loss of an epoch noisy, and a
# mean over some five epochs is what tol is compared with.
_SMOOTHING = 0.8


class State(NamedTuple):
    """What passes from one call to the next; a tuple of tensors, or of tuples of them."""

    parameters: tuple  # each layer's kernel, then all biases in one padded vector
    slots: tuple  # of the solver, for each parameter
    kept: tuple  # the parameters of the best epoch, or of the last one in which all was finite
    counters: Any  # int32: epoch, step in the epoch, status, epochs without improvement, best epoch
    sums: Any  # float32: loss of the epoch so far, smoothed loss, best monitored loss
    losses: Any  # float32, shape (2, epoch_slots): training, validation; of this block of epochs


class Data(NamedTuple):
    """The tensors of `TrainingRows` and `ValidationRows`, shared by all members on them."""

    table: Any
    targets: Any
    visit_weight: Any
    validation: tuple  # table, targets, share; or empty


@functools.cache
def _bias_bounds(spec: ProgramSpec) -> tuple[int, ...]:
    """Where each layer's bias begins in the vector of biases; the last entry is their number."""
    return tuple(itertools.accumulate(spec.layer_sizes[1:], initial=0))


def initial_state(spec: ProgramSpec, kernels, biases, slots=None) -> State:
    """State before the first step, from the first weights.

    `slots` are those of another state, to continue where another fit ended.
    """
    tf = tensorflow()
    flat = np.zeros(-(-_bias_bounds(spec)[-1] // 64) * 64, dtype=np.float32)
    flat[: _bias_bounds(spec)[-1]] = np.concatenate(biases)
    parameters = tuple(tf.constant(parameter) for parameter in (*kernels, flat))
    if slots is None:
        n_slots = SOLVERS[spec.solver].n_slots
        slots = tuple((tf.zeros_like(parameter),) * n_slots for parameter in parameters)
    else:
        slots = tuple(tuple(tf.constant(slot) for slot in of_one) for of_one in slots)
    return State(
        parameters=parameters,
        slots=slots,
        kept=parameters,
        counters=tf.constant([0, 0, Status.RUNNING.code, 0, 0], tf.int32),
        sums=tf.constant([0.0, 0.0, np.inf], tf.float32),
        losses=tf.zeros((2, spec.epoch_slots), tf.float32),
    )


def kept_parameters(
    spec: ProgramSpec, state: State, n_features: int, n_outputs: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Kernels and biases to keep, as arrays of their own without padded features and outputs."""
    # Views of the tensors' memory, so that what is kept is copied once.
    *kernels, flat = (np.asarray(parameter) for parameter in state.kept)
    kernels[0] = kernels[0][:n_features]
    kernels[-1] = kernels[-1][:, :n_outputs]
    biases = [flat[a:b] for a, b in itertools.pairwise(_bias_bounds(spec))]
    biases[-1] = biases[-1][:n_outputs]
    return [kernel.copy() for kernel in kernels], [bias.copy() for bias in biases]


def state_in_numpy(state: State) -> State:
    """The state with arrays in the place of tensors."""
    return _mapped(np.asarray, state)


def state_in_tensors(state: State) -> State:
    """The state with tensors in the place of arrays."""
    return _mapped(tensorflow().constant, state)


def _mapped(change, tree):
    """The tuple of tuples with each leaf changed."""
    if not isinstance(tree, tuple):
        return change(tree)
    leaves = [_mapped(change, branch) for branch in tree]
    return type(tree)(*leaves) if isinstance(tree, State) else tuple(leaves)


def _batch(spec, data, order, integers, epoch, step):
    """Rows, targets and weights of a step, and how many of the rows are real."""
    tf = tensorflow()
    n_visits, n_steps = integers["n_visits"], integers["n_steps"]
    # L visits over S steps whose sizes differ by at most one: the first L mod S have one more.
    size, larger = n_visits // n_steps, n_visits % n_steps
    start = step * size + tf.minimum(step, larger)
    size = size + tf.cast(step < larger, tf.int32)
    row_width = spec.visit_slots + spec.batch_slots
    begin = (epoch % spec.epoch_slots) * row_width + start
    slots = tf.range(spec.batch_slots)
    # A gather, because tf.slice makes XLA compile again for every number that `begin` is made of.
    rows = tf.gather(order, begin + slots)
    real = tf.cast(slots < size, tf.float32)
    weights = tf.gather(data.visit_weight, rows) * real / tf.cast(size, tf.float32)
    return rows, tf.gather(data.targets, rows), weights, size


def _inputs(spec, table, rows, keep=None, scale=1.0):
    """The rows as the first layer takes them; `keep` makes a mask of its counters."""
    tf = tensorflow()
    n_columns = spec.layer_sizes[0]
    if spec.piece:
        return sparse_batch(table, n_columns, spec.piece, rows, keep, scale)
    values = tf.gather(table, rows)
    if keep is not None:
        counters = tf.range(rows.shape[0] * n_columns, dtype=tf.int32)
        counters = tf.cast(tf.reshape(counters, (rows.shape[0], n_columns)), tf.uint32)
        values = dropped(values, keep(counters), scale)
    return DenseBatch(values)


def _masks(spec, values, time_step):
    """What is kept of the inputs (a function of counters) and of each hidden layer."""
    tf = tensorflow()
    seed = (values.seed[0], values.seed[1])
    step = tf.cast(time_step, tf.uint32)

    def keep_inputs(counters):
        return compiled_keep_at(counters, seed, step, 0, values.thresholds[0])

    return keep_inputs, [
        (
            compiled_keep((spec.batch_slots, width), seed, step, k, values.thresholds[k]),
            values.scales[k],
        )
        for k, width in enumerate(spec.layer_sizes[1:-1], 1)
    ]


def _head_loss(spec, logits, targets, weights, quantile):
    """Loss and derivative of the head, which does not see the padded outputs.

    The weights sum to about 1; they are 0 for padding.
    """
    tf = tensorflow()
    logits = logits[:, : spec.n_outputs]
    losses, delta = HEADS[spec.head].losses_and_delta(logits, targets, quantile)
    delta = weights[:, None] * delta
    padding = spec.layer_sizes[-1] - spec.n_outputs
    return tf.reduce_sum(weights * losses), tf.pad(delta, [[0, 0], [0, padding]])


def _validation_loss(spec, data, numbers, integers, parameters):
    """Weighted mean loss of the validation rows, without penalty and dropout.

    Block by block, so that the activations of a large validation table need not exist together.
    """
    tf = tensorflow()
    kernels, biases = _kernels_and_biases(spec, parameters)
    block = min(spec.validation_slots, VALIDATION_BLOCK)

    def body(first, total):
        rows = first + tf.range(block)
        table, *others = data.validation
        targets, share = (tf.gather(tensor, rows) for tensor in others)
        logits = compiled_logits(kernels, biases, _inputs(spec, table, rows), spec.activation)
        loss, _ = _head_loss(spec, logits, targets, share, numbers["quantile"])
        return first + block, total + loss

    start = (tf.constant(0), tf.constant(0.0))
    return tf.while_loop(lambda first, _: first < integers["n_validation"], body, start)[1]


def _kernels_and_biases(spec, parameters):
    *kernels, flat = parameters
    return kernels, [flat[a:b] for a, b in itertools.pairwise(_bias_bounds(spec))]


def _training_step(spec, data, order, values, numbers, integers, state, epoch, step):
    """One minibatch: forward, backward, penalties, update; returns parameters, slots and loss."""
    tf = tensorflow()
    rows, targets, weights, size = _batch(spec, data, order, integers, epoch, step)
    kernels, biases = _kernels_and_biases(spec, state.parameters)
    n_visits, n_steps = integers["n_visits"], integers["n_steps"]
    since_start = epoch * n_steps + step
    time_step = integers["first_step"] + since_start
    keep_inputs, masks = _masks(spec, values, time_step)
    loss, gradients, bias_gradients = compiled_loss_and_gradients(
        kernels,
        biases,
        _inputs(spec, data.table, rows, keep_inputs, values.scales[0]),
        spec.activation,
        masks,
        lambda logits: _head_loss(spec, logits, targets, weights, numbers["quantile"]),
    )
    ordinal = tf.cast(since_start, tf.float32)
    total = tf.cast(integers["max_iter"], tf.float32) * tf.cast(n_steps, tf.float32)
    solver_values = SolverValues(
        learning_rate=scheduled(numbers["learning_rate_init"], numbers["cosine"], ordinal, total),
        step=tf.cast(time_step, tf.float32) + 1.0,
        momentum=numbers["momentum"],
        nesterov=numbers["nesterovs_momentum"],
        beta_1=numbers["beta_1"],
        beta_2=numbers["beta_2"],
        epsilon=numbers["epsilon"],
    )
    decay = numbers["weight_decay"]
    regularised = [
        (decayed(kernel, decay, solver_values.learning_rate), gradient + l2_gradient(kernel, l2))
        for kernel, gradient, l2 in zip(kernels, gradients, tf.unstack(values.l2), strict=True)
    ]
    flat = state.parameters[-1]
    padding = tf.zeros(flat.shape[0] - _bias_bounds(spec)[-1])
    regularised.append((flat, tf.concat([*bias_gradients, padding], axis=0)))
    update = SOLVERS[spec.solver].update
    updated = [
        update(parameter, slots, gradient, solver_values)
        for (parameter, gradient), slots in zip(regularised, state.slots, strict=True)
    ]
    parameters, slots = zip(*updated, strict=True)
    return parameters, slots, loss * tf.cast(size, tf.float32) / tf.cast(n_visits, tf.float32)


def _end_of_epoch(spec, data, values, numbers, integers, state: State, complete) -> State:
    """If the epoch is complete, book its losses and decide whether the member goes on."""
    tf = tensorflow()
    epoch, step, _, waited, best_epoch = tf.unstack(state.counters)
    loss_sum, past, best = tf.unstack(state.sums)
    penalties = [
        l2_value(kernel, l2)
        for kernel, l2 in zip(state.parameters[:-1], tf.unstack(values.l2), strict=True)
    ]
    loss = loss_sum + tf.add_n(penalties)
    validation_loss = tf.constant(0.0)
    if spec.validation_slots:
        validation_loss = tf.cond(
            complete,
            lambda: _validation_loss(spec, data, numbers, integers, state.parameters),
            lambda: tf.constant(0.0),
        )
    # A parameter that is not finite, or whose square is not, makes its sum of squares so.
    squares = tf.add_n([l2_value(parameter, 1.0) for parameter in state.parameters])
    finite = tf.math.is_finite(loss + validation_loss) & tf.math.is_finite(squares)
    smoothed = tf.where(epoch == 0, loss, _SMOOTHING * past + (1.0 - _SMOOTHING) * loss)
    validates = integers["monitor"] == Monitor.VALIDATION_LOSS
    monitored = tf.where(validates, validation_loss, smoothed)
    # As in MLPClassifier: an epoch counts as stalled unless it beats the best by more than tol.
    now_waited = tf.where(monitored < best - numbers["tol"], 0, waited + 1)
    stalled = (integers["monitor"] != Monitor.NOTHING) & (
        now_waited >= integers["n_iter_no_change"]
    )
    status = tf.where(epoch + 1 >= integers["max_iter"], Status.FINISHED.code, Status.RUNNING.code)
    status = tf.where(stalled, Status.CONVERGED.code, status)
    status = tf.where(finite, status, Status.DIVERGED.code)
    keep = complete & finite & (~validates | (validation_loss < best))
    here = complete & (tf.range(spec.epoch_slots) == epoch % spec.epoch_slots)
    return state._replace(
        kept=tuple(
            tf.where(keep, new, kept)
            for new, kept in zip(state.parameters, state.kept, strict=True)
        ),
        counters=tf.where(
            complete,
            tf.stack([epoch + 1, 0, status, now_waited, tf.where(keep, epoch + 1, best_epoch)]),
            tf.stack([epoch, step, Status.RUNNING.code, waited, best_epoch]),
        ),
        sums=tf.where(
            complete,
            tf.stack([0.0, smoothed, tf.minimum(best, monitored)]),
            state.sums,
        ),
        losses=tf.where(here, tf.stack([loss, validation_loss])[:, None], state.losses),
    )


def _build(spec: ProgramSpec):
    """Return the tf.function that advances a member by at most `budget` steps."""
    tf = tensorflow()

    @tf.function(jit_compile=True, autograph=False)
    def advance(state: State, data: Data, order, values: Values, budget):
        numbers = {name: values.numbers[k] for k, name in enumerate(NUMBERS)}
        integers = {name: values.integers[k] for k, name in enumerate(INTEGERS)}

        def steps_of_an_epoch(left, state):
            epoch, first = state.counters[0], state.counters[1]
            last = tf.minimum(integers["n_steps"], first + left)

            def body(step, parameters, slots, loss_sum):
                at = state._replace(parameters=parameters, slots=slots)
                parameters, slots, loss = _training_step(
                    spec, data, order, values, numbers, integers, at, epoch, step
                )
                return step + 1, parameters, slots, loss_sum + loss

            start = (first, state.parameters, state.slots, state.sums[0])
            step, parameters, slots, loss_sum = tf.while_loop(
                lambda step, *_: step < last, body, start
            )
            state = state._replace(
                parameters=parameters,
                slots=slots,
                counters=tf.stack([epoch, step, *tf.unstack(state.counters)[2:]]),
                sums=tf.stack([loss_sum, *tf.unstack(state.sums)[1:]]),
            )
            complete = step == integers["n_steps"]
            state = _end_of_epoch(spec, data, values, numbers, integers, state, complete)
            return left - (step - first), state

        def goes_on(left, state):
            running = state.counters[2] == Status.RUNNING.code
            return (left > 0) & running

        return tf.while_loop(goes_on, steps_of_an_epoch, (budget, state))[1]

    return advance
