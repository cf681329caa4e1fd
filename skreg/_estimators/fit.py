"""One fit: from a table and targets to fitted attributes.

A fit is a sequence of functions that return frozen records: settings, checked rows, prepared fit,
job, training result, attributes. The estimator's parameters are read, and nothing is set on it.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from skreg._data.rows import MergedRows, merge_rows, split_rows
from skreg._data.scaling import (
    LARGEST_INPUT,
    Statistics,
    measure_columns,
    measure_sparse_columns,
    rescale_inputs,
)
from skreg._data.tables import choose_batch_size, make_training_rows, make_validation_rows
from skreg._engine.hyperparameters import (
    Hyperparameters,
    check_hidden_layer_sizes,
    read_hyperparameters,
)
from skreg._engine.job import (
    EpochReport,
    TrainingInterrupted,
    TrainingJob,
    TrainingResult,
    WarmStart,
)
from skreg._engine.spec import Status, StopCriterion
from skreg._engine.trainer import HELD_OUT, make_generator, train
from skreg._estimators.callbacks import Callbacks, FitCallback, ValidationScoring
from skreg._estimators.progress import FitProgress
from skreg._estimators.scorers import (
    ValidationScorer,
    describe_ignored_weights,
    validates_by_loss,
)
from skreg._estimators.targets import Targets
from skreg._estimators.validation import check_rows, check_weight, copy_shallow
from skreg._nn.solvers import SCHEDULES


@dataclass(frozen=True)
class Stream:
    """What a call of `partial_fit` leaves to the next one.

    Attributes
    ----------
    seed : tuple of two int
    class_totals : ndarray or float
        Weight of each class so far.
    solver : str
        The solver that the moments belong to.
    moments : tuple or None
        None after a divergence.
    n_steps, n_epochs : int
        Run so far.
    """

    seed: tuple[int, int]
    class_totals: Any
    solver: str
    moments: tuple | None
    n_steps: int
    n_epochs: int


class ValidationSet(NamedTuple):
    """What a caller handed in to validate on."""

    X: Any
    y: Any
    sample_weight: Any


@dataclass(frozen=True)
class FitRequest:
    """What a call of `fit` or `partial_fit` asks for.

    Attributes
    ----------
    X, y, sample_weight : array-like
        As they were handed in.
    make_targets : callable
        From a checked y to its targets.
    y_numeric : bool
        Whether y has to be numbers.
    validation : ValidationSet or None
    partial : bool
        Whether this is one step of a stream.
    stream : Stream or None
        What the last step of the stream left; None before the first one.
    """

    X: Any
    y: Any
    sample_weight: Any
    make_targets: Callable[[Any], Targets]
    y_numeric: bool
    validation: ValidationSet | None = None
    partial: bool = False
    stream: Stream | None = None


@dataclass(frozen=True)
class FitSettings:
    """What the parameters say, before any row is seen.

    Attributes
    ----------
    hidden_layer_sizes : tuple of int
    hyper : Hyperparameters
    continues : bool
        Whether training begins with the weights of the fitted estimator.
    """

    hidden_layer_sizes: tuple[int, ...]
    hyper: Hyperparameters
    continues: bool


class HeldOutRows(NamedTuple):
    """Validation rows: those of `rows` in a checked table X with its y."""

    X: Any
    y: Any
    targets: Targets
    rows: MergedRows


class SelectedRows(NamedTuple):
    """Rows to train on and to validate on, with class weights.

    Attributes
    ----------
    training : MergedRows
    held_out : MergedRows or None
        None if no rows of the table are held out.
    class_totals : ndarray or float
        Weight of each class; in a stream, of all rows so far.
    factors : list of ndarray or None
        Class weights.
    """

    training: MergedRows
    held_out: MergedRows | None
    class_totals: Any
    factors: Any


@dataclass(frozen=True)
class PreparedFit:
    """A fit before its training.

    Attributes
    ----------
    estimator : estimator
        Its parameters are read, and its weights where training continues.
    settings : FitSettings
    partial : bool
        Whether this is one step of a stream.
    stream : Stream or None
    seed : tuple of two int
    X : ndarray or CSR
        Checked.
    targets : ClassTargets or NumberTargets
    rows : MergedRows
        Rows to train on.
    held_out : HeldOutRows or None
    class_totals : ndarray or float
        As in `SelectedRows`.
    statistics : Statistics or None
        Of the columns; None if `standardize` is False.
    column_attributes : dict
        n_features_in_ and feature_names_in_.
    """

    estimator: Any
    settings: FitSettings
    partial: bool
    stream: Stream | None
    seed: tuple[int, int]
    X: Any
    targets: Targets
    rows: MergedRows
    held_out: HeldOutRows | None
    class_totals: Any
    statistics: Statistics | None
    column_attributes: dict

    @functools.cached_property  # every network of a search asks for it
    def mean_and_scale(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Mean and scale of the columns. None means not centred, or not scaled."""
        if self.statistics is None:
            return None, None
        return self.statistics.center if self.statistics.is_centred else None, self.statistics.scale


