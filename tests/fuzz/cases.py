"""Random cases: an estimator, its parameters, and calls. A case follows from its number alone.

A process can hold some hundred compiled programs, so the cases of a block share the few values
that shape one: hidden layers, activation, solver, loss, penalties and numbers of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fuzz import frames, parameters, tables, targets
from fuzz.parameters import Setting
from fuzz.tables import Part, State

BLOCK = 600  # cases
_SEED = 20_251_128

ESTIMATORS = [
    *["RegularizedMLPClassifier"] * 8,
    *["RegularizedMLPRegressor"] * 8,
    "RegularizedMLPClassifierCV",
    "RegularizedMLPRegressorCV",
]
HIDDEN = [(4,), (3,), (), (4, 3), (3, 3, 2)]
ROWS = [(24, 40), (8, 30), (3, 48), (1, 24), (2, 40)]
LOSSES = ["squared_error", "absolute_error", "huber", "log_cosh", "quantile", "poisson"]
ACTIVATIONS = ["relu", "relu", "tanh", "logistic", "identity", "gelu", "silu"]


@dataclass(frozen=True)
class Palette:
    """What shapes the programs of a block."""

    hidden: tuple[int, ...]
    activation: str
    solver: str
    losses: tuple[str, str]
    has_l1: bool
    n_rows: tuple[int, int]
    labels: tuple[str, str]
    schemas: tuple[tuple[frames.Column, ...], tuple[frames.Column, ...]]
    encoding: str | None


@dataclass
class Call:
    """One call of a case.

    Attributes
    ----------
    method : str
        Of the estimator; or "pickle", "deepcopy" or "clone".
    arguments : dict
        Of `Part` and of plain values, by name.
    """

    method: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass
class Case:
    """An estimator, its parameters and the calls that follow."""

    number: int
    estimator: str
    parameters: dict[str, Setting]
    calls: list[Call]

    @property
    def is_classifier(self) -> bool:
        """Whether targets are labels."""
        return "Classifier" in self.estimator

    @property
    def is_search(self) -> bool:
        """Whether the estimator tunes itself."""
        return self.estimator.endswith("CV")

    def describe(self) -> str:
        """Return the case in some lines."""
        values = ", ".join(f"{name}={s.value!r}" for name, s in self.parameters.items())
        lines = [f"case {self.number}: {self.estimator}({values})"]
        for call in self.calls:
            arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
            lines.append(f"  {call.method}({arguments})")
        return "\n".join(lines)


@dataclass
class World:
    """What the calls of a case share.

    Attributes
    ----------
    schema : tuple of frames.Column or None
        Of a frame with categories; None for a table of numbers.
    selection : str
        How `categorical_features` tells them.
    p_broken : float
        How often something has to be refused.
    """

    rng: np.random.Generator
    palette: Palette
    is_classifier: bool
    is_search: bool
    n_columns: int
    is_sparse: bool
    is_frame: bool
    schema: tuple[frames.Column, ...] | None
    selection: str
    n_outputs: int
    labels: str
    p_broken: float
    table: dict
    is_counts: bool = False
    first: dict[str, Part] = field(default_factory=dict)

    def happens(self, probability: float) -> bool:
        """Draw a bool."""
        return bool(self.rng.random() < probability)


def make_palette(block: int) -> Palette:
    """Return the palette of a block of cases."""
    rng = np.random.default_rng([_SEED, 1, block])

    def choose(values):
        return values[rng.integers(len(values))]

    return Palette(
        hidden=choose(HIDDEN),
        activation=choose(ACTIVATIONS),
        solver=choose(["adam", "adam", "sgd"]),
        losses=("squared_error", choose(LOSSES)),
        has_l1=bool(rng.random() < 0.2),
        n_rows=choose(ROWS),
        labels=("two", choose(list(targets.LABELS))),
        schemas=(frames.draw_schema(rng), frames.draw_schema(rng)),
        encoding=choose([None, "piecewise", "periodic"]),
    )


def make_case(number: int) -> Case:
    """Return the case of a number."""
    rng = np.random.default_rng([_SEED, 0, number])
    palette = make_palette(number // BLOCK)
    estimator = str(rng.choice(ESTIMATORS))
    is_classifier, is_search = "Classifier" in estimator, estimator.endswith("CV")
    is_sparse = bool(rng.random() < 0.2)
    schema = None
    if rng.random() < 0.4:
        schema, is_sparse = palette.schemas[rng.integers(2)], False
    world = World(
        rng=rng,
        palette=palette,
        is_classifier=is_classifier,
        is_search=is_search,
        n_columns=int(rng.choice([1, 2, 3, 5, 8], p=[0.15, 0.15, 0.4, 0.2, 0.1]))
        if schema is None
        else len(schema),
        is_sparse=is_sparse,
        is_frame=not is_sparse and bool(rng.random() < 0.15),
        schema=schema,
        selection=str(rng.choice(["from_dtype", "from_dtype", "mask", "indices", "names"])),
        n_outputs=1 if rng.random() < 0.85 else 3,
        labels=str(rng.choice([*palette.labels, "indicator", "three"], p=[0.4, 0.4, 0.1, 0.1])),
        p_broken=0.0 if rng.random() < 0.5 else 0.25,
        table=parameters.get_table(is_classifier, is_search),
    )
    settings = _draw_parameters(world)
    loss = settings.get("loss")
    world.is_counts = loss is not None and loss.value == "poisson"
    calls = [_draw_fit(world, is_first=True)]
    for _ in range(int(rng.integers(1, 6))):
        calls += _draw_calls(world)
    if world.happens(0.05):  # a call before the first fit
        calls.insert(0, _draw_use(world))
    return Case(number, estimator, settings, calls)


# -- parameters --------------------------------------------------------------------------------


def _draw_parameters(world: World) -> dict[str, Setting]:
    rng, palette, table = world.rng, world.palette, world.table
    p_one = world.p_broken / 3
    settings = {
        "hidden_layer_sizes": parameters.draw_hidden(rng, palette.hidden, p_one),
        "activation": Setting(palette.activation),
        "solver": Setting(palette.solver),
        "max_iter": parameters.draw_setting(rng, table, "max_iter", p_one),
        "random_state": parameters.draw_setting(rng, table, "random_state", p_one / 3),
    }
    if not world.is_classifier:
        settings["loss"] = Setting(str(rng.choice(palette.losses)))
    if palette.has_l1:
        settings["l1"] = Setting(1e-3)
    if palette.encoding is not None and not world.is_sparse and world.happens(0.7):
        settings["numerical_encoding"] = Setting(palette.encoding)
    if world.schema is not None:
        settings["categorical_features"] = _draw_selection(world, p_one)
    if world.is_search:
        settings |= {
            name: parameters.draw_setting(rng, table, name, p_one)
            for name in ("dropouts", "l2s", "cv")
        }
    names = [name for name in table if name not in settings and name not in ("activation", "l1")]
    for name in rng.choice(names, size=int(rng.integers(0, 6)), replace=False):
        settings[str(name)] = parameters.draw_setting(rng, table, str(name), p_one)
    if not world.is_search and world.happens(0.08):
        n_hidden = len(palette.hidden)
        options = [("dropout", n_hidden, 0.3), ("l2", n_hidden + 1, 1e-3)]
        name, n_values, value = options[rng.integers(2)]
        settings[name] = parameters.draw_layers(rng, value, n_values)
    return settings


def _draw_selection(world: World, p_broken: float) -> Setting:
    """Draw `categorical_features` for a frame."""
    if world.happens(p_broken):
        return Setting(frames.draw_broken_selection(world.rng, world.n_columns), State.BROKEN)
    if world.happens(0.03):  # which refuses strings
        return Setting(None)
    return Setting(frames.draw_selection(world.rng, world.schema, world.selection))


# -- calls -------------------------------------------------------------------------------------


def _draw_n_rows(world: World) -> int:
    n_rows = world.palette.n_rows[world.rng.integers(2)]
    return max(1, int(n_rows - world.rng.integers(3)))  # of one bucket, mostly


def _draw_table(world: World, n_rows: int, p_broken: float) -> Part:
    rng = world.rng
    if world.schema is not None:
        return _draw_frame(world, n_rows, p_broken)
    if world.happens(p_broken):
        if world.happens(0.3):  # of other columns
            columns = world.n_columns + 1
            return tables.draw_table(rng, n_rows, columns, world.is_sparse, world.is_frame)
        return tables.draw_broken_table(rng, n_rows, world.n_columns)
    is_sparse, is_frame = world.is_sparse, world.is_frame
    if world.happens(0.05):  # of another kind
        is_sparse, is_frame = bool(rng.integers(2)), False
    return tables.draw_table(rng, n_rows, world.n_columns, is_sparse, is_frame)


def _draw_frame(world: World, n_rows: int, p_broken: float) -> Part:
    rng, schema = world.rng, world.schema
    if world.happens(p_broken):
        draw = rng.random()
        if draw < 0.6:
            return frames.draw_broken_frame(rng, schema, n_rows)
        if draw < 0.75:  # numbers only
            return tables.draw_table(rng, n_rows, len(schema), world.is_sparse, world.is_frame)
        if draw < 0.85:  # of other columns
            schema = (*schema, schema[0])
        elif len(schema) > 1:  # numbers for categories, and the reverse
            schema = (*schema[1:], schema[0])
    form = world.selection if world.happens(0.95) else "mask"
    storage = frames.choose_storage(rng, schema, form)
    return frames.draw_frame(rng, schema, n_rows, storage)


def _draw_target(world: World, n_rows: int, p_broken: float) -> Part:
    rng = world.rng
    if world.happens(p_broken):
        return targets.draw_odd_target(rng, n_rows, world.is_classifier)
    if not world.is_classifier:
        is_counts = world.is_counts and not world.happens(p_broken / 2)
        return targets.draw_targets(rng, n_rows, world.n_outputs, is_counts)
    # Labels of another kind under warm_start are of another task.
    kind = world.labels if world.happens(0.95) else None
    return targets.draw_labels(rng, n_rows, kind)


def _draw_rows(world: World, p_broken: float) -> dict[str, Part]:
    """Draw X, y and sample_weight."""
    n_rows = _draw_n_rows(world)
    p_one = p_broken / 2
    rows = {
        "X": _draw_table(world, n_rows, p_one),
        "y": _draw_target(world, n_rows, p_one),
        "sample_weight": targets.draw_weight(world.rng, n_rows),
    }
    if world.happens(p_one / 2):
        rows["sample_weight"] = targets.draw_broken_weight(world.rng, n_rows)
    return rows


def _draw_fit(world: World, is_first: bool) -> Call:
    """Draw a call of `fit` or `partial_fit`."""
    rows = _draw_rows(world, world.p_broken)
    if is_first:
        world.first = dict(rows)
    elif world.happens(0.3):
        rows = dict(world.first)
    if not world.is_search and world.happens(0.35):
        if world.is_classifier and world.happens(0.9):
            rows["classes"] = _draw_classes(world, rows["y"])
        return Call("partial_fit", rows)
    if not world.is_search and world.happens(0.1):
        held_out = _draw_rows(world, world.p_broken)
        names = {"X": "X_val", "y": "y_val", "sample_weight": "sample_weight_val"}
        rows |= {names[name]: part for name, part in held_out.items()}
        if world.happens(world.p_broken):
            del rows["y_val"]
    return Call("fit", rows)


def _draw_classes(world: World, y: Part) -> Part:
    """Draw the `classes` of a stream: all labels of a kind."""
    if y.state is not State.SOUND:
        return Part([0, 1], "as it is", State.OPEN, "two classes")
    if targets.is_indicator(y):
        return Part(np.arange(y.value.shape[1]), "as it is", State.SOUND, "numbers of columns")
    labels = np.unique(y.value)
    if world.labels in targets.LABELS:
        every = targets.LABELS[world.labels](np.arange(10))
        if every.dtype == labels.dtype:
            labels = np.unique(every)
    return Part(labels, "as it is", State.SOUND, "labels")


def _draw_use(world: World) -> Call:
    """Draw a call that does not change the estimator."""
    rng = world.rng
    methods = ["predict", "predict", "score", "mc_dropout"]
    if world.is_classifier:
        methods += ["predict_proba", "predict_log_proba", "decision_function"]
    if world.is_search:
        methods.remove("mc_dropout")
    method = str(rng.choice(methods))
    p_broken = world.p_broken / 2
    rows = _draw_rows(world, p_broken) if world.happens(0.6) else dict(world.first)
    if method == "score":
        return Call(method, rows)
    if method == "mc_dropout":
        n_samples = [1, 3, np.int64(2)] if not world.happens(p_broken) else [0, -1, 2.5, "3", None]
        n_samples = n_samples[rng.integers(len(n_samples))]
        return Call(method, {"X": rows["X"], "n_samples": n_samples, "random_state": 0})
    return Call(method, {"X": rows["X"]})


def _draw_calls(world: World) -> list[Call]:
    """Draw what comes after the first fit."""
    rng, draw = world.rng, world.rng.random()
    if draw < 0.3:
        return [_draw_fit(world, is_first=False), Call("predict", {"X": world.first["X"]})]
    if draw < 0.75:
        return [_draw_use(world)]
    if draw < 0.85:
        return [Call(str(rng.choice(["pickle", "deepcopy", "clone"])))]
    calls = [_draw_set_params(world)]
    if world.happens(0.7):
        calls.append(_draw_fit(world, is_first=False))
    return [*calls, _draw_use(world)]


def _draw_set_params(world: World) -> Call:
    rng, table = world.rng, world.table
    fixed = ("activation", "l1", "solver", "loss", "categorical_features")
    names = [name for name in table if name not in fixed]
    changes = {
        str(name): parameters.draw_setting(rng, table, str(name), 2 * world.p_broken)
        for name in rng.choice(names, size=int(rng.integers(1, 3)), replace=False)
    }
    if "warm_start" in table and world.happens(0.4):
        changes["warm_start"] = Setting(True)
    if world.schema is not None and world.happens(0.1):
        changes["categorical_features"] = _draw_selection(world, 2 * world.p_broken)
    if not world.is_classifier and world.happens(0.1):
        changes["loss"] = Setting(str(rng.choice(world.palette.losses)))
    return Call("set_params", changes)
