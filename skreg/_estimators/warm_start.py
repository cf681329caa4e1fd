"""How a fit continues an earlier one: its noise, its moments, its scales and its weights."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from skreg._data.scaling import rescale_inputs
from skreg._data.statistics import ColumnStatistics
from skreg._engine.job import WarmStart
from skreg._engine.trainer import FIRST_WEIGHTS, make_generator
from skreg._estimators.fit_records import NoiseSequence, PreparedFit, Stream
from skreg._nn.mlp import draw_parameters


def get_sequence(estimator, continues: bool) -> NoiseSequence:
    """Return the sequence of the fitted network, or a new one."""
    if continues and hasattr(estimator, "_sequence"):  # a network from Keras has none
        return estimator._sequence
    state = check_random_state(estimator.random_state)
    first, second = state.randint(0, 2**32, size=2, dtype=np.uint32)
    return NoiseSequence((int(first), int(second)))


def make_warm_start(fit: PreparedFit) -> WarmStart:
    """Return the weights of the fitted network, for the new scales.

    They are rewritten so that the network computes the same function. A stream that began with
    `partial_fit` keeps its weights unchanged, as behind a running StandardScaler: its function was
    learned from a few rows and should not be carried far outside their range.
    """
    estimator, stream, sequence = fit.estimator, fit.stream, fit.sequence
    if stream is None and fit.targets.was_constant(estimator):
        # Penalties have brought its weights to zero, where there are no gradients.
        kernels, biases = _draw_parameters(fit, len(estimator.coefs_[0]))
        return WarmStart(kernels, biases, None, 0, sequence.n_steps, sequence.n_epochs)
    kernels, biases = list(estimator.coefs_), list(estimator.intercepts_)
    statistics = estimator._statistics
    if statistics is not None:
        kernels[0] = _draw_missing_rows(fit, kernels[0], statistics)
    n_columns = fit.X.shape[1]
    identity = ColumnStatistics.make_identity(n_columns)
    if keeps_function(stream):
        before, now = statistics or identity, fit.statistics or identity
        column_kernel, encoded_kernel = np.split(kernels[0], [n_columns])
        column_kernel, biases[0] = rescale_inputs(column_kernel, biases[0], before, now)
        kernels[0] = np.concatenate([column_kernel, encoded_kernel])
        kernels[-1], biases[-1] = fit.targets.rescale_outputs(kernels[-1], biases[-1], estimator)
    moments, n_updates = None, 0
    if stream is not None and stream.solver == estimator.solver:  # else they are of no use
        moments, n_updates = stream.moments, stream.n_updates
    return WarmStart(kernels, biases, moments, n_updates, sequence.n_steps, sequence.n_epochs)


def keeps_function(stream: Stream | None) -> bool:
    """Whether weights are rewritten where scales change, so that the function stays the same."""
    return stream is None or stream.continues_fit


def _draw_missing_rows(fit: PreparedFit, kernel, statistics: ColumnStatistics):
    """Return the first kernel with weights for columns that were constant so far.

    These rows of it are zero. They become what a new network with the same seed begins with.
    """
    if not statistics.constant.any():
        return kernel
    sources = np.arange(len(statistics.constant))
    if fit.encoding is not None:
        sources = np.concatenate([sources, fit.encoding.sources])
    is_missing = ~kernel.any(axis=1) & statistics.constant[sources]
    drawn, _ = _draw_parameters(fit, len(kernel))
    return np.where(is_missing[:, None], drawn[0], kernel)


def _draw_parameters(fit: PreparedFit, n_inputs: int) -> tuple[list, list]:
    """Return the kernels and biases that a new network with the same seed begins with."""
    n_outputs = fit.targets.n_outputs
    sizes = n_inputs, *fit.settings.hidden_layer_sizes, n_outputs
    generator = make_generator(fit.sequence.seed, FIRST_WEIGHTS)
    return draw_parameters(sizes, n_inputs, n_outputs, generator)
