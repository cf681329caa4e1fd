"""Classes as targets: codes or an indicator, and class weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skreg._data.rows import MergedRows
from skreg._data.weights import compute_shares
from skreg._estimators.targets import L2_FACTORS, Targets, ravel_column
from skreg._nn.losses import ClassLoss, choose_class_loss

_L2_FACTORS_OF_MANY_CLASSES = 1 / 30, 0.1, 1 / 3, 1.0, 3.0


@dataclass(frozen=True)
class ClassTargets(Targets):
    """Class codes, or the indicator of several labels per row.

    Attributes
    ----------
    classes : ndarray
        Sorted labels; the numbers of the columns for an indicator.
    values : ndarray of int64, shape (n,), or of float64, shape (n, q)
        Codes, or the indicator. Equal rows have equal values.
    class_weight : dict, list of dict, "balanced" or None
    """

    classes: np.ndarray
    values: np.ndarray
    class_weight: object

    @classmethod
    def from_labels(cls, y, class_weight, classes=None) -> ClassTargets:
        """Make targets of checked labels; `classes` is given if it is known already."""
        check_classification_targets(y)
        target_type = type_of_target(y, input_name="y")
        if target_type == "multiclass-multioutput":
            raise ValueError(
                "y: expected one column of labels, or an indicator of zeros and ones for several "
                "labels per row; received several columns of classes. Use "
                "sklearn.multioutput.MultiOutputClassifier for those."
            )
        if target_type == "multilabel-indicator":
            indicator = y.toarray() if sparse.issparse(y) else np.asarray(y)
            classes = np.arange(indicator.shape[1]) if classes is None else classes
            _check_indicator(indicator, classes, "y")
            return cls(classes, indicator.astype(np.float64), class_weight)
        if classes is None:
            classes = np.unique(y)
            # Zero may have come as -0.0, or as 0.0 in rows of another order.
            classes = classes + 0.0 if classes.dtype.kind == "f" else classes
        return cls(classes, _find_codes(y, classes, "y"), class_weight)

    @property
    def is_multilabel(self) -> bool:
        """Whether a row may have several labels."""
        return self.values.ndim == 2

    @property
    def n_outputs(self) -> int:
        """Logits of a row."""
        is_one_logit = not self.is_multilabel and len(self.classes) == 2
        return 1 if is_one_logit else len(self.classes)

    @property
    def l2_of_one_row(self) -> float:
        """What l2="auto" is for one row; see docs/decisions/0030-automatic-strength.md."""
        return 6.0 if self.n_outputs == 1 else 2.0

    @property
    def l2_factors(self) -> tuple[float, ...]:
        """What l2s="auto" tries, in units of l2="auto".

        See docs/decisions/0033-ensembles-of-several-kinds.md.
        """
        return L2_FACTORS if self.n_outputs == 1 else _L2_FACTORS_OF_MANY_CLASSES

    @property
    def fewest_steps(self) -> int:
        """Steps that max_iter="auto" gives to few rows.

        See docs/decisions/0030-automatic-strength.md.
        """
        return 1000 if self.n_outputs == 1 else super().fewest_steps

    automatic_encoding = "piecewise"  # see docs/decisions/0031-numerical-encodings.md
    # In nats. With L2 a network does not reach the logits of a class that is nearly certain.
    least_gap = 1e-3

    @property
    def loss(self) -> ClassLoss:
        """The loss of the network."""
        return choose_class_loss(len(self.classes), self.is_multilabel)

    @property
    def attributes(self) -> dict:
        """Fitted attributes of the estimator."""
        return {"classes_": self.classes, "out_activation_": self.loss.link.name}

    def get_strata(self, rows: MergedRows) -> np.ndarray | None:
        """Return the codes that validation rows are spread over, or None."""
        return None if self.is_multilabel else self.values[rows.indices]

    def replace_values(self, y) -> ClassTargets:
        """Return the targets of validation rows, which have no other labels."""
        if not self.is_multilabel:
            if sparse.issparse(y) or np.ndim(ravel_column(y)) != 1:
                raise ValueError(
                    f"y_val: expected one column of labels, as y has; received {np.shape(y)} as "
                    "its shape."
                )
            return replace(self, values=_find_codes(ravel_column(y), self.classes, "y_val"))
        indicator = y.toarray() if sparse.issparse(y) else np.asarray(y)
        _check_indicator(indicator, self.classes, "y_val")
        return replace(self, values=indicator.astype(np.float64))

    def encode_for_loss(self) -> np.ndarray:
        """Return the targets as the compiled loss takes them."""
        return self.loss.encode(self.values)

    def compute_loss(self, logits, rows: MergedRows, parameters) -> float:
        """Return the weighted mean loss of the rows, whose logits are given."""
        losses = self.loss.compute_numpy(logits, self.values[rows.indices])
        return float(np.average(losses, weights=compute_shares(rows.weight)))

    def find_constant(self, rows: MergedRows, parameters) -> np.ndarray:
        """Return the logits of the best constant prediction, of shape (1, q): class shares."""
        totals = self.count_classes(rows)
        shares = totals / totals.sum(axis=1, keepdims=True)
        logs = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
        return logs if self.loss.link.sums_to_one else (logs[:, 1] - logs[:, 0])[None]

    def check_continues(self, fitted) -> None:
        """Raise a ValueError for other classes or another task than the `fitted` estimator's."""
        if not np.array_equal(self.classes, fitted.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {fitted.classes_}, `y` has {self.classes}."
            )
        if self.loss.link.name != fitted.out_activation_:
            raise ValueError(
                "y: expected the task of the fitted network, whose out_activation_ is "
                f"{fitted.out_activation_!r}, to continue it; received targets for "
                f"{self.loss.link.name!r}. Set warm_start=False and call fit for a new one."
            )

    # -- class weights --------------------------------------------------------------------------

    def count_classes(self, rows: MergedRows) -> np.ndarray:
        """Return the weight of the rows of each code, of shape (columns, codes)."""
        n_codes = 2 if self.is_multilabel else len(self.classes)
        columns = self._get_code_columns(rows)
        return np.stack([np.bincount(column, rows.weight, n_codes) for column in columns])

    def compute_class_weight(self, totals) -> list[np.ndarray] | None:
        """Return the factors of the codes, an array per column of codes, or None without any.

        Parameters
        ----------
        totals : ndarray of shape (columns, codes)
            From `count_classes`, of all the rows that "balanced" is to balance.
        """
        if self.class_weight is None:
            return None
        if not self.is_multilabel:
            if isinstance(self.class_weight, list):
                raise self._make_error("a dict, 'balanced' or None for one column of labels")
            return [self._compute_factors(self.class_weight, self.classes, totals[0])]
        n_labels = self.values.shape[1]
        weights = self.class_weight
        if isinstance(weights, str):
            weights = [weights] * n_labels
        if not isinstance(weights, list) or len(weights) != n_labels:
            raise self._make_error(f"'balanced' or a list of {n_labels} dicts, one for each label")
        binary = np.array([0, 1])
        return [
            self._compute_factors(weight, binary, column_totals)
            for weight, column_totals in zip(weights, totals, strict=True)
        ]

    def apply_class_weight(self, rows: MergedRows, factors) -> MergedRows:
        """Multiply the weights with the factors of the rows. Rows of weight zero drop out."""
        if factors is None:
            return rows
        weight = rows.weight.copy()
        with np.errstate(over="ignore"):
            for column, code_factors in zip(self._get_code_columns(rows), factors, strict=True):
                weight *= code_factors[column]
            total = weight.sum()
        if not 0 < total < np.inf:
            raise ValueError(
                "class_weight: expected a positive, finite sum of its products with the sample "
                f"weights; received {self.class_weight!r} and a sum of {total:g}."
            )
        return MergedRows(rows.indices[weight > 0], weight[weight > 0])

    def _get_code_columns(self, rows: MergedRows) -> np.ndarray:
        """Return the codes of the rows, of shape (columns, rows)."""
        return self.values.reshape(len(self.values), -1)[rows.indices].astype(np.int64).T

    def _compute_factors(self, class_weight, classes, totals) -> np.ndarray:
        if isinstance(class_weight, dict) and not all(
            isinstance(value, Real) and 0 <= float(value) < np.inf
            for value in class_weight.values()
        ):
            raise self._make_error("finite weights >= 0")
        # A dict may name classes without rows of positive weight. "balanced" cannot weigh them.
        present = totals > 0 if class_weight == "balanced" else np.full(len(classes), True)
        by_code = np.ones(len(classes))
        by_code[present] = compute_class_weight(
            class_weight,
            classes=classes[present],
            y=classes[present],
            # Times a power of two, so that the sum of a long stream is finite.
            sample_weight=np.ldexp(totals[present], -np.frexp(totals.max())[1]),
        )
        return by_code

    def _make_error(self, expected: str) -> ValueError:
        return ValueError(f"class_weight: expected {expected}; received {self.class_weight!r}.")


def _find_codes(y, classes, name: str) -> np.ndarray:
    """Return the index of each label among the classes."""
    # NumPy would make strings of numbers beside strings.
    has_strings = {array.dtype.kind in "UT" for array in (y, classes) if array.dtype.kind != "O"}
    unseen = np.unique(y) if len(has_strings) > 1 else np.setdiff1d(y, classes)
    if len(unseen):
        raise ValueError(
            f"{name}: expected labels among the classes {classes}; received also {unseen[:5]}."
        )
    return np.searchsorted(classes, y)


def _check_indicator(indicator, classes, name: str) -> None:
    if indicator.ndim != 2 or indicator.shape[1] != len(classes):
        raise ValueError(
            f"{name}: expected an indicator of {len(classes)} columns, one for each label; "
            f"received an array of shape {indicator.shape}."
        )
    if not np.isin(indicator, (0, 1)).all():
        raise ValueError(
            f"{name}: expected zeros and ones in an indicator; received other numbers."
        )
