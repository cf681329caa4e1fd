"""ONNX graphs of random cases: they predict what the estimators predict."""

from __future__ import annotations

import numpy as np
from onnxruntime import InferenceSession

from skreg.onnx import make_inputs, to_onnx

_TOLERANCE = 1e-5  # of a probability, or of the largest number


def check_graph(estimator, table, result: np.ndarray) -> list[str]:
    """Return how the graph of an estimator differs from a prediction.

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
    unit = 1.0 if hasattr(estimator, "predict_proba") else np.abs(expected).max() or 1.0
    largest = np.abs(found / unit - expected / unit).max()
    return [] if largest <= _TOLERANCE else [f"the graph differs by {largest:.0e}"]
