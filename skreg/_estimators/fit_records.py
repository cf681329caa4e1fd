"""What is known of a fit before its training: records from the request to the prepared fit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skreg._data.columns import TableEncoder
from skreg._data.epochs import choose_batch_size, count_visits
from skreg._data.rows import MergedRows
from skreg._data.statistics import ColumnStatistics
from skreg._data.tables import TrainingRows, ValidationRows, choose_csr_chunk
from skreg._engine.hyperparameters import Hyperparameters
from skreg._estimators.automatic import choose_strengths, is_auto
from skreg._estimators.targets import Targets
from skreg._nn.encoding import Encoding

# -- what a fit leaves to the next one ---------------------------------------------------------


@dataclass(frozen=True)
class NoiseSequence:
    """Where the sequence of dropout masks and orders of the rows stands.

    A fit that continues another one continues its sequence, so that no noise is repeated.

    Attributes
    ----------
    seed : tuple of two int
    n_steps, n_epochs : int
        Run so far.
    """

    seed: tuple[int, int]
    n_steps: int = 0
    n_epochs: int = 0


class SeenRows(NamedTuple):
    """Row count and class totals so far, to which `partial_fit` adds its own.

    Attributes
    ----------
    n_rows : int
        How many rows there are.
    class_totals : ndarray or float
        Weight of each class.
    """

    n_rows: int
    class_totals: Any


@dataclass(frozen=True)
class Stream:
    """What a call of `partial_fit` leaves to the next one.

    Attributes
    ----------
    solver : str
        The solver that the moments belong to.
    moments : tuple or None
        None after a divergence.
    n_updates : int
        Steps that the moments have seen.
    continues_fit : bool
        Whether the stream began with the network of `fit` or of `from_keras`.
    """

    solver: str
    moments: tuple | None
    n_updates: int
    continues_fit: bool


# -- what is handed in, and what is made of it -------------------------------------------------


class ValidationSet(NamedTuple):
    """What a caller handed in to validate on."""

    X: Any
    y: Any
    sample_weight: Any

    @classmethod
    def read(cls, X_val, y_val, sample_weight_val) -> ValidationSet | None:
        """Return the validation rows that were passed to `fit`, or None."""
        given = cls(X_val, y_val, sample_weight_val)
        return None if all(part is None for part in given) else given


@dataclass(frozen=True)
class FitRequest:
    """What a call of `fit` or `partial_fit` asks for.

    Attributes
    ----------
    X, y, sample_weight : array-like
        As they were handed in.
    make_targets : callable
        From a checked y to its targets.
    y_numeric : bool
        Whether y has to be numbers.
    validation : ValidationSet or None
    partial : bool
        Whether this is one step of a stream.
    stream : Stream or None
        What the last step of the stream left; None before the first one.
    """

    X: Any
    y: Any
    sample_weight: Any
    make_targets: Callable[[Any], Targets]
    y_numeric: bool
    validation: ValidationSet | None = None
    partial: bool = False
    stream: Stream | None = None


@dataclass(frozen=True)
class FitSettings:
    """What the parameters say, before any row is seen.

    Attributes
    ----------
    hidden_layer_sizes : tuple of int
    hyper : Hyperparameters
    continues : bool
        Whether training begins with the weights of the fitted estimator.
    """

    hidden_layer_sizes: tuple[int, ...]
    hyper: Hyperparameters
    continues: bool


class EncodedRows(NamedTuple):
    """All rows of a fit, after the checks. Networks of other parameters may share them.

    Attributes
    ----------
    numbers : ndarray, CSR or None
        The checked table; None if it has categories.
    y : ndarray
        Checked.
    targets : Targets
        Before they are measured.
    column_attributes : dict
        n_features_in_, feature_names_in_ and _encoder.
    X : ndarray or CSR
        Encoded.
    merged : MergedRows
    """

    numbers: Any
    y: Any
    targets: Targets
    column_attributes: dict
    X: Any
    merged: MergedRows


class TrainingTables(NamedTuple):
    """Padded rows to train on and to validate on. Networks of other parameters may share them."""

    rows: TrainingRows
    validation: ValidationRows | None


class ValidationData(NamedTuple):
    """Validation rows: those of `rows` in an encoded table X with its y.

    `scored_X` is the table that a scorer receives: of numbers, or a data frame with categories.
    `is_passed` says whether the caller passed them to `fit`.
    """

    X: Any
    scored_X: Any
    y: Any
    targets: Targets
    rows: MergedRows
    is_passed: bool


class SelectedRows(NamedTuple):
    """Rows to train on and to validate on, with class weights.

    Attributes
    ----------
    training : MergedRows
    held_out : MergedRows or None
        None if no rows of the table are held out.
    n_rows : int
        How many rows those to train on stand for, without class weights.
    class_totals : ndarray or float
        Weight of each class; in a stream, of all rows so far.
    factors : list of ndarray or None
        Class weights.
    """

    training: MergedRows
    held_out: MergedRows | None
    n_rows: int
    class_totals: Any
    factors: Any


class ConstantLoss(NamedTuple):
    """Loss of the best constant prediction of the training rows.

    Attributes
    ----------
    loss : float
        Without penalties.
    above_least : float
        How far it is above that of a perfect prediction.
    """

    loss: float
    above_least: float


@dataclass(frozen=True)
class PreparedFit:
    """A fit before its training.

    Attributes
    ----------
    estimator : estimator
        Its parameters are read, and its weights where training continues.
    settings : FitSettings
    partial : bool
        Whether this is one step of a stream.
    stream : Stream or None
    sequence : NoiseSequence
        Before this fit.
    X : ndarray or CSR
        Encoded.
    encoder : TableEncoder
        It has encoded X.
    targets : Targets
    rows : MergedRows
        Rows to train on.
    seen : SeenRows
        These rows; in a stream all so far.
    validation : ValidationData or None
    statistics : ColumnStatistics or None
        Of the columns; None if `standardize` is False.
    column_attributes : dict
        n_features_in_, feature_names_in_ and _encoder.
    encoding : Encoding or None
        Of numeric columns, before training.
    """

    estimator: Any
    settings: FitSettings
    partial: bool
    stream: Stream | None
    sequence: NoiseSequence
    X: Any
    encoder: TableEncoder
    targets: Targets
    rows: MergedRows
    seen: SeenRows
    validation: ValidationData | None
    statistics: ColumnStatistics | None
    column_attributes: dict
    encoding: Encoding | None

    @property
    def center_and_divisor(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """How the columns are scaled in training. None takes them as they are."""
        if self.statistics is None:
            return None, None
        return self.statistics.center, self.statistics.divisor

    @functools.cached_property  # every network of a search asks for it
    def chunk(self) -> int | None:
        """Chunk of a table that is held as CSR; None if it is held as dense rows."""
        if self.encoding is not None:
            return None
        return choose_csr_chunk(self.X, self.rows, *self.center_and_divisor)

    @functools.cached_property
    def n_visits(self) -> int:
        """Visits of an epoch."""
        return int(count_visits(self.rows.weight)[0].sum())

    @property
    def batch_size(self) -> int:
        """Largest number of visits in a batch."""
        given = self.estimator.batch_size
        batch_size = choose_batch_size(self.n_visits) if is_auto(given) else int(given)
        return min(batch_size, self.n_visits)

    def read_l2(self, l2) -> tuple[float, ...]:
        """Return the strength of each kernel for a value of the parameter `l2`."""
        n_hidden = len(self.settings.hidden_layer_sizes)
        activation = self.estimator.activation
        return choose_strengths(l2, self.targets, self.seen.n_rows, activation, n_hidden)

    @functools.cached_property
    def constant_columns(self) -> np.ndarray:
        """Indices of the columns that are constant in training."""
        if self.statistics is None:
            return np.empty(0, int)
        return np.flatnonzero(self.statistics.constant)

    @functools.cached_property
    def constant_loss(self) -> ConstantLoss:
        """Of the training rows."""
        return self._measure_constant(self.targets, self.rows)

    @functools.cached_property
    def constant_validation_loss(self) -> ConstantLoss | None:
        """Of the validation rows."""
        if self.validation is None:
            return None
        return self._measure_constant(self.validation.targets, self.validation.rows)

    def _measure_constant(self, targets: Targets, rows: MergedRows) -> ConstantLoss:
        parameters = self.settings.hyper.loss_parameters
        constant = self.targets.find_constant(self.rows, parameters)
        loss = targets.compute_loss(constant.repeat(len(rows.indices), axis=0), rows, parameters)
        return ConstantLoss(loss, loss - targets.compute_least_loss(rows, parameters))
