"""Why a call of a random case has to fail, or may: its faults, each with the words for it."""

from __future__ import annotations

import numbers
import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from fuzz.cases import Call
from fuzz.frames import CATEGORIES, FramePart, is_missing, read_kind
from fuzz.parameters import score_constant
from fuzz.tables import SPARSE, Part, State, get_largest
from fuzz.targets import find_labels, is_indicator

from skreg._data.scaling import MAX_INPUT
from skreg._nn.encodings import ENCODINGS
from skreg._nn.losses import REGRESSION_LOSSES

# scikit-learn says of complex numbers in any array: "Complex data not supported".
TABLE = (
    r"\bX\b|X_val|[Ff]eature|column|sample\(s\)|Found array|2D|[Dd]im|numbers of samples|sparse"
    r"|Complex data"
)
TARGET = r"\by\b|y_val|[Ll]abel|target|class|samples|0 sample\(s\)"
CATEGORICAL = "categor|" + TABLE
WEIGHT = r"[Ss]ample.weight|weight"
ANYTHING = "."


class Fault(NamedTuple):
    """A reason to fail.

    Attributes
    ----------
    is_certain : bool
        Whether the call has to fail.
    words : str
        A pattern that names the reason.
    """

    is_certain: bool
    words: str


class Situation(NamedTuple):
    """The estimator before a call.

    Attributes
    ----------
    estimator : estimator
    states : dict of State
        Of the parameters that were set, by name.
    is_classifier, is_search : bool
    """

    estimator: Any
    states: dict[str, State]
    is_classifier: bool
    is_search: bool

    def find_faults(self) -> list[Fault]:
        """Return the faults of the parameters."""
        return [
            Fault(state is State.BROKEN, re.escape(name))
            for name, state in sorted(self.states.items())
            if state is not State.SOUND
        ]

    def is_on(self, name: str) -> bool:
        """Whether a parameter is True."""
        value = getattr(self.estimator, name, False)
        return isinstance(value, (bool, np.bool_)) and bool(value)


def find_faults(situation: Situation, call: Call) -> list[Fault]:
    """Return every reason to refuse a call."""
    if call.method in ("fit", "partial_fit"):
        faults = situation.find_faults()
        if _is_continued(situation, call):  # which does not read it
            name = "categorical_features"
            faults = [Fault(f.is_certain and f.words != name, f.words) for f in faults]
        faults += _find_faults_of_rows(situation, call)
        if situation.is_search:
            faults += _find_faults_of_search(situation, call)
        return faults
    if call.method in ("set_params", "pickle", "deepcopy", "clone"):
        return []
    faults = _find_faults_of_use(situation, call)
    reads_nothing = getattr(situation.estimator, "scoring", None) is score_constant
    if call.method == "score" and reads_nothing:
        return [Fault(False, fault.words) for fault in faults]
    return faults


# -- fit ---------------------------------------------------------------------------------------


def _is_continued(situation: Situation, call: Call) -> bool:
    is_warm = call.method == "partial_fit" or situation.is_on("warm_start")
    return is_warm and hasattr(situation.estimator, "coefs_")


def encodes_numbers(estimator) -> bool:
    """Whether an encoding is named, which sparse tables refuse."""
    encoding = estimator.get_params().get("numerical_encoding")
    return isinstance(encoding, str) and encoding in ENCODINGS


def _of_state(part: Part, words: str) -> list[Fault]:
    return [] if part.state is State.SOUND else [Fault(part.state is State.BROKEN, words)]


def _find_faults_of_rows(situation: Situation, call: Call) -> list[Fault]:
    X, y, weight = (call.arguments[name] for name in ("X", "y", "sample_weight"))
    used = _drop_rows_without_weight(X, weight)
    faults = _of_state(used, CATEGORICAL) + _of_state(y, TARGET) + _of_state(weight, WEIGHT)
    encodes = encodes_numbers(situation.estimator)
    if encodes and X.storage in SPARSE:
        is_certain = X.state is State.SOUND and not _is_continued(situation, call)
        faults.append(Fault(is_certain, "numerical_encoding"))
    if _is_continued(situation, call):
        was_encoded = getattr(situation.estimator, "encoding_", None) is not None
        faults += [Fault(False, "numerical_encoding")] * (encodes or was_encoded)
    if X.state is State.SOUND and not situation.is_on("standardize"):
        faults += [Fault(True, TABLE)] * (get_largest(X) > MAX_INPUT)
    if not situation.is_classifier and y.state is State.SOUND:
        faults += _find_negative_counts(situation, y, "loss|y")
    if _is_continued(situation, call):
        faults += _find_other_columns(situation, X)
        faults += _find_other_kinds(_get_fitted_kinds(situation.estimator), used)
        # The medians of before are in the place of missing numbers.
        faults += [Fault(False, TABLE)] * (not situation.is_on("standardize"))
        if y.state is State.SOUND:
            faults += _find_other_task(situation, call, y)
        elif y.state is State.OPEN:
            faults.append(Fault(False, "layers"))
    else:
        faults += _find_faults_of_kinds(situation, used)
    if call.method == "partial_fit":
        return faults + _find_faults_of_classes(situation, call)
    if "X_val" in call.arguments:
        return faults + _find_faults_of_held_out(situation, call)
    if situation.is_on("early_stopping"):
        faults.append(Fault(False, "[Vv]alidation|early_stopping|held out"))
        if situation.estimator.validation_scoring != "loss":
            faults.append(Fault(False, "validation_scoring"))
    return faults