# -- settings and rows -------------------------------------------------------------------------


def read_settings(estimator, partial: bool = False) -> FitSettings:
    """Check the parameters that scikit-learn's constraints cannot express, and return them."""
    hidden = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    hyper = read_hyperparameters(estimator, len(hidden))
    if partial:  # one pass over the rows, at a constant rate
        hyper = replace(hyper, max_iter=1, cosine=SCHEDULES["constant"], tol=None)
    continues = hasattr(estimator, "coefs_") and (partial or estimator.warm_start)
    return FitSettings(hidden, hyper, continues)


def prepare_fit(estimator, request: FitRequest, settings: FitSettings) -> PreparedFit:
    """Check what was handed in, and decide on rows, scales and seed."""
    _check_validation_set(estimator, request.validation)
    checked = check_rows(
        estimator,
        request.X,
        request.y,
        reset=not settings.continues,
        y_numeric=request.y_numeric,
    )
    weight = check_weight(request.sample_weight, checked.X)
    targets = request.make_targets(checked.y)
    if settings.continues:
        _check_same_network(estimator, settings, checked.X.shape[1], targets)
    seed = _draw_seed(estimator, request.stream)
    rows = _select_rows(
        estimator, request, merge_rows(checked.X, targets.values, weight), targets, seed
    )
    input_statistics = target_statistics = None
    if settings.continues and request.partial:
        input_statistics, target_statistics = _get_statistics(estimator)
    targets = targets.measure(rows.training, target_statistics)
    held_out = None
    if rows.held_out is not None:
        held_out = HeldOutRows(checked.X, checked.y, targets, rows.held_out)
    elif request.validation is not None:
        held_out = _check_given_rows(estimator, request, checked.attributes, targets, rows.factors)
    return PreparedFit(
        estimator=estimator,
        settings=settings,
        partial=request.partial,
        stream=request.stream,
        seed=seed,
        X=checked.X,
        targets=targets,
        rows=rows.training,
        held_out=held_out,
        class_totals=rows.class_totals,
        statistics=_measure_inputs(estimator, checked.X, rows.training, input_statistics),
        column_attributes=checked.attributes,
    )


def _select_rows(estimator, request, merged: MergedRows, targets: Targets, seed) -> SelectedRows:
    """Apply class weights, and hold out rows if early stopping needs them."""
    class_totals = targets.count_classes(merged)
    if request.stream is not None:
        class_totals = class_totals + request.stream.class_totals
    factors = targets.compute_class_weight(class_totals)
    training, held_out = targets.apply_class_weight(merged, factors), None
    if estimator.early_stopping and request.validation is None and not request.partial:
        training, held_out = _hold_out(estimator.validation_fraction, targets, training, seed)
    return SelectedRows(training, held_out, class_totals, factors)


def _check_validation_set(estimator, validation: ValidationSet | None) -> None:
    if validation is None:
        return
    for name, value in (("X_val", validation.X), ("y_val", validation.y)):
        if value is None:
            raise ValueError(
                f"{name}: expected X_val and y_val together; received one of them only."
            )
    if not estimator.early_stopping:
        raise ValueError(
            "X_val and y_val: expected early_stopping=True with them, since they decide when "
            "training ends; received early_stopping=False."
        )


def _check_same_network(estimator, settings, n_features: int, targets: Targets) -> None:
    """Raise a ValueError if the fitted network has other layers or other classes."""
    targets.check_continues(estimator)
    sizes = (n_features, *settings.hidden_layer_sizes, targets.n_outputs)
    fitted = (*(len(kernel) for kernel in estimator.coefs_), estimator.n_outputs_)
    if sizes != fitted:
        raise ValueError(
            f"Expected the layers of the fitted network, {fitted}, to continue it; received "
            f"{sizes}. Set warm_start=False and call fit for a new one."
        )


def _draw_seed(estimator, stream: Stream | None) -> tuple[int, int]:
    if stream is not None:
        return stream.seed
    state = check_random_state(estimator.random_state)
    first, second = state.randint(0, 2**32, size=2, dtype=np.uint32)
    return int(first), int(second)


def _hold_out(fraction: float, targets: Targets, rows: MergedRows, seed):
    """Return the rows to train on and the rows to validate on."""
    generator = make_generator(seed, HELD_OUT)
    training, held_out = split_rows(rows, targets.get_strata(rows), fraction, generator)
    if not len(held_out.first):
        raise ValueError(
            "The validation set is too small: expected a validation_fraction that holds out at "
            f"least one row; received {fraction} of n_samples={len(rows.first)} distinct rows. "
            "Increase it, pass X_val and y_val, or set early_stopping=False."
        )
    return training, held_out


