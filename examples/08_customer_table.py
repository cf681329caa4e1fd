"""
A customer table
================

From a data frame as it comes to calibrated probabilities: which customers leave. The frame has
numbers with missing values, a boolean, and categories of 3 to 120 levels. An ensemble is tuned
inside each training part, as are the parameters of the other models, and all are scored on the same
held-out parts. A reliability diagram shows whether the probabilities can be taken at their word.

.. image:: ../../examples/figures/customer_table.png
   :alt: Log loss of three models on the same splits, and their reliability diagrams.

Run it with (``pip install pandas``)::

    python examples/08_customer_table.py [--quick] [--output FILE]

The customers are made up: the chance to leave depends on the age of the contract, on prices in
some plans only, on the number of calls, and on plan, product and city.

Results:

- The mean log loss of five splits is 0.350 for the ensemble, 0.361 for gradient boosting and 0.370
  for logistic regression. Corrected for the overlap of the splits, the interval of the ensemble's
  difference just includes zero against gradient boosting (-0.022 to +0.001), and does not against
  logistic regression (-0.038 to -0.002).
- All three are well calibrated: in each tenth of the customers the share that left is close to the
  mean prediction.
"""

from __future__ import annotations

import numpy as np
from _comparison import corrected_t_test
from _script import parse, print_table
from _tables import make_customers
from sklearn.calibration import calibration_curve
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg import RegularizedMLPClassifierCV

ENSEMBLE, TREES, LINEAR = "ensemble", "gradient boosting", "logistic regression"
QUICK = {"dropouts": [0.3], "l2s": [1e-3], "cv": 2, "max_iter": 3}


# %%
# The models
# ----------
#
# The ensemble and the trees take the frame. A linear model needs a pipeline. Each has a search over
# its parameters.


def make_models(**options):
    """Return the models; `options` are those of the ensemble."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    prepare = make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    linear = make_pipeline(prepare, LogisticRegression(max_iter=1000))
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    sizes = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 15, 31]}
    strengths = {"logisticregression__C": [0.03, 0.1, 0.3, 1.0, 3.0]}
    return {
        ENSEMBLE: RegularizedMLPClassifierCV(refit="ensemble", n_jobs=2, random_state=0, **options),
        TREES: GridSearchCV(trees, sizes, scoring="neg_log_loss", cv=5),
        LINEAR: GridSearchCV(linear, strengths, scoring="neg_log_loss", cv=5),
    }


# %%
# Nested scores
# -------------


def predict_held_out(frame, left, models, splits):
    """Return the held-out probabilities of each model."""
    probabilities = {name: np.empty(len(left)) for name in models}
    for train, test in splits:
        for name, model in models.items():
            model.fit(frame.iloc[train], left[train])
            probabilities[name][test] = model.predict_proba(frame.iloc[test])[:, 1]
    return probabilities


# %%
# Reliability
# -----------
#
# In each bin of predicted probabilities, the share of customers that left should be the mean
# prediction.


def draw(losses, probabilities, left, path):
    """Save the figure: log losses of the splits, and reliability diagrams."""
    from matplotlib import pyplot

    figure, (scores, reliability) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for place, (name, of_splits) in enumerate(losses.items()):
        scores.plot(of_splits, np.full(len(of_splits), place), "|", color="0.5", markersize=12)
        scores.plot(of_splits.mean(), place, "o", color=f"C{place}")
        shares, means = calibration_curve(left, probabilities[name], n_bins=10, strategy="quantile")
        reliability.plot(means, shares, "o-", color=f"C{place}", label=name, markersize=4)
    scores.set_yticks(range(3), list(losses))
    scores.locator_params(axis="x", nbins=5)
    scores.set(title="Log loss of the same splits", xlabel="lower is better", ylim=(2.5, -0.5))
    reliability.axline((0, 0), slope=1, color="0.7", linestyle="--")
    reliability.set(title="Reliability", xlabel="predicted probability")
    reliability.set(ylabel="share of customers that left")
    reliability.legend()
    figure.savefig(path, dpi=110)
    print(f"figure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/customer_table.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "customer_table.png", "a smoke test on few rows")
    n_splits = 2 if arguments.quick else 5
    frame, left = make_customers(400 if arguments.quick else 4000)
    print(frame.head(3).to_string())
    frame = frame.astype(dict.fromkeys(["plan", "product", "city"], "category"))
    models = make_models(**(QUICK if arguments.quick else {}))
    splits = list(StratifiedKFold(n_splits, shuffle=True, random_state=0).split(frame, left))
    probabilities = predict_held_out(frame, left, models, splits)
    losses = {
        name: np.array([log_loss(left[test], held_out[test]) for _, test in splits])
        for name, held_out in probabilities.items()
    }
    rows = [[ENSEMBLE, losses[ENSEMBLE].mean(), ""]]
    for name in (TREES, LINEAR):
        mean, half, _ = corrected_t_test(losses[ENSEMBLE] - losses[name], 1 / (n_splits - 1))
        rows.append([name, losses[name].mean(), f"{mean:+.4f} +- {half:.4f}"])
    title = "Log loss, and by how much the ensemble's is above it (95 %)"
    print_table(title, ["", "log loss", "difference"], rows)
    draw(losses, probabilities, left, arguments.output)
