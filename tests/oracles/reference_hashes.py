"""Hashes of fits, searches, streams and predictions, which compare two versions of the code.

``python tests/oracles/reference_hashes.py old.json`` writes them;
``python tests/oracles/reference_hashes.py --compare old.json`` names the cases that changed.
Both runs need the same machine and the same versions, since processors round differently.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)


def digest(value) -> str:
    """A hash of the bits of arrays, numbers, strings, and of lists, tuples and dicts of them."""
    result = hashlib.sha256()

    def add(part) -> None:
        if part is None or isinstance(part, (bool, int, float, str)):
            result.update(repr(part).encode())
        elif isinstance(part, dict):
            for name in sorted(part):
                add(name)
                add(part[name])
        elif isinstance(part, (list, tuple)):
            for item in part:
                add(item)
        else:
            array = np.ascontiguousarray(part)
            result.update(f"{array.dtype}{array.shape}".encode())
            result.update(repr(array.tolist()).encode() if array.dtype == object else array)

    add(value)
    return result.hexdigest()[:16]


def get_network(model) -> list:
    """Weights, scales and curves of a fitted estimator."""
    names = ("coefs_", "intercepts_", "center_", "scale_", "loss_curve_", "validation_loss_curve_")
    return [getattr(model, name, None) for name in (*names, "validation_scores_", "best_iter_")]


def make_table(n_rows: int = 180, n_columns: int = 7):
    """Rows, labels of 0 and 1, numbers and integer weights."""
    generator = np.random.default_rng(0)
    X = generator.normal(3, 2, (n_rows, n_columns))
    number = X[:, 0] - X[:, 1] * X[:, 2] + generator.normal(size=n_rows)
    return X, (number > number.mean()).astype(int), number, generator.integers(0, 4, n_rows)


def build(Estimator, **changes):
    """An estimator that is fitted quickly."""
    values = {"hidden_layer_sizes": (16, 8), "max_iter": 6, "numerical_encoding": None}
    values["random_state"] = 0
    return Estimator(**{**values, **changes})


def classifier():
    X, y = load_breast_cancer(return_X_y=True)
    model = RegularizedMLPClassifier(max_iter=10, numerical_encoding=None, random_state=0)
    model.fit(X, y)
    return get_network(model), model.predict_proba(X), model.predict_log_proba(X.astype(np.float32))


def classes():
    X, y = load_iris(return_X_y=True)
    model = build(RegularizedMLPClassifier, early_stopping=True, activation="tanh").fit(X, y)
    return get_network(model), model.predict_proba(X), model.decision_function(X)


def labels():
    X, y, number, weight = make_table()
    y = np.c_[y, number > 1]
    model = build(RegularizedMLPClassifier, solver="sgd", activation="logistic").fit(X, y, weight)
    return get_network(model), model.predict_proba(X)


def weighted():
    X, y, _, weight = make_table()
    scored = {"early_stopping": True, "validation_scoring": "roc_auc", "n_iter_no_change": 3}
    model = build(RegularizedMLPClassifier, class_weight="balanced", input_dropout=0.1, **scored)
    return get_network(model.fit(X, y, weight))


def regressor():
    X, y = load_diabetes(return_X_y=True)
    model = RegularizedMLPRegressor(max_iter=10, random_state=0).fit(X, y)
    return get_network(model), model.target_center_, model.target_scale_, model.predict(X)


def losses():
    X, _, number, weight = make_table()
    found = []
    for loss in ("absolute_error", "huber", "quantile", "poisson"):
        y = np.abs(number) if loss == "poisson" else np.c_[number, number**2]
        model = build(RegularizedMLPRegressor, loss=loss, quantile=0.3, weight_decay=0.01)
        found.append([get_network(model.fit(X, y, weight)), model.predict(X)])
    return found


def sparse_rows():
    X, y, number, weight = make_table(200, 60)
    mask = np.random.default_rng(1).random(X.shape) < 0.04
    X = sparse.csr_matrix(np.where(mask, X, 0))
    one = build(RegularizedMLPClassifier, input_dropout=0.2, early_stopping=True).fit(X, y, weight)
    other = build(RegularizedMLPRegressor, standardize=False).fit(X, number)
    return get_network(one), one.predict_proba(X), get_network(other), other.predict(X)


def filled_sparse_rows():
    X, y, _, weight = make_table()
    X = sparse.csr_matrix(np.where(X > 3, X, 0))
    model = build(RegularizedMLPClassifier).fit(X, y, weight)
    return get_network(model), model.predict_proba(X)


def warm_start():
    X, y, number, _ = make_table()
    one = build(RegularizedMLPClassifier, warm_start=True).fit(X, y).fit(2 * X + 1, y)
    other = build(RegularizedMLPRegressor, warm_start=True).fit(X, number).fit(X, 3 * number)
    return get_network(one), get_network(other), other.predict(X)


def stream():
    X, y, number, weight = make_table()
    one, other = (
        build(RegularizedMLPClassifier),
        build(RegularizedMLPRegressor, loss="huber"),
    )
    for rows in (slice(0, 60), slice(60, 120), slice(120, 180)):
        one.partial_fit(X[rows], y[rows], weight[rows], classes=[0, 1])
        other.partial_fit(X[rows], number[rows], weight[rows])
    return get_network(one), get_network(other), one.predict_proba(X), other.predict(X)


def samples():
    X, y, number, _ = make_table()
    one = build(RegularizedMLPClassifier).fit(X, y).mc_dropout(X, 5, random_state=0)
    other = build(RegularizedMLPRegressor, input_dropout=0.1).fit(X, number)
    return one, other.mc_dropout(X.astype(np.float32), 5, random_state=0)


def get_search_results(search) -> list:
    times = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time", "params")
    results = {k: np.asarray(v) for k, v in search.cv_results_.items() if k not in times}
    return [results, search.dropout_, search.l2_, getattr(search, "coefs_", None)]


def grid():
    X, y, _, weight = make_table()
    search = build(RegularizedMLPClassifierCV, dropouts=[0.0, 0.3, 0.5], l2s=[1e-3, 1e-2])
    return get_search_results(search.set_params(n_jobs=2).fit(X, y, weight))


def halving():
    X, _, number, _ = make_table(400)
    search = build(RegularizedMLPRegressorCV, dropouts=3, l2s=4, search="halving", max_iter=12)
    search.set_params(refit="folds", early_stopping=True, validation_scoring="r2").fit(X, number)
    return get_search_results(search), search.predict(X)


def several_metrics():
    X, y, _, _ = make_table()
    y = y + (X[:, 3] > 4)
    search = build(RegularizedMLPClassifierCV, dropouts=[0.0, 0.3], l2s=[1e-3, 1e-2], cv=3)
    search.set_params(scoring=["loss", "accuracy"], refit="loss").fit(sparse.csr_matrix(X), y)
    return get_search_results(search), search.predict_proba(X)


CASES = {
    case.__name__: case
    for case in (
        classifier,
        classes,
        labels,
        weighted,
        regressor,
        losses,
        sparse_rows,
        filled_sparse_rows,
        warm_start,
        stream,
        samples,
        grid,
        halving,
        several_metrics,
    )
}


def compute_hashes() -> dict[str, str]:
    """The hash of every case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: digest(case()) for name, case in CASES.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="JSON of the hashes, by case")
    parser.add_argument("--compare", action="store_true", help="compare with the file")
    arguments = parser.parse_args()
    found = compute_hashes()
    if not arguments.compare:
        arguments.file.write_text(json.dumps(found, indent=1))
        return 0
    expected = json.loads(arguments.file.read_text())
    changed = [name for name in found if found[name] != expected.get(name)]
    print(f"changed: {', '.join(changed)}" if changed else f"{len(found)} cases, none changed")
    return len(changed)


if __name__ == "__main__":
    sys.exit(main())
