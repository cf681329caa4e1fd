"""The compiled step and the compiled end of an epoch, and the state between them.

Each kernel and its moments are tensors of their own: XLA updates one flat vector element by
element, which takes twice as long. The biases are small, and are one vector, which saves a dozen
computations per step and a third of the time to compile. The vector ends with the trained
parameters of an encoding. Neither penalties nor decay apply to it. The decision notes have the
figures.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from skreg._data.padding import VALIDATION_BLOCK
from skreg._engine.hyperparameters import INTEGERS, NUMBERS, HyperparameterTensors
from skreg._engine.spec import ProgramSpec
from skreg._engine.status import Status, StopCriterion
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.dropout import Mask, compute_mask, compute_mask_at
from skreg._nn.losses import LOSSES
from skreg._nn.mlp import compute_logits, compute_loss_and_gradients
from skreg._nn.penalties import PENALTIES, decay_kernel, sum_squares
from skreg._nn.solvers import SOLVERS, OptimizerInputs, compute_learning_rate
from skreg._tensorflow import tensorflow

# Weight of the past in the smoothed training loss. Dropout makes the loss of one epoch noisy, so
# `tol` is compared with a mean over some five epochs.
_SMOOTHING = 0.8


class Counters(NamedTuple):
    """Progress of a training, packed into an int32 tensor."""

    epoch: Any  # epochs that are complete
    step: Any  # steps of the current epoch
    status: Any  # code of a `Status`
    n_stalled: Any  # epochs without improvement
    best_epoch: Any  # epoch of `TrainingState.best_parameters`


FIRST_COUNTERS = Counters(epoch=0, step=0, status=Status.RUNNING, n_stalled=0, best_epoch=0)


class Losses(NamedTuple):
    """Losses of the steps and epochs so far, packed into a float32 tensor."""

    sum: Any  # of the steps of the current epoch
    smoothed: Any  # over the epochs
    best: Any  # monitored loss


class TrainingState(NamedTuple):
    """What one call of a program passes to the next: tensors, or tuples of tensors."""

    # The kernel of each layer, then one padded vector of all biases and the numbers of the input
    # layer that are trained.
    parameters: tuple
    moments: tuple  # of the solver, for each of the parameters
    best_parameters: tuple  # of the best epoch, or of the last one in which all was finite
    counters: Any  # int32, packed `Counters`
    losses: Any  # float32, packed `Losses`
    curves: Any  # float32, shape (2, epochs_per_block): training and validation loss


class DataTensors(NamedTuple):
    """The tensors of `TrainingRows` and `ValidationRows`, shared by all jobs on them."""

    table: Any
    targets: Any
    visit_weight: Any
    validation: tuple  # table, targets, share; or empty


class StepContext(NamedTuple):
    """What the steps of a training share."""

    data: DataTensors
    order: Any
    tensors: HyperparameterTensors
    numbers: dict
    integers: dict


def make_context(data: DataTensors, order, tensors: HyperparameterTensors) -> StepContext:
    """Return data and tensors, with the names of the tensors."""
    numbers = {name: tensors.numbers[k] for k, name in enumerate(NUMBERS)}
    integers = {name: tensors.integers[k] for k, name in enumerate(INTEGERS)}
    return StepContext(data, order, tensors, numbers, integers)


# -- state -------------------------------------------------------------------------------------


def make_initial_state(
    spec: ProgramSpec, kernels, biases, input_parameters=None, moments=None
) -> TrainingState:
    """Return the state before the first step.

    Parameters
    ----------
    spec : ProgramSpec
    kernels, biases : sequence of ndarray of float32
        Padded.
    input_parameters : ndarray of float32, default=None
        Parameters of the input layer, padded. None if there are none.
    moments : tuple, default=None
        Of the state that this one continues. None begins with zeros.
    """
    tf = tensorflow()
    vectors = np.concatenate(
        [*biases, np.empty(0, np.float32) if input_parameters is None else input_parameters]
    )
    flat = np.zeros(-(-len(vectors) // 64) * 64, dtype=np.float32)
    flat[: len(vectors)] = vectors
    parameters = tuple(tf.constant(parameter) for parameter in (*kernels, flat))
    if moments is None:
        n_moments = SOLVERS[spec.solver].n_moments
        moments = tuple((tf.zeros_like(parameter),) * n_moments for parameter in parameters)
    else:
        moments = map_leaves(tf.constant, moments)
    return TrainingState(
        parameters=parameters,
        moments=moments,
        best_parameters=parameters,
        counters=tf.constant(FIRST_COUNTERS, tf.int32),
        losses=tf.constant(Losses(sum=0.0, smoothed=0.0, best=np.inf), tf.float32),
        curves=tf.constant(np.zeros((2, spec.epochs_per_block), np.float32)),
    )


def read_best_parameters(
    spec: ProgramSpec, state: TrainingState, rows: slice | np.ndarray, n_outputs: int
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Return the best kernels, biases and parameters of the input layer as arrays of their own.

    Kernels and biases are without padding, parameters of the input layer with it. `rows` are the
    rows of the first kernel that are not padding.
    """
    # Views of the tensors' memory, so that it is copied once.
    *kernels, flat = (np.asarray(parameter) for parameter in state.best_parameters)
    kernels[0] = kernels[0][rows]
    kernels[-1] = kernels[-1][:, :n_outputs]
    biases = split_biases(spec, flat)
    biases[-1] = biases[-1][:n_outputs]
    input_parameters = select_input_parameters(spec, flat).copy()
    return [kernel.copy() for kernel in kernels], [bias.copy() for bias in biases], input_parameters


