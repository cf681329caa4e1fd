"""Data frames of random cases: numbers beside categories, with missing cells."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
from fuzz.tables import Part, State, cast, draw_numbers


class Column(NamedTuple):
    """A column of a frame.

    Attributes
    ----------
    kind : str
        "floats" and "integers" are numbers, "strings" and "booleans" categories; "codes" are
        integers that are a category where the storage or a parameter says so.
    levels : tuple
        What occurs in training.
    is_selected : bool
        Whether `categorical_features` selects it, if it selects columns.
    """

    kind: str
    levels: tuple = ()
    is_selected: bool = False


LEVELS = {
    "strings": [
        ("no", "yes"),
        ("red", "green", "blue"),
        ("", " ", "nan", "1"),
        ("\u00e4", "zz", "x" * 50, "missing", "infrequent"),
        ("alone",),
    ],
    "booleans": [(False, True)],
    "codes": [(0, 1, 2), (-5, 7), (3, 2**40, -1, 0)],
}
UNKNOWN = {"strings": ("new", "newer"), "booleans": (True,), "codes": (99, 77)}
KINDS = ["floats", "floats", "integers", "strings", "strings", "booleans", "codes"]


@dataclass(frozen=True, repr=False)
class FramePart(Part):
    """A frame: `value` holds objects, None where a cell is missing."""

    schema: tuple[Column, ...] = ()
    dtype: str = "float64"

    def store(self):
        """Return the object that the call receives."""
        return STORAGES[self.storage](self)

    def has_names(self) -> bool:
        """Whether the columns have names."""
        return self.storage not in ARRAYS

    def get_dtype(self) -> np.dtype | None:
        """Return the dtype of the numbers; None if it depends on what is a category."""
        kinds = {column.kind for column in self.schema}
        if not self.has_names() or self.dtype != "float32" or "floats" not in kinds:
            return np.dtype(np.float64)
        return None if kinds & {"integers", "codes", "booleans"} else np.dtype(np.float32)

    def read_kind(self, k: int) -> str | None:
        """Return the kind of the cells of a column: None if all are missing."""
        return read_kind(self.value[:, k])

    def get_numbers(self) -> np.ndarray:
        """Return the numbers that are no codes, in float64."""
        floats = [k for k, column in enumerate(self.schema) if column.kind == "floats"]
        return self.value[:, floats].astype(np.float64)

    def choose_other_storage(self, rng) -> FramePart:
        """Return the frame in another storage of the same meaning."""
        if not self.has_names():
            return replace(self, storage=str(rng.choice(list(ARRAYS))))
        names = list(FRAMES)
        if any(column.kind == "codes" for column in self.schema):
            is_category = self.storage in CATEGORIES
            names = [name for name in names if (name in CATEGORIES) == is_category]
        return replace(self, storage=str(rng.choice(names)))


def read_kind(cells) -> str | None:
    """Return the kind of some cells: strings, booleans or numbers."""
    kinds = {_name_kind(cell) for cell in cells} - {None}
    return kinds.pop() if len(kinds) == 1 else None if not kinds else "mixed"


def _name_kind(cell) -> str | None:
    if cell is None:
        return None
    return {str: "strings", bool: "booleans"}.get(type(cell), "numbers")


def is_missing(cells: np.ndarray) -> np.ndarray:
    """Return where objects are None."""
    return np.array([[cell is None for cell in row] for row in cells], dtype=bool)


# -- storages ----------------------------------------------------------------------------------


def _iterate(part: FramePart):
    for k, column in enumerate(part.schema):
        yield f"c{k}", column, part.value[:, k].tolist()


def _make_pandas(make_strings, make_codes, make_floats=None, make_booleans=None):
    """Return a function from a part to a frame of pandas, from functions for each kind."""

    def store(part):
        data = {}
        for name, column, cells in _iterate(part):
            if column.kind == "strings":
                data[name] = make_strings(cells, column)
            elif column.kind == "codes":
                data[name] = make_codes(cells, column)
            elif column.kind == "booleans":
                data[name] = (make_booleans or _make_booleans)(cells)
            elif column.kind == "integers" and None not in cells:
                data[name] = pd.Series(cells, dtype="int64")
            else:
                dtype = "float64" if column.kind == "integers" else part.dtype
                data[name] = (make_floats or _make_floats)(cells, dtype)
        return pd.DataFrame(data)

    return store


def _make_floats(cells, dtype):
    return pd.Series(np.array(cells, dtype=np.float64).astype(dtype))


def _make_nullable_floats(cells, dtype):
    # scikit-learn makes float64 of Float32.
    return _make_floats(cells, dtype) if dtype == "float32" else pd.Series(cells, dtype="Float64")


def _make_booleans(cells):
    return pd.Series(cells, dtype="object" if None in cells else "bool")


def _make_objects(missing):
    def make(cells, column):
        return pd.Series([missing if cell is None else cell for cell in cells], dtype="object")

    return make


def _make_typed(dtype):
    return lambda cells, column: pd.Series(cells, dtype=dtype)


def _make_category(add_unused: bool):
    def make(cells, column):
        levels = sorted({cell for cell in cells if cell is not None})
        if add_unused:
            levels = [*UNKNOWN[column.kind], *levels[::-1]]
        return pd.Series(pd.Categorical(cells, categories=list(dict.fromkeys(levels))))

    return make


def _make_polars(string_type):
    def store(part):
        floats = pl.Float32 if part.dtype == "float32" else pl.Float64
        kinds = {"floats": floats, "integers": pl.Int64, "codes": pl.Int64, "booleans": pl.Boolean}
        return pl.DataFrame(
            [
                pl.Series(name, cells, kinds.get(column.kind) or string_type(cells), strict=True)
                for name, column, cells in _iterate(part)
            ]
        )

    return store


def _make_enum(cells):
    return pl.Enum(["unused", *dict.fromkeys(cell for cell in cells[::-1] if cell is not None)])


ARRAYS = {
    "object array": lambda part: part.value.copy(),
    "object array in F order": lambda part: np.asfortranarray(part.value),
    "nested lists": lambda part: part.value.tolist(),
}
CATEGORIES = {  # which say that codes are a category
    "pandas categories": _make_pandas(_make_category(False), _make_category(False)),
    "pandas unused categories": _make_pandas(
        _make_category(True), _make_category(True), _make_nullable_floats
    ),
}
FRAMES = {
    **CATEGORIES,
    "pandas objects": _make_pandas(_make_objects(None), _make_objects(None)),
    "pandas NaN objects": _make_pandas(_make_objects(np.nan), _make_objects(pd.NA)),
    "pandas strings": _make_pandas(_make_typed("str"), _make_typed("Int64"), _make_nullable_floats),
    "pandas nullable": _make_pandas(
        _make_typed("string"),
        _make_typed("Int64"),
        _make_nullable_floats,
        lambda cells: pd.Series(cells, dtype="boolean"),
    ),
    "polars strings": _make_polars(lambda cells: pl.String),
    "polars categories": _make_polars(lambda cells: pl.Categorical),
    "polars enums": _make_polars(_make_enum),
}
STORAGES = {**ARRAYS, **FRAMES}

# -- frames ------------------------------------------------------------------------------------


def draw_schema(rng) -> tuple[Column, ...]:
    """Draw the columns of a frame, of at most 16 encoded columns."""
    schema = []
    for kind in rng.choice(KINDS, size=int(rng.integers(1, 5))):
        levels = LEVELS.get(str(kind), [()])
        is_category = kind in LEVELS or (kind == "integers" and rng.random() < 0.3)
        schema.append(Column(str(kind), levels[rng.integers(len(levels))], is_category))
    return tuple(schema)


def draw_selection(rng, schema, form: str):
    """Return a value of `categorical_features` that selects the categories of a schema."""
    mask = [column.is_selected for column in schema]
    places = [k for k, selected in enumerate(mask) if selected]
    value = {
        "from_dtype": "from_dtype",
        "mask": mask,
        "indices": places,
        "names": [f"c{k}" for k in places],
    }[form]
    if isinstance(value, list) and value and rng.random() < 0.3:
        value = np.array(value)
    return value


def draw_broken_selection(rng, n_columns: int):
    """Return a value of `categorical_features` that has to be refused for any table."""
    values = [
        "auto",
        3,
        True,
        [0.5],
        [-1],
        [n_columns],
        [True] * (n_columns + 1),
        [[0]],
        ["nope"],
        ["c0", 1],
        {"c0"},
        object(),
        b"c0",
        [None],
    ]
    return values[rng.integers(len(values))]


def choose_storage(rng, schema, form: str) -> str:
    """Choose a storage in which the columns are what the schema says."""
    has_codes = any(column.kind == "codes" for column in schema)
    names = list(FRAMES)
    if form == "from_dtype" and has_codes:
        names = list(CATEGORIES)
    if form in ("mask", "indices") and rng.random() < 0.5:
        names = list(ARRAYS)
    return str(rng.choice(names))


def draw_frame(rng, schema, n_rows: int, storage: str) -> FramePart:
    """Draw a frame: cells may be missing, rare, or of unknown levels."""
    p_missing = rng.choice([0.0, 0.0, 0.15, 0.5])
    p_unknown = rng.choice([0.0, 0.0, 0.0, 0.1, 1.0])
    dtype = str(rng.choice(["float64", "float64", "float32"]))
    numbers, kind = draw_numbers(rng, n_rows, len(schema))
    numbers = cast(numbers, dtype).astype(np.float64)
    value = np.empty((n_rows, len(schema)), dtype=object)
    for k, column in enumerate(schema):
        value[:, k] = _draw_cells(rng, column, n_rows, p_unknown, numbers[:, k])
        missing = rng.random(n_rows) < p_missing
        if n_rows and column.kind not in ("floats", "integers"):
            missing[rng.integers(n_rows)] = False  # objects without strings are no category
        value[missing, k] = None
    state = State.SOUND if n_rows and np.isfinite(numbers).all() else State.OPEN
    return FramePart(value, storage, state, f"frame of {kind}", schema, dtype)


def _draw_cells(rng, column: Column, n_rows: int, p_unknown: float, numbers) -> list:
    if column.kind == "floats":
        return numbers.tolist()
    if column.kind == "integers":
        return rng.integers(-3, 4, size=n_rows).tolist()
    levels = column.levels
    shares = np.full(len(levels), 1.0) if rng.random() < 0.7 else 0.05 ** np.arange(len(levels))
    cells = rng.choice(len(levels), size=n_rows, p=shares / shares.sum())
    unknown = rng.random(n_rows) < p_unknown
    others = UNKNOWN[column.kind]
    return [
        others[rng.integers(len(others))] if new else levels[code]
        for code, new in zip(cells, unknown, strict=True)
    ]


# -- frames that have to be refused ------------------------------------------------------------


def _assign(make_cells):
    """Return a function from a part to a frame of pandas with one column of other objects."""

    def make(rng, part):
        cells = pd.Series(make_cells(len(part.value)), dtype="object")
        frame = FRAMES["pandas categories"](part)
        return frame.assign(**{f"c{rng.integers(len(part.schema))}": cells})

    return make


def _repeat(*values):
    return lambda n: [values[k % len(values)] for k in range(n)]


def _duplicate_names(rng, part):
    frame = FRAMES["pandas categories"](part)
    frame = pd.concat([frame, frame.iloc[:, :1]], axis=1)
    frame.columns = [*frame.columns[:-2], "same", "same"]
    return frame


def _put_infinity(rng, part):
    frame = FRAMES["pandas categories"](part)
    return frame.assign(c0=np.where(np.arange(len(frame)) == 0, np.inf, 1.0))


def _put_polars_date(rng, part):
    frame = FRAMES["polars strings"](part)
    return frame.with_columns(pl.lit(datetime.date(2020, 1, 1)).alias("c0"))


BROKEN_FRAMES = {
    "levels of two types": _assign(_repeat("a", 1)),
    "strings and booleans": _assign(_repeat("a", True)),
    "strings and bytes": _assign(_repeat("a", b"a")),
    "strings and decimals": _assign(_repeat("a", Decimal("1"))),
    "tuples": _assign(_repeat((1, "a"))),
    "lists among strings": _assign(_repeat("a", [1])),
    "dates": _assign(_repeat(datetime.date(2020, 1, 1))),
    "dates among strings": _assign(_repeat("a", datetime.datetime(2020, 1, 1))),
    "time spans": _assign(_repeat(datetime.timedelta(1))),
    "pandas dates": lambda rng, part: FRAMES["pandas categories"](part).assign(
        c0=pd.Timestamp("2020")
    ),
    "pandas dates with a zone": lambda rng, part: FRAMES["pandas categories"](part).assign(
        c0=pd.Timestamp("2020", tz="UTC")
    ),
    "periods": lambda rng, part: FRAMES["pandas categories"](part).assign(c0=pd.Period("2020")),
    "a category of dates": lambda rng, part: FRAMES["pandas categories"](part).assign(
        c0=pd.Categorical([pd.Timestamp("2020")] * len(part.value))
    ),
    "intervals": lambda rng, part: FRAMES["pandas categories"](part).assign(
        c0=pd.Categorical([pd.Interval(0, 1)] * len(part.value))
    ),
    "polars dates": _put_polars_date,
    "duplicate names": _duplicate_names,
    "an infinity": _put_infinity,
    "no rows": lambda rng, part: FRAMES["pandas categories"](part).iloc[:0],
    "no columns": lambda rng, part: FRAMES["pandas categories"](part).iloc[:, :0],
}


def draw_broken_frame(rng, schema, n_rows: int) -> Part:
    """Draw a frame that has to be refused."""
    kind = str(rng.choice(list(BROKEN_FRAMES)))
    part = draw_frame(rng, schema, max(n_rows, 2), "pandas categories")
    return Part(BROKEN_FRAMES[kind](rng, part), "as it is", State.BROKEN, kind)
