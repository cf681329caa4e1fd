"""One fit: from a table and targets to fitted attributes.

A fit is a sequence of functions that return records: settings, checked rows, prepared fit, job,
training result; and at the end a dict of attributes. The estimator's parameters are read, and
nothing is set on it.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
from scipy import sparse

from skreg._compat import has_callbacks
from skreg._data.columns import TableEncoder
from skreg._data.epochs import choose_epochs
from skreg._data.rows import MergedRows, count_rows, merge_rows, split_rows
from skreg._data.scaling import MAX_INPUT
from skreg._data.statistics import ColumnStatistics, measure_columns
from skreg._data.tables import make_training_rows, make_validation_rows
from skreg._engine.hyperparameters import (
    check_hidden_layer_sizes,
    read_hyperparameters,
)
from skreg._engine.job import TrainingInterrupted, TrainingJob
from skreg._engine.status import Status, StopCriterion
from skreg._engine.trainer import HELD_OUT, make_generator, train
from skreg._estimators.attributes import (
    make_attributes,
    make_network_attributes,
)
from skreg._estimators.automatic import (
    choose_encoding,
    get_fewest_steps,
    is_auto,
    make_placeholders,
)
from skreg._estimators.callbacks import FitCallback, SklearnCallbacks, ValidationScoring
from skreg._estimators.fit_records import (
    EncodedRows,
    FitRequest,
    FitSettings,
    PreparedFit,
    SeenRows,
    SelectedRows,
    TrainingTables,
    ValidationData,
    ValidationSet,
)
from skreg._estimators.numerical_encoding import (
    allows_encoding,
    check_dense,
    continue_encoding,
    initialize_encoding,
)
from skreg._estimators.progress import FitProgress
from skreg._estimators.scorers import (
    ValidationScorer,
    describe_ignored_weights,
    validates_by_loss,
)
from skreg._estimators.targets import Targets
from skreg._estimators.training_warnings import judge_training
from skreg._estimators.user_warnings import warn
from skreg._estimators.validation import (
    CheckedRows,
    check_rows,
    check_weight,
    copy_shallow,
    encode_new_rows,
)
from skreg._estimators.warm_start import get_sequence, keeps_function, make_warm_start
from skreg._nn.solvers import SCHEDULES

# -- settings and rows -------------------------------------------------------------------------


def read_settings(estimator, partial: bool = False) -> FitSettings:
    """Check the parameters that scikit-learn's constraints cannot express, and return them."""
    hidden = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    hyper = read_hyperparameters(estimator, len(hidden), **make_placeholders(estimator, partial))
    if partial:  # one pass over the rows, at a constant rate
        hyper = replace(hyper, max_iter=1, cosine=SCHEDULES["constant"], tol=None)
    continues = hasattr(estimator, "coefs_") and (partial or estimator.warm_start)
    return FitSettings(hidden, hyper, continues)


def encode_rows(estimator, request: FitRequest, settings: FitSettings) -> EncodedRows:
    """Check what was handed in, encode the table, and merge equal rows."""
    checked = check_rows(
        estimator,
        request.X,
        request.y,
        request.sample_weight,
        reset=not settings.continues,
        y_numeric=request.y_numeric,
    )
    check_dense(estimator.numerical_encoding, sparse.issparse(checked.X.numbers))
    weight = check_weight(request.sample_weight, checked.X.numbers)
    targets = request.make_targets(checked.y)
    encoder = estimator._encoder if settings.continues else None
    if encoder is None:
        encoder = _fit_encoder(checked, weight)
        X = encoder.encode(checked.X)
    else:
        X = encode_new_rows(encoder, checked.X)
    return EncodedRows(
        numbers=None if checked.X.categories else checked.X.numbers,
        y=checked.y,
        targets=targets,
        column_attributes=checked.attributes | {"_encoder": encoder},
        X=X,
        merged=merge_rows(X, targets.values, weight),
    )


