"""The data of a search: the checked rows, and the kinds of networks that they allow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import indexable

from skreg._data.columns import TableEncoder
from skreg._data.rows import MergedRows, count_rows, merge_rows
from skreg._data.statistics import measure_columns
from skreg._estimators.automatic import is_auto, list_strengths
from skreg._estimators.numerical_encoding import allows_encoding
from skreg._estimators.targets import ravel_column
from skreg._estimators.validation import CheckedRows, check_rows, check_weight
from skreg._model_selection.kinds import Kind, make_kinds
from skreg._model_selection.scoring import makes_ensemble


class SearchData(NamedTuple):
    """The checked data of a search.

    Attributes
    ----------
    X : array-like of shape (n_samples, n_features)
        In the type of the user.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets to train on.
    indexed_y : array-like
        Targets for the splitter and for scorers: pandas keeps its index.
    sample_weight : ndarray of shape (n_samples,) or None
    columns : dict
        The fitted attributes `n_features_in_` and, if the columns have names, `feature_names_in_`.
    list_strengths : callable
        From the activation and the number of hidden layers of a network to what `l2s="auto"` stands
        for.
    kinds : list of tuple
        Kinds of networks to try.
    classes : ndarray or None
        Labels of all rows; None for numbers.
    """

    X: Any
    y: np.ndarray
    indexed_y: Any
    sample_weight: np.ndarray | None
    columns: dict
    list_strengths: Callable[[str, int], list[float]]
    kinds: list[Kind]
    classes: np.ndarray | None


def check_data(search, base_estimator, X, y, sample_weight) -> SearchData:
    """Check what `fit` of a searching estimator received."""
    request = base_estimator._make_request(X, y)
    checked = check_rows(search, X, y, sample_weight, reset=True, y_numeric=request.y_numeric)
    X, y = indexable(X, y)
    sample_weight = check_weight(sample_weight, X)
    targets = ravel_column(checked.y)
    targets = targets.toarray() if sparse.issparse(targets) else targets
    training_targets = request.make_targets(targets)  # raises if a network cannot train on them
    indexed_y = y if hasattr(y, "iloc") else targets
    chooses_kinds = (
        is_auto(search.candidates)
        and makes_ensemble(search.refit)
        and is_auto(base_estimator.numerical_encoding)
    )
    n_rows, may_encode = 1, False
    if is_auto(search.l2s) or chooses_kinds:  # else they are not needed
        encoded, rows = merge_all_rows(checked, training_targets.values, sample_weight)
        n_rows = count_rows(rows.weight)
        may_encode = chooses_kinds and _allows_encoding(encoded, rows, base_estimator.standardize)
    if may_encode and sparse.issparse(X):
        X = X.toarray()  # a network would hold it as dense rows, too
    is_sparse = sparse.issparse(X)
    kinds = make_kinds(search.candidates, base_estimator, search.refit, is_sparse, may_encode)
    return SearchData(
        X=X,
        y=targets,
        indexed_y=indexed_y,
        sample_weight=sample_weight,
        columns=checked.attributes,
        list_strengths=partial(list_strengths, training_targets, n_rows),
        kinds=kinds,
        classes=getattr(training_targets, "classes", None),
    )


def _allows_encoding(X, rows: MergedRows, standardize: bool) -> bool:
    """Whether a network of all rows would encode columns."""
    statistics = measure_columns(X, rows.indices, rows.weight) if standardize else None
    return allows_encoding(X, rows, statistics)


def merge_all_rows(checked: CheckedRows, targets: np.ndarray, weight) -> tuple[Any, MergedRows]:
    """Return the encoded table and its distinct rows, as in a fit of all rows.

    Parameters
    ----------
    checked : CheckedRows
    targets : ndarray of shape (n,) or (n, q)
        Codes or numbers, as a fit merges them.
    weight : ndarray of shape (n,) or None
    """
    encoder = TableEncoder.fit(checked.X, checked.is_category, checked.names, weight)
    X = encoder.encode(checked.X)
    return X, merge_rows(X, targets, weight)