def _find_negative_counts(situation: Situation, y: Part, words: str) -> list[Fault]:
    loss = getattr(situation.estimator, "loss", None)
    known = isinstance(loss, str) and loss in REGRESSION_LOSSES
    if not known or REGRESSION_LOSSES[loss].min_target < 0:
        return []
    return [Fault(True, words)] * bool((y.value.astype(np.float64) < 0).any())


def _find_other_columns(situation: Situation, X: Part) -> list[Fault]:
    expected = getattr(situation.estimator, "n_features_in_", None)
    if X.state is not State.SOUND or expected in (None, X.value.shape[1]):
        return []
    return [Fault(True, TABLE + "|layers")]


def _drop_rows_without_weight(X: Part, weight: Part) -> Part:
    """Return what decides the kinds of columns: the rows of a frame that have weight."""
    if weight.state is not State.SOUND or weight.value is None:
        return X
    has_weight = np.asarray(weight.value) > 0
    is_drawn = isinstance(X, FramePart)
    if has_weight.all() or not (is_drawn or hasattr(X.value, "columns")):
        return X
    if len(has_weight) != len(X.value):
        return X
    # What is wrong with a broken frame may be in the other rows.
    return replace(X, value=X.value[has_weight]) if is_drawn else replace(X, state=State.OPEN)


# -- kinds of columns --------------------------------------------------------------------------


def _find_faults_of_kinds(situation: Situation, X: Part) -> list[Fault]:
    """Return the faults of the columns of a new network."""
    selection = situation.estimator.categorical_features
    if X.state is State.SOUND and _is_mask(selection) and len(selection) != X.value.shape[1]:
        return [Fault(True, CATEGORICAL)]
    kinds = _resolve_kinds(situation, X)
    if kinds is None:
        # Of a table with an error of its own; or names, which an array does not have.
        return [] if X.state is not State.SOUND or X.has_names() else [Fault(False, CATEGORICAL)]
    if X.storage in SPARSE and any(kind is not NUMBER for kind in kinds):
        return [Fault(True, CATEGORICAL)]
    faults = _find_texts_among_numbers([k for k, kind in enumerate(kinds) if kind is NUMBER], X)
    if _is_all_missing(X):
        faults.append(Fault(True, TABLE))
    return faults


NUMBER = "a number"


def _resolve_kinds(situation: Situation, X: Part) -> list[str | None] | None:
    """Return for each column NUMBER, or the kind of its levels; None if this is not known."""
    state = situation.states.get("categorical_features", State.SOUND)
    if State.SOUND != X.state or State.SOUND != state:
        return None
    selection = situation.estimator.categorical_features
    n_columns = X.value.shape[1]
    if _is_mask(selection) and len(selection) != n_columns:
        return None
    places = []
    if isinstance(selection, str):
        places = _find_categories_by_type(X)
    elif selection is not None and len(selection):
        selected = np.asarray(selection)
        if selected.dtype.kind == "U" and not X.has_names():
            return None
        places = np.arange(n_columns)[selected] if selected.dtype.kind in "bi" else selected
        places = [int(str(place).removeprefix("c")) for place in places]
    return [_read_kind(X, k) if k in places else NUMBER for k in range(n_columns)]


def _is_mask(selection) -> bool:
    is_sequence = isinstance(selection, (list, np.ndarray)) and len(selection)
    return bool(is_sequence) and np.asarray(selection).dtype == bool