def _check_given_rows(estimator, request, column_attributes, targets, factors) -> HeldOutRows:
    """Return the validation rows that were handed in, after their checks."""
    X, y, weight = request.validation
    probe = copy_shallow(estimator, **column_attributes)  # as if it were fitted on X
    if "feature_names_in_" not in column_attributes:
        vars(probe).pop("feature_names_in_", None)
    checked = check_rows(probe, X, y, reset=False, y_numeric=request.y_numeric, suffix="_val")
    weight = check_weight(weight, checked.X, "sample_weight_val")
    weight = np.ones(checked.X.shape[0]) if weight is None else weight
    encoded = targets.encode(checked.y)
    rows = MergedRows(np.flatnonzero(weight), weight[weight > 0])
    return HeldOutRows(checked.X, checked.y, encoded, encoded.apply_class_weight(rows, factors))


def _get_statistics(estimator) -> tuple[Statistics | None, Statistics | None]:
    """Return the statistics of inputs and targets of a fitted estimator."""
    return estimator._statistics, getattr(estimator, "_target_statistics", None)


def _measure_inputs(estimator, X, rows: MergedRows, earlier: Statistics | None):
    """Return the statistics of the columns, together with those of the `earlier` rows."""
    if estimator.standardize:
        measure = measure_sparse_columns if sparse.issparse(X) else measure_columns
        here = measure(X, rows.first, rows.weight)
        # The kind of this table decides whether columns are centred.
        return here if earlier is None else here.combine(earlier)
    largest = max(float(X.min()), float(X.max()), key=abs)
    if abs(largest) > LARGEST_INPUT:
        raise ValueError(
            f"X: expected values within +-{LARGEST_INPUT:g} with standardize=False; "
            f"received {largest:g}. Use standardize=True."
        )
    return None


# -- job ---------------------------------------------------------------------------------------


def make_job(fit: PreparedFit) -> TrainingJob:
    """Return the network to train."""
    estimator, targets = fit.estimator, fit.targets
    rows = make_training_rows(fit.X, targets.encode_for_loss(), fit.rows, *fit.mean_and_scale)
    n_visits = len(rows.visits)
    is_auto = isinstance(estimator.batch_size, str)
    batch_size = choose_batch_size(n_visits) if is_auto else int(estimator.batch_size)
    validation = None
    if fit.held_out is not None:
        X, _, held_out_targets, held_out_rows = fit.held_out
        validation = make_validation_rows(
            X, held_out_targets.encode_for_loss(), held_out_rows, *fit.mean_and_scale
        )
    return TrainingJob(
        rows=rows,
        n_features=fit.X.shape[1],
        hidden_layer_sizes=fit.settings.hidden_layer_sizes,
        n_outputs=targets.n_outputs,
        activation=estimator.activation,
        loss=targets.loss.name,
        solver=estimator.solver,
        batch_size=min(batch_size, n_visits),
        hyper=fit.settings.hyper,
        seed=fit.seed,
        stop_criterion=_choose_stop_criterion(fit),
        validation=validation,
        warm_start=_make_warm_start(fit) if fit.settings.continues else None,
    )


def _choose_stop_criterion(fit: PreparedFit) -> StopCriterion:
    if fit.held_out is None:
        has_tol = fit.settings.hyper.tol is not None
        return StopCriterion.TRAINING_LOSS if has_tol else StopCriterion.NONE
    by_loss = validates_by_loss(fit.estimator)
    return StopCriterion.VALIDATION_LOSS if by_loss else StopCriterion.NONE


def _make_warm_start(fit: PreparedFit) -> WarmStart:
    """Return the weights of the fitted network, with the same function on the new scales."""
    estimator, stream = fit.estimator, fit.stream
    kernels, biases = list(estimator.coefs_), list(estimator.intercepts_)
    of_inputs, _ = _get_statistics(estimator)
    if of_inputs is not None or fit.statistics is not None:
        plain = Statistics.make_identity(len(kernels[0]))
        kernels[0], biases[0] = rescale_inputs(
            kernels[0], biases[0], of_inputs or plain, fit.statistics or plain
        )
    kernels[-1], biases[-1] = fit.targets.rescale_outputs(kernels[-1], biases[-1], estimator)
    if stream is None:
        return WarmStart(kernels, biases)
    # The moments are of use to the same solver only.
    moments = stream.moments if stream.solver == estimator.solver else None
    return WarmStart(kernels, biases, moments, stream.n_steps, stream.n_epochs)


# -- training ----------------------------------------------------------------------------------


