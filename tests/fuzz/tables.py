"""Tables of random cases: their numbers, their dtypes, and the ways to store them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse


class State(Enum):
    """Whether a call with this part has to succeed."""

    SOUND = "sound"
    BROKEN = "broken"  # the call has to fail
    OPEN = "open"  # it may do either


@dataclass(frozen=True)
class Part:
    """One thing that is handed to a call.

    Attributes
    ----------
    value : object
        The numbers as an array, or whatever is not an array.
    storage : str
        Key of `STORAGES`; "as it is" for others.
    state : State
    kind : str
        How it was made, for reports.
    """

    value: Any
    storage: str
    state: State
    kind: str

    def __repr__(self):
        shape = getattr(self.value, "shape", "")
        dtype = getattr(self.value, "dtype", type(self.value).__name__)
        return f"<{self.kind}, {dtype}{shape}, {self.storage}, {self.state.value}>"

    def store(self):
        """Return the object that the call receives."""
        return STORAGES[self.storage](self.value)

    def take(self, order) -> Part:
        """Return the same part with its rows in another order."""
        return replace(self, value=self.value[order])

    def get_numbers(self) -> np.ndarray:
        """Return the numbers of a sound table, in float64."""
        return self.value.astype(np.float64)

    def get_dtype(self) -> np.dtype:
        """Return the dtype of the numbers."""
        return self.value.dtype

    def has_names(self) -> bool:
        """Whether its columns have names."""
        return self.storage in FRAMES

    def is_array(self) -> bool:
        """Whether it can be stored otherwise."""
        return isinstance(self.value, np.ndarray) and self.storage != "as it is"


# -- storages ----------------------------------------------------------------------------------


def _repeat_and_skip(array):
    for axis in range(array.ndim):
        array = np.repeat(array, 2, axis=axis)
    return array[(slice(None, None, 2),) * array.ndim]


def _turn_round(array):
    backwards = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[backwards])[backwards]


def _make_read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _map_into_memory(array):
    if array.dtype.kind in "OT" or not array.size:
        return array.copy()
    with tempfile.TemporaryFile() as file:  # lives as long as the mapping
        mapped = np.memmap(file, dtype=array.dtype, mode="w+", shape=array.shape)
    mapped[...] = array
    return mapped


def _make_frame(array):
    return pd.DataFrame(array, columns=[f"c{k}" for k in range(array.shape[1])])


def _make_polars_frame(array):
    return pl.DataFrame({f"c{k}": column for k, column in enumerate(array.T.copy())})


def _make_series(array):
    return pd.Series(array) if array.ndim == 1 else _make_frame(array)


def _make_loose_csr(array):
    """CSR with wide, unsorted indices and stored zeros."""
    columns = np.indices(array.shape)[1]
    indptr = np.arange(0, array.size + 1, max(array.shape[1], 1), dtype=np.int64)
    backwards = array[:, ::-1].ravel(), columns[:, ::-1].ravel().astype(np.int64), indptr
    return sparse.csr_array(backwards, shape=array.shape)


def _make_doubled_coo(array):
    """COO with a zero beside each entry."""
    rows, columns = (np.tile(places.ravel(), 2) for places in np.indices(array.shape))
    values = np.concatenate([array.ravel(), np.zeros_like(array.ravel())])
    return sparse.coo_array((values, (rows, columns)), shape=array.shape)


DENSE = {
    "C": lambda array: array.copy(order="C"),
    "F": lambda array: array.copy(order="F"),
    "strided": _repeat_and_skip,
    "backwards": _turn_round,
    "read-only": _make_read_only,
    "memory-mapped": _map_into_memory,
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
}
FRAMES = {"pandas": _make_frame, "polars": _make_polars_frame}
SPARSE = {
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc_matrix": sparse.csc_matrix,
    "csc_array": sparse.csc_array,
    "coo_array": sparse.coo_array,
    "lil_array": sparse.lil_array,
    "loose CSR": _make_loose_csr,
    "doubled COO": _make_doubled_coo,
}
COLUMNS = {
    "C": DENSE["C"],
    "strided": _repeat_and_skip,
    "backwards": _turn_round,
    "read-only": _make_read_only,
    "list": lambda array: array.tolist(),
    "series": _make_series,
}
STORAGES = {
    **DENSE,
    **FRAMES,
    **SPARSE,
    **COLUMNS,
    "as it is": lambda value: value,
    "indicator CSR": sparse.csr_array,
}
FAMILIES = [list(family) for family in ({**DENSE, **SPARSE}, FRAMES, COLUMNS)]


def choose_other_storage(rng, part: Part, is_column: bool, is_dense: bool = False) -> Part:
    """Return the part in another storage of the same meaning, or the part itself.

    `is_dense` excludes sparse storages, which cannot have categories or encodings of numbers.
    """
    if not part.is_array() or (is_dense and part.storage in SPARSE):
        return part
    family = next((f for f in FAMILIES if part.storage in f), [part.storage])
    if is_column:
        # A list loses the dtype, and a Series has an index.
        family = ["C", "strided", "backwards", "read-only"]
        family = family if part.storage in family else [part.storage]
    storages = [name for name in family if fits(name, part.value.dtype)]
    if is_dense:
        storages = [name for name in storages if name not in SPARSE]
    return replace(part, storage=str(rng.choice(storages or [part.storage])))


def fits(storage: str, dtype) -> bool:
    """Whether a storage can hold numbers of this dtype as they are."""
    if storage in SPARSE:
        return dtype.kind in "biuf" and dtype != np.float16
    if storage == "polars":
        return dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype != np.float16
    if storage == "other byte order":
        return dtype.kind in "iuf"
    return True


# -- numbers -----------------------------------------------------------------------------------

_FLOAT64_MAX = np.finfo(np.float64).max

NUMBERS = {
    "normal": lambda rng, z: z,
    "shifted": lambda rng, z: z + 1000,
    "far": lambda rng, z: z * 1e-3 + 1e6,
    "integers": lambda rng, z: np.round(2 * z),
    "binary": lambda rng, z: (z > 0).astype(float),
    "huge": lambda rng, z: z * 1e300,
    "largest": lambda rng, z: np.where(z > 0, _FLOAT64_MAX, -_FLOAT64_MAX),
    "large": lambda rng, z: z * 1e30,
    "tiny": lambda rng, z: z * 1e-300,
    "denormal": lambda rng, z: np.round(3 * z) * 5e-324,
    "mixed scales": lambda rng, z: z * 10.0 ** rng.integers(-290, 290, size=z.shape[1]),
    "constant": lambda rng, z: np.broadcast_to(z[:1], z.shape).copy(),
    "zeros": lambda rng, z: np.zeros_like(z),
    "repeated rows": lambda rng, z: z[rng.integers(0, max(len(z) // 3, 1), len(z))],
    "signed zeros": lambda rng, z: np.where(z > 0.5, 1.0, np.where(z > 0, 0.0, -0.0)),
    "outlier": lambda rng, z: np.where(np.arange(z.size).reshape(z.shape) == 0, 1e30, z),
    "mostly zeros": lambda rng, z: np.where(np.abs(z) > 1.8, z, 0.0),
}
COMMON_NUMBERS = ["normal", "shifted", "integers", "binary", "repeated rows"]
DTYPES = [
    *["float64"] * 9,
    *["float32"] * 4,
    *("float16", "int8", "int32", "int64", "uint8", "uint64", "bool", "longdouble", "object"),
]


def draw_numbers(rng, n_rows: int, n_columns: int) -> tuple[np.ndarray, str]:
    """Draw an array of float64 and return it with its kind."""
    kind = rng.choice(COMMON_NUMBERS if rng.random() < 0.5 else list(NUMBERS))
    values = NUMBERS[kind](rng, rng.normal(size=(n_rows, n_columns)))
    if n_columns > 1 and rng.random() < 0.15:  # columns of two kinds
        other = str(rng.choice(list(NUMBERS)))
        values[:, 0] = NUMBERS[other](rng, rng.normal(size=(n_rows, 1)))[:, 0]
        kind = f"{kind} beside {other}"
    return values, str(kind)


def cast(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return the values in a dtype, integers within its range."""
    if dtype == "object":
        return values.astype(object)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return np.clip(values, max(limits.min, -(2**53)), min(limits.max, 2**53)).astype(dtype)
    with np.errstate(over="ignore"):  # float16 may become infinite
        return values.astype(dtype)


