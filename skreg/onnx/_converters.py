"""The converters of the four estimators, and their registration with skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._model_selection.estimators import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg._nn.links import log_shares
from skreg._nn.network import Scaling
from skreg.onnx._columns import add_table, find_input_columns, find_tokens
from skreg.onnx._graph import Graph
from skreg.onnx._network import (
    add_average,
    add_inputs,
    add_logits,
    add_output_scaling,
    add_predictions,
    clip_to_dtype,
)

CLASSIFIERS: tuple[type, ...] = (RegularizedMLPClassifier, RegularizedMLPClassifierCV)
REGRESSORS: tuple[type, ...] = (RegularizedMLPRegressor, RegularizedMLPRegressorCV)


def register_converters() -> None:
    """Register a converter for each estimator."""
    for estimator in CLASSIFIERS:
        update_registered_converter(
            estimator,
            f"Skreg{estimator.__name__}",
            set_class_types,
            convert_classifier,
            parser=parse_classifier,
            overwrite=True,
            # CalibratedClassifierCV asks for raw scores. A pipeline sets "zipmap" to True, but
            # probabilities are one tensor here whatever it is.
            options={"raw_scores": [False, True], "zipmap": [False, True]},
        )
    for estimator in REGRESSORS:
        update_registered_converter(
            estimator,
            f"Skreg{estimator.__name__}",
            set_regression_types,
            convert_regressor,
            parser=parse_regressor,
            overwrite=True,
        )


# -- types of the outputs ------------------------------------------------------------------------


def parse_classifier(scope, model, inputs, custom_parsers=None) -> list:
    """Declare the outputs "label" and "probabilities"."""
    operator = scope.declare_local_operator(f"Skreg{type(model).__name__}", model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    operator.outputs.append(scope.declare_local_variable("probabilities", FloatTensorType()))
    set_class_types(operator)
    return operator.outputs


def parse_regressor(scope, model, inputs, custom_parsers=None) -> list:
    """Declare the output "variable"."""
    operator = scope.declare_local_operator(f"Skreg{type(model).__name__}", model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("variable", FloatTensorType()))
    set_regression_types(operator)
    return operator.outputs


def set_class_types(operator) -> None:
    """Set types and shapes of labels and probabilities."""
    model = operator.raw_operator
    check_is_fitted(model)
    label, probabilities = operator.outputs
    n_columns = len(model.classes_)
    if model._is_multilabel:
        label.type = Int64TensorType([None, n_columns])
    else:
        label.type = _choose_label_type(model.classes_)([None])
    probabilities.type = _choose_number_type(operator.inputs)([None, n_columns])


def set_regression_types(operator) -> None:
    """Set type and shape of the predicted numbers."""
    model = operator.raw_operator
    check_is_fitted(model)
    operator.outputs[0].type = _choose_number_type(operator.inputs)([None, model.n_outputs_])


def _choose_number_type(inputs) -> type:
    """Return the type of predictions: float64 if an input is, else float32."""
    is_wide = any(isinstance(variable.type, DoubleTensorType) for variable in inputs)
    return DoubleTensorType if is_wide else FloatTensorType


def _choose_label_type(classes: np.ndarray) -> type:
    types = {
        "i": Int64TensorType,
        "u": Int64TensorType,
        "f": DoubleTensorType,
        "b": BooleanTensorType,
    }
    return types.get(classes.dtype.kind, StringTensorType)


# -- nodes ---------------------------------------------------------------------------------------


def convert_classifier(scope, operator, container) -> None:
    """Add the nodes of a classifier."""
    graph, model = Graph(scope, container), operator.raw_operator
    label, probabilities = operator.outputs
    members = _add_members(graph, operator)
    weights = model._get_network_weights().astype(np.float32)
    if weights.ndim == 2 and not model._is_multilabel:
        average = _add_class_average(graph, model, members, weights)
    else:
        predictions = [add_predictions(graph, *member) for member in members]
        average = add_average(graph, predictions, weights)
    if model._is_multilabel:
        labels = graph.cast(graph.add("Greater", average, np.float32(0.5)), np.int64)
    else:
        codes = graph.add("ArgMax", average, axis=1, keepdims=0)
        labels = graph.add("Gather", _read_labels(model.classes_), codes, axis=0)
    if container.get_options(model, {"raw_scores": False})["raw_scores"]:
        average = _add_scores(graph, model, members, average)
    graph.set_output(label, labels)
    graph.set_output(probabilities, graph.cast(average, _find_dtype(probabilities)))


def _add_class_average(graph: Graph, model, members: list[tuple], weights: np.ndarray) -> str:
    """Add the means of the networks that know each class, divided by their sum.

    By logarithms, since a mean may be below float32.
    """
    # Of one logit z, the scores are -z and z, which are twice the logits of both classes.
    factor = np.float32(0.5 if model._is_binary else 1.0)
    terms = []
    for member, log_weights in zip(members, log_shares(weights), strict=True):
        scores = model._link.add_scores_to_onnx(graph, add_logits(graph, *member), model.n_outputs_)
        logits = graph.add("Mul", scores, factor)
        terms.append(graph.add("Add", graph.add("LogSoftmax", logits, axis=1), log_weights))
    largest = graph.add("Max", *terms)
    ratios = [graph.add("Exp", graph.add("Sub", term, largest)) for term in terms]
    total = graph.add("Add", largest, graph.add("Log", graph.add("Sum", *ratios)))
    return graph.add("Softmax", total, axis=1)


def _add_scores(graph: Graph, model, members: list[tuple], average: str) -> str:
    """Add what `decision_function` returns, with a column for each of two classes."""
    if len(members) > 1:
        return model._link.invert_in_onnx(graph, average)
    return model._link.add_scores_to_onnx(graph, add_logits(graph, *members[0]), model.n_outputs_)


def convert_regressor(scope, operator, container) -> None:
    """Add the nodes of a regressor."""
    graph, model = Graph(scope, container), operator.raw_operator
    (variable,) = operator.outputs
    networks = model._get_networks()
    scalings = [Scaling(network.target_center_, network.target_scale_) for network in networks]
    dtype = _find_dtype(variable)
    predictions = [
        add_output_scaling(graph, scaling, add_predictions(graph, *member), dtype)
        for scaling, member in zip(scalings, _add_members(graph, operator), strict=True)
    ]
    average = add_average(graph, predictions, model._get_network_weights())
    if len(predictions) > 1:  # rounding may take it beyond the largest number
        average = clip_to_dtype(graph, average, dtype)
    graph.set_output(variable, graph.cast(average, dtype))


def _add_members(graph: Graph, operator) -> list[tuple]:
    """Add what enters the first layers, once for all networks that have it alike.

    Return the networks, each with the name of its inputs.
    """
    networks = operator.raw_operator._get_networks()
    columns = find_input_columns(operator.inputs, networks[0].n_features_in_)
    tokens = find_tokens([estimator._encoder for estimator in networks])
    tables: dict[Any, str] = {}
    inputs: dict[Any, str] = {}
    members = []
    for estimator in networks:
        encoder, network = estimator._encoder, estimator._network
        encoded = None if encoder is None else encoder.key
        if encoded not in tables:
            tables[encoded] = add_table(graph, columns, encoder, tokens)
        key = encoded, network.inputs_key
        if key not in inputs:
            inputs[key] = add_inputs(graph, network, tables[encoded])
        members.append((network, inputs[key]))
    return members


def _read_labels(classes: np.ndarray) -> np.ndarray:
    """Return labels of a type that ONNX has."""
    dtype_kind = classes.dtype.kind
    if dtype_kind in "biuf":
        return classes.astype({"b": bool, "f": np.float64}.get(dtype_kind, np.int64))
    labels = classes.tolist()
    if not all(isinstance(label, str) for label in labels):
        raise ValueError(
            "to_onnx: expected labels that are numbers, strings or booleans, as ONNX has them; "
            f"received {classes[:3]!r}."
        )
    return np.array(labels, dtype=object)


def _find_dtype(variable) -> type:
    return np.float64 if isinstance(variable.type, DoubleTensorType) else np.float32
