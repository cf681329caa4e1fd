"""Fitted attributes as arrays and built-ins, for the state that pickle and skops store.

A file then names public classes only. skops loads no others unless the user trusts them by name.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from skreg._data.columns import Category, TableEncoder
from skreg._data.statistics import ColumnStatistics, Statistics
from skreg._estimators.fit_records import NoiseSequence, SeenRows, Stream
from skreg._nn.encodings import ENCODINGS

# Classes of private records, by the names that a file has for them.
_RECORDS: dict[str, type] = {
    record.__name__: record
    for record in (
        Category,
        ColumnStatistics,
        NoiseSequence,
        SeenRows,
        Statistics,
        Stream,
        TableEncoder,
        *ENCODINGS.values(),
    )
}
_KEY = "_record"


def to_builtins(value):
    """Return a record as a dict of its fields, also inside of dicts and tuples."""
    if type(value) in _RECORDS.values():
        names = [f.name for f in fields(value)] if is_dataclass(value) else value._fields
        values = {name: to_builtins(getattr(value, name)) for name in names}
        return {_KEY: type(value).__name__, **values}
    if type(value) is dict:
        return {key: to_builtins(entry) for key, entry in value.items()}
    if type(value) is tuple:
        return tuple(map(to_builtins, value))
    return value


def from_builtins(value):
    """Return what `to_builtins` made a dict of."""
    if type(value) is dict:
        values = {key: from_builtins(entry) for key, entry in value.items()}
        return _RECORDS[values.pop(_KEY)](**values) if _KEY in values else values
    if type(value) is tuple:
        return tuple(map(from_builtins, value))
    return value
