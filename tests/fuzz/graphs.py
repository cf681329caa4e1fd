"""ONNX graphs of random cases: they predict what the estimators predict."""

from __future__ import annotations

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
    rounded = _predict_in_float32(estimator, table).reshape(expected.shape)
    # What float32 cannot hold says nothing about its rounding.
    is_held = (_FLOAT32.tiny <= np.abs(expected)) & (np.abs(expected) <= _FLOAT32.max)
    units = np.ones(expected.shape[1])
    if not hasattr(estimator, "predict_proba"):
        # Either may be float32 where the other is float64: graphs without float64 columns predict
        # float32, and those with levels that need float64 predict float64.
        limits = min(np.finfo(found.dtype), np.finfo(result.dtype), key=lambda limits: limits.max)
        expected, found = (np.clip(v, -limits.max, limits.max) for v in (expected, found))
        if estimator.out_activation_ == "exp":  # as many digits as their logarithms have
            expected, found, rounded = (
                np.log(values.clip(limits.tiny, limits.max))
                for values in (expected, found, rounded)
            )
        units = np.abs(expected).max(axis=0)
        # onnxruntime takes constants below the smallest normal number for 0.
        kept = (units == 0) | (limits.tiny <= units) & (units <= limits.max)
        expected, found, rounded, is_held, units = (
            values[..., kept] for values in (expected, found, rounded, is_held, units)
        )
        units[units == 0] = 1
    expected, found, rounded = (values / units for values in (expected, found, rounded))
    differences = np.abs(found - expected).max(axis=0)
    rounding = np.where(is_held, np.abs(rounded - expected), 0).max(axis=0)
    allowed = _TOLERANCE + 4 * rounding
    if (differences <= allowed).all():
        return []
    return [f"the graph differs by {differences.max():.0e}"]


def _has_usual_scales(network) -> bool:
    """Return whether columns are far from the ends of float64.

    There NumPy takes a difference that overflows in halves, and the graph clips it.
    """
    scales = np.ones(1) if network.scale_ is None else network.scale_
    return bool((1e-300 < scales).all() and (scales < 1e300).all())


def _predict_in_float32(estimator, table) -> np.ndarray:
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    in_base, in_members = (mock.patch(name, return_value=np.float32) for name in _CHOOSE_PRECISION)
    with in_base, in_members:
        return getattr(estimator, method)(table)
