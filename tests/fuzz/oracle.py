"""Runs a random case, and returns what is wrong: errors, results, and bits that differ."""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import re
import traceback
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from fuzz.cases import Call, Case, make_case
from fuzz.compare import find_differences, flatten
from fuzz.expectations import Fault, Situation, encodes_numbers, find_faults
from fuzz.frames import FramePart
from fuzz.graphs import check_graph
from fuzz.results import check_fitted, check_result
from fuzz.tables import Part, choose_other_storage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skreg

_FORBIDDEN_WARNINGS = (RuntimeWarning, DeprecationWarning, FutureWarning, SyntaxWarning)
# Metrics of scikit-learn warn of overflows of their own.
# A metric sums in the type of y, as NumPy does: in `score`, and in the fit of a search by a metric.
_FOREIGN_IN_SCORE = re.compile(r"numpy")
_FOREIGN = re.compile(r"sklearn.metrics|sklearn.utils.(validation|extmath|_array_api)|scipy.sparse")
VARIANTS = ("repeated", "permuted", "stored otherwise")


class Violation(NamedTuple):
    """Something that is wrong.

    Attributes
    ----------
    kind : str
        Equal for violations of, very likely, one cause.
    number : int
        Of the case.
    detail : str
        The call, and a traceback or the paths that differ.
    """

    kind: str
    number: int
    detail: str


@dataclass
class Outcome:
    """What a call did.

    Attributes
    ----------
    error : str or None
        Type of its error.
    result, fitted : dict
        What it returned, and the estimator afterwards.
    arguments : str
        What was handed over, for reports.
    """

    error: str | None
    result: dict[str, object]
    fitted: dict[str, object]
    arguments: str = ""


def run_case(case: Case | int) -> list[Violation]:
    """Run a case as it is, repeated, with permuted rows and stored otherwise."""
    case = make_case(case) if isinstance(case, int) else case
    run = _Run(case, None)
    outcomes = run.run()
    for variant in VARIANTS:
        if variant == "permuted" and case.is_search:  # folds depend on the order
            continue
        others = _Run(case, variant).run()
        run.violations += _compare(case, variant, outcomes, others)
    return run.violations


def _compare(case: Case, variant: str, outcomes, others) -> list[Violation]:
    """Return the first call whose outcome differs."""
    for k, (one, other) in enumerate(zip(outcomes, others, strict=True)):
        call = case.calls[k]
        # Converters of other storages may raise the other one of the two.
        are_refused = {one.error, other.error} <= {"TypeError", "ValueError"}
        if one.error != other.error and not are_refused:
            paths = [f"{one.error or 'success'}, then {other.error or 'success'}"]
        else:
            paths = find_differences(one.result, other.result)
            paths += find_differences(one.fitted, other.fitted)
        if paths:
            detail = f"call {k}, {call}\nthen {other.arguments}\n{', '.join(paths[:12])}"
            return [Violation(f"other bits of {call.method} when {variant}", case.number, detail)]
    return []


