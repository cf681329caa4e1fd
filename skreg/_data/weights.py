"""Weights of rows, of which only the ratios matter."""

from __future__ import annotations

import numpy as np

# Of relative weights: an error of 2e-9, which is below the rounding of float32 in training.
_WEIGHT_BITS = 28


def compute_relative_weight(weight: np.ndarray) -> np.ndarray:
    """Return the weights in units of the largest one, rounded to 28 bits.

    Weights times a constant thus become the same numbers, also where the product was rounded. With
    more bits, one of 100,000 weights would often lie at the edge between two numbers.
    """
    mantissa, exponent = np.frexp(weight / weight.max())
    return np.ldexp(np.round(np.ldexp(mantissa, _WEIGHT_BITS)), exponent - _WEIGHT_BITS)


def compute_shares(weight: np.ndarray) -> np.ndarray:
    """Return the share of each row in the sum of the weights."""
    relative = compute_relative_weight(weight)
    return relative / relative.sum()


def compute_two_shares(here: float, there: float) -> tuple[float, float]:
    """Return the share of two weights in their sum, which may be beyond float64's range."""
    largest = max(here, there)
    here, there = here / largest, there / largest
    return here / (here + there), there / (here + there)