def prepare_fit(
    estimator, request: FitRequest, settings: FitSettings, encoded: EncodedRows | None = None
) -> PreparedFit:
    """Check what was handed in, and decide on rows, scales and seed.

    `encoded` are the encoded rows of another fit of the same rows.
    """
    _check_validation_set(estimator, request.validation)
    encoded = encoded or encode_rows(estimator, request, settings)
    X, targets, attributes = encoded.X, encoded.targets, encoded.column_attributes
    if settings.continues:
        _check_same_network(estimator, settings, X.shape[1], targets)
    sequence = get_sequence(estimator, settings.continues)
    earlier = _get_seen_rows(estimator, request, settings)
    rows = _select_rows(estimator, request, encoded.merged, targets, sequence.seed, earlier)
    input_statistics = target_statistics = None
    if settings.continues and request.partial:
        input_statistics = estimator._statistics
        target_statistics = getattr(estimator, "_target_statistics", None)
    targets = targets.measure(rows.training, target_statistics)
    validation = None
    if rows.held_out is not None:
        scored_X = request.X if encoded.numbers is None else encoded.numbers
        validation = ValidationData(X, scored_X, encoded.y, targets, rows.held_out, is_passed=False)
    elif request.validation is not None:
        validation = _check_passed_validation(estimator, request, attributes, targets, rows.factors)
    statistics = _measure_inputs(estimator, X, rows.training, input_statistics)
    fit = PreparedFit(
        estimator=estimator,
        settings=settings,
        partial=request.partial,
        stream=request.stream,
        sequence=sequence,
        X=X,
        encoder=attributes["_encoder"],
        targets=targets,
        rows=rows.training,
        seen=SeenRows(rows.n_rows + earlier.n_rows, rows.class_totals),
        validation=validation,
        statistics=statistics,
        column_attributes=attributes,
        encoding=_choose_encoding(
            estimator, request, settings, X, rows, targets, statistics, sequence.seed
        ),
    )
    return _replace_auto(fit)


def _replace_auto(fit: PreparedFit) -> PreparedFit:
    """Return the fit with numbers for the hyperparameters that are "auto"."""
    estimator, hyper = fit.estimator, fit.settings.hyper
    if is_auto(estimator.l2):
        hyper = replace(hyper, penalties={**hyper.penalties, "l2": fit.read_l2("auto")})
    if is_auto(estimator.max_iter) and not fit.partial:
        n_hidden = len(fit.settings.hidden_layer_sizes)
        fewest_steps = get_fewest_steps(fit.targets, n_hidden)
        n_epochs = choose_epochs(fit.n_visits, fit.batch_size, fewest_steps)
        hyper = replace(hyper, max_iter=n_epochs)
    return replace(fit, settings=replace(fit.settings, hyper=hyper))


def _choose_encoding(
    estimator, request, settings, X, rows: SelectedRows, targets, statistics, seed
):
    """Return the encoding of the fitted network, or that of a new one."""
    if not settings.continues:
        name, training = estimator.numerical_encoding, rows.training
        if is_auto(name):
            # The first batch of a stream may be a few rows, which say little of quantiles.
            n_hidden = len(settings.hidden_layer_sizes)
            name = None if request.partial else choose_encoding(targets, n_hidden)
            if name is not None and not allows_encoding(X, training, statistics):
                name = None
        return initialize_encoding(name, X, training, statistics, seed)
    before = estimator._statistics
    return continue_encoding(estimator, before, statistics, keeps_function(request.stream))


def _fit_encoder(checked: CheckedRows, weight) -> TableEncoder:
    """Return the encoder of a new network."""
    encoder = TableEncoder.fit(checked.X, checked.is_category, checked.names, weight)
    if not encoder.column_names:
        raise ValueError("X: expected a column with values; received missing values only.")
    if encoder.dropped:
        warn(f"X: the columns {encoder.dropped[:10]} have no values in training, and are dropped.")
    infrequent = encoder.mostly_infrequent
    if infrequent:
        warn(
            f"X: most values of the columns {infrequent[:10]} are infrequent levels, which share a "
            "column. Convert strings such as '29.85' to numbers with pandas.to_numeric, drop "
            "identifiers, and encode other columns of many levels with "
            "sklearn.preprocessing.TargetEncoder."
        )
    return encoder


