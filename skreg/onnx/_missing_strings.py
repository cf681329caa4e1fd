"""Which string stands for a missing one, in a graph that has steps of scikit-learn, too.

ONNX has no missing strings. The nodes of skreg take the token of `choose_tokens` for one. skl2onnx
writes the missing level of an encoder as ``str(None)`` or ``str(nan)``. So it depends on what reads
an input.
"""

from __future__ import annotations

from collections.abc import Iterator

from onnx import TensorProto
from sklearn.base import BaseEstimator
from sklearn.preprocessing import OrdinalEncoder

from skreg._data.columns import choose_tokens
from skreg._estimators.frames import is_missing
from skreg.onnx._graph import NODE_PREFIX

_LEVELS = "cats_strings", "keys_strings"  # attributes of the nodes that read levels


def check_ordinal_encoders(estimator) -> None:
    """Raise a ValueError if a step encodes missing values as NaN, which skl2onnx does not."""
    for step in _iterate_estimators(estimator):
        if isinstance(step, OrdinalEncoder) and is_missing(step.encoded_missing_value):
            if any(is_missing(level) for levels in _read_categories(step) for level in levels):
                raise ValueError(
                    "to_onnx: expected an OrdinalEncoder with a number as encoded_missing_value, "
                    "since skl2onnx cannot write NaN for missing values; received "
                    f"{step.encoded_missing_value!r}."
                )


def find_tokens_of_inputs(graph, estimator) -> dict[str, tuple[str, str] | None]:
    """Return, by the name of each input of strings, what stands for missing and unknown ones.

    None if those who read the input do not agree.
    """
    missing_levels = {
        str(level)
        for step in _iterate_estimators(estimator)
        for levels in _read_categories(step)
        for level in levels
        if is_missing(level)
    }
    tokens: dict[str, tuple[str, str] | None] = {}
    for graph_input in graph.graph.input:
        if graph_input.type.tensor_type.elem_type != TensorProto.STRING:
            continue
        levels: set[str] = set()
        missing: set[str] = set()
        for is_own, read in _iterate_readers(graph.graph.node, graph_input.name):
            levels.update(read)
            missing.update(read[-1:] if is_own else missing_levels.intersection(read))
        default, other = choose_tokens(levels)
        tokens[graph_input.name] = (
            None if len(missing) > 1 else (missing.pop() if missing else default, other)
        )
    return tokens


def _iterate_readers(nodes, name: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield whether a node is of skreg, and its levels, for all that read a tensor of strings."""
    found, waiting = {name}, [name]
    while waiting:
        tensor = waiting.pop()
        for node in nodes:
            if tensor not in node.input:
                continue
            strings = [a.strings for a in node.attribute if a.name in _LEVELS and a.strings]
            if strings:
                yield (
                    node.name.startswith(NODE_PREFIX),
                    [level.decode() for level in strings[0]],
                )
            else:  # it may pass the strings on
                waiting += [output for output in node.output if output not in found]
                found.update(node.output)


def _iterate_estimators(estimator) -> Iterator[BaseEstimator]:
    """Yield an estimator and all that are fitted within it."""
    if isinstance(estimator, BaseEstimator):
        yield estimator
        parts = list(vars(estimator).values())
    elif isinstance(estimator, dict):
        parts = list(estimator.values())
    else:
        parts = list(estimator) if isinstance(estimator, (list, tuple)) else []
    for part in parts:
        yield from _iterate_estimators(part)


def _read_categories(step) -> list:
    """Return the levels of each column of a fitted encoder."""
    return getattr(step, "categories_", [])
