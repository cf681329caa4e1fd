"""Why a call of a random case has to fail, or may: its faults, each with the words for it."""

from __future__ import annotations

import numbers
import re
from typing import Any, NamedTuple

import numpy as np
from fuzz.cases import Call
from fuzz.tables import Part, State, get_largest
from fuzz.targets import find_labels, is_indicator

from skreg._data.scaling import LARGEST_INPUT
from skreg._nn.losses import REGRESSION_LOSSES

# scikit-learn says of complex numbers in any array: "Complex data not supported".
TABLE = (
    r"\bX\b|X_val|[Ff]eature|column|sample\(s\)|Found array|2D|[Dd]im|numbers of samples|sparse"
    r"|Complex data"
)
TARGET = r"\by\b|y_val|[Ll]abel|target|class|samples|0 sample\(s\)"
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
        faults = situation.find_faults() + _find_faults_of_rows(situation, call)
        if situation.is_search:
            faults += _find_faults_of_search(situation, call)
        return faults
    if call.method in ("set_params", "pickle", "deepcopy", "clone"):
        return []
    return _find_faults_of_use(situation, call)


# -- fit ---------------------------------------------------------------------------------------


def _is_continued(situation: Situation, call: Call) -> bool:
    is_warm = call.method == "partial_fit" or situation.is_on("warm_start")
    return is_warm and hasattr(situation.estimator, "coefs_")


def _of_state(part: Part, words: str) -> list[Fault]:
    return [] if part.state is State.SOUND else [Fault(part.state is State.BROKEN, words)]


def _find_faults_of_rows(situation: Situation, call: Call) -> list[Fault]:
    X, y, weight = (call.arguments[name] for name in ("X", "y", "sample_weight"))
    faults = _of_state(X, TABLE) + _of_state(y, TARGET) + _of_state(weight, WEIGHT)
    if X.state is State.SOUND and not situation.is_on("standardize"):
        faults += [Fault(True, TABLE)] * (get_largest(X) > LARGEST_INPUT)
    if not situation.is_classifier and y.state is State.SOUND:
        faults += _find_negative_counts(situation, y, "loss|y")
    if _is_continued(situation, call):
        faults += _find_other_columns(situation, X)
        if y.state is State.SOUND:
            faults += _find_other_task(situation, call, y)
        elif y.state is State.OPEN:
            faults.append(Fault(False, "layers"))
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
    if not known or REGRESSION_LOSSES[loss].least_target < 0:
        return []
    return [Fault(True, words)] * bool((y.value.astype(np.float64) < 0).any())


def _find_other_columns(situation: Situation, X: Part) -> list[Fault]:
    expected = getattr(situation.estimator, "n_features_in_", None)
    if X.state is not State.SOUND or expected in (None, X.value.shape[1]):
        return []
    return [Fault(True, TABLE + "|layers")]


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
    faults = _of_state(X_val, TABLE) + _of_state(y_val, TARGET) + _of_state(weight, WEIGHT)
    if not situation.is_on("early_stopping"):
        faults.append(Fault(True, "early_stopping"))
    if situation.estimator.validation_scoring != "loss":
        faults.append(Fault(False, "validation_scoring"))
    if State.SOUND == X.state == X_val.state and X.value.shape[1] != X_val.value.shape[1]:
        faults.append(Fault(True, TABLE))
    if X_val.state is State.SOUND and not situation.is_on("standardize"):
        # Larger ones are clipped: they decide nothing but the epoch.
        faults += [Fault(False, TABLE)] * (get_largest(X_val) > LARGEST_INPUT)
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
    faults = _of_state(X, TABLE) + _find_other_columns(situation, X)
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