def _get_seen_rows(estimator, request, settings) -> SeenRows:
    """Return the rows of earlier calls: all of them in a stream, else none."""
    none = SeenRows(0, 0.0)
    continues = request.partial and settings.continues
    return getattr(estimator, "_seen_rows", none) if continues else none


def _select_rows(
    estimator, request, merged: MergedRows, targets: Targets, seed, earlier: SeenRows
) -> SelectedRows:
    """Apply class weights, and hold out rows if early stopping needs them."""
    with np.errstate(over="ignore"):
        class_totals = targets.count_classes(merged) + earlier.class_totals
    class_totals = np.minimum(class_totals, np.finfo(np.float64).max)
    factors = targets.compute_class_weight(class_totals)
    training, held_out = targets.apply_class_weight(merged, factors), None
    if estimator.early_stopping and request.validation is None and not request.partial:
        training, held_out = _hold_out(estimator.validation_fraction, targets, training, seed)
    weight = training.weight
    if factors is not None:  # which are no counts of rows
        weight = merged.weight[np.isin(merged.indices, training.indices)]
    return SelectedRows(training, held_out, count_rows(weight), class_totals, factors)


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
    inner = (len(kernel) for kernel in estimator.coefs_[1:])
    fitted = (estimator._network.n_columns, *inner, estimator.n_outputs_)
    if sizes != fitted:
        raise ValueError(
            f"Expected the layers of the fitted network, {fitted}, to continue it; received "
            f"{sizes}. Set warm_start=False and call fit for a new one."
        )


def _hold_out(fraction: float, targets: Targets, rows: MergedRows, seed):
    """Return the rows to train on and the rows to validate on."""
    generator = make_generator(seed, HELD_OUT)
    training, held_out = split_rows(rows, targets.get_strata(rows), fraction, generator)
    if not len(held_out.indices):
        raise ValueError(
            "The validation set is too small: expected a validation_fraction that holds out at "
            f"least one row; received {fraction} of n_samples={len(rows.indices)} distinct rows. "
            "Increase it, pass X_val and y_val, or set early_stopping=False."
        )
    return training, held_out


def _check_passed_validation(
    estimator, request, column_attributes, targets, factors
) -> ValidationData:
    """Return the validation rows that were handed in, after their checks."""
    X, y, weight = request.validation
    probe = copy_shallow(estimator, **column_attributes)  # as if it were fitted on X
    if "feature_names_in_" not in column_attributes:
        vars(probe).pop("feature_names_in_", None)
    options = {"reset": False, "y_numeric": request.y_numeric, "suffix": "_val"}
    checked = check_rows(probe, X, y, weight, **options)
    weight = check_weight(weight, checked.X.numbers, "sample_weight_val")
    weight = np.ones(checked.X.n_rows) if weight is None else weight
    encoded = targets.replace_values(checked.y)
    rows = MergedRows(np.flatnonzero(weight), weight[weight > 0])
    rows = encoded.apply_class_weight(rows, factors)
    scored_X = X if checked.X.categories else checked.X.numbers
    encoded_X = encode_new_rows(column_attributes["_encoder"], checked.X, "X_val")
    return ValidationData(encoded_X, scored_X, checked.y, encoded, rows, is_passed=True)


def _measure_inputs(estimator, X, rows: MergedRows, earlier: ColumnStatistics | None):
    """Return the statistics of the columns, together with those of the `earlier` rows."""
    if estimator.standardize:
        here = measure_columns(X, rows.indices, rows.weight)
        return here if earlier is None else earlier.combine(here)
    largest = max(float(X.min()), float(X.max()), key=abs)
    if abs(largest) > MAX_INPUT:
        raise ValueError(
            f"X: expected values within +-{MAX_INPUT:g} with standardize=False; "
            f"received {largest:g}. Use standardize=True."
        )
    return None