def run_fit(fit: PreparedFit, context, arguments: dict) -> tuple[dict, Status]:
    """Train the network, and return the fitted attributes and how training ended.

    Parameters
    ----------
    fit : PreparedFit
    context : sklearn.callback.CallbackContext
        Of the whole fit.
    arguments : dict
        What every hook of a callback receives.
    """
    estimator, job = fit.estimator, make_job(fit)
    scoring = make_validation_scoring(fit, estimator)
    if scoring is not None and scoring.ignores_weights:
        warnings.warn(describe_ignored_weights(estimator), stacklevel=5)
    progress = callbacks = None
    if estimator.verbose:
        progress = FitProgress(fit.settings.hyper.max_iter, fit.held_out is not None)
    if getattr(estimator, "_skl_callbacks", None):
        callbacks = Callbacks(
            context, arguments, lambda report: _make_early_attributes(fit, report)
        )
    callback = FitCallback(progress, scoring, callbacks)
    with progress.open() if progress else contextlib.nullcontext():
        try:
            result = train(job, callback)
        except TrainingInterrupted as interrupt:
            result = interrupt.result
    return make_attributes(fit, job, result, scoring), result.status


def make_validation_scoring(fit: PreparedFit, estimator) -> ValidationScoring | None:
    """Return what scores the held-out rows after each epoch; None where the loss decides.

    The scorer receives a fitted copy of `estimator`, which is that of the fit, or a candidate of a
    search.
    """
    held_out = fit.held_out
    if held_out is None or validates_by_loss(estimator):
        return None
    scorer = ValidationScorer(estimator, held_out.X, held_out.y, held_out.rows)

    def score(kernels, biases):
        fitted = copy_shallow(estimator, **_make_network_attributes(fit, kernels, biases))
        vars(fitted).pop("feature_names_in_", None)  # the scorer passes arrays
        return scorer.score(fitted)

    hyper = fit.settings.hyper
    tol, n_iter_no_change = hyper.tol or 0.0, hyper.n_iter_no_change
    return ValidationScoring(score, tol, n_iter_no_change, scorer.ignores_weights)


# -- attributes --------------------------------------------------------------------------------


def make_attributes(
    fit: PreparedFit, job: TrainingJob, result: TrainingResult, scoring: ValidationScoring | None
) -> dict:
    """Return the fitted attributes of the estimator."""
    losses, validation_losses, scores = result.losses, None, None
    best_loss = min(losses)
    best_iter = losses.index(best_loss) + 1
    if fit.held_out is not None:
        validation_losses, best_iter = result.validation_losses, result.best_epoch
        best_loss = validation_losses[max(best_iter, 1) - 1]
        # An interrupt may come after the score of an epoch that is not part of the result.
        scores = None if scoring is None else scoring.scores[: len(losses)]
    attributes = {
        **_make_network_attributes(fit, result.kernels, result.biases),
        "loss_curve_": losses,
        "loss_": losses[-1],
        "best_loss_": best_loss,
        "best_iter_": best_iter,
        "validation_loss_curve_": validation_losses,
        "validation_scores_": scores,
        "n_iter_": len(losses),
    }
    return attributes | _make_stream_attributes(fit, job, result)


def _make_stream_attributes(fit: PreparedFit, job: TrainingJob, result: TrainingResult) -> dict:
    if not fit.partial:
        return {}
    attributes, stream = {}, fit.stream
    if stream is not None:
        attributes["loss_curve_"] = fit.estimator.loss_curve_ + result.losses
        attributes["n_iter_"] = fit.estimator.n_iter_ + 1
    attributes["_stream"] = Stream(
        seed=fit.seed,
        class_totals=fit.class_totals,
        solver=fit.estimator.solver,
        moments=None if result.status is Status.DIVERGED else result.get_moments(),
        n_steps=job.n_steps + (0 if stream is None else stream.n_steps),
        n_epochs=1 + (0 if stream is None else stream.n_epochs),
    )
    return attributes


def _make_early_attributes(fit: PreparedFit, report: EpochReport) -> dict:
    """Return the attributes of a network in training, for callbacks."""
    return _make_network_attributes(fit, *report.get_weights())


def _make_network_attributes(fit: PreparedFit, kernels, biases) -> dict:
    mean, scale = fit.mean_and_scale
    return {
        **fit.column_attributes,
        **fit.targets.attributes,
        "coefs_": kernels,
        "intercepts_": biases,
        "mean_": mean,
        "scale_": scale,
        "n_layers_": len(fit.settings.hidden_layer_sizes) + 2,
        "n_outputs_": fit.targets.n_outputs,
        "_activation": fit.estimator.activation,  # whatever set_params does afterwards
        "_statistics": fit.statistics,
        "_from_keras": False,
    }