def _find_categories_by_type(X: Part) -> list[int]:
    if not isinstance(X, FramePart) or not X.has_names():
        return []
    places = []
    for k, column in enumerate(X.schema):
        is_level = column.kind == "strings"
        is_level = is_level or (column.kind == "booleans" and None in X.value[:, k].tolist())
        is_level = is_level or (column.kind == "codes" and X.storage in CATEGORIES)
        places += [k] * is_level
    return places


def _read_kind(X: Part, k: int) -> str | None:
    return X.read_kind(k) if isinstance(X, FramePart) else read_kind(X.value[:, k].tolist())


def _get_fitted_kinds(estimator) -> list[str | None] | None:
    """Return the kinds of the columns that a network was trained with."""
    networks = getattr(estimator, "estimators_", [estimator])
    encoder = getattr(networks[0], "_encoder", None)
    if encoder is None:
        return None
    kinds = iter([category.level_type for category in encoder.categories])
    return [next(kinds) if is_category else NUMBER for is_category in encoder.is_category]


def _find_other_kinds(kinds: list[str | None] | None, X: Part) -> list[Fault]:
    """Return the faults of a table that has other kinds of columns than in training."""
    if X.state is not State.SOUND or kinds is None or len(kinds) != X.value.shape[1]:
        return []
    if X.storage in SPARSE:
        return [Fault(True, CATEGORICAL)] * any(kind is not NUMBER for kind in kinds)
    numbers = [k for k, kind in enumerate(kinds) if kind is NUMBER]
    faults = _find_texts_among_numbers(numbers, X)
    for k, kind in enumerate(kinds):
        found = _read_kind(X, k)
        is_same = found == kind or {found, kind} <= {"numbers", "booleans"}
        is_known = kind not in (None, NUMBER) and found is not None
        faults += [Fault(True, TABLE)] * (is_known and not is_same)
    return faults


def _find_texts_among_numbers(places: list[int], X: Part) -> list[Fault]:
    """Return the faults of texts in columns that have to be numbers."""
    faults = []
    for k in places if isinstance(X, FramePart) else []:
        faults += [Fault(True, CATEGORICAL)] * (X.read_kind(k) == "strings")
        # Missing cells of columns that are declared to hold texts, and numbers that are declared
        # to be levels, may or may not pass for numbers.
        is_declared = X.schema[k].kind == "strings" or X.storage in CATEGORIES
        faults += [Fault(False, CATEGORICAL)] * is_declared
    return faults


def _is_all_missing(X: Part) -> bool:
    """Whether no cell has a value."""
    if X.value.dtype.kind not in "biufO":
        return False
    is_frame = isinstance(X, FramePart)
    missing = is_missing(X.value) if is_frame else np.isnan(X.get_numbers())
    return bool(missing.all())


def _find_other_task(situation: Situation, call: Call, y: Part) -> list[Fault]:
    """Return the faults of a target that the fitted network does not have."""
    estimator = situation.estimator
    n_columns = y.value.shape[1] if y.value.ndim == 2 else 1
    if not situation.is_classifier:
        faults = [Fault(True, TARGET + "|layers|outputs")] * (n_columns != estimator.n_outputs_)
        loss = REGRESSION_LOSSES.get(estimator.loss if isinstance(estimator.loss, str) else "")
        if loss is not None and loss.link.name != estimator.out_activation_:
            faults.append(Fault(True, "loss"))
        return faults
    was_indicator = estimator.out_activation_ == "logistic" and estimator.n_outputs_ > 1
    if is_indicator(y) != was_indicator:
        return [Fault(True, TARGET)]
    if was_indicator:
        return [Fault(True, TARGET)] * (n_columns != estimator.n_outputs_)
    known, labels = set(estimator.classes_.tolist()), find_labels(y)
    wrong = not labels <= known if call.method == "partial_fit" else labels != known
    return [Fault(True, TARGET)] * wrong


def _find_faults_of_classes(situation: Situation, call: Call) -> list[Fault]:
    if not situation.is_classifier:
        return []
    y, classes = call.arguments["y"], call.arguments.get("classes")
    known = getattr(situation.estimator, "classes_", None)
    if classes is None:
        return [Fault(True, "classes")] if known is None else []
    if classes.state is not State.SOUND:
        return [Fault(False, "class")]
    faults = []
    values = np.unique(classes.value)
    if known is not None and set(values.tolist()) != set(known.tolist()):
        faults.append(Fault(True, "class"))
    elif known is not None and values.dtype != known.dtype:
        faults.append(Fault(False, "class"))
    if y.state is State.SOUND and not is_indicator(y):
        faults += [Fault(True, TARGET)] * (not find_labels(y) <= set(values.tolist()))
    return faults


