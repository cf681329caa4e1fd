"""From the result of a training to the fitted attributes of an estimator."""

from __future__ import annotations

import math

import numpy as np

from skreg._engine.job import TrainingJob, TrainingResult
from skreg._engine.status import Status
from skreg._estimators.callbacks import ValidationScoring
from skreg._estimators.fit_records import NoiseSequence, PreparedFit, Stream


def make_attributes(
    fit: PreparedFit, job: TrainingJob, result: TrainingResult, scoring: ValidationScoring | None
) -> dict:
    """Return the fitted attributes of the estimator."""
    losses, validation_losses, scores = result.losses, None, None
    best_loss, best_iter = _find_lowest(losses)
    if fit.validation is not None:
        validation_losses, best_iter = result.validation_losses, result.best_epoch
        best_loss = validation_losses[max(best_iter, 1) - 1]
        # An interrupt may come after the score of an epoch that is not part of the result.
        scores = None if scoring is None else scoring.scores[: len(losses)]
    attributes = {
        **make_network_attributes(fit, result.kernels, result.biases, result.encoding),
        "loss_curve_": losses,
        "loss_": losses[-1],
        "best_loss_": best_loss,
        "best_iter_": best_iter,
        "validation_loss_curve_": validation_losses,
        "validation_scores_": scores,
        "n_iter_": len(losses),
        "_sequence": NoiseSequence(
            fit.sequence.seed,
            n_steps=fit.sequence.n_steps + len(losses) * job.n_steps,
            n_epochs=fit.sequence.n_epochs + len(losses),
        ),
    }
    return attributes | _make_stream_attributes(fit, job, result)


def _find_lowest(losses: list[float]) -> tuple[float, int]:
    """Return the lowest loss and its epoch, counted from 1. NaN is higher than all numbers."""
    return min(zip(losses, range(1, len(losses) + 1), strict=True), key=_order_losses)


def _order_losses(pair: tuple[float, int]) -> tuple[bool, float]:
    return math.isnan(pair[0]), pair[0]


def _make_stream_attributes(fit: PreparedFit, job: TrainingJob, result: TrainingResult) -> dict:
    if not fit.partial:
        return {}
    attributes, stream = {}, fit.stream
    if stream is not None:
        before = fit.estimator
        attributes["loss_curve_"] = before.loss_curve_ + result.losses
        attributes["n_iter_"] = len(attributes["loss_curve_"])
        # Not from all losses, of which a long stream has many.
        loss, epoch = _find_lowest(result.losses)
        lowest = (before.best_loss_, before.best_iter_), (loss, before.n_iter_ + epoch)
        attributes["best_loss_"], attributes["best_iter_"] = min(lowest, key=_order_losses)
    moments = None if result.status is Status.DIVERGED else result.get_moments()
    seen = 0 if job.warm_start is None else job.warm_start.n_updates
    attributes["_stream"] = Stream(
        solver=fit.estimator.solver,
        moments=moments,
        n_updates=0 if moments is None else seen + job.n_steps,
        continues_fit=fit.settings.continues if stream is None else stream.continues_fit,
    )
    return attributes


def make_network_attributes(fit: PreparedFit, kernels, biases, encoding) -> dict:
    """Return the attributes of a network, without those of its training."""
    statistics = fit.statistics
    kernel, bias = _remove_constant_columns(fit, kernels[0], biases[0], encoding)
    return {
        **fit.column_attributes,
        **fit.targets.attributes,
        "coefs_": [kernel, *kernels[1:]],
        "intercepts_": [bias, *biases[1:]],
        "encoding_": encoding,
        "center_": None if statistics is None else statistics.center,
        "scale_": None if statistics is None else statistics.scale,
        "l2_": collapse_equal(fit.settings.hyper.penalties["l2"]),
        "n_layers_": len(fit.settings.hidden_layer_sizes) + 2,
        "n_outputs_": fit.targets.n_outputs,
        "_activation": fit.estimator.activation,  # whatever set_params does afterwards
        "_statistics": statistics,
        "_seen_rows": fit.seen,
        "_is_sparse": fit.chunk is not None,
        "_from_keras": False,
    }


def _remove_constant_columns(fit: PreparedFit, kernel, bias, encoding):
    """Return the first kernel with zeros for columns that are constant in training, and its bias.

    Nothing is known about other values of such a column. Its encoded inputs are not zero in
    training, so their contribution moves into the bias.
    """
    if not len(fit.constant_columns):
        return kernel, bias
    kernel = kernel.copy()
    kernel[fit.constant_columns] = 0.0
    if encoding is None:
        return kernel, bias
    n_columns = fit.X.shape[1]
    encoded_kernel = kernel[n_columns:]
    is_constant = np.isin(encoding.sources, fit.constant_columns)
    (inputs,) = encoding.encode(np.zeros((1, n_columns)))
    moved = inputs[is_constant] @ encoded_kernel[is_constant]
    bias = (bias + moved).astype(bias.dtype)
    encoded_kernel[is_constant] = 0.0
    return kernel, bias


def collapse_equal(values: tuple[float, ...]):
    """Return the one number that all values are, 0 if there are none, else the values."""
    return values if len(set(values)) > 1 else next(iter(values), 0.0)
