"""
Calibration of probabilities
============================

Whether probabilities hold: of the customers that a model gives a chance of 30 % to leave, 30 %
should leave. The untuned network, the tuned one and the ensemble, beside the untuned one that
`CalibratedClassifierCV` corrects, on five tables whose labels are noisy.

.. image:: ../../examples/figures/calibration.png
   :alt: Reliability diagrams of five models.

Run it with (``pip install pandas``)::

    python examples/10_calibration.py [--quick] [--output FILE]

Results, means of five tables of 1,000 training rows and 4,000 new ones:

- All but the isotonic one are near the diagonal. Their log losses are 0.380 (untuned), 0.381
  (corrected by a sigmoid), 0.402 (by an isotonic function, which few rows mislead), 0.380 (tuned)
  and 0.377 (ensemble).
- On these tables a tuned single network is no better than the untuned one.
- So correct a network only if it is not calibrated: after class weights, or on other data.
"""

from __future__ import annotations

import warnings

import numpy as np
from _script import parse
from _tables import make_customers
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

METRICS = {"log loss": log_loss, "Brier score": brier_score_loss, "ROC AUC": roc_auc_score}


# %%
# Five models
# -----------


def make_models(quick):
    """Return the models by name."""
    options = {"max_iter": 5 if quick else "auto", "random_state": 0}
    search = {**options, "n_jobs": 2}
    untuned = RegularizedMLPClassifier(**options)
    return {
        "untuned": untuned,
        "untuned, sigmoid": CalibratedClassifierCV(untuned, method="sigmoid"),
        "untuned, isotonic": CalibratedClassifierCV(untuned, method="isotonic"),
        "tuned": RegularizedMLPClassifierCV(**search),
        "ensemble": RegularizedMLPClassifierCV(refit="ensemble", search="halving", **search),
    }


# %%
# Scores and reliability
# ----------------------
#
# New tables, not new splits, so that no row is used twice.


def predict_new_rows(n_tables, n_rows, quick):
    """Return the labels of new rows, and each model's probabilities, of shape (n_tables, n_new)."""
    labels, probabilities = [], {name: [] for name in make_models(quick)}
    for seed in range(n_tables):
        frame, left = make_customers(5 * n_rows, seed)
        labels.append(left[n_rows:])
        for name, model in make_models(quick).items():
            with warnings.catch_warnings():  # of the edge of the grid
                warnings.simplefilter("ignore", UserWarning)
                model.fit(frame[:n_rows], left[:n_rows])
            probabilities[name].append(model.predict_proba(frame[n_rows:])[:, 1])
    return np.array(labels), {name: np.array(rows) for name, rows in probabilities.items()}


def tell(labels, probabilities):
    """Print the mean scores, and their standard errors over the tables."""
    print(f"{'':19s}" + "".join(f"{metric:>20s}" for metric in METRICS))
    for name, rows in probabilities.items():
        pairs = list(zip(labels, rows, strict=True))
        scores = np.array([[score(*pair) for pair in pairs] for score in METRICS.values()])
        errors = scores.std(axis=1, ddof=1) / len(labels) ** 0.5
        cells = zip(scores.mean(axis=1), errors, strict=True)
        print(f"{name:19s}" + "".join(f"{mean:10.4f} +- {error:.4f}" for mean, error in cells))


def draw(labels, probabilities, path):
    """Save the figure: in each tenth of the rows, who left against who was expected to."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 5, figsize=(15, 3.4), sharey=True, layout="constrained")
    for k, (ax, (name, rows)) in enumerate(zip(axes, probabilities.items(), strict=True)):
        shares, means = calibration_curve(
            labels.ravel(), rows.ravel(), n_bins=10, strategy="quantile"
        )
        ax.axline((0, 0), slope=1, color="0.7", linestyle="--")
        ax.plot(means, shares, "o-", color=f"C{k}", markersize=4)
        ax.set(title=name, xlabel="predicted probability", xlim=(0, 0.75), ylim=(0, 0.75))
    axes[0].set_ylabel("share that left")
    figure.savefig(path, dpi=110)
    print(f"figure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/calibration.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "calibration.png", "a smoke test on few rows")
    n_tables, n_rows = (2, 150) if arguments.quick else (5, 1000)
    labels, probabilities = predict_new_rows(n_tables, n_rows, arguments.quick)
    tell(labels, probabilities)
    draw(labels, probabilities, arguments.output)