def draw_table(rng, n_rows: int, n_columns: int, is_sparse: bool, is_frame: bool) -> Part:
    """Draw a table of finite numbers, mostly, some of which are missing."""
    values, kind = draw_numbers(rng, n_rows, n_columns)
    if is_sparse and rng.random() < 0.7:
        values = np.where(rng.random(values.shape) < rng.choice([0.03, 0.3, 0.7]), values, 0.0)
    array = cast(values, str(rng.choice(DTYPES)))
    if array.dtype.kind in "fO" and rng.random() < 0.2:
        is_missing = rng.random(array.shape) < rng.choice([0.05, 0.3, 0.7, 1.0])
        array[is_missing] = rng.choice([None, np.nan]) if array.dtype == object else np.nan
        kind = f"{kind} with missing values"
    names = list(SPARSE if is_sparse else FRAMES if is_frame else DENSE)
    storages = [name for name in names if fits(name, array.dtype)]
    if not storages:
        array = values
        storages = names
    finite = n_rows and n_columns and not np.isinf(array.astype(np.float64)).any()
    state = State.SOUND if finite else State.BROKEN
    return Part(array, str(rng.choice(storages)), state, kind)


def get_largest(part: Part) -> float:
    """Return the largest absolute number of a sound table."""
    return float(np.nan_to_num(np.abs(part.get_numbers())).max(initial=0.0))


