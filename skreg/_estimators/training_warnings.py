"""Warnings of a fit: when training did not end well, and what is said about it."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg._engine.status import Status
from skreg._estimators.fit_records import PreparedFit
from skreg._estimators.user_warnings import warn
from skreg._estimators.validation import copy_shallow
from skreg._nn.predict import predict_logits

# Fewer epochs of early stopping say little, and so do fewer steps of training.
_FEW_EPOCHS, _FEW_STEPS = 10, 100
# How far the loss may be above the best constant's, in units of the gap between the constant and a
# perfect prediction, or of 1 if the gap is smaller. Losses are in nats for classes, and in the
# units of the scaled target for numbers. Decision 35 has what fits of noise need.
_MARGIN = 1e-3
# First networks are off by about 1, or by a few gaps.
_MARGIN_OF_FEW_STEPS, _GAPS_OF_FEW_STEPS = 1.0, 9.0
# The rows of a stream's batch may all lie near the constant. Losses are in units of about 1.
_MAX_STREAM_LOSS = 20.0

_WARNINGS = {
    Status.DIVERGED: (
        "Training diverged: the loss or a weight was not finite in epoch {n_iter}. The weights of "
        "the last finite epoch are kept. Try a smaller learning_rate_init (now "
        "{learning_rate_init:g}), a smaller l2 or weight_decay, or standardize=True."
    ),
    Status.WORSE_THAN_CONSTANT: (
        "Training led nowhere: a constant predicts the training rows better. Its loss is "
        "{constant:.5g}, and the network's is {excess:.2g} more. Try a smaller learning_rate_init "
        "(now {learning_rate_init:g}), less dropout, a smaller l2, or a larger max_iter."
    ),
    Status.NEVER_BETTER_THAN_CONSTANT: (
        "A constant predicts the validation rows better than the network of any epoch, whose "
        "smallest loss is {best_loss:.3g}. {hint} a smaller l2, less dropout, or another "
        "learning_rate_init (now {learning_rate_init:g})."
    ),
    Status.NOT_CONVERGED: (
        "Training ended after max_iter={max_iter} epochs, before the {measure} stopped improving "
        "by more than tol={tol} for {n_iter_no_change} epochs in a row. Increase max_iter, or set "
        "tol=None to train for max_iter epochs on purpose."
    ),
}


def judge_training(fit: PreparedFit, attributes: dict, status: Status) -> Status:
    """Return the status, or that a constant predicts the training or validation rows better.

    A rate that is too large may lead to huge weights that are finite all the same. Training that a
    callback or the user has stopped is not judged.
    """
    if status not in (Status.FINISHED, Status.CONVERGED, Status.NOT_CONVERGED):
        return status
    if _is_worse_in_training(fit, attributes):
        return Status.WORSE_THAN_CONSTANT
    losses, constant = attributes["validation_loss_curve_"] or [], fit.constant_validation_loss
    has_many = len(losses) >= min(fit.settings.hyper.n_iter_no_change, _FEW_EPOCHS)
    if constant is not None and has_many and constant.above_least > fit.targets.least_gap:
        # A loss that float32 has rounded is not above the constant's.
        margin = 1e-6 * abs(constant.loss) if constant.above_least > _MARGIN else _MARGIN
        if min(losses) > constant.loss + margin:
            return Status.NEVER_BETTER_THAN_CONSTANT
    return status


def _is_worse_in_training(fit: PreparedFit, attributes: dict) -> bool:
    constant = fit.constant_loss
    n_steps = len(attributes["loss_curve_"]) * -(-fit.n_visits // fit.batch_size)
    if fit.partial or n_steps < _FEW_STEPS:
        margin = max(_MARGIN_OF_FEW_STEPS, _GAPS_OF_FEW_STEPS * constant.above_least)
    else:
        margin = _MARGIN * max(1.0, constant.above_least)
    largest = constant.loss + margin
    if fit.partial:
        largest = max(largest, _MAX_STREAM_LOSS)
    # The loss in training is known already. It has dropout and penalties, which need not be bad.
    if attributes["loss_"] <= largest or constant.above_least <= fit.targets.least_gap:
        return False
    return not _compute_training_loss(fit, attributes) <= largest


def _compute_training_loss(fit: PreparedFit, attributes: dict) -> float:
    """Return the loss of the training rows without dropout and penalties."""
    network = copy_shallow(fit.estimator, **attributes)._network
    logits = predict_logits(network, fit.X, np.float64)[fit.rows.indices]
    with np.errstate(over="ignore"):
        return fit.targets.compute_loss(logits, fit.rows, fit.settings.hyper.loss_parameters)


def warn_about_training(status: Status, fit: PreparedFit, attributes: dict) -> None:
    """Warn at the user's call of `fit` if training did not end well."""
    if status not in _WARNINGS:
        return
    measure = "smoothed training loss"
    if attributes["validation_loss_curve_"] is not None:
        measure = "validation loss" if attributes["validation_scores_"] is None else "score"
    is_passed = fit.validation is not None and fit.validation.is_passed
    values = {
        **vars(fit.settings.hyper),
        "n_iter": attributes["n_iter_"],
        "measure": measure,
        "best_loss": min(attributes["validation_loss_curve_"] or [attributes["best_loss_"]]),
        "hint": "Check that X_val has the units of X, and try" if is_passed else "Try",
    }
    if status is Status.WORSE_THAN_CONSTANT:
        values["constant"] = fit.constant_loss.loss
        values["excess"] = _compute_training_loss(fit, attributes) - fit.constant_loss.loss
    warn(_WARNINGS[status].format(**values), ConvergenceWarning)
