"""Warnings of a search."""

from __future__ import annotations

from sklearn.exceptions import ConvergenceWarning

from skreg._engine.status import Status
from skreg._estimators.automatic import get_learning_rate
from skreg._estimators.user_warnings import Warnings, warn, warn_once
from skreg._model_selection.halving import count_networks
from skreg._model_selection.refit import grid_edge_warnings
from skreg._model_selection.scoring import AVERAGES, Scoring, makes_ensemble
from skreg._model_selection.search import Search


def warn_about_class_weight(class_weight, scoring) -> None:
    """Warn of probabilities of reweighted classes that are scored by those of the rows."""
    metrics = scoring if isinstance(scoring, (list, tuple)) else [scoring]
    if isinstance(scoring, dict):
        metrics = list(scoring.values())
    names = {metric for metric in metrics if isinstance(metric, str)}
    if class_weight is not None and names & {"loss", "neg_log_loss"}:
        warn_once(
            "class_weight: with weights the networks learn probabilities of reweighted classes, "
            "but the loss as a score compares them with the classes as they are. Leave "
            "class_weight out and choose a threshold with "
            "sklearn.model_selection.TunedThresholdClassifierCV, or choose a scoring such as "
            "'balanced_accuracy' or 'roc_auc'."
        )


def warn_about_search(
    search: Search, scoring: Scoring, stopped: bool, attributes: dict, of_refit: Warnings
) -> None:
    """Give the warnings of all networks, each once, and those of the search.

    These are of missing scores, of failures, and of a winner at an edge of the grid.

    Parameters
    ----------
    search : Search
    scoring : Scoring
    stopped : bool
        Whether a callback stopped the search.
    attributes : dict
        Fitted attributes of the search.
    of_refit : dict
        Warnings of the network that is trained on all rows.
    """
    results = search.results.values()
    found = of_refit.copy()
    for result in results:
        found |= result.warnings
    for message, category in found.items():
        warn(message, category)
    if stopped:
        n_networks = count_networks(search.rungs, len(search.candidates))
        warn(
            f"The search was stopped by a callback after {len(results)} of {n_networks} "
            f"networks. Missing scores are NaN. {_describe_used(scoring, attributes)}"
        )
    errors = [result.error for result in results if result.error]
    if errors:
        warn(
            f"Scoring failed for {len(errors)} of {len(results)} networks. Their scores are "
            f"NaN. The first error was:\n{errors[0]}"
        )
    n_failed = _warn_about_failures(search)
    if stopped or n_failed == len(results) or "best_index_" not in attributes:
        return
    ranks = attributes["cv_results_"].get(f"rank_test_{scoring.metric}", [])
    # If all are equal the winner is just the first one. An ensemble has more than the winner.
    if len(set(ranks)) != 1 and not makes_ensemble(scoring.refit):
        for message in grid_edge_warnings(search.candidates, attributes["best_index_"]):
            warn(message)


def _describe_used(scoring: Scoring, attributes: dict) -> str:
    """Say which candidates a search that was stopped predicts with."""
    if scoring.refit not in AVERAGES:
        return "The best of the other candidates is used."
    if "estimators_" not in attributes:
        return "No candidate has a network of every fold, so none predicts."
    return "Only candidates that have a network of every fold are used."


# What networks that ended with a status did, and what to try.
_FAILURES = {
    Status.DIVERGED: (
        "diverged. They are scored with their last finite weights. Try a smaller "
        "learning_rate_init (now {rates}) or a smaller l2."
    ),
    Status.WORSE_THAN_CONSTANT: (
        "led nowhere: a constant predicts their training rows better. Try a smaller "
        "learning_rate_init (now {rates}), less dropout, a smaller l2, or a larger max_iter."
    ),
    Status.NEVER_BETTER_THAN_CONSTANT: (
        "never predicted the rows of early stopping better than a constant. Try a smaller l2, less "
        "dropout, or another learning_rate_init (now {rates})."
    ),
}


def _warn_about_failures(search: Search) -> int:
    """Warn of networks that diverged or learned nothing, and return their number."""
    n_failed = 0
    for status, message in _FAILURES.items():
        keys = [key for key, result in search.results.items() if result.status is status]
        if not keys:
            continue
        networks = [search.folds[0].make_network(search.candidates[k]) for k, _ in keys]
        rates = sorted({get_learning_rate(network) for network in networks})
        message = message.format(rates=", ".join(f"{rate:g}" for rate in rates))
        warn(f"{len(keys)} of {len(search.results)} networks {message}", ConvergenceWarning)
        n_failed += len(keys)
    return n_failed
