"""From where on a fit warns that a constant predicts its training rows better.

Networks are trained on noise, which a constant predicts best, and are no reason to warn. Printed is
how far the loss of the training rows ends above the constant's, in nats for classes, and for
numbers in units of the gap between the constant and a perfect prediction (-D²): the median and the
largest over tables, and how many fits warn. Rates that are too large follow, on tables of
scikit-learn that have much to learn.

    python benchmarks/choose_margin.py [--repeats N]
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial

import numpy as np
from _measure import print_header, print_table
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import (
    d2_absolute_error_score,
    d2_pinball_score,
    d2_tweedie_score,
    log_loss,
    r2_score,
)

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

SIZES = [(20, 3), (60, 10), (200, 1), (200, 40), (600, 10)]
SETTINGS = [
    {},
    {"dropout": 0.5},
    {"dropout": 0.8},
    {"numerical_encoding": "piecewise"},
    {"numerical_encoding": "periodic"},
    {"l2": 0.1, "dropout": 0.0},
    {"l2": 1.0, "dropout": 0.0},
    {"learning_rate": "constant"},
    {"max_iter": 40},
]
TABLES = {"breast cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}
RATES = (0.005, 0.05, 0.5, 1.0, 5.0, 50.0)


def fit(model, X, y):
    """Return the fitted model, and whether it warned that a constant is better."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return model, any("led nowhere" in str(warning.message) for warning in caught)


def measure_classes(labels, probabilities) -> float:
    """Return the log loss less that of the shares of the classes."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    constant = np.tile(shares, (len(labels), 1))
    return log_loss(labels, probabilities) - log_loss(labels, constant)


def make_targets(rng, n_rows: int) -> dict:
    """Return targets of noise by name, each with the loss, and D² or None for classes."""
    skewed = np.exp(rng.normal(size=n_rows))
    few = np.arange(n_rows) < max(2, n_rows // 20)
    return {
        "two classes": (rng.integers(0, 2, n_rows), None, None),
        "five classes": (rng.integers(0, 5, n_rows), None, None),
        "5 % of a class": (few.astype(int), None, None),
        "squared_error": (rng.normal(size=n_rows), {}, r2_score),
        "absolute_error": (skewed, {"loss": "absolute_error"}, d2_absolute_error_score),
        "quantile 0.95": (
            skewed,
            {"loss": "quantile", "quantile": 0.95},
            partial(d2_pinball_score, alpha=0.95),
        ),
        "poisson": (
            rng.poisson(2.0, n_rows).astype(float),
            {"loss": "poisson"},
            partial(d2_tweedie_score, power=1),
        ),
    }


def measure_noise(settings: dict, n_repeats: int) -> dict:
    """Return by target how far each table's loss is above the constant's, and if the fit warned."""
    found: dict = {}
    for seed in range(n_repeats):
        rng = np.random.default_rng(seed)
        for n_rows, n_columns in SIZES:
            X = rng.normal(size=(n_rows, n_columns))
            for name, (y, loss, d2) in make_targets(rng, n_rows).items():
                if d2 is None:
                    model = RegularizedMLPClassifier(random_state=seed, **settings)
                    model, warned = fit(model, X, y)
                    excess = measure_classes(y, model.predict_proba(X))
                else:
                    model = RegularizedMLPRegressor(random_state=seed, **loss, **settings)
                    model, warned = fit(model, X, y)
                    excess = -d2(y, model.predict(X))
                found.setdefault(name, []).append((excess, warned))
    return found


def main():
    """Print how far losses are above the constant's, for noise and for large rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    print_header("From where on does a fit warn?")
    rows = []
    for settings in SETTINGS:
        name = ", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults"
        for target, values in measure_noise(settings, arguments.repeats).items():
            excess, warned = np.array(values).T
            n_warned = f"{warned.sum():.0f} of {len(warned)}"
            rows.append([name, target, float(np.median(excess)), float(excess.max()), n_warned])
    print_table(["", "noise", "median", "largest", "warn"], rows)
    rows = []
    for name, load in TABLES.items():
        X, y = load(return_X_y=True)
        for rate in RATES:
            model = RegularizedMLPClassifier(learning_rate_init=rate, random_state=0)
            model, warned = fit(model, X, y)
            excess = measure_classes(y, model.predict_proba(X))
            rows.append([name, rate, excess, "yes" if warned else "no"])
    print_table(["", "learning_rate_init", "above the constant", "warns"], rows)


if __name__ == "__main__":
    main()