def _find_faults_of_held_out(situation: Situation, call: Call) -> list[Fault]:
    arguments = call.arguments
    if "y_val" not in arguments:
        return [Fault(True, "y_val|X_val")]
    X_val, y_val = arguments["X_val"], arguments["y_val"]
    weight, X, y = arguments["sample_weight_val"], arguments["X"], arguments["y"]
    used = _drop_rows_without_weight(X, arguments["sample_weight"])
    used_val = _drop_rows_without_weight(X_val, weight)
    faults = _of_state(used_val, TABLE) + _of_state(y_val, TARGET) + _of_state(weight, WEIGHT)
    if not situation.is_on("early_stopping"):
        faults.append(Fault(True, "early_stopping"))
    if situation.estimator.validation_scoring != "loss":
        faults.append(Fault(False, "validation_scoring"))
    if State.SOUND == X.state == X_val.state and X.value.shape[1] != X_val.value.shape[1]:
        faults.append(Fault(True, TABLE))
    if not _is_continued(situation, call):
        faults += _find_other_kinds(_resolve_kinds(situation, used), used_val)
    else:
        faults += _find_other_kinds(_get_fitted_kinds(situation.estimator), used_val)
    if X_val.state is State.SOUND and not situation.is_on("standardize"):
        # Larger ones are clipped: they decide nothing but the epoch.
        faults += [Fault(False, TABLE)] * (get_largest(X_val) > MAX_INPUT)
    if State.SOUND == y.state == y_val.state:
        faults += _find_other_held_out_task(situation, y, y_val)
    return faults


def _find_other_held_out_task(situation: Situation, y: Part, y_val: Part) -> list[Fault]:
    columns = [part.value.shape[1] if part.value.ndim == 2 else 1 for part in (y, y_val)]
    if not situation.is_classifier:
        faults = [Fault(True, TARGET)] * (columns[0] != columns[1])
        return faults + _find_negative_counts(situation, y_val, "loss|y_val|y")
    if is_indicator(y) != is_indicator(y_val) or (is_indicator(y) and columns[0] != columns[1]):
        return [Fault(True, TARGET)]
    if is_indicator(y):
        return []
    return [Fault(True, TARGET)] * (not find_labels(y_val) <= find_labels(y))


def _find_faults_of_search(situation: Situation, call: Call) -> list[Fault]:
    """Folds may lack rows, weights, classes or spread, and scorers may fail."""
    y, weight = call.arguments["y"], call.arguments["sample_weight"]
    is_plain = len(y.value) >= 20 if isinstance(y.value, np.ndarray) else False
    is_plain = is_plain and weight.value is None and situation.estimator.scoring in ("loss", None)
    is_plain = is_plain and not situation.is_classifier
    X = call.arguments["X"]  # a fold may have no values, or other columns
    is_plain = is_plain and not isinstance(X, FramePart) and "missing" not in X.kind
    rate = situation.estimator.learning_rate_init  # a large one may diverge in every fold
    is_plain = is_plain and isinstance(rate, numbers.Real) and float(rate) < 10
    is_plain = is_plain and situation.is_on("standardize")  # large columns may do so, too
    return [] if is_plain else [Fault(False, "cv|split|fold|class|scor|refit|weight|finite")]


# -- predictions -------------------------------------------------------------------------------


def _find_faults_of_use(situation: Situation, call: Call) -> list[Fault]:
    estimator = situation.estimator
    names = ("coefs_", "best_estimator_", "estimators_")
    if not any(hasattr(estimator, name) for name in names):
        return [Fault(True, "fit")]
    X = call.arguments["X"]
    faults = _of_state(X, CATEGORICAL) + _find_other_columns(situation, X)
    faults += _find_other_kinds(_get_fitted_kinds(estimator), X)
    if call.method == "score":
        return [*faults, Fault(False, ANYTHING)]
    if call.method != "mc_dropout":
        return faults
    n_samples = call.arguments["n_samples"]
    if not isinstance(n_samples, numbers.Integral) or n_samples < 1:
        faults.append(Fault(True, "n_samples"))
    of_parameters = situation.find_faults()
    for _, name in of_parameters:  # others need not be read
        is_certain = situation.states[name] is State.BROKEN
        faults.append(Fault(is_certain and name in ("dropout", "input_dropout"), name))
    if not {"dropout", "input_dropout"} & {name for _, name in of_parameters}:
        rates = np.r_[np.ravel(estimator.dropout), estimator.input_dropout].astype(float)
        if estimator.n_layers_ == 2:
            rates = rates[-1:]
        faults += [Fault(True, "dropout")] * (not rates.any())
    return faults
