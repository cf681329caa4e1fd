"""ONNX graphs of random cases: they predict what the estimators predict."""

from __future__ import annotations

from contextlib import ExitStack
from unittest import mock

import numpy as np
from onnxruntime import InferenceSession

from skreg.onnx import make_inputs, to_onnx

_TOLERANCE = 1e-5  # of a probability, or of the largest number of an output
_FLOAT32 = np.finfo(np.float32)
_CHOOSE_PRECISION = (
    "skreg._estimators.base.choose_precision",
    "skreg._model_selection.members.choose_precision",
)


def check_graph(estimator, table, result: np.ndarray) -> list[str]:
    """Return how the graph of an estimator differs from a prediction.

    The layers of a graph are in float32. Where float32 changes the estimator's own predictions, as
    after a warm start on columns of another magnitude, it may change the graph's.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    table : table
        What `predict_proba` or `predict` received.
    result : ndarray
        Of `predict_proba` of a classifier, or of `predict` of a regressor.
    """
    session = InferenceSession(to_onnx(estimator, table).SerializeToString())
    found = session.run(None, make_inputs(session, table))[-1]
    expected = result.reshape(len(result), -1)
    if found.shape != expected.shape:
        return [f"the graph predicts the shape {found.shape} instead of {expected.shape}"]
    if not np.isfinite(found).all():
        return ["the graph predicts numbers that are not finite"]
    if not all(_has_usual_scales(network) for network in estimator._get_networks()):
        return []
    units = np.ones(expected.shape[1])
    if not hasattr(estimator, "predict_proba"):
        # Either may be float32 where the other is float64: graphs without float64 columns predict
        # float32, and those with levels that need float64 predict float64.
        limits = min(np.finfo(found.dtype), np.finfo(result.dtype), key=lambda limits: limits.max)
        expected, found = (np.clip(v, -limits.max, limits.max) for v in (expected, found))
        if estimator.out_activation_ == "exp":
            return _compare_means(expected, found, _predict_in_float32(estimator, table, units))
        units = np.abs(expected).max(axis=0)
        # onnxruntime leaves out the addition of a constant that float32 takes for 0.
        found = np.where(units < _FLOAT32.tiny, expected, found)
        units[units == 0] = 1
    rounded = _predict_in_float32(estimator, table, units).reshape(expected.shape)
    return _compare(expected / units, found / units, rounded)


def _compare_means(expected, found, rounded) -> list[str]:
    """Compare means of counts, of which float32 has as many digits as their logarithms have."""
    rounded = rounded.reshape(expected.shape)
    is_held = (_FLOAT32.tiny <= rounded) & (rounded < _FLOAT32.max)
    rounded = np.where(is_held, rounded, expected)  # others say nothing about the rounding
    least = np.finfo(expected.dtype).tiny
    logs = [np.log(np.maximum(values, least)) for values in (expected, found, rounded)]
    unit = np.abs(logs[0]).max() or 1.0
    return _compare(*(log / unit for log in logs))


def _compare(expected, found, rounded) -> list[str]:
    expected = expected.astype(np.float64)
    differences = np.abs(found - expected).max(axis=0)
    # The graph sums in another order, so its rounding may be some times that of the estimator.
    allowed = _TOLERANCE + 4 * np.abs(rounded - expected).max(axis=0)
    if (differences <= allowed).all():
        return []
    return [f"the graph differs by {differences.max():.0e}"]


def _has_usual_scales(network) -> bool:
    """Return whether columns are far from the ends of float64.

    There NumPy takes a difference that overflows in halves, and the graph clips it.
    """
    scales = np.ones(1) if network.scale_ is None else network.scale_
    return bool((1e-300 < scales).all() and (scales < 1e300).all())


def _predict_in_float32(estimator, table, units: np.ndarray) -> np.ndarray:
    """Return predictions over units, which bring targets into the range of float32."""
    with ExitStack() as stack:
        for name in _CHOOSE_PRECISION:
            stack.enter_context(mock.patch(name, return_value=np.float32))
        if hasattr(estimator, "predict_proba"):
            return estimator.predict_proba(table)
        for network in estimator._get_networks():
            center, scale = network.target_center_ / units, network.target_scale_ / units
            changes = {"target_center_": center, "target_scale_": scale}
            stack.enter_context(mock.patch.multiple(network, **changes))
        return estimator.predict(table)
