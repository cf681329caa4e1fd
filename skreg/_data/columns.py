"""From a checked table to the numbers that a network takes: categories and missing values.

The columns of the result are, in this order: the numbers, with missing values replaced by medians;
an indicator for each of them that had missing values in training; and the levels of each category.
What is learned here comes from weighted rows, so a row of weight 2 counts as two rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skreg._data.statistics import find_weighted_median, iterate_blocks
from skreg._data.weights import compute_shares

# A level has a column of its own if it is among the 40 heaviest and has at least 1/200 of the
# weight. The others share one. benchmarks/choose_levels.py has the figures.
_MAX_LEVELS = 40
_MIN_SHARE = 1 / 200

# Unknown levels are not reported for fewer cells than this. Of more infrequent levels than this
# none is remembered, since an identifier may have millions.
_MIN_CHECKED_CELLS = 5
_MAX_REMEMBERED_LEVELS = 10_000

# Shares of the weight are compared in these units, so that the order of a sum does not matter.
# It is coarser than the relative weights, so that a row of weight 3 ties with three rows.
_SHARE_UNIT = 2.0**-30


class CategoryCells(NamedTuple):
    """The cells of one category of a table.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Index of each cell's level in `levels`; -1 for a missing one.
    levels : sequence of str, float or bool
        In any order. Not all of them have to occur.
    level_type : str or None
        Of the levels that occur: "strings", "numbers" or "booleans"; None if all are missing.
    """

    codes: np.ndarray
    levels: Sequence
    level_type: str | None


class MixedTable(NamedTuple):
    """A checked table: its numbers, some of which may be missing, and its categories.

    Attributes
    ----------
    numbers : ndarray or CSR, shape (n, number of numbers)
        NaN is a missing value.
    categories : tuple of CategoryCells
    """

    numbers: Any
    categories: tuple[CategoryCells, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return self.numbers.shape[0]


@dataclass(frozen=True)
class Category:
    """What is known about a category.

    Attributes
    ----------
    name : str
        Of the column.
    level_type : str or None
        As in `CategoryCells`.
    levels : tuple of str, float or bool
        Sorted levels with a column of their own. If there are only two levels, the first one has
        no column.
    has_missing : bool
        Whether cells were missing in training, which is a level, too.
    has_infrequent : bool
        Whether there are levels that share a column. Unknown levels then belong to it. Otherwise
        they are zero in all columns.
    infrequent : tuple of str, float or bool
        Sorted levels that share a column. Empty if there are too many to remember.
    is_mostly_infrequent : bool
        Whether those levels have most of the weight of the training rows.
    most_frequent : int
        Index of the level with the most weight; -1 without levels.
    """

    name: str
    level_type: str | None
    levels: tuple
    has_missing: bool
    has_infrequent: bool
    # What is encoded does not depend on these two.
    infrequent: tuple = field(compare=False)
    is_mostly_infrequent: bool = field(compare=False)
    most_frequent: int

    @classmethod
    def fit(cls, name: str, cells: CategoryCells, shares: np.ndarray) -> Category:
        """Return the category, given the cells of the training rows and their weight shares."""
        known = cells.codes >= 0
        by_level = np.bincount(cells.codes[known], shares[known], len(cells.levels))
        occurs = np.bincount(cells.codes[known], shares[known] > 0, len(cells.levels)) > 0
        units = np.round(by_level / _SHARE_UNIT)
        levels = [k for k in range(len(cells.levels)) if occurs[k]]
        levels.sort(key=lambda k: (-units[k], cells.levels[k]))
        has_missing = bool(levels) and bool((shares[~known] > 0).any())
        kept = levels[:_MAX_LEVELS]
        if len(levels) > 2 or has_missing:
            kept = [k for k in kept if units[k] >= round(_MIN_SHARE / _SHARE_UNIT)]
        rest = levels[len(kept) :]
        remembered = rest if len(rest) <= _MAX_REMEMBERED_LEVELS else []
        sorted_levels = tuple(sorted(cells.levels[k] for k in kept))
        return cls(
            name,
            cells.level_type,
            sorted_levels,
            has_missing,
            has_infrequent=bool(rest),
            infrequent=tuple(sorted(cells.levels[k] for k in remembered)),
            is_mostly_infrequent=bool(by_level[rest].sum() > by_level.sum() / 2),
            most_frequent=sorted_levels.index(cells.levels[kept[0]]) if kept else -1,
        )

    @property
    def is_binary(self) -> bool:
        """Whether one column tells two levels apart."""
        return len(self.levels) == 2 and not self.has_missing and not self.has_infrequent

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        levels = self.levels[1:] if self.is_binary else self.levels
        names = [f"{self.name}_{level}" for level in levels]
        names += [f"{self.name}_missing"] * self.has_missing
        return names + [f"{self.name}_infrequent"] * self.has_infrequent

    @cached_property
    def _column_of_level(self) -> dict:
        # From a level to its column; -1 has none.
        return {level: k - self.is_binary for k, level in enumerate(self.levels)}

    @property
    def default(self) -> int:
        """Column of cells that nothing is known about, -1 for none.

        Two levels have one column, so such cells are of the level with the most weight.
        """
        return self.most_frequent - 1 if self.is_binary else -1

    def encode(self, cells: CategoryCells) -> np.ndarray:
        """Return the column of each cell, -1 for none."""
        n_levels = len(self.levels)
        missing = n_levels if self.has_missing else self.default
        other = n_levels + self.has_missing if self.has_infrequent else self.default
        columns = [self._column_of_level.get(level, other) for level in cells.levels]
        return np.array([*columns, missing], dtype=np.int64)[cells.codes]

    def check(self, cells: CategoryCells) -> None:
        """Raise a ValueError for levels of another type than in training."""
        types = {cells.level_type, self.level_type}
        if None in types or len(types) == 1 or types == {"numbers", "booleans"}:  # True is 1
            return
        raise ValueError(
            f"Column {self.name!r} of X: expected {self.level_type}, as in training; received "
            f"{cells.level_type}."
        )

    def is_unknown(self, cells: CategoryCells) -> bool:
        """Whether most cells are of levels that are not remembered from training."""
        codes = cells.codes[cells.codes >= 0]
        if len(codes) < _MIN_CHECKED_CELLS or (self.has_infrequent and not self.infrequent):
            return False
        known = {*self.levels, *self.infrequent}
        is_known = np.array([level in known for level in cells.levels], dtype=bool)
        return bool(np.count_nonzero(~is_known[codes]) > len(codes) / 2)


def choose_tokens(levels: Collection[str]) -> tuple[str, str]:
    """Return the strings that stand for a missing level and for one that is not known.

    They are for formats without missing strings.
    """
    candidates = itertools.chain(["", "[MISSING]"], (f"[MISSING {k}]" for k in itertools.count()))
    missing = next(token for token in candidates if token not in levels)
    other = "[UNK]"
    while other in levels:
        other = f"[{other}]"
    return missing, other


@dataclass(frozen=True)
class TableEncoder:
    """Encoder of a table.

    Missing numbers become medians and indicators, and categories one-hot columns.

    Attributes
    ----------
    is_category : ndarray of bool, shape (n_features,)
        Which columns of the table are categories.
    names : tuple of str
        Of the numbers.
    medians : ndarray of float64, shape (number of numbers,)
        NaN for a column without values in training, which is dropped.
    has_indicator : ndarray of bool, shape (number of numbers,)
        Whether values were missing in training.
    categories : tuple of Category
    """

    is_category: np.ndarray
    names: tuple[str, ...]
    medians: np.ndarray
    has_indicator: np.ndarray
    categories: tuple[Category, ...]

    @classmethod
    def fit(cls, table: MixedTable, is_category, names, weight) -> TableEncoder:
        """Return the encoder that the rows of a table determine.

        Parameters
        ----------
        table : MixedTable
        is_category : ndarray of bool, shape (n_features,)
        names : sequence of str, length n_features
            Of all columns.
        weight : ndarray of float64, shape (n,), or None
            None is 1 for all rows.
        """
        weight = np.ones(table.n_rows) if weight is None else weight
        used = weight > 0
        numbers = table.numbers if used.all() else table.numbers[used]
        medians, is_missing = _measure_numbers(numbers, weight[used])
        shares = compute_shares(weight) if table.categories else weight
        categories = tuple(
            Category.fit(name, cells, shares)
            for name, cells in zip(_select(names, is_category), table.categories, strict=True)
        )
        names = tuple(_select(names, ~is_category))
        return cls(is_category, names, medians, is_missing & ~np.isnan(medians), categories)

    @property
    def key(self) -> tuple:
        """Key of a dict, equal for encoders that encode every table alike."""
        arrays = self.is_category, self.medians, self.has_indicator
        return (*(array.tobytes() for array in arrays), self.names, self.categories)

    @property
    def categories_by_column(self) -> list[Category | None]:
        """Category of each column of the table, None for numbers."""
        categories = iter(self.categories)
        return [next(categories) if is_category else None for is_category in self.is_category]

    @cached_property
    def _kept(self) -> np.ndarray:
        """Indices of the numbers that are not dropped."""
        return np.flatnonzero(~np.isnan(self.medians))

    @property
    def dropped(self) -> list[str]:
        """Names of the columns without values in training."""
        names = _select(self.names, np.isnan(self.medians))
        return names + [
            category.name for category in self.categories if category.level_type is None
        ]

    @property
    def is_plain(self) -> bool:
        """Whether tables without missing values stay as they are."""
        return not self.categories and not self.has_indicator.any() and not self.dropped

    @cached_property
    def column_names(self) -> list[str]:
        """Names of the columns of the result."""
        names = [self.names[k] for k in self._kept]
        names += [f"{self.names[k]}_missing" for k in np.flatnonzero(self.has_indicator)]
        names += [name for category in self.categories for name in category.column_names]
        return _make_unique(names)

    @property
    def mostly_infrequent(self) -> list[str]:
        """Names of the categories whose training rows mostly share a column."""
        return [category.name for category in self.categories if category.is_mostly_infrequent]

    def find_unknown(self, table: MixedTable) -> list[str]:
        """Return the names of the categories whose cells mostly were not in training."""
        pairs = zip(self.categories, table.categories, strict=True)
        return [category.name for category, cells in pairs if category.is_unknown(cells)]

    def encode(self, table: MixedTable):
        """Return the table as numbers: an array, or CSR for a sparse one and with categories.

        Raises
        ------
        ValueError
            If the levels of a category are of another type than in training.
        """
        numbers, is_missing = _fill(table.numbers, self.medians)
        if is_missing is None and self.is_plain:
            return numbers
        if len(self._kept) < len(self.medians):
            numbers = numbers[:, self._kept]
        parts = [numbers]
        if self.has_indicator.any():
            parts.append(_make_indicators(is_missing, numbers, self.has_indicator))
        if not self.categories:
            return _stack(parts)
        return _add_levels(_stack(parts), self._find_level_columns(table), len(self.column_names))

    def _find_level_columns(self, table: MixedTable) -> np.ndarray:
        """Return the column of each cell among those of all levels; -2**31 for none."""
        columns = np.empty((table.n_rows, len(self.categories)), dtype=np.int32)
        start = 0
        for k, (category, cells) in enumerate(zip(self.categories, table.categories, strict=True)):
            category.check(cells)
            found = category.encode(cells)
            columns[:, k] = np.where(found >= 0, found + start, -(2**31))
            start += len(category.column_names)
        return columns


def _stack(parts: list):
    if len(parts) == 1:
        return parts[0]
    return sparse.hstack(parts, format="csr") if sparse.issparse(parts[0]) else np.hstack(parts)


def _add_levels(numbers, level_columns: np.ndarray, n_columns: int):
    """Return CSR of an array or CSR table of numbers, and of a one for each level after them.

    Parameters
    ----------
    numbers : ndarray or CSR, shape (n, d)
    level_columns : ndarray of int32, shape (n, k)
        Column of each level, from d on, in ascending order; negative for none.
    n_columns : int
        Columns of the result.
    """
    n_rows, width = numbers.shape
    dtype = np.float32 if numbers.dtype == np.float32 else np.float64
    if sparse.issparse(numbers):
        levels = _add_levels(np.empty((n_rows, 0), dtype), level_columns, n_columns - width)
        return sparse.hstack([numbers, levels], format="csr")
    counts = np.count_nonzero(numbers, axis=1) + np.count_nonzero(level_columns >= 0, axis=1)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    data, indices = np.empty(indptr[-1], dtype), np.empty(indptr[-1], np.int32)
    for rows in iterate_blocks(n_rows, width + level_columns.shape[1]):
        cells = np.hstack([numbers[rows], np.ones(level_columns[rows].shape, dtype)])
        columns = np.hstack(
            [np.tile(np.arange(width), (len(cells), 1)), level_columns[rows] + width]
        )
        is_kept = (cells != 0) & (columns >= 0)
        filled = slice(indptr[rows.start], indptr[rows.stop])
        data[filled], indices[filled] = cells[is_kept], columns[is_kept]
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    return sparse.csr_array((data, indices, indptr), shape=(n_rows, n_columns))


def _make_unique(names: list[str]) -> list[str]:
    """Return the names, the second of two equal ones with "_2" at its end, and so on."""
    unique: dict[str, None] = {}  # in order
    for name in names:
        candidate, k = name, 2
        while candidate in unique or (k > 2 and candidate in names):
            candidate, k = f"{name}_{k}", k + 1
        unique[candidate] = None
    return list(unique)


def _select(names: Sequence[str], mask: np.ndarray) -> list[str]:
    return [names[k] for k in np.flatnonzero(mask).tolist()]


def _measure_numbers(numbers, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted median of each column, NaN without values, and where some are missing."""
    n_rows, n_columns = numbers.shape
    medians, is_missing = np.zeros(n_columns), np.zeros(n_columns, dtype=bool)
    remaining = np.arange(n_columns)
    if sparse.issparse(numbers):
        is_missing[numbers.indices[np.isnan(numbers.data)]] = True
        filled = np.repeat(compute_shares(weight), np.diff(numbers.indptr))
        # The median of mostly zeros is zero, whatever the other values are.
        remaining = np.flatnonzero(np.bincount(numbers.indices, filled, n_columns) >= 0.5 - 1e-9)
    step = max(1, (1 << 20) // n_rows)
    for start in range(0, len(remaining), step):
        columns = remaining[start : start + step]
        if sparse.issparse(numbers):
            values = numbers[:, columns].toarray().astype(np.float64, copy=False)
        else:
            values = numbers[:, start : start + step].astype(np.float64, copy=False)
        is_missing[columns] = has_missing = np.isnan(values).any(axis=0)
        medians[columns] = _find_medians(values, has_missing, weight)
    return medians + 0.0, is_missing  # no -0.0


def _find_medians(values: np.ndarray, has_missing: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted median of each column, some of which have missing values."""
    medians, n_rows = np.empty(values.shape[1]), len(values)
    are_equal = bool((weight == weight[0]).all())
    if are_equal and not has_missing.all():
        whole = values[:, ~has_missing] if has_missing.any() else values
        indices = (n_rows - 1) // 2, n_rows // 2
        middles = np.partition(whole, indices, axis=0)
        low, high = (middles[index] for index in indices)
        medians[~has_missing] = np.where(low == high, low, low / 2 + high / 2)
    for k in np.flatnonzero(has_missing) if are_equal else range(values.shape[1]):
        known = ~np.isnan(values[:, k])
        medians[k] = np.nan
        if known.any():
            shares = compute_shares(weight[known])
            medians[k] = find_weighted_median(values[known, k], shares)
    return medians


def _fill(numbers, medians: np.ndarray):
    """Return the numbers with medians for missing ones, and where they are missing, or None.

    Filled numbers are in float64, since a narrower type may not hold the medians.
    """
    values = numbers.data if sparse.issparse(numbers) else numbers
    if values.dtype.kind != "f":
        return numbers, None
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isnan(np.sum(values)):
            return numbers, None
    is_missing = np.isnan(values)
    if not sparse.issparse(numbers):
        return np.where(is_missing, medians, numbers), is_missing
    filled, indicators = numbers.astype(np.float64), numbers.copy()
    filled.data[is_missing] = medians[numbers.indices[is_missing]]
    filled.eliminate_zeros()
    indicators.data = is_missing.astype(np.float64)
    indicators.eliminate_zeros()
    return filled, indicators


def _make_indicators(is_missing, numbers, has_indicator: np.ndarray):
    """Return the indicators of missing values, as an array or as CSR."""
    dtype = numbers.dtype if numbers.dtype.kind == "f" else np.float64
    shape = numbers.shape[0], int(has_indicator.sum())
    if is_missing is None:
        return sparse.csr_array(shape) if sparse.issparse(numbers) else np.zeros(shape, dtype)
    return is_missing[:, has_indicator].astype(dtype)
