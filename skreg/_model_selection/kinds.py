"""Kinds of networks that a search tries: from the parameter `candidates` to checked parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skreg._engine.hyperparameters import (
    LOSS_DEFAULTS,
    check_hidden_layer_sizes,
    count_hidden_layers,
    read_hyperparameters,
)
from skreg._estimators.automatic import is_auto, make_placeholders
from skreg._estimators.numerical_encoding import check_dense
from skreg._model_selection.scoring import makes_ensemble

# Parameters besides `dropout` and `l2`, as pairs of name and value in the order of the names. The
# others are those of the estimator.
Kind = tuple[tuple[str, Any], ...]

_MAX_KINDS = 10_000  # more are a mistake
_UNITS = "The scores of candidates could not be compared."
_ONE_FOR_ALL = "It is the same for all candidates: set it as a parameter of the search."
# Parameters that do not vary, and why.
_FIXED = {
    "dropout": "Use dropouts.",
    "dropouts": "It is a parameter of the search.",
    "l2": "Use l2s.",
    "l2s": "It is a parameter of the search.",
    "loss": _UNITS,
    **dict.fromkeys(LOSS_DEFAULTS, _UNITS),
    "standardize_target": _UNITS,
    "class_weight": _ONE_FOR_ALL,
    "categorical_features": _ONE_FOR_ALL,
    "validation_scoring": _ONE_FOR_ALL,
    "random_state": _ONE_FOR_ALL,
    "verbose": _ONE_FOR_ALL,
    "warm_start": "",
}


def make_kinds(candidates, base_estimator, refit, is_sparse: bool, may_encode: bool) -> list[Kind]:
    """Return each kind once, after a check of its parameters.

    Parameters
    ----------
    candidates : "auto" or list of dict
        The parameter of the search.
    base_estimator : estimator
        It has the other parameters.
    refit : bool, str or callable
        The parameter of the search.
    is_sparse : bool
        Whether the table is sparse.
    may_encode : bool
        Whether "auto" may encode columns of the table.
    """
    _check_one_network(base_estimator)
    if is_auto(candidates):
        grids, prefix = _choose_grids(refit, base_estimator, may_encode), ""
    else:
        grids, prefix = _check_grids(candidates, base_estimator), "candidates: "
    kinds: dict[tuple, Kind] = {}
    for grid in grids:
        for values in ParameterGrid(grid):
            kind = tuple((name, make_hashable(values[name])) for name in sorted(values))
            try:
                estimator = _check_kind(kind, base_estimator, is_sparse)
            except ValueError as error:
                raise ValueError(f"{prefix}{error}{describe_kind(kind)}") from error
            kinds.setdefault(_read_parameters(estimator), kind)
    return list(kinds.values())


def _read_parameters(estimator) -> tuple:
    """Return the values of the parameters that may vary, which are equal for equal networks."""
    values = {name: getattr(estimator, name) for name in _list_names(estimator)}
    # One layer may be written as a number.
    values["hidden_layer_sizes"] = check_hidden_layer_sizes(values["hidden_layer_sizes"])
    return tuple(make_hashable(value) for value in values.values())


def describe_kind(kind: Kind) -> str:
    """Return which kind of network an error is about; empty for that of the parameters."""
    return f" This is about the kind of network {dict(kind)!r}, see candidates." if kind else ""


def set_kind(base_estimator, kind: Kind):
    """Return a new estimator with the parameters of a kind."""
    return clone(base_estimator).set_params(**dict(kind))


def _choose_grids(refit, base_estimator, may_encode: bool) -> Sequence[dict]:
    """Return what "auto" stands for."""
    if not makes_ensemble(refit):
        return [{}]
    linear: dict = {"hidden_layer_sizes": [()]}
    if not is_auto(base_estimator.numerical_encoding) or not may_encode:
        return [linear, {}]
    return [linear, {"numerical_encoding": ["piecewise", "periodic"]}]


def _list_names(base_estimator) -> list[str]:
    """Return the names of the parameters that may vary."""
    return sorted(set(base_estimator.get_params(deep=False)) - set(_FIXED))


def _check_grids(candidates: Sequence, base_estimator) -> Sequence[dict]:
    """Return `candidates`, if it is a list of dicts from names to lists of values."""
    if not len(candidates):
        raise ValueError(f"candidates: expected at least one dict; received {candidates!r}.")
    names = _list_names(base_estimator)
    for grid in candidates:
        if not isinstance(grid, dict):
            raise TypeError(
                "candidates: expected a list of dicts from names of parameters to lists of values; "
                f"received {grid!r} in it."
            )
        for name, values in grid.items():
            if name not in names:
                reason = _FIXED.get(name, "") if isinstance(name, str) else ""
                raise ValueError(
                    f"candidates: expected names of parameters among {names}; received {name!r}. "
                    f"{reason}".rstrip()
                )
            _check_values(name, values)
        if len(ParameterGrid(grid)) > _MAX_KINDS:
            raise ValueError(
                f"candidates: expected at most {_MAX_KINDS} combinations; received "
                f"{len(ParameterGrid(grid))}."
            )
    return candidates


def _check_values(name: str, values) -> None:
    is_list = isinstance(values, (list, tuple))
    if not is_list and not (isinstance(values, np.ndarray) and values.ndim == 1):
        raise TypeError(
            f"candidates: expected a list of values of {name!r}; received {values!r}. One value "
            "is a list of length one."
        )
    if not len(values):
        raise ValueError(
            f"candidates: expected at least one value of {name!r}; received {values!r}."
            + (" A network without hidden layers is [()]." if name == "hidden_layer_sizes" else "")
        )


def _check_one_network(base_estimator) -> None:
    """Raise if `hidden_layer_sizes` of the search is not that of one network."""
    sizes = base_estimator.hidden_layer_sizes
    try:
        check_hidden_layer_sizes(sizes)
    except ValueError as error:
        if isinstance(sizes, (list, tuple)) and any(isinstance(s, (list, tuple)) for s in sizes):
            hint = f"To try several, use candidates=[{{'hidden_layer_sizes': {list(sizes)!r}}}]."
            raise ValueError(f"{error} {hint}") from error
        raise


def _check_kind(kind: Kind, base_estimator, is_sparse: bool):
    """Return the estimator of a kind. Raise a ValueError if its parameters are not valid."""
    estimator = set_kind(base_estimator, kind)
    estimator._validate_params()
    n_hidden = count_hidden_layers(estimator.hidden_layer_sizes)
    # Those of dropout and l2 are checked elsewhere.
    read_hyperparameters(estimator, n_hidden, **{**make_placeholders(estimator), "l2": 0.0})
    check_dense(estimator.numerical_encoding, is_sparse)
    return estimator


def make_hashable(value):
    """Return a value with tuples instead of lists and arrays, and without types of NumPy."""
    if hasattr(value, "__array__"):  # also a series of pandas or polars
        value = np.asarray(value).tolist()
    if isinstance(value, (list, tuple)):
        return tuple(make_hashable(entry) for entry in value)
    return value
