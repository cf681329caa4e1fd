"""Rungs: to which epoch, on which folds, and how many go on from each.

Owns the numbers of halving, and what a search of so many candidates, folds and rows makes of them.
Does not own who goes on, nor the training (`_search`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Stage(NamedTuple):
    """A rung but the last, in shares: of max_iter, of the folds at least, of the candidates."""

    epochs: float
    folds: float
    stays: float


# How they were chosen is in CONTRIBUTING.md. Scores of fewer rows say too little: small tables,
# which are soon trained, need more of their folds, and large ones do with one.
HALVING = Stage(0.32, 0.0, 0.4), Stage(0.72, 0.6, 0.16)


LEAST_ROWS, LEAST_LEFT = 150, 3


@dataclass(frozen=True)
class Rung:
    """A stage: all who are left train to `epoch` on `folds`, and the best `n_left` stay."""

    epoch: int
    folds: tuple[int, ...]
    n_left: int


def spread(n_folds: int) -> list[int]:
    """The folds in an order whose first ones are far apart: neighbours are alike in time.

    It begins with the last fold, which of folds in time has most rows to train on.
    """
    places, order = np.arange(n_folds), [n_folds - 1]
    distance = np.abs(places - order[0])
    while len(order) < n_folds:
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(places - order[-1]))
    return order


def rungs_of(
    n_candidates: int, n_rows: Sequence[int], max_iter: int, stages: Sequence[Stage] = ()
) -> list[Rung]:
    """The rungs of a search whose folds score so many rows: a grid's is one, of max_iter epochs.

    Epochs increase from rung to rung: of few epochs there are fewer rungs.
    """
    order = spread(len(n_rows))
    enough = 1 + int(np.searchsorted(np.cumsum([n_rows[fold] for fold in order]), LEAST_ROWS))
    rungs, left, reached = [], n_candidates, 0
    for stage in stages:
        if reached < int(stage.epochs * max_iter):
            reached = int(stage.epochs * max_iter)
            left = min(n_candidates, max(LEAST_LEFT, int(stage.stays * n_candidates)))
            folds = order[: max(enough, round(stage.folds * len(order)))]
            rungs.append(Rung(reached, tuple(sorted(folds)), left))
    return [*rungs, Rung(max_iter, tuple(range(len(order))), left)]


def n_epochs_of(rungs: Sequence[Rung], n_candidates: int) -> int:
    """Epochs of all members together, if none ends early."""
    epochs, reached = 0, dict.fromkeys(rungs[-1].folds, 0)
    for rung in rungs:
        for fold in rung.folds:
            epochs += n_candidates * (rung.epoch - reached[fold])
            reached[fold] = rung.epoch
        n_candidates = rung.n_left
    return epochs


def n_members_of(rungs: Sequence[Rung], n_candidates: int) -> int:
    """Members that are trained, on however many epochs."""
    n_members, begun = 0, set[int]()
    for rung in rungs:
        n_members += n_candidates * len(set(rung.folds) - begun)
        begun |= set(rung.folds)
        n_candidates = rung.n_left
    return n_members