@functools.cache
def find_bias_bounds(spec: ProgramSpec) -> tuple[int, ...]:
    """Return where each bias begins in the vector of biases, and where the last one ends."""
    return tuple(itertools.accumulate(spec.layer_sizes[1:], initial=0))


def split_biases(spec: ProgramSpec, flat) -> list:
    """Return the bias of each layer."""
    return [flat[start:end] for start, end in itertools.pairwise(find_bias_bounds(spec))]


def select_input_parameters(spec: ProgramSpec, flat):
    """Return the parameters of the input layer."""
    start = find_bias_bounds(spec)[-1]
    return flat[start : start + spec.input_layer.n_parameters]


def map_leaves(change, tree):
    """Return the tuple of tuples with each leaf changed."""
    if not isinstance(tree, tuple):
        return change(tree)
    leaves = [map_leaves(change, branch) for branch in tree]
    return type(tree)(*leaves) if hasattr(tree, "_fields") else tuple(leaves)


# -- one step ----------------------------------------------------------------------------------


def take_step(spec: ProgramSpec, context: StepContext, parameters, moments, epoch, step):
    """Run one minibatch: forward, backward, penalties, update.

    Returns
    -------
    parameters, moments : tuple of tensors
    loss : tensor, shape ()
        Share of the step in the loss of the epoch.
    """
    tf = tensorflow()
    integers, numbers, tensors = context.integers, context.numbers, context.tensors
    n_visits, n_steps = integers["n_visits"], integers["n_steps"]
    rows, targets, weights, size = _select_batch(spec, context, epoch, step)
    since_start = epoch * n_steps + step
    mask_inputs, masks = _make_masks(spec, tensors, integers["first_step"] + since_start)
    *kernels, flat = parameters
    input_parameters = select_input_parameters(spec, flat)
    loss, gradients, bias_gradients, input_gradients = compute_loss_and_gradients(
        kernels,
        split_biases(spec, flat),
        spec.input_layer.make_batch(
            context.data.table, rows, mask_inputs, tensors.scales[0], input_parameters
        ),
        ACTIVATIONS[spec.activation],
        masks,
        lambda logits: _compute_loss(spec, logits, targets, weights, tensors),
    )
    total = tf.cast(integers["max_iter"], tf.float32) * tf.cast(n_steps, tf.float32)
    learning_rate = compute_learning_rate(
        numbers["learning_rate_init"], numbers["cosine"], tf.cast(since_start, tf.float32), total
    )
    gradients = _add_penalty_gradients(spec, tensors, kernels, gradients)
    n_used = find_bias_bounds(spec)[-1] + spec.input_layer.n_parameters
    padding = tf.zeros(flat.shape[0] - n_used)
    gradients.append(tf.concat([*bias_gradients, *input_gradients, padding], axis=0))
    decayed = [decay_kernel(kernel, numbers["weight_decay"], learning_rate) for kernel in kernels]
    solver = SOLVERS[spec.solver]
    optimizer_inputs = OptimizerInputs(
        learning_rate=learning_rate,
        step=tf.cast(integers["first_update"] + since_start, tf.float32) + 1.0,
        hyperparameters={name: numbers[name] for name in solver.defaults},
    )
    updated = [
        solver.update(parameter, its_moments, gradient, optimizer_inputs)
        for parameter, its_moments, gradient in zip(
            [*decayed, flat], moments, gradients, strict=True
        )
    ]
    parameters, moments = zip(*updated, strict=True)
    return parameters, moments, loss * tf.cast(size, tf.float32) / tf.cast(n_visits, tf.float32)