class _Run:
    """One run through the calls of a case.

    Parameters
    ----------
    case : Case
    variant : str or None
        One of `VARIANTS`; None checks everything else.
    """

    def __init__(self, case: Case, variant: str | None):
        self.case, self.variant = case, variant
        self.rng = np.random.default_rng([1, case.number])
        self.violations: list[Violation] = []
        values = {name: setting.value for name, setting in case.parameters.items()}
        self.estimator = getattr(skreg, case.estimator)(**values)
        self.states = {name: setting.state for name, setting in case.parameters.items()}

    def run(self) -> list[Outcome]:
        return [self._run_call(k, call) for k, call in enumerate(self.case.calls)]

    def _report(self, kind: str, k: int, detail: str) -> None:
        call = self.case.calls[k]
        self.violations.append(Violation(kind, self.case.number, f"call {k}, {call}\n{detail}"))

    def _run_call(self, k: int, call: Call) -> Outcome:
        if call.method in ("set_params", "pickle", "deepcopy", "clone"):
            self._change(call)
            return Outcome(None, {}, {})
        parts = self._vary(call)
        arguments = {n: p.store() if isinstance(p, Part) else p for n, p in parts.items()}
        case = self.case
        situation = Situation(self.estimator, self.states, case.is_classifier, case.is_search)
        checks = self.variant is None
        faults = find_faults(situation, call) if checks else []
        before = flatten(vars(self.estimator))
        inputs = flatten(arguments) if checks else {}
        error, result = self._call(k, call, arguments)
        after = flatten(vars(self.estimator))
        if checks:
            self._check_error(k, call, error, faults)
            if error is not None or call.method not in ("fit", "partial_fit"):
                self._check_unchanged(k, "the estimator", call, error, before, after)
            self._check_unchanged(k, "its inputs", call, error, inputs, flatten(arguments))
            if error is None:
                self._check_success(k, call, arguments, result)
        if error is not None:
            return Outcome(type(error).__name__, {}, after, str(parts))
        result = {} if result is self.estimator else flatten(result, "result")
        return Outcome(None, result, after, str(parts))

    def _change(self, call: Call) -> None:
        """Set parameters or copy the estimator."""
        if call.method == "set_params":
            for name, setting in call.arguments.items():
                self.estimator.set_params(**{name: setting.value})
                self.states[name] = setting.state
        elif call.method == "pickle":
            self.estimator = pickle.loads(pickle.dumps(self.estimator))
        elif call.method == "deepcopy":
            self.estimator = copy.deepcopy(self.estimator)
        else:
            self.estimator = clone(self.estimator)

    def _vary(self, call: Call) -> dict[str, Any]:
        """Return the arguments of this variant."""
        arguments = dict(call.arguments)
        if self.variant == "permuted" and call.method in ("fit", "partial_fit"):
            arguments = self._permute(arguments)
        if self.variant == "stored otherwise":
            for name, part in arguments.items():
                if isinstance(part, FramePart):
                    arguments[name] = part.choose_other_storage(self.rng)
                elif isinstance(part, Part):
                    is_column = name not in ("X", "X_val")
                    is_dense = self._may_have_categories() or encodes_numbers(self.estimator)
                    arguments[name] = choose_other_storage(self.rng, part, is_column, is_dense)
        return arguments

    def _may_have_categories(self) -> bool:
        """Whether columns are selected as categories, or data frames have some."""
        parts = (part for call in self.case.calls for part in call.arguments.values())
        selection = self.estimator.get_params().get("categorical_features")
        is_selected = (
            not isinstance(selection, str) and np.size(selection) and selection is not None
        )
        return bool(is_selected) or any(isinstance(part, FramePart) for part in parts)

    def _permute(self, arguments: dict) -> dict:
        names = ("X", "y", "sample_weight")
        parts = [arguments[name] for name in names if arguments[name].value is not None]
        sizes = {len(part.value) if isinstance(part.value, np.ndarray) else -1 for part in parts}
        if len(sizes) != 1 or sizes == {-1}:
            return arguments
        order = self.rng.permutation(sizes.pop())
        return arguments | {
            name: arguments[name].take(order) for name in names if arguments[name].value is not None
        }

    def _call(self, k: int, call: Call, arguments: dict):
        """Return the error of a call and its result, and report forbidden warnings."""
        error = result = None
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("always")
            try:
                result = getattr(self.estimator, call.method)(**arguments)
            except Exception as raised:
                error = raised
        if self.variant is None:
            for warning in caught:
                where = warning.filename.replace("/", ".")
                is_foreign = _FOREIGN.search(where) or (
                    self._calls_metric(call) and _FOREIGN_IN_SCORE.search(where)
                )
                if issubclass(warning.category, _FORBIDDEN_WARNINGS) and not is_foreign:
                    place = f"{warning.filename.rpartition('/')[2]}"
                    kind = f"{call.method} warns of {warning.category.__name__} in {place}"
                    self._report(kind, k, f"{warning.message} (line {warning.lineno})")
        return error, result

    def _calls_metric(self, call: Call) -> bool:
        scoring = getattr(self.estimator, "scoring", "loss")
        return call.method == "score" or (call.method == "fit" and scoring != "loss")

    # -- checks ---------------------------------------------------------------------------------

    def _check_error(self, k: int, call: Call, error, faults: list[Fault]) -> None:
        certain = sorted({fault.words for fault in faults if fault.is_certain})
        if error is None:
            if certain:
                self._report(f"{call.method} accepts what is invalid", k, f"faults: {certain}")
            return
        trace = "".join(traceback.format_exception(error))
        name, place = type(error).__name__, find_place(error)
        if call.method == "score" and isinstance(error, ArithmeticError) and faults:
            return  # of a metric that converts y
        if "fuzz/parameters.py" in place:
            return  # of a scorer of the user
        if not isinstance(error, (ValueError, TypeError, NotFittedError)):
            self._report(f"{call.method} raises {name} in {place}", k, trace)
        elif "tensorflow" in place or "keras" in place:
            self._report(f"{call.method} raises {name} of TensorFlow", k, trace)
        elif not faults:
            self._report(f"{call.method} refuses what is valid, in {place}", k, trace)
        elif not any(re.search(fault.words, _read_message(error)) for fault in faults):
            words = sorted({fault.words for fault in faults})
            kind = f"{call.method} blames something else, in {place}"
            self._report(kind, k, f"{trace}\nexpected one of {words}")

    def _check_unchanged(self, k, what, call, error, before, after) -> None:
        paths = find_differences(before, after)
        if paths:
            how = "when it fails" if error is not None else "when it succeeds"
            self._report(f"{call.method} changes {what} {how}", k, f"{paths[:12]}\n{error!r}")

    def _check_graph(self, call: Call, arguments: dict, result) -> list[str]:
        """Return what is wrong with the ONNX graph, in every third case."""
        is_predicted = call.method == ("predict_proba" if self.case.is_classifier else "predict")
        if not is_predicted or self.case.number % 3:
            return []
        try:
            return check_graph(self.estimator, arguments["X"], result)
        except Exception as error:
            return [f"the graph fails in {find_place(error)}: {error!r}"]

    def _check_success(self, k: int, call: Call, arguments: dict, result) -> None:
        if call.method in ("fit", "partial_fit"):
            problems = check_fitted(self.estimator)
            if result is not self.estimator:
                problems.append("returns something else")
        else:
            problems = check_result(self.estimator, self.case.is_classifier, call, result)
            problems += self._check_graph(call, arguments, result)
        for problem in problems:
            kind = re.sub(r"\b\d[\d.e+-]*", "#", problem)
            self._report(f"{call.method}: {kind}", k, problem)


def _read_message(error: BaseException) -> str:
    """Return the message of an error with its notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def find_place(error: BaseException) -> str:
    """Return the innermost function of a traceback, with its folder and file."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{'/'.join(frame.filename.split('/')[-2:])} {frame.name}"
