"""The candidates of a search: kinds of networks crossed with `dropouts` and `l2s`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from skreg._engine.hyperparameters import check_rates, check_strengths, count_hidden_layers
from skreg._estimators.automatic import is_auto
from skreg._model_selection.kinds import Kind, describe_kind, set_kind

# The ends of an axis that is given as a number of values.
_DROPOUT_RANGE = 0.0, 0.8
_L2_RANGE = 1e-5, 1e-1
_MAX_VALUES = 10_000  # of an axis; more are a mistake, and would fill the memory


class Candidate(NamedTuple):
    """Values to try.

    Attributes
    ----------
    dropout, l2 : float, tuple of float or "auto"
        One number, or one number per layer. Only `l2` may be "auto".
    kind : tuple of (str, value)
        Other parameters, in the order of their names.
    """

    dropout: float | tuple[float, ...]
    l2: float | tuple[float, ...] | str
    kind: Kind = ()

    def get_params(self) -> dict[str, Any]:
        """Return the searched parameters."""
        return {**dict(self.kind), "dropout": self.dropout, "l2": self.l2}


class Grid(NamedTuple):
    """All candidates, with `l2` varying fastest and the kind slowest.

    The shape is (n_dropouts, n_l2s) for one kind, else (n_candidates,).
    """

    candidates: list[Candidate]
    shape: tuple[int, ...]


def make_candidates(
    dropouts,
    l2s,
    base_estimator,
    list_strengths: Callable[[str, int], list[float]],
    kinds: Sequence[Kind] = ((),),
) -> Grid:
    """Make the candidates and check every value of `dropouts` and `l2s`.

    A network without hidden layers has no dropout, so such a kind is crossed with `l2s` only.

    `list_strengths` returns what `l2s="auto"` stands for, given the activation and the number of
    hidden layers.
    """
    if isinstance(dropouts, Integral):
        dropouts = np.linspace(*_DROPOUT_RANGE, _check_count("dropouts", dropouts))
    if isinstance(l2s, Integral):
        l2s = np.geomspace(*_L2_RANGE, _check_count("l2s", l2s))
    candidates, crosses_dropouts, shape = [], False, (0, 0)
    for kind in kinds:
        estimator = set_kind(base_estimator, kind)
        n_hidden = count_hidden_layers(estimator.hidden_layer_sizes)
        l2s_of_kind = list_strengths(estimator.activation, n_hidden) if is_auto(l2s) else l2s
        rates: list = [0.0]
        try:
            if n_hidden:
                rates = _check_axis("dropouts", dropouts, n_hidden, check_rates)
                crosses_dropouts = True
            strengths = _check_axis("l2s", l2s_of_kind, n_hidden, check_strengths)
        except ValueError as error:
            raise ValueError(f"{error}{describe_kind(kind)}") from error
        shape = len(rates), len(strengths)
        candidates += [Candidate(rate, l2, kind) for rate in rates for l2 in strengths]
    if not crosses_dropouts:  # they are not used, but should be valid all the same
        n_hidden = count_hidden_layers(base_estimator.hidden_layer_sizes)
        _check_axis("dropouts", dropouts, n_hidden, check_rates)
    return Grid(candidates, shape if len(kinds) == 1 else (len(candidates),))


def _check_count(name: str, count) -> int:
    if count > _MAX_VALUES:
        raise ValueError(
            f"{name}: expected a number of values of at most {_MAX_VALUES}, or a sequence of the "
            f"values; received {count!r}."
        )
    return int(count)


def _check_axis(name: str, axis, n_hidden: int, check_value: Callable) -> list:
    """Return the values of one axis: floats, tuples of one float per layer, or "auto" for l2s."""
    if isinstance(axis, (dict, set)) or getattr(axis, "shape", None) == ():
        raise ValueError(f"{name}: expected a sequence of values to try; received {axis!r}.")
    values = []
    for value in axis:
        if name == "l2s" and is_auto(value):
            values.append(value)
            continue
        per_layer = check_value(name, value, n_hidden)
        values.append(float(value) if isinstance(value, Real) else per_layer)
    if not values:
        raise ValueError(f"{name}: expected at least one value to try; received {axis!r}.")
    return values
