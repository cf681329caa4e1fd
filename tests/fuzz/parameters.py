"""Parameters of random cases: valid, at the edge, and invalid."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from fuzz.tables import State
from sklearn.model_selection import KFold, TimeSeriesSplit

from skreg import one_standard_error


class Setting(NamedTuple):
    """The value of a parameter, and whether a fit has to take it."""

    value: Any
    state: State = State.SOUND


NAN, INF = float("nan"), float("inf")
ODD = [True, False, 1e-3, np.array([1]), "", b"a", object(), 3 + 0j, np.bool_(True)]
RATES = (
    [0, 0.0, 0.5, 0.3, 0.999, np.float32(0.3), np.float16(0.5), np.float64(0.1)],
    [1, 1.0, 2, -0.1, NAN, INF, "half", "0.5", None, 10**12, np.array(0.5), {0.1}, Decimal("0.1")],
)
STRENGTHS = (
    [0, 0.0, 1e-3, 1, 1e10, 1e38, 1e-320, np.float32(1e-3), np.float16(0.01), np.int64(1)],
    [-1, -1e-9, NAN, INF, "small", None, 1e39, 10**400, {0: 0.1}, np.array(0.1), Decimal("0.1")],
)

SOUND_AND_BROKEN = {
    "activation": (["relu"], ["selu", "", None, 3, ["relu"], b"relu"]),
    "dropout": RATES,
    "input_dropout": (RATES[0], [*RATES[1], (0.1,)]),
    "l2": STRENGTHS,
    "l1": STRENGTHS,
    "weight_decay": (STRENGTHS[0], [*STRENGTHS[1], (0.1,)]),
    "solver": (["adam"], ["lbfgs", "Adam", None, 1, object]),
    "learning_rate_init": (
        [0.01, 1e-3, 1e-30, 1e-320, 1, 50, 1e10, np.float16(0.01), np.float32(0.1)],
        [0, 0.0, -1, NAN, INF, "fast", None, 1e39, 10**400, [0.1]],
    ),
    "learning_rate": (["constant", "cosine"], ["adaptive", None, 0.1]),
    "momentum": ([0, 1, 0.9, np.float16(0.5)], [-0.1, 1.1, NAN, "a", None]),
    "nesterovs_momentum": ([True, False, np.True_], ["yes", None, 2]),
    "beta_1": ([0, 0.9, np.float16(0.5), 0.999999], [1, -0.1, 7, NAN, "a", None]),
    "beta_2": ([0, 0.999, np.float32(0.9)], [1, -0.1, 7, NAN, "a", None]),
    "epsilon": ([1e-7, 1, 1e-60, 1e30, np.float16(1e-4)], [0, -1, NAN, "a", None, 1e39]),
    "batch_size": (["auto", 8, 10**9, np.int32(8)], [0, -1, 2.5, "big", None, NAN, 8.0]),
    "max_iter": ([1, 2, 3, 5, np.int64(2)], [0, -1, 2.5, "ten", None, NAN, [1]]),
    "early_stopping": ([True, False, np.True_], ["auto", None, 2]),
    "validation_fraction": ([0.1, 0.5, 0.999, 1e-9], [0, 1, 0.0, 1.0, -0.1, NAN, "a", None]),
    "tol": ([None, 0, 1e-3, 1e30, 1e-320, np.float32(1e-3)], [-1, NAN, INF, "a", [0.1]]),
    "n_iter_no_change": ([1, 2, 10, np.inf, np.int8(3)], [0, -1, 2.5, -INF, None, "a"]),
    "standardize": ([True, False, np.True_], ["no", None, 2, "yes"]),
    "numerical_encoding": ([None], ["bins", "", 3, True, ["piecewise"]]),
    "categorical_features": (
        ["from_dtype", None, [], np.array([], dtype=int)],
        ["auto", 3, [0.5], [-1], [99], [True] * 99, [[0]], ["nope"], ["c0", 1], {"c0"}, [None]],
    ),
    "random_state": ([0, 1, np.int64(3), 2**32 - 1], [-1, "one", 2.5, 2**40, [1]]),
    "verbose": ([0, 1, False], ["loud", -1, None]),
}
SINGLE = {"warm_start": ([True, False], ["yes", None, 3.0])}
OF_CLASSIFIER = {"class_weight": ([None, "balanced"], ["even", 3, [{0: 1}], {0: -1.0}])}
OF_REGRESSOR = {
    "loss": (["squared_error"], ["mse", None, 3, ["huber"], "Huber"]),
    "quantile": (
        [0.1, 0.5, 0.999, np.float16(0.5), [0.5]],
        [0, 1, NAN, "median", None, 2, [], (0.5, 0.1), [0.5, 0.5], [0.5, 1], [[0.5]], ("a", 0.5)],
    ),
}
OF_SEARCH = {
    "dropouts": (
        [[0.0, 0.5], (0.3,), np.array([0.0, 0.2]), 2, 1, [np.float16(0.5), 0]],
        [[], 0, -1, 10**12, [1.0], [NAN], "ab", None, 2.5, {0.1}, np.array(0.5), [None]],
    ),
    "l2s": (
        [[1e-3, 1e-2], (0.0,), np.array([1e-3, 1.0]), 2, [1e38]],
        [[], 0, -1, 10**400, [-1.0], [INF], "ab", None, 2.5, {0.1}, [10**400], [None]],
    ),
    "candidates": (
        ["auto", [{}], ({"activation": ["relu", "tanh"]},), [{"beta_1": np.array([0.5])}]],
        [
            "all",
            [],
            {},
            None,
            [3],
            [{"l2": [0.1]}],
            [{"tol": []}],
            [{"tol": "ab"}],
            [{"nope": [1]}],
        ],
    ),
    "cv": (
        [2, 3, KFold(2), KFold(2, shuffle=True, random_state=0), TimeSeriesSplit(2)],
        [1, 0, -2, "three", 2.5, [], [([0, 1], [10**6])], [([], [0])], [([0], [])], [(0, 1)], [3]],
    ),
    "search": (["grid", "halving"], ["random", None, 3]),
    "n_jobs": ([None, 1, 2, -1], ["all", 2.5, 0]),
    "store_curves": ([True, False], ["yes", None]),
    "memory": ([None], [3, object()]),
}


def score_constant(model, X, y):
    """A scorer."""
    return 1.0


def score_none(model, X, y):
    """A scorer that returns nothing."""


def score_error(model, X, y):
    """A scorer that fails."""
    raise KeyError("scorer")


def get_scorings(is_classifier: bool) -> tuple[list, list]:
    """Return sound and broken values of `scoring`."""
    names = ["accuracy", "neg_log_loss"] if is_classifier else ["r2", "neg_mean_absolute_error"]
    sound = ["loss", None, *names, score_constant]
    return sound, ["nope", 3, [], {}, (), "r3", score_none, score_error, ["loss", "nope"]]


def get_refits() -> tuple[list, list]:
    """Return sound and broken values of `refit`."""
    return [True, "folds", False, one_standard_error], [None, 3.5, 2, []]


def draw_setting(rng, table: dict, name: str, p_broken: float) -> Setting:
    """Draw a value of one parameter."""
    sound, broken = table[name]
    values, state = (sound, State.SOUND) if rng.random() >= p_broken else (broken, State.BROKEN)
    if rng.random() < p_broken / 10:
        values, state = ODD, State.OPEN
    return Setting(values[rng.integers(len(values))], state)


def spread(rng, value, count: int):
    """Return a value as one value a layer, in a list of some kind."""
    kinds = (list, tuple, np.array)
    return kinds[rng.integers(len(kinds))]([value] * count)


def draw_layers(rng, value: float, count: int) -> Setting:
    """Draw a sequence of one value a layer, sometimes of another length."""
    if rng.random() < 0.7:
        return Setting(spread(rng, value, count))
    return Setting(spread(rng, value, count + 1), State.BROKEN)


def draw_hidden(rng, hidden: tuple, p_broken: float) -> Setting:
    """Draw `hidden_layer_sizes`, the given ones in some form or an invalid value."""
    if rng.random() < p_broken:
        broken = [0, (4, 0), (4, -1), 2.5, "4", None, (4, 2.5), {4}, 10**30, (True,), [[4]], NAN]
        return Setting(broken[rng.integers(len(broken))], State.BROKEN)
    forms = [hidden, list(hidden), np.array(hidden, dtype=int)]
    if len(hidden) == 1:
        forms += [hidden[0], np.int64(hidden[0])]
    return Setting(forms[rng.integers(len(forms))])


def get_table(is_classifier: bool, is_search: bool) -> dict:
    """Return sound and broken values of the parameters of an estimator."""
    table = {**SOUND_AND_BROKEN, **(OF_CLASSIFIER if is_classifier else OF_REGRESSOR)}
    names = ["accuracy"] if is_classifier else ["r2"]
    scorings = ["loss", "loss", None, *names, score_constant]
    table["validation_scoring"] = scorings, ["nope", 3, [], "r3"]
    if not is_search:
        return {**table, **SINGLE}
    del table["dropout"], table["l2"]
    return {
        **table,
        **OF_SEARCH,
        "scoring": get_scorings(is_classifier),
        "refit": get_refits(),
    }
