"""The rungs of a search: epochs, folds, and how many candidates continue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skreg._data.epochs import MIN_EPOCHS
from skreg._estimators.automatic import is_auto


class RungShares(NamedTuple):
    """A rung before the last one, in shares of the whole search.

    Attributes
    ----------
    epochs : float
        Share of the epochs.
    folds : float
        Smallest share of the folds.
    survivors : float
        Share of all candidates that continue.
    """

    epochs: float
    folds: float
    survivors: float


# Chosen by benchmarks/choose_rungs.py. The scores of few rows say little: small tables, which train
# fast, need more folds in the first rung, and one fold is enough for large tables.
HALVING = RungShares(0.32, 0.0, 0.4), RungShares(0.72, 0.6, 0.16)
# An ensemble is made of many candidates, and is better than the best of few. See
# docs/decisions/0033-ensembles-of-several-kinds.md.
HALVING_OF_ENSEMBLE = (RungShares(0.72, 0.4, 0.5),)
MIN_ROWS = 150
MIN_SURVIVORS = 3


@dataclass(frozen=True)
class Rung:
    """One step of a search.

    All remaining candidates train up to a share of their epochs on `folds`, and the best
    `n_survivors` continue.
    """

    share: float
    folds: tuple[int, ...]
    n_survivors: int


def spread_order(n_folds: int) -> list[int]:
    """Order the folds so that the first ones are far apart, since neighbours may be close in time.

    The order begins with the last fold, which has the most training rows in a split by time.
    """
    positions, order = np.arange(n_folds), [n_folds - 1]
    distance = np.abs(positions - order[0])
    while len(order) < n_folds:
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(positions - order[-1]))
    return order


def plan_rungs(
    n_candidates: int,
    n_rows: Sequence[int],
    least_epochs: int,
    shares: Sequence[RungShares] = (),
    n_kinds: int = 1,
) -> list[Rung]:
    """Plan the rungs of a search whose folds have `n_rows` test rows each.

    One candidate of each kind continues besides the overall best ones.
    A grid search, without `shares`, has one rung of all epochs. The epochs increase from rung to
    rung, so few epochs give fewer rungs: `least_epochs` are those of the shortest training.
    """
    min_survivors = MIN_SURVIVORS + n_kinds - 1
    order = spread_order(len(n_rows))
    n_tested = np.cumsum([n_rows[fold] for fold in order])
    n_first = 1 + int(np.searchsorted(n_tested, MIN_ROWS))
    rungs, n_survivors, last_epoch = [], n_candidates, 0
    for share in shares:
        epoch = count_epochs(share.epochs, least_epochs)
        if epoch > last_epoch:
            last_epoch = epoch
            n_survivors = max(min_survivors, int(share.survivors * n_candidates))
            n_survivors = min(n_candidates, n_survivors)
            folds = order[: max(n_first, round(share.folds * len(order)))]
            rungs.append(Rung(share.epochs, tuple(sorted(folds)), n_survivors))
    return [*rungs, Rung(1.0, tuple(range(len(order))), n_survivors)]


def count_least_epochs(max_iter: int | str) -> int:
    """Return how many epochs the parameter `max_iter` stands for, at least if it is "auto"."""
    return MIN_EPOCHS if is_auto(max_iter) else int(max_iter)


def count_epochs(share: float, max_iter: int) -> int:
    """Return how many whole epochs a share of `max_iter` epochs has."""
    return int(share * max_iter + 1e-9)  # 0.32 * 25 is a little less than 8


def count_trainings(rungs: Sequence[Rung], n_candidates: int) -> float:
    """Sum the shares of their epochs that all networks train for, if none ends early."""
    n_trainings, reached = 0.0, dict.fromkeys(rungs[-1].folds, 0.0)
    for rung in rungs:
        for fold in rung.folds:
            n_trainings += n_candidates * (rung.share - reached[fold])
            reached[fold] = rung.share
        n_candidates = rung.n_survivors
    return n_trainings


def count_networks(rungs: Sequence[Rung], n_candidates: int) -> int:
    """Count the networks that are trained, for however many epochs."""
    n_networks, started = 0, set[int]()
    for rung in rungs:
        n_networks += n_candidates * len(set(rung.folds) - started)
        started |= set(rung.folds)
        n_candidates = rung.n_survivors
    return n_networks
