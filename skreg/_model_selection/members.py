"""The networks of a search that predict together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skreg._compat import count_threads
from skreg._data.columns import MixedTable
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.validation import check_table, choose_precision, encode_later
from skreg._nn.members import Member, predict_members


def predict_together(
    networks: Sequence[BaseRegularizedMLP],
    X,
    combine: Callable[[list[np.ndarray]], np.ndarray],
) -> np.ndarray:
    """Return the predictions of several networks for a table that is checked and encoded once.

    Networks of one fold have the same columns, so that a table is encoded once for each fold.

    Parameters
    ----------
    networks : sequence of estimators
        Fitted.
    X : array-like of shape (n_samples, n_features)
    combine : callable
        From the logits of each network, of shape (b, q), to an array whose first axis has the rows.
    """
    tables: dict[bytes, MixedTable] = {}
    encoded: dict[tuple, Any] = {}
    members = []
    for network in networks:
        columns = network._columns
        # What is a category is found in the rows of each fold.
        kinds = columns.is_category.tobytes()
        if kinds not in tables:
            tables[kinds] = check_table(network, X)[0]
        if columns.key not in encoded:
            encoded[columns.key] = encode_later(columns, tables[kinds])
        members.append(Member(network._network, encoded[columns.key]))
    precision = choose_precision(next(iter(tables.values())))
    return predict_members(members, precision, combine, count_threads())
