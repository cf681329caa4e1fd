"""From the inputs of a graph to the encoded table: what `Columns.encode` does, as nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from skl2onnx.common.data_types import StringTensorType

from skreg._data.columns import Category, CategoryCells, Columns, choose_tokens
from skreg.onnx._graph import Graph


class Cells(NamedTuple):
    """A column of the table in the graph.

    Attributes
    ----------
    tensor : str
        Of shape (n, width).
    place : int
        Of the column in the tensor.
    is_text : bool
    """

    tensor: str
    place: int
    is_text: bool


def find_cells(inputs: Sequence[Any], n_columns: int) -> list[Cells]:
    """Return the columns of the inputs of an operator, which stand side by side.

    Raises
    ------
    ValueError
        If there are more or fewer than in training.
    """
    cells = []
    for variable in inputs:
        shape = variable.type.shape
        # One tensor has all columns, even where skl2onnx does not know their number.
        width = n_columns if len(inputs) == 1 else shape[1] or 1
        is_text = isinstance(variable.type, StringTensorType)
        cells += [Cells(variable.full_name, place, is_text) for place in range(width)]
    known = [variable.type.shape[1] for variable in inputs if len(variable.type.shape) > 1]
    n_received = sum(known) if None not in known else len(cells)
    if n_received != n_columns:
        raise ValueError(
            f"to_onnx: expected inputs of {n_columns} columns, as in training; received "
            f"{n_received}."
        )
    return cells


def find_tokens(columns: Sequence[Columns | None]) -> dict[int, tuple[str, str]]:
    """Return, by the place of each column of texts, what stands for missing and unknown ones.

    Parameters
    ----------
    columns : sequence of Columns or None
        Of the networks that predict together. Their categories have levels of their own.
    """
    levels: dict[int, set[str]] = {}
    for of_network in columns:
        if of_network is None:
            continue
        places = np.flatnonzero(of_network.is_category).tolist()
        for place, category in zip(places, of_network.categories, strict=True):
            if category.kind == "strings":
                levels.setdefault(place, set()).update(category.levels)
    return {place: choose_tokens(of_column) for place, of_column in levels.items()}


def add_table(
    graph: Graph,
    cells: Sequence[Cells],
    columns: Columns | None,
    tokens: dict[int, tuple[str, str]],
) -> str:
    """Add the encoded table in float64, and return its name.

    Parameters
    ----------
    graph : Graph
    cells : sequence of Cells
        Of each column.
    columns : Columns or None
        None for a table of numbers, none of which is missing.
    tokens : dict
        From `find_tokens`.
    """
    if columns is None:
        return _add_numbers(graph, cells)
    numbers = [cells[k] for k in np.flatnonzero(~columns.is_category).tolist()]
    parts = _add_filled_numbers(graph, numbers, columns)
    places = np.flatnonzero(columns.is_category).tolist()
    for place, category in zip(places, columns.categories, strict=True):
        if category.column_names:
            parts.append(_add_category(graph, category, cells[place], tokens.get(place)))
    return graph.concatenate(parts)


def _add_numbers(graph: Graph, cells: Sequence[Cells]) -> str:
    """Add columns of numbers in float64, side by side."""
    places: dict[str, list[int]] = {}  # in order, since the columns of a tensor are neighbours
    for column in cells:
        if column.is_text:
            raise ValueError(
                "to_onnx: expected inputs of numbers for columns that were numbers in training; "
                f"received a tensor of strings, {column.tensor!r}."
            )
        places.setdefault(column.tensor, []).append(column.place)
    return graph.concatenate(
        [graph.cast(graph.take_columns(tensor, of), np.float64) for tensor, of in places.items()]
    )


def _add_filled_numbers(graph: Graph, cells: Sequence[Cells], columns: Columns) -> list[str]:
    """Add the numbers with medians for missing ones, and where they are missing."""
    kept = np.flatnonzero(~np.isnan(columns.medians))
    if not len(kept):
        return []
    values = _add_numbers(graph, [cells[k] for k in kept.tolist()])
    is_missing = graph.add("IsNaN", values)
    parts = [graph.add("Where", is_missing, columns.medians[kept], values)]
    indicators = np.flatnonzero(columns.has_indicator[kept])
    if len(indicators):
        parts.append(graph.cast(graph.take_columns(is_missing, indicators), np.float64))
    return parts


def _add_category(graph: Graph, category: Category, cells: Cells, tokens) -> str:
    """Add the columns of a category in float64."""
    if cells.is_text != (category.kind == "strings"):
        raise ValueError(
            f"to_onnx: expected {category.kind} in column {category.name!r}, as in training; "
            f"received a tensor of {'strings' if cells.is_text else 'numbers'}."
        )
    column = graph.take_columns(cells.tensor, np.array([cells.place]))
    if cells.is_text:
        codes = _add_codes_of_texts(graph, category, column, tokens[0])
    else:
        codes = _add_codes_of_numbers(graph, category, column)
    return graph.add("Gather", _make_rows(category), codes, axis=0)


def _make_rows(category: Category) -> np.ndarray:
    """Return the encoded columns of each level, of a missing cell, and of any other level."""
    n_levels = len(category.levels)
    places = category.encode(
        CategoryCells(
            codes=np.array([*range(n_levels), -1, n_levels]),
            levels=[*category.levels, object()],
            kind=category.kind,
        )
    )
    rows = np.zeros((n_levels + 2, len(category.column_names)))
    rows[places >= 0, places[places >= 0]] = 1.0
    return rows


def _add_codes_of_texts(graph: Graph, category: Category, column: str, missing: str) -> str:
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


def _add_codes_of_numbers(graph: Graph, category: Category, column: str) -> str:
    """Add the row of `_make_rows` of each cell, of shape (n,), for numbers and booleans."""
    levels = np.array(category.levels, np.float64)
    if len(np.unique(levels)) < len(levels):
        raise ValueError(
            f"to_onnx: expected levels that float64 can tell apart; column {category.name!r} has "
            f"{category.levels[:5]}. Make strings of them before you fit."
        )
    numbers = graph.cast(column, np.float64)
    is_level = graph.add("Equal", numbers, levels)
    flags = graph.cast(graph.concatenate([is_level, graph.add("IsNaN", numbers)]), np.float32)
    # A half for other levels, which is the largest where nothing else is true.
    flags = graph.add("Pad", flags, np.array([0, 0, 0, 1], np.int64), np.float32(0.5))
    return graph.add("ArgMax", flags, axis=1, keepdims=0)
