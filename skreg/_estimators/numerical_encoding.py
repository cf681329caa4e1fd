"""The encoding of numeric columns that a fit begins with."""

from __future__ import annotations

import numpy as np

from skreg._data.quantiles import measure_quantiles
from skreg._data.rows import MergedRows
from skreg._data.scaling import MAX_RATIO, relate_scales, standardize
from skreg._data.statistics import ColumnStatistics, measure_columns
from skreg._data.tables import choose_csr_chunk
from skreg._engine.trainer import FIRST_ENCODING, make_generator
from skreg._estimators.automatic import MAX_ENCODED_COLUMNS, MIN_ENCODED_ROWS, is_auto
from skreg._nn.encoding import Encoding
from skreg._nn.encodings import ENCODINGS


def check_dense(numerical_encoding, is_sparse: bool) -> None:
    """Raise a ValueError for a sparse table and the name of an encoding."""
    if is_sparse and not (numerical_encoding is None or is_auto(numerical_encoding)):
        raise ValueError(
            "numerical_encoding: expected a dense table, whose numeric columns are encoded; "
            f"received a sparse one. Make it dense, or use numerical_encoding=None instead of "
            f"{numerical_encoding!r}."
        )


def initialize_encoding(
    name: str | None, X, rows: MergedRows, statistics: ColumnStatistics | None, seed
) -> Encoding | None:
    """Return the encoding of a new network, None without a name."""
    if name is None:
        return None
    columns = _list_columns(X, rows, statistics)

    def find_quantiles(levels):
        quantiles = measure_quantiles(X, rows.indices, rows.weight, columns, levels)
        if statistics is None or not quantiles.size:
            return quantiles
        return standardize(quantiles, statistics.center[columns], statistics.scale[columns])

    generator = make_generator(seed, FIRST_ENCODING)
    return ENCODINGS[name].initialize(columns, find_quantiles, generator)


def allows_encoding(X, rows: MergedRows, statistics: ColumnStatistics | None) -> bool:
    """Whether "auto" may encode columns of these rows.

    There are enough rows, columns to encode, not too many of them, and the rows are held dense.
    """
    if len(rows.indices) < MIN_ENCODED_ROWS:
        return False
    if not 0 < len(_list_columns(X, rows, statistics)) <= MAX_ENCODED_COLUMNS:
        return False
    scaling = (None, None) if statistics is None else (statistics.center, statistics.divisor)
    return choose_csr_chunk(X, rows, *scaling) is None


def _list_columns(X, rows: MergedRows, statistics: ColumnStatistics | None) -> np.ndarray:
    """Return the columns of more than two values."""
    measured = statistics or measure_columns(X, rows.indices, rows.weight)
    return np.flatnonzero(~measured.is_two_valued & ~measured.constant)


def continue_encoding(
    estimator,
    before: ColumnStatistics | None,
    now: ColumnStatistics | None,
    keeps_function: bool,
) -> Encoding | None:
    """Return the encoding of the fitted network, for the new scales.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    before, now : ColumnStatistics or None
        Of the columns. None takes them as they are.
    keeps_function : bool
        Whether it remains the same function of the columns. Otherwise it is left as it is, like the
        weights of a stream.
    """
    encoding = estimator.encoding_
    name = None if encoding is None else encoding.name
    if estimator.numerical_encoding not in (name, "auto"):
        raise ValueError(
            f"numerical_encoding: expected {name!r}, that of the fitted network, to continue it; "
            f"received {estimator.numerical_encoding!r}. Set warm_start=False and call fit for a "
            "new one."
        )
    if encoding is None or not keeps_function:
        return encoding
    identity = ColumnStatistics.make_identity(estimator._network.n_columns)
    before = before or identity
    # Edges and frequencies of much smaller columns would not be finite in float32.
    ratio, shift = relate_scales(before.center, before.scale, now or identity, 1 / MAX_RATIO)
    return encoding.rescale(ratio, shift)
