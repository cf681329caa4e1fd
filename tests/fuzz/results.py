"""What every prediction and every fitted network has to be."""

from __future__ import annotations

import numpy as np
from fuzz.cases import Call


def check_fitted(estimator) -> list[str]:
    """Return what is wrong with the attributes after a fit."""
    problems = []
    networks = getattr(estimator, "estimators_", None)
    if networks is None:
        networks = [estimator] if hasattr(estimator, "coefs_") else []
    for network in networks:
        for name in ("coefs_", "intercepts_"):
            if not all(np.isfinite(array).all() for array in getattr(network, name)):
                problems.append(f"{name} are not finite")
        for name in ("center_", "scale_", "target_center_", "target_scale_"):
            values = getattr(network, name, None)
            if values is not None and not np.isfinite(values).all():
                problems.append(f"{name} is not finite")
        scale = getattr(network, "scale_", None)
        if scale is not None and not (scale > 0).all():
            problems.append("scale_ is not positive")
        if len(network.loss_curve_) != network.n_iter_:
            problems.append("loss_curve_ has not one loss for each epoch")
    return problems


def check_result(estimator, is_classifier: bool, call: Call, result) -> list[str]:
    """Return what is wrong with a prediction."""
    if call.method == "score":
        return [] if np.isscalar(result) and np.isreal(result) else [f"score {type(result)}"]
    X = call.arguments["X"]
    n_rows = len(X.value)
    dtype = X.get_dtype()
    if dtype not in (None, np.float32):
        dtype = np.float64
    if call.method == "predict" and is_classifier:
        return _check_labels(estimator, n_rows, result)
    if not isinstance(result, np.ndarray):
        return [f"result of type {type(result).__name__}"]
    problems = []
    if dtype is not None and result.dtype != dtype:
        problems.append(f"dtype {result.dtype} of a table of {X.get_dtype()}")
    if not np.isfinite(result).all():
        problems.append("not finite")
    expected = _get_shape(estimator, is_classifier, call, n_rows)
    if result.shape != expected:
        problems.append(f"shape {result.shape} instead of {expected}")
    if call.method == "predict_proba" or (call.method == "mc_dropout" and is_classifier):
        problems += _check_probabilities(estimator, result)
    if call.method == "predict_log_proba" and (result > 0).any():
        problems.append("logarithms above 0")
    return problems


def _is_multilabel(estimator) -> bool:
    return estimator.out_activation_ == "logistic" and estimator.n_outputs_ > 1


def _get_shape(estimator, is_classifier: bool, call: Call, n_rows: int) -> tuple:
    if not is_classifier:
        shape = (n_rows,) if estimator.n_outputs_ == 1 else (n_rows, estimator.n_outputs_)
    elif call.method == "decision_function" and estimator.out_activation_ == "logistic":
        shape = (n_rows,) if estimator.n_outputs_ == 1 else (n_rows, estimator.n_outputs_)
    else:
        shape = n_rows, len(estimator.classes_)
    return (call.arguments["n_samples"], *shape) if call.method == "mc_dropout" else shape


def _check_labels(estimator, n_rows: int, result) -> list[str]:
    if _is_multilabel(estimator):
        fits = result.shape == (n_rows, estimator.n_outputs_) and np.isin(result, (0, 1)).all()
        return [] if fits else [f"an indicator of shape {result.shape}, {result.dtype}"]
    problems = []
    if result.shape != (n_rows,):
        problems.append(f"labels of shape {result.shape} instead of {(n_rows,)}")
    if result.dtype != estimator.classes_.dtype:
        problems.append(f"labels of dtype {result.dtype}, classes_ of {estimator.classes_.dtype}")
    if not set(result.ravel().tolist()) <= set(estimator.classes_.tolist()):
        problems.append("labels that are not among classes_")
    return problems


def _check_probabilities(estimator, result) -> list[str]:
    problems = []
    if not ((result >= 0) & (result <= 1)).all():
        problems.append("probabilities outside of [0, 1]")
    if not _is_multilabel(estimator):
        tolerance = 1e-5 if result.dtype == np.float32 else 1e-12
        if not np.allclose(result.sum(axis=-1), 1, rtol=0, atol=tolerance):
            problems.append("probabilities that do not sum to one")
    return problems
