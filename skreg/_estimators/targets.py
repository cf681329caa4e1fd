"""Targets: from a user's y to what a loss takes, with class weights on the way.

The classes are in `class_targets.py`, the numbers in `regression_targets.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils.validation import column_or_1d

from skreg._data.epochs import STEPS
from skreg._data.rows import MergedRows
from skreg._data.statistics import Statistics

L2_FACTORS = 0.1, 1 / 3, 1.0, 3.0, 10.0


def ravel_column(y):
    """Flatten a single column, with scikit-learn's warning. Return other arrays unchanged."""
    if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
        return column_or_1d(y, warn=True)
    return y


class Targets(ABC):
    """Contract of the targets of a fit. The defaults are those of numbers on a fixed scale.

    Attributes
    ----------
    values : ndarray
        Of each row, as rows are merged by them.
    loss : Loss
        Of the network.
    automatic_encoding : str or None
        What numerical_encoding="auto" stands for.
    least_gap : float
        Up to which difference between the losses of the best constant and of a perfect prediction
        there is nothing to learn.
    """

    values: np.ndarray
    loss: Any
    automatic_encoding: ClassVar[str | None]
    least_gap: ClassVar[float] = 0.0

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Logits of a row."""

    @property
    @abstractmethod
    def l2_of_one_row(self) -> float:
        """What l2="auto" is for one row."""

    @property
    @abstractmethod
    def l2_factors(self) -> tuple[float, ...]:
        """What l2s="auto" tries, in units of l2="auto"."""

    @property
    def fewest_steps(self) -> int:
        """Steps that max_iter="auto" gives to few rows."""
        return STEPS

    @property
    @abstractmethod
    def attributes(self) -> dict:
        """Fitted attributes of the estimator."""

    @abstractmethod
    def replace_values(self, y) -> Targets:
        """Return the targets of validation rows, on the same scale and with the same classes."""

    @abstractmethod
    def encode_for_loss(self) -> np.ndarray:
        """Return the targets as the compiled loss takes them."""

    @abstractmethod
    def compute_loss(self, logits, rows: MergedRows, parameters) -> float:
        """Return the weighted mean loss of the rows, whose logits are given."""

    def compute_least_loss(self, rows: MergedRows, parameters) -> float:
        """Return the loss of a perfect prediction."""
        return 0.0

    @abstractmethod
    def find_constant(self, rows: MergedRows, parameters) -> np.ndarray:
        """Return the logits of the best constant prediction, of shape (1, q)."""

    def compute_first_bias(self, rows: MergedRows) -> np.ndarray | None:
        """Return the bias of a first network, None for zeros."""
        return None

    def get_strata(self, rows: MergedRows) -> np.ndarray | None:
        """Return the codes that validation rows are spread over, or None."""
        return None

    def measure(self, rows: MergedRows, earlier: Statistics | None) -> Targets:
        """Return the targets with the statistics of these rows and of the `earlier` ones."""
        return self

    # -- training that continues ------------------------------------------------------------------

    @abstractmethod
    def check_continues(self, fitted) -> None:
        """Raise a ValueError if they are not those of the `fitted` estimator's network."""

    def was_constant(self, fitted) -> bool:
        """Whether all targets of the `fitted` estimator were constant in training."""
        return False

    def rescale_outputs(self, kernel, bias, fitted):
        """Return the last layer of the `fitted` estimator, with the same function on this scale."""
        return kernel, bias

    # -- class weights ----------------------------------------------------------------------------

    def count_classes(self, rows: MergedRows) -> Any:
        """Return the weight of the rows of each code, of shape (columns, codes); 0 for numbers."""
        return 0.0

    def compute_class_weight(self, totals) -> list[np.ndarray] | None:
        """Return the factors of the codes, an array per column of codes, or None without any."""
        return None

    def apply_class_weight(self, rows: MergedRows, factors) -> MergedRows:
        """Multiply the weights with the factors of the rows. Rows of weight zero drop out."""
        return rows