# -- job ---------------------------------------------------------------------------------------


def make_tables(fit: PreparedFit) -> TrainingTables:
    """Pad the rows to train on and to validate on."""
    scaling, data, validation = fit.center_and_divisor, fit.validation, None
    targets = fit.targets.encode_for_loss()
    rows = make_training_rows(fit.X, targets, fit.rows, *scaling, fit.chunk)
    if data is not None:
        encoded = data.targets.encode_for_loss()
        validation = make_validation_rows(data.X, encoded, data.rows, *scaling, fit.chunk)
    return TrainingTables(rows, validation)


def make_job(fit: PreparedFit, tables: TrainingTables | None = None) -> TrainingJob:
    """Return the network to train. `tables` are those of another fit of the same rows."""
    estimator, targets = fit.estimator, fit.targets
    rows, validation = tables or make_tables(fit)
    return TrainingJob(
        rows=rows,
        n_features=fit.X.shape[1],
        hidden_layer_sizes=fit.settings.hidden_layer_sizes,
        n_outputs=targets.n_outputs,
        activation=estimator.activation,
        loss=targets.loss.name,
        solver=estimator.solver,
        batch_size=fit.batch_size,
        hyper=fit.settings.hyper,
        seed=fit.sequence.seed,
        stop_criterion=_choose_stop_criterion(fit),
        validation=validation,
        warm_start=make_warm_start(fit) if fit.settings.continues else None,
        first_bias=targets.compute_first_bias(fit.rows),
        encoding=fit.encoding,
    )


def _choose_stop_criterion(fit: PreparedFit) -> StopCriterion:
    if fit.validation is None:
        has_tol = fit.settings.hyper.tol is not None
        return StopCriterion.TRAINING_LOSS if has_tol else StopCriterion.NONE
    by_loss = validates_by_loss(fit.estimator)
    return StopCriterion.VALIDATION_LOSS if by_loss else StopCriterion.NONE


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
    scorer = make_validation_scorer(fit, estimator)
    if scorer is not None and scorer.ignores_weights:
        warn(describe_ignored_weights(estimator))
    scoring = make_validation_scoring(fit, estimator, scorer)
    progress = callbacks = None
    if estimator.verbose:
        progress = FitProgress(fit.settings.hyper.max_iter, fit.validation is not None)
    if has_callbacks(estimator):
        callbacks = SklearnCallbacks(
            context,
            arguments,
            lambda report: make_network_attributes(fit, *report.get_weights()),
        )
    callback = FitCallback(progress, scoring, callbacks)
    with progress.open() if progress else contextlib.nullcontext():
        try:
            result = train(job, callback)
        except TrainingInterrupted as interrupt:
            result = interrupt.result
    attributes = make_attributes(fit, job, result, scoring)
    return attributes, judge_training(fit, attributes, result.status)


def make_validation_scorer(fit: PreparedFit, estimator) -> ValidationScorer | None:
    """Return the scorer of the held-out rows; None where the loss decides."""
    validation = fit.validation
    if validation is None or validates_by_loss(estimator):
        return None
    return ValidationScorer(estimator, validation.scored_X, validation.y, validation.rows)


def make_validation_scoring(
    fit: PreparedFit, estimator, scorer: ValidationScorer | None
) -> ValidationScoring | None:
    """Return what decides by the scorer after each epoch; None without one.

    The scorer receives a fitted copy of `estimator`, which is that of the fit, or a candidate of a
    search.
    """
    if scorer is None:
        return None
    passes_arrays = not fit.encoder.categories

    def score(*weights):
        fitted = copy_shallow(estimator, **make_network_attributes(fit, *weights))
        if passes_arrays:
            vars(fitted).pop("feature_names_in_", None)
        return scorer.score(fitted)

    hyper = fit.settings.hyper
    tol, n_iter_no_change = hyper.tol or 0.0, hyper.n_iter_no_change
    return ValidationScoring(score, tol, n_iter_no_change)
