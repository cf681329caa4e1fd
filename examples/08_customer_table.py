"""
A customer table
================

From a data frame as it comes to calibrated probabilities: which customers leave. The frame has
numbers with missing values, a boolean, and categories of 3 to 120 levels. `dropout` and `l2` are
tuned inside each training part, as are the parameters of the other models, and all are scored on
the same held-out parts. A reliability diagram shows whether the probabilities can be taken at
their word.

.. image:: ../../examples/figures/customer_table.png
   :alt: Log loss of three models on the same splits, and their reliability diagrams.

Run it with::

    python examples/08_customer_table.py [--quick] [--output FILE]

The customers are made up: the chance to leave depends on the age of the contract, on prices in
some plans only, on the number of calls, and on plan, product and city.

Results:

- The mean log loss of five splits is 0.352 for the network, 0.361 for gradient boosting and 0.370
  for logistic regression. Corrected for the overlap of the splits, the intervals of the network's
  difference just include zero: -0.020 to +0.003 against gradient boosting, -0.036 to +0.001 against
  logistic regression.
- The Brier scores are 0.107, 0.109 and 0.112, the areas under the ROC curve 0.780, 0.763 and 0.741.
- All three are well calibrated: in each tenth of the customers the share that left is close to the
  mean prediction.
"""

from __future__ import annotations

import warnings

import numpy as np
from _comparison import corrected_t_test
from _customers import make_customers
from _script import parse
from sklearn.calibration import calibration_curve
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg import RegularizedMLPClassifierCV

NETWORK, TREES, LINEAR = "network", "gradient boosting", "logistic regression"
METRICS = {"log loss": log_loss, "Brier score": brier_score_loss, "ROC AUC": roc_auc_score}


# %%
# The models
# ----------
#
# The network and the trees take the frame. A linear model needs a pipeline.


def make_models(quick):
    """Return the models, each with a search over its parameters."""
    candidates = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 15, 31]}
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    prepare = make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    linear = make_pipeline(prepare, LogisticRegression(max_iter=1000))
    strengths = {"logisticregression__C": [0.03, 0.1, 0.3, 1.0, 3.0]}
    dropouts, l2s = ([0.3], [1e-3]) if quick else ([0.0, 0.2, 0.4], [3e-4, 1e-3, 3e-3, 1e-2])
    return {
        NETWORK: RegularizedMLPClassifierCV(
            dropouts=dropouts, l2s=l2s, cv=3, max_iter=5 if quick else 40, n_jobs=2, random_state=0
        ),
        TREES: GridSearchCV(trees, candidates, scoring="neg_log_loss", cv=3),
        LINEAR: GridSearchCV(linear, strengths, scoring="neg_log_loss", cv=3),
    }


# %%
# Nested scores
# -------------


def predict_held_out(frame, left, n_splits, quick):
    """Return the held-out probabilities of each model, and the test rows of each split."""
    typed = frame.astype(dict.fromkeys(["plan", "product", "city"], "category"))
    probabilities = {name: np.empty(len(left)) for name in make_models(quick)}
    splits = list(StratifiedKFold(n_splits, shuffle=True, random_state=0).split(frame, left))
    for train, test in splits:
        for name, model in make_models(quick).items():
            table = frame if name == NETWORK else typed
            with warnings.catch_warnings():  # that the best value is at the edge of the grid
                warnings.simplefilter("ignore", UserWarning)
                model.fit(table.iloc[train], left[train])
            probabilities[name][test] = model.predict_proba(table.iloc[test])[:, 1]
    return probabilities, [test for _, test in splits]


def score(probabilities, left, tests):
    """Return the scores of each metric and model, one for each split."""
    return {
        metric: {
            name: np.array([function(left[test], of_model[test]) for test in tests])
            for name, of_model in probabilities.items()
        }
        for metric, function in METRICS.items()
    }


def tell(scores, n_splits):
    """Print the means, and the differences of the log losses to the network's."""
    print(f"{'':21s}" + "".join(f"{metric:>13s}" for metric in scores))
    for name in scores["log loss"]:
        print(
            f"{name:21s}"
            + "".join(f"{of_model[name].mean():13.4f}" for of_model in scores.values())
        )
    losses = scores["log loss"]
    for name in (TREES, LINEAR):
        mean, half, p = corrected_t_test(losses[NETWORK] - losses[name], 1 / (n_splits - 1))
        print(f"log loss, {NETWORK} - {name}: {mean:+.4f} +- {half:.4f} (95 %), p {p:.3f}")


# %%
# Reliability
# -----------
#
# In each bin of predicted probabilities, the share of customers that left should be the mean
# prediction.


def draw(scores, probabilities, left, path):
    """Save the figure: log losses of the splits, and reliability diagrams."""
    from matplotlib import pyplot

    figure, (losses, reliability) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for place, (name, of_model) in enumerate(scores["log loss"].items()):
        losses.plot(of_model, np.full(len(of_model), place), "|", color="0.5", markersize=12)
        losses.plot(of_model.mean(), place, "o", color=f"C{place}")
        shares, means = calibration_curve(left, probabilities[name], n_bins=10, strategy="quantile")
        reliability.plot(means, shares, "o-", color=f"C{place}", label=name, markersize=4)
    losses.set_yticks(range(3), list(scores["log loss"]))
    losses.locator_params(axis="x", nbins=5)
    losses.set(title="Log loss of the same splits", xlabel="lower is better", ylim=(2.5, -0.5))
    reliability.axline((0, 0), slope=1, color="0.7", linestyle="--")
    reliability.set(
        title="Reliability", xlabel="predicted probability", ylabel="share of customers that left"
    )
    reliability.legend()
    figure.savefig(path, dpi=110)
    print(f"figure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/customer_table.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "08_customer_table.png", "a smoke test on few rows")
    n_splits = 2 if arguments.quick else 5
    frame, left = make_customers(400 if arguments.quick else 4000)
    print(frame.head(3).to_string(), "\n")
    probabilities, tests = predict_held_out(frame, left, n_splits, arguments.quick)
    scores = score(probabilities, left, tests)
    tell(scores, n_splits)
    draw(scores, probabilities, left, arguments.output)