# -- tables that have to be refused ------------------------------------------------------------


def _put(value, dtype=np.float64):
    def put(rng, array):
        array = array.astype(dtype)
        array[rng.integers(len(array)), rng.integers(array.shape[1])] = value
        return array

    return put


def _make_ragged(rng, array):
    return [row[: 1 + k % array.shape[1]] for k, row in enumerate(array.tolist())] + [[]]


BROKEN_TABLES = {
    "infinity": _put(np.inf),
    "minus infinity": _put(-np.inf),
    "a word": _put("red", object),
    "beyond float64": _put(np.longdouble("1e4000"), np.longdouble),
    "objects beyond float64": _put(10**400, object),
    "sparse infinity": lambda rng, array: sparse.csc_array(_put(np.inf)(rng, array)),
    "no rows": lambda rng, array: array[:0],
    "no columns": lambda rng, array: array[:, :0],
    "sparse without rows": lambda rng, array: sparse.csr_array(array[:0]),
    "one axis": lambda rng, array: array[:, 0],
    "three axes": lambda rng, array: array[:, :, None],
    "complex": lambda rng, array: array + 1j,
    "strings": lambda rng, array: array.astype(str),
    "words of variable length": lambda rng, array: np.full(array.shape, "a", "T"),
    "dates": lambda rng, array: np.full(array.shape, "2020-01-01", "datetime64[D]"),
    "time spans": lambda rng, array: np.full(array.shape, 3, "timedelta64[s]"),
    "nothing": lambda rng, array: None,
    "a number": lambda rng, array: 3.0,
    "a string": lambda rng, array: "table",
    "a dict": lambda rng, array: {"a": [1.0]},
    "ragged lists": _make_ragged,
    "a generator": lambda rng, array: (row for row in array),
    "records": lambda rng, array: np.zeros(len(array), dtype=[("a", float), ("b", int)]),
}


def draw_broken_table(rng, n_rows: int, n_columns: int) -> Part:
    """Draw a table that has to be refused."""
    kind = str(rng.choice(list(BROKEN_TABLES)))
    array = rng.normal(size=(max(n_rows, 1), max(n_columns, 1)))
    return Part(BROKEN_TABLES[kind](rng, array), "as it is", State.BROKEN, kind)
