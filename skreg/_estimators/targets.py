"""Targets: from a user's y to what a head takes, and class weights on the way.

Owns labels and their codes, label indicators, class weights, the checks of a regression's numbers
and their scale. Does not own the rows (it is told which ones there are), the heads, nor how
predictions are made of logits: the estimators do that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skreg._data.rows import MergedRows
from skreg._data.scaling import Statistics, column_statistics, robust_statistics, with_moved_outputs


def column_as_vector(y):
    """A single column as a vector, with scikit-learn's warning; anything else as it is."""
    if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
        return column_or_1d(y, warn=True)
    return y


@dataclass
class ClassTargets:
    """Class codes, or the indicator of several labels a row.

    Attributes
    ----------
    classes : ndarray
        Labels in sorted order; for an indicator the numbers of its columns.
    values : ndarray of int64, shape (n,), or of float64, shape (n, q)
        Codes, or the indicator: what rows are compared by.
    class_weight : dict, list of dict, "balanced" or None
    """

    classes: np.ndarray
    values: np.ndarray
    class_weight: object

    @classmethod
    def from_labels(cls, y, class_weight, classes=None) -> ClassTargets:
        """Targets of the labels `y`; `classes` when they are known already."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y: expected one column of labels, or an indicator of zeros and ones for several "
                "labels a row; received several columns of classes. Use "
                "sklearn.multioutput.MultiOutputClassifier for those."
            )
        if kind == "multilabel-indicator":
            indicator = y.toarray() if sparse.issparse(y) else np.asarray(y)
            columns = np.arange(indicator.shape[1]) if classes is None else classes
            targets = cls(columns, indicator.astype(np.float64), class_weight)
            targets._check_columns(indicator)
            return targets
        targets = cls(np.unique(y) if classes is None else classes, y, class_weight)
        targets.values = targets._codes(y, "y")
        return targets

    @property
    def multilabel(self) -> bool:
        """Whether each row may have several labels."""
        return self.values.ndim == 2

    @property
    def n_outputs(self) -> int:
        """Logits of a row."""
        return 1 if not self.multilabel and len(self.classes) == 2 else len(self.classes)

    @property
    def head(self) -> str:
        """The head of the network."""
        return "sigmoid" if self.multilabel or len(self.classes) == 2 else "softmax"

    @property
    def attributes(self) -> dict:
        """Fitted attributes of the estimator."""
        activation = "logistic" if self.head == "sigmoid" else "softmax"
        return {"classes_": self.classes, "out_activation_": activation}

    def strata(self, rows: MergedRows):
        """Codes that validation rows are spread over, or None."""
        return None if self.multilabel else self.values[rows.first]

    def encoded(self, y) -> ClassTargets:
        """The labels of other rows, which may have no other ones."""
        if not self.multilabel:
            codes = self._codes(column_as_vector(y), "y_val")
            return ClassTargets(self.classes, codes, self.class_weight)
        indicator = y.toarray() if sparse.issparse(y) else np.asarray(y)
        self._check_columns(indicator)
        return ClassTargets(self.classes, indicator.astype(np.float64), self.class_weight)

    def for_head(self) -> np.ndarray:
        """Codes for softmax, else float32 columns of zeros and ones."""
        if self.head == "softmax":
            return self.values.astype(np.int32)
        return self.values.reshape(len(self.values), -1).astype(np.float32)

    def scale_to(self, rows: MergedRows, earlier: Statistics | None) -> None:
        """Nothing to do: classes have no scale."""

    def check_same(self, fitted) -> None:
        """Refuse other classes than those of the `fitted` estimator."""
        if not np.array_equal(self.classes, fitted.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {fitted.classes_}, `y` has {self.classes}."
            )

    def moved(self, kernel, bias, fitted):
        """The last layer as it is: classes have no scale."""
        return kernel, bias

    def class_weighted(self, rows: MergedRows, factors) -> MergedRows:
        """Multiply the weights with the factors of the rows; rows of weight zero drop out."""
        if factors is None:
            return rows
        columns = self.values.reshape(len(self.values), -1)[rows.first].astype(np.int64)
        weight = rows.weight.copy()
        with np.errstate(over="ignore"):
            for column, of_classes in zip(columns.T, factors, strict=True):
                weight *= of_classes[column]
            total = weight.sum()
        if not 0 < total < np.inf:
            raise ValueError(
                "class_weight: expected a positive, finite sum of its products with the sample "
                f"weights; received {self.class_weight!r} and a sum of {total:g}."
            )
        return MergedRows(rows.first[weight > 0], weight[weight > 0])

    def class_totals(self, rows: MergedRows) -> np.ndarray:
        """Weight of the rows of each code, of shape (columns, codes)."""
        columns = self.values.reshape(len(self.values), -1)[rows.first].astype(np.int64)
        n_codes = 2 if self.multilabel else len(self.classes)
        return np.stack([np.bincount(column, rows.weight, n_codes) for column in columns.T])

    def factors(self, totals: np.ndarray) -> list[np.ndarray] | None:
        """Class weights by code, one array a column; None when there are none.

        `totals` are those of `class_totals`, of all rows that "balanced" is to balance.
        """
        if self.class_weight is None:
            return None
        if not self.multilabel:
            if isinstance(self.class_weight, list):
                raise self._refused("a dict, 'balanced' or None for one column of labels")
            return [self._factors(self.class_weight, self.classes, totals[0])]
        n_labels = self.values.shape[1]
        weights = self.class_weight
        if isinstance(weights, str):
            weights = [weights] * n_labels
        if not isinstance(weights, list) or len(weights) != n_labels:
            raise self._refused(f"'balanced' or a list of {n_labels} dicts, one a label")
        binary = np.array([0, 1])
        return [
            self._factors(weight, binary, of_column)
            for weight, of_column in zip(weights, totals, strict=True)
        ]

    def _factors(self, class_weight, classes, totals) -> np.ndarray:
        # A dict may name classes that have no row of positive weight, "balanced" cannot weigh them.
        present = totals > 0 if class_weight == "balanced" else np.full(len(classes), True)
        if isinstance(class_weight, dict) and not all(
            isinstance(value, Real) and 0 <= float(value) < np.inf
            for value in class_weight.values()
        ):
            raise self._refused("finite weights >= 0")
        by_code = np.ones(len(classes))
        by_code[present] = compute_class_weight(
            class_weight,
            classes=classes[present],
            y=classes[present],
            sample_weight=totals[present],
        )
        return by_code

    def _refused(self, expected: str) -> ValueError:
        return ValueError(f"class_weight: expected {expected}; received {self.class_weight!r}.")

    def _codes(self, y, name: str) -> np.ndarray:
        unseen = np.setdiff1d(y, self.classes)
        if len(unseen):
            raise ValueError(
                f"{name}: expected labels among the classes {self.classes}; "
                f"received also {unseen[:5]}."
            )
        return np.searchsorted(self.classes, y)

    def _check_columns(self, indicator) -> None:
        if indicator.ndim != 2 or indicator.shape[1] != len(self.classes):
            raise ValueError(
                f"y: expected an indicator of {len(self.classes)} columns, one a label; "
                f"received an array of shape {indicator.shape}."
            )
        if not np.isin(indicator, (0, 1)).all():
            raise ValueError("y: expected zeros and ones in an indicator; received other numbers.")


@dataclass
class NumberTargets:
    """Numbers to predict, on the scale on which the network learns them.

    Attributes
    ----------
    values : ndarray of float64, shape (n, q)
        In the user's units.
    loss : str
        A key of `_heads.REGRESSION_HEADS`.
    standardize : bool
    statistics : Statistics
        Known after `scale_to`.
    """

    values: np.ndarray
    loss: str
    standardize: bool
    statistics: Statistics = field(init=False)

    def __post_init__(self):
        self.values = self.values.reshape(len(self.values), -1)
        if self.loss == "poisson" and self.values.min() < 0:
            raise ValueError(
                "y: expected numbers >= 0 with loss='poisson'; "
                f"received {self.values.min():g} as the smallest one."
            )

    @property
    def n_outputs(self) -> int:
        """Logits of a row."""
        return self.values.shape[1]

    @property
    def head(self) -> str:
        """The head of the network."""
        return self.loss

    @property
    def attributes(self) -> dict:
        """Fitted attributes of the estimator."""
        center, scale = self.center_and_scale()
        link = "exp" if self.loss == "poisson" else "identity"
        return {
            "target_center_": center,
            "target_scale_": scale,
            "out_activation_": link,
            "_target_statistics": self.statistics,
        }

    def strata(self, rows: MergedRows):
        """None: numbers are not classes."""
        return None

    def class_totals(self, rows: MergedRows) -> float:
        """Zero: numbers have no classes."""
        return 0.0

    def factors(self, totals: float) -> None:
        """None: numbers have no class weights."""
        return None

    def class_weighted(self, rows: MergedRows, factors) -> MergedRows:
        """The rows as they are."""
        return rows

    def scale_to(self, rows: MergedRows, earlier: Statistics | None) -> None:
        """Take the scale of these rows, and of the `earlier` ones that were seen before."""
        robust = self.loss not in ("squared_error", "poisson")
        if robust and earlier is not None:
            self.statistics = earlier  # medians of two tables do not combine
            return
        statistics = robust_statistics if robust else column_statistics
        here = statistics(self.values, rows.first, rows.weight)
        self.statistics = here if earlier is None else earlier.combined(here)

    def check_same(self, fitted) -> None:
        """Refuse another link than that of the `fitted` estimator."""
        if (self.loss == "poisson") != (fitted.out_activation_ == "exp"):
            raise ValueError(
                f"loss: expected one with the link of the fitted network to go on with it "
                f"({fitted.out_activation_}); received {self.loss!r}."
            )

    def moved(self, kernel, bias, fitted):
        """The last layer of the `fitted` estimator, with the same function on the new scale."""
        center, scale = self.center_and_scale()
        if self.loss == "poisson":  # scale * exp(logit)
            return kernel, (bias + np.log(fitted.target_scale_ / scale)).astype(np.float32)
        old = fitted.target_center_, fitted.target_scale_
        return with_moved_outputs(kernel, bias, old, (center, scale))

    def center_and_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """What a target is ``center + scale * logit`` by; for poisson ``scale * exp(logit)``."""
        center = self.statistics.center
        if not self.standardize:
            return np.zeros_like(center), np.ones_like(center)
        if self.loss == "poisson":
            return np.zeros_like(center), np.where(center > 0, center, 1.0)
        return center, self.statistics.scale

    def encoded(self, y) -> NumberTargets:
        """Targets of other rows on the same scale."""
        other = NumberTargets(np.asarray(y, dtype=np.float64), self.loss, self.standardize)
        if other.n_outputs != self.n_outputs:
            raise ValueError(
                f"y_val: expected {self.n_outputs} columns, as y has; received {other.n_outputs}."
            )
        other.statistics = self.statistics
        return other

    def for_head(self) -> np.ndarray:
        """Scaled float32 columns, held within what sums of squares in float32 can bear."""
        center, scale = self.center_and_scale()
        with np.errstate(over="ignore"):
            scaled = self.values / scale - center / scale
        return np.clip(scaled, -1e15, 1e15).astype(np.float32)