def _select_batch(spec: ProgramSpec, context: StepContext, epoch, step):
    """Return rows, targets and weights of a step, and how many of the rows are not padding."""
    tf = tensorflow()
    n_visits, n_steps = context.integers["n_visits"], context.integers["n_steps"]
    # n_visits over n_steps, in sizes that differ by at most one: the first steps have one more.
    size, larger = n_visits // n_steps, n_visits % n_steps
    start = step * size + tf.minimum(step, larger)
    size = size + tf.cast(step < larger, tf.int32)
    row_width = spec.padded_visits + spec.padded_batch
    begin = (epoch % spec.epochs_per_block) * row_width + start
    offsets = tf.range(spec.padded_batch)
    # tf.slice would make XLA compile again for every number that `begin` is made of.
    rows = tf.gather(context.order, begin + offsets)
    real = tf.cast(offsets < size, tf.float32)
    weights = tf.gather(context.data.visit_weight, rows) * real / tf.cast(size, tf.float32)
    return rows, tf.gather(context.data.targets, rows), weights, size


def _make_masks(spec: ProgramSpec, tensors: HyperparameterTensors, step):
    """Return what is kept of the inputs, as a function of positions, and the hidden masks."""
    tf = tensorflow()
    seed = (tensors.seed[0], tensors.seed[1])
    step = tf.cast(step, tf.uint32)

    def mask_inputs(positions):
        return compute_mask_at(positions, seed, step, 0, tensors.thresholds[0])

    return mask_inputs, [
        Mask(
            compute_mask((spec.padded_batch, width), seed, step, k, tensors.thresholds[k]),
            tensors.scales[k],
        )
        for k, width in enumerate(spec.layer_sizes[1:-1], 1)
    ]


def _compute_loss(spec: ProgramSpec, logits, targets, weights, tensors: HyperparameterTensors):
    """Return the weighted loss and its derivative with respect to the logits.

    It is zero for padded outputs. The weights sum to about 1, and are 0 for padded rows.
    """
    tf = tensorflow()
    logits = logits[:, : spec.n_outputs]
    loss = LOSSES[spec.loss]
    parameters = dict(zip(loss.defaults, tensors.loss_parameters, strict=True))
    losses, delta = loss.compute(logits, targets, parameters)
    delta = weights[:, None] * delta
    padding = spec.layer_sizes[-1] - spec.n_outputs
    return tf.reduce_sum(weights * losses), tf.pad(delta, [[0, 0], [0, padding]])


def _iterate_penalties(spec: ProgramSpec, tensors: HyperparameterTensors):
    """Yield each penalty of the program with its strength for each kernel."""
    tf = tensorflow()
    for name, strengths in zip(spec.penalties, tensors.strengths, strict=True):
        yield PENALTIES[name], tf.unstack(strengths)


def _add_penalty_gradients(spec, tensors, kernels, gradients) -> list:
    gradients = list(gradients)
    for penalty, strengths in _iterate_penalties(spec, tensors):
        for layer, (kernel, strength) in enumerate(zip(kernels, strengths, strict=True)):
            gradients[layer] += penalty.compute_gradient(kernel, strength)
    return gradients


# -- the end of an epoch -----------------------------------------------------------------------


