"""Epochs: which rows they visit, in which order and in which batches."""

from __future__ import annotations

import math

import numpy as np

from skreg._data.padding import allocate_aligned
from skreg._data.weights import compute_shares

# What max_iter="auto" stands for. Chosen by benchmarks/choose_defaults.py; decision 30 has the
# figures. Larger tables gain from more steps, but from more epochs only up to a point.
STEPS, _ROWS = 2000, 2500
MIN_EPOCHS = 16


def count_visits(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often an epoch visits each row, and the weight of one visit.

    The weights w_i are first scaled to the mean 1 over the distinct rows, so that only their ratios
    matter. Row i is visited ceil(w_i) times, and each visit has the weight w_i / ceil(w_i). Equal
    weights give the usual epoch. The visits of an epoch are less than twice the distinct rows, and
    their weights have the mean 1.
    """
    weight = compute_shares(weight) * len(weight)
    # A weight of 1 + 1e-16, which is 1 apart from rounding, does not deserve a second visit.
    counts = np.maximum(np.ceil(weight * (1 - 1e-9)), 1).astype(np.int64)
    visit_weight = weight / counts
    return counts, visit_weight / (weight.sum() / counts.sum())


def draw_orders(
    visits: np.ndarray, seed: int, first_epoch: int, n_epochs: int, shape: tuple[int, int]
) -> np.ndarray:
    """Return the order of the visits in each of `n_epochs` epochs, a row each, zeros up to `shape`.

    A pure function of (visits, seed, epoch): it does not matter how many epochs are drawn together.
    """
    orders = allocate_aligned(shape, np.int32)
    bits = np.random.Philox(key=seed)
    generator, fresh = np.random.Generator(bits), bits.state
    for row in range(n_epochs):
        # Setting the counter is the same as Philox(key, counter), and takes a sixth of the time.
        fresh["state"]["counter"][:] = 0, 0, 0, first_epoch + row
        bits.state = fresh
        order = orders[row, : len(visits)]
        order[:] = visits
        generator.shuffle(order)
    return orders


def choose_batch_size(n_visits: int) -> int:
    """Return the power of two nearest to the root of the visits, by logarithms, in 32 to 256."""
    return int(np.clip(2 ** round(np.log2(max(n_visits, 1)) / 2), 32, 256))


def choose_epochs(n_visits: int, batch_size: int, fewest_steps: int = STEPS) -> int:
    """Return the epochs that give enough steps, and at least `MIN_EPOCHS`.

    The steps grow with the square root of the visits, `STEPS` for `_ROWS`, from `fewest_steps` on.
    """
    steps_per_epoch = -(-n_visits // batch_size)
    n_steps = max(fewest_steps, STEPS * math.sqrt(n_visits / _ROWS))
    return max(MIN_EPOCHS, math.ceil(n_steps / steps_per_epoch))
