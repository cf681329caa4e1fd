"""From the inputs of a graph to the encoded table: what `TableEncoder.encode` does, as nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from skreg._data.columns import Category, CategoryCells, TableEncoder, choose_tokens
from skreg.onnx._graph import Graph


class InputColumn(NamedTuple):
    """A column of the table in the graph.

    Attributes
    ----------
    tensor : str
        Of shape (n, width).
    position : int
        Of the column in the tensor.
    is_string : bool
    is_narrow : bool
        Whether it has numbers in float32.
    is_computed : bool
        Whether it comes from another step of a pipeline, which makes strings of numbers beside
        strings.
    """

    tensor: str
    position: int
    is_string: bool
    is_narrow: bool
    is_computed: bool


def find_input_columns(inputs: Sequence[Any], n_columns: int) -> list[InputColumn]:
    """Return the columns of the inputs of an operator, which stand side by side.

    Raises
    ------
    ValueError
        If there are more or fewer than in training.
    """
    # skl2onnx does not always know how many columns a tensor has.
    shapes = [variable.type.shape for variable in inputs]
    widths = [shape[1] if len(shape) > 1 else None for shape in shapes]
    unknown = n_columns if len(inputs) == 1 else 1
    columns = []
    for variable, width in zip(inputs, widths, strict=True):
        is_string = isinstance(variable.type, StringTensorType)
        is_narrow = isinstance(variable.type, FloatTensorType)
        name, is_computed = variable.full_name, not variable.is_root
        positions = range(unknown if width is None else width)
        columns += [
            InputColumn(name, position, is_string, is_narrow, is_computed) for position in positions
        ]
    if len(columns) != n_columns:
        raise ValueError(
            f"to_onnx: expected inputs of {n_columns} columns, as in training; received "
            f"{len(columns)}."
        )
    return columns


def find_tokens(encoders: Sequence[TableEncoder | None]) -> dict[int, tuple[str, str]]:
    """Return, by the index of each column of strings, what stands for missing and unknown ones.

    Parameters
    ----------
    encoders : sequence of TableEncoder or None
        Of the networks that predict together. Their categories have levels of their own.
    """
    levels: dict[int, set] = {}
    types: dict[int, set] = {}
    for encoder in encoders:
        if encoder is None:
            continue
        for index, category in enumerate(encoder.categories_by_column):
            types.setdefault(index, set()).add(
                "numbers" if category is None else category.level_type
            )
            levels.setdefault(index, set()).update(() if category is None else category.levels)
    # What never had a value may have strings later, and nothing reads them.
    are_strings = [
        index for index, column_types in types.items() if column_types <= {"strings", None}
    ]
    return {index: choose_tokens(levels[index]) for index in are_strings}


def add_table(
    graph: Graph,
    columns: Sequence[InputColumn],
    encoder: TableEncoder | None,
    tokens: dict[int, tuple[str, str]],
) -> str:
    """Add the encoded table in float64, and return its name.

    Parameters
    ----------
    graph : Graph
    columns : sequence of InputColumn
        Of each column.
    encoder : TableEncoder or None
        None for a table of numbers, none of which is missing.
    tokens : dict
        From `find_tokens`.
    """
    if encoder is None:
        return _add_numbers(graph, columns)
    numbers = [columns[k] for k in np.flatnonzero(~encoder.is_category).tolist()]
    parts = _add_filled_numbers(graph, numbers, encoder)
    indices = np.flatnonzero(encoder.is_category).tolist()
    for index, category in zip(indices, encoder.categories, strict=True):
        if category.column_names:
            parts.append(_add_category(graph, category, columns[index], tokens.get(index)))
    return graph.concatenate(parts)


def _add_numbers(graph: Graph, columns: Sequence[InputColumn]) -> str:
    """Add columns of numbers in float64, side by side."""
    indices: dict[str, list[int]] = {}  # in order, since the columns of a tensor are neighbours
    for column in columns:
        if column.is_string and not column.is_computed:
            raise ValueError(
                "to_onnx: expected inputs of numbers for columns that were numbers in training; "
                f"received a tensor of strings, {column.tensor!r}."
            )
        indices.setdefault(column.tensor, []).append(column.position)
    return graph.concatenate(
        [graph.cast(graph.take_columns(tensor, of), np.float64) for tensor, of in indices.items()]
    )


def _add_filled_numbers(
    graph: Graph, columns: Sequence[InputColumn], encoder: TableEncoder
) -> list[str]:
    """Add the numbers with medians for missing ones, and where they are missing."""
    kept = np.flatnonzero(~np.isnan(encoder.medians))
    if not len(kept):
        return []
    values = _add_numbers(graph, [columns[k] for k in kept.tolist()])
    is_missing = graph.add("IsNaN", values)
    parts = [graph.add("Where", is_missing, encoder.medians[kept], values)]
    indicators = np.flatnonzero(encoder.has_indicator[kept])
    if len(indicators):
        parts.append(graph.cast(graph.take_columns(is_missing, indicators), np.float64))
    return parts


def _add_category(graph: Graph, category: Category, column: InputColumn, tokens) -> str:
    """Add the columns of a category in float64."""
    if column.is_string != (category.level_type == "strings"):
        raise ValueError(
            f"to_onnx: expected {category.level_type} in column {category.name!r}, as in training; "
            f"received a tensor of {'strings' if column.is_string else 'numbers'}."
        )
    values = graph.take_columns(column.tensor, np.array([column.position]))
    if column.is_string:
        codes = _add_string_codes(graph, category, values, tokens[0])
    else:
        codes = _add_number_codes(graph, category, values, column.is_narrow)
    return graph.add("Gather", _make_rows(category), codes, axis=0)


def _make_rows(category: Category) -> np.ndarray:
    """Return the encoded columns of each level, of a missing cell, and of any other level."""
    n_levels = len(category.levels)
    columns = category.encode(
        CategoryCells(
            codes=np.array([*range(n_levels), -1, n_levels]),
            levels=[*category.levels, object()],
            level_type=category.level_type,
        )
    )
    rows = np.zeros((n_levels + 2, len(category.column_names)))
    rows[columns >= 0, columns[columns >= 0]] = 1.0
    return rows


def _add_string_codes(graph: Graph, category: Category, column: str, missing: str) -> str:
    """Add the row of `_make_rows` of each cell, of shape (n,)."""
    codes = graph.add(
        "LabelEncoder",
        column,
        domain="ai.onnx.ml",
        op_version=2,  # of the domain's version that skl2onnx writes
        keys_strings=[*category.levels, missing],
        values_int64s=list(range(len(category.levels) + 1)),
        default_int64=len(category.levels) + 1,
    )
    return graph.add("Reshape", codes, np.array([-1], np.int64))


def _add_number_codes(graph: Graph, category: Category, column: str, is_narrow: bool) -> str:
    """Add the row of `_make_rows` of each cell, of shape (n,), for numbers and booleans."""
    dtype = np.float32 if is_narrow else np.float64
    with np.errstate(over="ignore"):
        levels = np.array(category.levels, np.float64).astype(dtype)
    if len(np.unique(levels)) < len(levels):
        raise ValueError(
            f"to_onnx: expected levels that {dtype.__name__} can tell apart; column "
            f"{category.name!r} has {category.levels[:5]}. Convert them to strings before you fit."
        )
    numbers = graph.cast(column, dtype)
    is_level = graph.add("Equal", numbers, levels)
    flags = graph.cast(graph.concatenate([is_level, graph.add("IsNaN", numbers)]), np.float32)
    # A half for other levels, which is the largest where nothing else is true.
    flags = graph.add("Pad", flags, np.array([0, 0, 0, 1], np.int64), np.float32(0.5))
    return graph.add("ArgMax", flags, axis=1, keepdims=0)
