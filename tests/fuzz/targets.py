"""Targets and weights of random cases."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
from fuzz.tables import COLUMNS, Part, State, cast, draw_numbers
from scipy import sparse

# -- labels ------------------------------------------------------------------------------------


def _choose(values, dtype=None):
    """From codes to the labels of the codes."""
    return lambda codes: np.array(values, dtype)[codes % len(values)]


LABELS = {
    "two": _choose([0, 1]),
    "three": _choose([0, 1, 2]),
    "five": _choose([3, 1, 4, 0, 9]),
    "one": _choose([7]),
    "negative": _choose([-1, 1]),
    "int8": _choose([3, 5, 7], np.int8),
    "uint64": _choose([0, 2**40], np.uint64),
    "huge": _choose([-(2**62), 2**62]),
    "bool": _choose([False, True]),
    "whole floats": _choose([0.0, 1.0]),
    "whole float32": _choose([1.0, 2.0, 3.0], np.float32),
    "words": _choose(["no", "yes"]),
    "three words": _choose(["red", "green", "blue"]),
    "object words": _choose(["no", "yes"], object),
    "digits in words": _choose(["1", "2", "10"]),
    "empty word": _choose(["", "a"]),
}
OPEN_LABELS = {
    "words of variable length": _choose(["no", "yes"], "T"),
    "object numbers": _choose([0, 1], object),
    "object bools": _choose([False, True], object),
    "bytes": _choose([b"a", b"b"]),
    "dates": _choose(["2020-01-01", "2020-01-02"], "datetime64[D]"),
}
BROKEN_LABELS = {
    "fractions": lambda codes: codes + 0.5,
    "NaN": lambda codes: np.where(codes == codes[0], np.nan, codes),
    "infinity": lambda codes: np.where(codes == codes[0], np.inf, codes),
    "None among words": lambda codes: np.array([None, *["a", "b"] * len(codes)], object)[
        np.arange(len(codes))
    ],
    "words beside numbers": lambda codes: np.array([1, "a"] * len(codes), object)[: len(codes)],
    "complex": lambda codes: codes + 1j,
    "two columns of classes": lambda codes: np.c_[codes, codes[::-1] + 1],
    "two columns of fractions": lambda codes: np.c_[codes, codes] + 0.5,
    "indicator with twos": lambda codes: np.c_[codes % 2, codes * 0, codes % 2 * 2],
    "three axes": lambda codes: np.zeros((len(codes), 2, 2)),
}

# -- numbers -----------------------------------------------------------------------------------

OPEN_TARGETS = {
    "strings of numbers": lambda y: y.astype(str),
    "object strings of numbers": lambda y: y.astype(str).astype(object),
    "strings of variable length": lambda y: y.astype("T"),
    "decimals": lambda y: np.array([Decimal(float(value)) for value in y], object),
}


def _replace_first(value):
    def replace(y):
        y = y.astype(object)
        y[0] = value
        return y

    return replace


BROKEN_TARGETS = {
    "NaN": lambda y: np.where(np.arange(len(y)) == 0, np.nan, y),
    "float32 infinity": lambda y: np.where(np.arange(len(y)) == 0, np.inf, y).astype(np.float32),
    "None": _replace_first(None),
    "object NaN": _replace_first(float("nan")),
    "the word nan": _replace_first("nan"),
    "the word inf": _replace_first("inf"),
    "a word": _replace_first("red"),
    "words": lambda y: np.full(len(y), "red"),
    "a decimal beyond float64": _replace_first(Decimal("1e400")),
    "an integer beyond float64": _replace_first(10**400),
    "beyond float64": lambda y: np.full(len(y), np.longdouble("1e4000")),
    "one beyond float64": lambda y: y.astype(np.longdouble) * 0 + np.longdouble("-1e4000"),
    "pandas missing": lambda y: pd.Series([pd.NA, *[1.0] * (len(y) - 1)], dtype="Float64"),
    "dates": lambda y: np.datetime64("2020-01-01") + np.arange(len(y)),
    "time spans": lambda y: np.arange(len(y)).astype("timedelta64[s]"),
    "pandas dates": lambda y: pd.Series(pd.date_range("2020", periods=len(y))),
    "complex": lambda y: y + 1j,
    "three axes": lambda y: np.zeros((len(y), 2, 2)),
}
SHARED_BROKEN = {
    "too short": lambda y: y[:-1],
    "too long": lambda y: np.concatenate([y, y[:1]]),
    "nothing": lambda y: None,
    "a number": lambda y: 1.0,
    "a dict": lambda y: {"a": 1},
    "no columns": lambda y: y.reshape(len(y), -1)[:, :0],
    "ragged lists": lambda y: [[1.0], *[[1.0, 2.0]] * len(y)][: max(len(y), 2)],
}


def _draw_storage(rng, array) -> str:
    kind = array.dtype.kind
    names = [n for n in COLUMNS if not (kind == "T" and n in ("series", "memory-mapped"))]
    return "C" if rng.random() < 0.5 else str(rng.choice(names))


def draw_labels(rng, n_rows: int, kind: str | None = None) -> Part:
    """Draw labels, or an indicator."""
    kind = kind or str(rng.choice([*LABELS, "two", "three", "indicator", "sparse indicator"]))
    if kind in ("indicator", "sparse indicator"):
        array = rng.integers(0, 2, size=(n_rows, 3))
        storage = "C" if kind == "indicator" else "indicator CSR"
        return Part(array, storage, State.SOUND, kind)
    codes = rng.integers(0, 100, size=n_rows)
    if rng.random() < 0.9:  # else a rare class may be missing
        codes[: min(n_rows, 5)] = np.arange(min(n_rows, 5))
    if kind in OPEN_LABELS:
        return Part(OPEN_LABELS[kind](codes), "as it is", State.OPEN, kind)
    array = LABELS[kind](codes)
    if rng.random() < 0.08:
        return Part(array[:, None], "C", State.SOUND, f"a column of {kind}")
    return Part(array, _draw_storage(rng, array), State.SOUND, kind)


def draw_targets(rng, n_rows: int, n_outputs: int, is_counts: bool) -> Part:
    """Draw numbers to predict."""
    values, kind = draw_numbers(rng, n_rows, n_outputs)
    if is_counts:
        values = np.abs(values)
    dtypes = ["float64"] * 5 + ["float32", "float16", "int64", "uint8", "bool", "longdouble"]
    array = cast(values, str(rng.choice([*dtypes, "object"])))
    if n_outputs == 1 and rng.random() < 0.9:
        array = array[:, 0]
    sound = np.isfinite(array.astype(np.float64)).all()
    state = State.SOUND if sound else State.BROKEN
    return Part(array, _draw_storage(rng, array), state, kind)


def draw_odd_target(rng, n_rows: int, is_classifier: bool) -> Part:
    """Draw a target that has to be refused, or may be."""
    broken = {**(BROKEN_LABELS if is_classifier else BROKEN_TARGETS), **SHARED_BROKEN}
    odd = OPEN_LABELS if is_classifier else OPEN_TARGETS
    kind = str(rng.choice([*broken, *odd]))
    y = rng.integers(0, 100, n_rows) if is_classifier else rng.normal(size=n_rows)
    if kind in odd:
        return Part(odd[kind](y), "as it is", State.OPEN, kind)
    # One row too few of one row is none, and a single row of whole numbers may pass.
    state = State.BROKEN if n_rows > 2 else State.OPEN
    return Part(broken[kind](y), "as it is", state, kind)


# -- weights -----------------------------------------------------------------------------------

WEIGHTS = {
    "ones": lambda rng, n: np.ones(n),
    "a thousand each": lambda rng, n: np.full(n, 1000.0),
    "whole": lambda rng, n: rng.integers(1, 4, n),
    "whole, some zero": lambda rng, n: np.r_[1, rng.integers(0, 3, n - 1)],
    "uniform": lambda rng, n: rng.uniform(0.1, 2, n),
    "float32": lambda rng, n: rng.uniform(0.1, 2, n).astype(np.float32),
    "tiny": lambda rng, n: rng.uniform(0.5, 1, n) * 1e-300,
    "denormal": lambda rng, n: rng.integers(1, 5, n) * 5e-324,
    "huge": lambda rng, n: rng.uniform(0.5, 1, n) * 1e300,
    "one heavy": lambda rng, n: np.r_[1e6, np.ones(n - 1)],
    "bool": lambda rng, n: np.r_[True, rng.random(n - 1) > 0.5],
}
BROKEN_WEIGHTS = {
    "negative": lambda n: -np.ones(n),
    "one negative": lambda n: np.r_[-1e-300, np.ones(n)][:n],
    "NaN": lambda n: np.full(n, np.nan),
    "infinite": lambda n: np.full(n, np.inf),
    "all zero": lambda n: np.zeros(n),
    "too short": lambda n: np.ones(n - 1),
    "too long": lambda n: np.ones(n + 1),
    "two columns": lambda n: np.ones((n, 2)),
    "words": lambda n: np.full(n, "a"),
    "a word": lambda n: "balanced",
    "objects": lambda n: np.full(n, None),
    "a dict": lambda n: {0: 1.0},
    "complex": lambda n: np.ones(n) + 1j,
    "dates": lambda n: np.full(n, "2020-01-01", "datetime64[D]"),
    "beyond float64": lambda n: np.full(n, np.longdouble("1e4000")),
}


def draw_weight(rng, n_rows: int) -> Part:
    """Draw valid weights, mostly None."""
    if n_rows == 0 or rng.random() < 0.6:
        return Part(None, "as it is", State.SOUND, "no weights")
    kind = str(rng.choice(list(WEIGHTS)))
    array = WEIGHTS[kind](rng, n_rows)
    return Part(array, _draw_storage(rng, array), State.SOUND, f"{kind} weights")


def draw_broken_weight(rng, n_rows: int) -> Part:
    """Draw weights that have to be refused."""
    kind = str(rng.choice(list(BROKEN_WEIGHTS)))
    return Part(BROKEN_WEIGHTS[kind](n_rows), "as it is", State.BROKEN, f"{kind} weights")


# -- what oracles ask --------------------------------------------------------------------------


def find_labels(part: Part) -> set | None:
    """Return the distinct labels of a sound target, or None of an indicator."""
    if is_indicator(part):
        return None
    return set(np.unique(part.value).tolist())


def is_indicator(part: Part) -> bool:
    """Whether a target of labels has several columns."""
    value = part.value
    return sparse.issparse(value) or (getattr(value, "ndim", 1) == 2 and value.shape[1] > 1)
