"""ONNX graphs of random cases: they predict what the estimators predict."""

from __future__ import annotations

from unittest import mock

import numpy as np
from onnxruntime import InferenceSession

from skreg.onnx import make_inputs, to_onnx

_TOLERANCE = 1e-5  # of a probability, or of the largest number
_CHOOSE_PRECISION = (
    "skreg._estimators.base.choose_precision",
    "skreg._model_selection.members.choose_precision",
)


def check_graph(estimator, table, result: np.ndarray) -> list[str]:
    """Return how the graph of an estimator differs from a prediction.

    The layers of a graph are in float32. Where the estimator itself differs in float32, as after a
    warm start on columns of another magnitude, the graph may, too.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    table : table
        What `predict_proba` or `predict` received.
    result : ndarray
        Of `predict_proba` of a classifier, or of `predict` of a regressor.
    """
    if not all(_has_usual_scales(network) for network in estimator._get_networks()):
        return []
    session = InferenceSession(to_onnx(estimator, table).SerializeToString())
    found = session.run(None, make_inputs(session, table))[-1]
    expected = result.reshape(len(result), -1)
    if found.shape != expected.shape:
        return [f"the graph predicts the shape {found.shape} instead of {expected.shape}"]
    rounded = _predict_in_float32(estimator, table).reshape(expected.shape)
    limits = np.finfo(np.float32)
    unit = 1.0
    if not hasattr(estimator, "predict_proba"):
        if estimator.out_activation_ == "exp":  # as many digits as their logarithms have
            expected, found, rounded = (
                np.log(values.clip(limits.tiny, limits.max))
                for values in (expected, found, rounded)
            )
        unit = np.abs(expected).max() or 1.0
        # Graphs of tables without float64 predict float32, and onnxruntime takes smaller constants
        # for 0. The tolerance below would be of no use for such numbers.
        if not limits.tiny <= unit <= limits.max:
            return []
    expected, found, rounded = (values / unit for values in (expected, found, rounded))
    largest = np.abs(found - expected).max()
    allowed = _TOLERANCE + 4 * np.abs(rounded - expected).max()
    return [] if largest <= allowed else [f"the graph differs by {largest:.0e}"]


def _has_usual_scales(network) -> bool:
    """Return whether columns are far from the ends of float64, where the graph rounds otherwise."""
    scales = np.ones(1) if network.scale_ is None else network.scale_
    return bool((1e-300 < scales).all() and (scales < 1e300).all())


def _predict_in_float32(estimator, table) -> np.ndarray:
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    in_base, in_members = (mock.patch(name, return_value=np.float32) for name in _CHOOSE_PRECISION)
    with in_base, in_members:
        return getattr(estimator, method)(table)