def finish_epoch(
    spec: ProgramSpec, context: StepContext, state: TrainingState, complete
) -> TrainingState:
    """If the epoch is complete, record its losses and decide whether training continues."""
    tf = tensorflow()
    integers = context.integers
    counters, losses = Counters(*tf.unstack(state.counters)), Losses(*tf.unstack(state.losses))
    loss = losses.sum + _compute_penalties(spec, context.tensors, state.parameters[:-1])
    validation_loss = tf.constant(0.0)
    if spec.padded_validation_rows:
        validation_loss = tf.cond(
            complete,
            lambda: _compute_validation_loss(spec, context, state.parameters),
            lambda: tf.constant(0.0),
        )
    # A parameter that is not finite, or whose square is not, makes its sum of squares so.
    squares = tf.add_n([sum_squares(parameter) for parameter in state.parameters])
    finite = tf.math.is_finite(loss + validation_loss) & tf.math.is_finite(squares)
    smoothed = tf.where(
        counters.epoch == 0, loss, _SMOOTHING * losses.smoothed + (1.0 - _SMOOTHING) * loss
    )
    validates = integers["stop_criterion"] == StopCriterion.VALIDATION_LOSS
    monitored = tf.where(validates, validation_loss, smoothed)
    # As in MLPClassifier, an epoch that does not improve the best by more than tol is stalled.
    improves = monitored < losses.best - context.numbers["tol"]
    n_stalled = tf.where(improves, 0, counters.n_stalled + 1)
    status = _decide_status(integers, counters.epoch + 1, n_stalled, finite)
    # Without a validation loss the last finite epoch is the best one.
    is_best = complete & finite & (~validates | (validation_loss < losses.best))
    best_parameters = tuple(
        tf.where(is_best, new, best)
        for new, best in zip(state.parameters, state.best_parameters, strict=True)
    )
    best_epoch = tf.where(is_best, counters.epoch + 1, counters.best_epoch)
    ended = Counters(counters.epoch + 1, tf.constant(0), status, n_stalled, best_epoch)
    running = counters._replace(status=tf.constant(Status.RUNNING))
    ended_losses = Losses(tf.constant(0.0), smoothed, tf.minimum(losses.best, monitored))
    slot = counters.epoch % spec.epochs_per_block
    here = complete & (tf.range(spec.epochs_per_block) == slot)
    return state._replace(
        best_parameters=best_parameters,
        counters=tf.where(complete, tf.stack(ended), tf.stack(running)),
        losses=tf.where(complete, tf.stack(ended_losses), state.losses),
        curves=tf.where(here, tf.stack([loss, validation_loss])[:, None], state.curves),
    )


def _decide_status(integers, epoch, n_stalled, finite):
    """Return the code of the status at the end of an epoch."""
    tf = tensorflow()
    is_last = epoch >= integers["max_iter"]
    status = tf.where(is_last, Status.FINISHED, Status.RUNNING)
    stops = integers["stop_criterion"] != StopCriterion.NONE
    stops &= n_stalled >= integers["n_iter_no_change"]
    status = tf.where(stops, Status.CONVERGED, status)
    return tf.where(finite, status, Status.DIVERGED)


def _compute_penalties(spec: ProgramSpec, tensors: HyperparameterTensors, kernels):
    """Return the sum of all penalties of all kernels."""
    penalties = [
        penalty.compute_value(kernel, strength)
        for penalty, strengths in _iterate_penalties(spec, tensors)
        for kernel, strength in zip(kernels, strengths, strict=True)
    ]
    return tensorflow().add_n(penalties)


def _compute_validation_loss(spec: ProgramSpec, context: StepContext, parameters):
    """Return the weighted mean loss of the validation rows, without penalty and dropout.

    It is computed in blocks, so that the activations of a large table need not exist together.
    """
    tf = tensorflow()
    *kernels, flat = parameters
    biases, activation = split_biases(spec, flat), ACTIVATIONS[spec.activation]
    input_parameters = select_input_parameters(spec, flat)
    block = min(spec.padded_validation_rows, VALIDATION_BLOCK)
    table, *others = context.data.validation

    def body(first, total):
        rows = first + tf.range(block)
        targets, share = (tf.gather(tensor, rows) for tensor in others)
        batch = spec.input_layer.make_batch(table, rows, parameters=input_parameters)
        logits = compute_logits(kernels, biases, batch, activation)
        loss, _ = _compute_loss(spec, logits, targets, share, context.tensors)
        return first + block, total + loss

    start, n_rows = (tf.constant(0), tf.constant(0.0)), context.integers["n_validation_rows"]
    return tf.while_loop(lambda first, _: first < n_rows, body, start)[1]
