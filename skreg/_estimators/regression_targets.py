"""Numbers as targets, and the scale on which the network learns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skreg._data.rows import MergedRows
from skreg._data.statistics import Statistics, find_weighted_quantiles
from skreg._data.weights import compute_shares
from skreg._engine.hyperparameters import LOSS_DEFAULTS
from skreg._estimators.targets import L2_FACTORS, Targets
from skreg._nn.losses import REGRESSION_LOSSES, RegressionLoss


@dataclass(frozen=True)
class RegressionTargets(Targets):
    """Numbers to predict, and the scale on which the network learns them.

    Attributes
    ----------
    values : ndarray of float64, shape (n, q)
        In the user's units.
    loss : RegressionLoss
    standardize : bool
        Whether the network learns them on a scale of their own.
    levels : tuple of float
        Levels of the quantiles that are predicted of the one column; empty for one output a column.
    statistics : Statistics or None
        Location and spread; None before `measure`.
    """

    values: np.ndarray
    loss: RegressionLoss
    standardize: bool
    levels: tuple[float, ...] = ()
    statistics: Statistics | None = None

    l2_factors = L2_FACTORS
    automatic_encoding = None

    @classmethod
    def from_numbers(
        cls, y, loss: str, standardize: bool, parameters: Mapping[str, Any] = LOSS_DEFAULTS
    ) -> RegressionTargets:
        """Make targets of checked numbers; `loss` is a key of `REGRESSION_LOSSES`."""
        values, form = y.reshape(len(y), -1), REGRESSION_LOSSES[loss].choose_form(parameters)
        form.check_targets(values)
        return cls(values, form, standardize, form.get_levels(parameters))

    @property
    def l2_of_one_row(self) -> float:
        """What l2="auto" is for one row."""
        return self.loss.l2_of_one_row

    @property
    def n_outputs(self) -> int:
        """Logits of a row."""
        return len(self.levels) or self.values.shape[1]

    @property
    def attributes(self) -> dict:
        """Fitted attributes of the estimator."""
        center, scale = self._get_center_and_scale()
        if self.levels:  # all of one column
            center, scale = (part.repeat(len(self.levels)) for part in (center, scale))
        return {
            "target_center_": center,
            "target_scale_": scale,
            "out_activation_": self.loss.link.name,
            "_target_statistics": self.statistics,
        }

    def replace_values(self, y) -> RegressionTargets:
        """Return the targets of validation rows, on the same scale."""
        values = np.asarray(y, dtype=np.float64)
        values = values.reshape(len(values), -1)
        self.loss.check_targets(values, "y_val")
        n_columns = self.values.shape[1]
        if values.shape[1] != n_columns:
            raise ValueError(
                f"y_val: expected {n_columns} columns, as y has; received {values.shape[1]}."
            )
        return replace(self, values=values)

    def encode_for_loss(self) -> np.ndarray:
        """Return scaled float32 columns, within what sums of squares in float32 can bear."""
        return self._scale(self.values)

    def compute_first_bias(self, rows: MergedRows) -> np.ndarray | None:
        """Return the bias of a first network that predicts the quantiles of these rows.

        None if the network begins at the center of the targets.
        """
        if not self.levels:
            return None
        column, shares = self.values[rows.indices, 0], compute_shares(rows.weight)
        quantiles = find_weighted_quantiles(column, shares, np.array(self.levels))
        return self._scale(quantiles[:, None])[:, 0]

    def _scale(self, values: np.ndarray) -> np.ndarray:
        center, scale = self._get_center_and_scale()
        is_constant = scale == 0
        divisor = np.where(is_constant, 1.0, scale)
        with np.errstate(over="ignore"):
            scaled = values / divisor - center / divisor
        # What a network with a logit of zero predicts, so that a constant target leads nowhere.
        scaled = np.where(is_constant, self.loss.link.predict(np.zeros(1)), scaled)
        return np.clip(scaled, -1e15, 1e15).astype(np.float32)

    def compute_loss(self, logits, rows: MergedRows, parameters) -> float:
        """Return the weighted mean loss of the rows, whose logits are given."""
        return self._compute_loss(self.loss.link.predict(logits), rows, parameters)

    def compute_least_loss(self, rows: MergedRows, parameters) -> float:
        """Return the loss of a perfect prediction, which of some losses is not zero."""
        return self._compute_loss(self._get_scaled(rows), rows, parameters)

    def find_constant(self, rows: MergedRows, parameters) -> np.ndarray:
        """Return the logits of the best constant prediction, of shape (1, q)."""
        shares, own = compute_shares(rows.weight), self._select_parameters(parameters)
        return self.loss.find_constant(self._get_scaled(rows), shares, **own)[None]

    def _compute_loss(self, predictions, rows: MergedRows, parameters) -> float:
        own = self._select_parameters(parameters)
        losses = self.loss.compute_numpy(predictions, self._get_scaled(rows), **own)
        return float(np.average(losses, weights=compute_shares(rows.weight)))

    def _get_scaled(self, rows: MergedRows) -> np.ndarray:
        return self.encode_for_loss()[rows.indices].astype(np.float64)

    def _select_parameters(self, parameters) -> dict:
        return {name: parameters[name] for name in self.loss.defaults}

    def measure(self, rows: MergedRows, earlier: Statistics | None) -> RegressionTargets:
        """Return the targets with the statistics of these rows and of the `earlier` ones."""
        statistics = self.loss.measure_targets(self.values, rows.indices, rows.weight)
        if earlier is not None and self.loss.combines:
            statistics = earlier.combine(statistics)
        elif earlier is not None:
            statistics = earlier.replace_narrow(statistics)
        return replace(self, statistics=statistics)

    def check_continues(self, fitted) -> None:
        """Raise a ValueError for another link than that of the `fitted` estimator."""
        if self.loss.link.name != fitted.out_activation_:
            raise ValueError(
                "loss: expected a loss with the link of the fitted network, "
                f"{fitted.out_activation_!r}, to continue it; received {self.loss.name!r}."
            )

    def was_constant(self, fitted) -> bool:
        """Whether all targets of the `fitted` estimator were constant in training."""
        return not np.any(fitted.target_scale_)

    def rescale_outputs(self, kernel, bias, fitted):
        """Return the last layer of the `fitted` estimator, with the same function on this scale."""
        old = fitted.target_center_, fitted.target_scale_
        return self.loss.rescale_outputs(kernel, bias, old, self._get_center_and_scale())

    def _get_center_and_scale(self) -> tuple[np.ndarray, np.ndarray]:
        if self.statistics is None:
            raise ValueError("The targets are not measured yet.")
        center, scale = self.loss.get_center_and_scale(self.statistics)
        if self.standardize:
            return center, scale
        return np.where(scale == 0, center, 0.0), np.where(scale == 0, 0.0, 1.0)
