"""
Explanations
============

What a network makes of its columns: which ones matter, what a column does to the mean prediction,
and what the columns do to one prediction. The tools are scikit-learn's own and SHAP. The
customers are made up, so what the tools should find is known.

.. image:: ../../examples/figures/explanations.png
   :alt: Importances of eight columns, mean predictions over months and price, one prediction.

Run it with (``pip install pandas shap``)::

    python examples/11_explanations.py [--quick] [--output FILE]

Results:

- Shuffling the price costs most, 0.073 of the log loss, then plan (0.039), product (0.038), city
  (0.028) and calls (0.023). Shuffling the revenue, which tells nothing, costs nothing (-0.001).
- In the basic plan more customers leave if the price is high, in the other plans fewer. New
  contracts are ended most. Both are how the customers were made.
- The customer with the highest chance to leave, 0.89, pays 77.92 in the basic plan. Of the 0.74
  above the mean, 0.63 are due to the price.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import shap
from _script import parse, print_table
from _tables import make_customers
from sklearn.inspection import partial_dependence, permutation_importance

from skreg import RegularizedMLPClassifier

BASIC, OTHERS = "basic plan", "other plans"


# %%
# Which columns matter
# --------------------
#
# By how much the log loss of new rows grows if a column is shuffled.


def measure_importances(model, frame, left):
    """Return the growths, of shape (n_columns, n_repeats)."""
    options = {"scoring": "neg_log_loss", "n_repeats": 10, "random_state": 0}
    return permutation_importance(model, frame, left, **options).importances


# %%
# What a column does
# ------------------
#
# A high price makes customers of the basic plan leave, and others stay. One mean over all would mix
# both, so each plan has its own.


def average_predictions(model, frame, column):
    """Return the values of a column, and the mean predictions at them, by plan."""
    plans = {BASIC: frame["plan"] == "basic", OTHERS: frame["plan"] != "basic"}
    values = np.quantile(frame[column].dropna(), np.linspace(0.02, 0.98, 25))
    options = {"custom_values": {column: values}, "response_method": "predict_proba"}
    return values, {
        name: partial_dependence(model, frame[rows], [column], **options)["average"][0]
        for name, rows in plans.items()
    }


# %%
# What the columns do to one prediction
# -------------------------------------
#
# SHAP computes with numbers, so it gets codes of the categories. They are turned back into strings
# for the model.


def explain(model, background, rows):
    """Return SHAP's values of the probability to leave, in an `Explanation`."""
    categories = background.select_dtypes(exclude=["number", "bool"]).columns
    both = pd.concat([background, rows])
    levels = {name: both[name].astype("category").cat.categories for name in categories}

    def encode(frame):
        codes = {name: levels[name].get_indexer(frame[name]) for name in categories}
        return frame.assign(**codes).astype(float)

    def predict(codes):
        frame = pd.DataFrame(codes, columns=background.columns)
        for name in categories:
            strings = pd.Categorical.from_codes(frame[name].astype(int), levels[name])
            frame[name] = strings.astype(object)
        frame["online"] = frame["online"].astype(bool)
        return model.predict_proba(frame)[:, 1]

    return shap.Explainer(predict, encode(background), seed=0)(encode(rows), silent=True)


# %%
# The figure
# ----------


def draw(importances, averages, explained, row, path):
    """Save the figure: importances, mean predictions, and one prediction."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
    axes = axes.ravel()
    means, deviations = importances.mean(axis=1), importances.std(axis=1)
    order = means.argsort()
    axes[0].barh(row.index[order], means[order], xerr=deviations[order])
    axes[0].axvline(0, color="0.7", linestyle="--")
    axes[0].set(title="Which columns matter", xlabel="growth of the log loss")
    for ax, (column, (values, means)) in zip(axes[1:3], averages.items(), strict=True):
        for name, mean in means.items():
            ax.plot(values, mean, label=name)
        ax.set(title=f"Mean prediction over {column}", xlabel=column, ylim=(0, None))
        ax.set_ylabel("probability to leave")
        ax.legend()
    order = np.abs(explained.values).argsort()
    colors = np.where(explained.values[order] > 0, "C3", "C0")
    labels = [f"{row.index[k]} = {row.iloc[k]}" for k in order]
    axes[3].barh(labels, explained.values[order], color=colors)
    axes[3].axvline(0, color="0.7")
    total = explained.base_values + explained.values.sum()
    axes[3].set(title=f"One customer: {explained.base_values:.2f} becomes {total:.2f}")
    axes[3].set_xlabel("change of the probability to leave")
    figure.savefig(path, dpi=110)
    print(f"figure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/explanations.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "explanations.png", "a smoke test on few rows")
    n_rows = 200 if arguments.quick else 4000
    frame, left = make_customers(2 * n_rows)
    train, new = slice(n_rows), slice(n_rows, None)
    model = RegularizedMLPClassifier(random_state=0).fit(frame[train], left[train])
    importances = measure_importances(model, frame[new], left[new])
    rows = zip(frame, importances.mean(axis=1), importances.std(axis=1), strict=True)
    print_table("Growth of the log loss", ["", "mean", "deviation"], rows)
    averages = {name: average_predictions(model, frame[new], name) for name in ("months", "price")}
    chances = model.predict_proba(frame[new])[:, 1]
    customer = frame[new].iloc[[chances.argmax()]]
    explained = explain(model, frame[train].head(20 if arguments.quick else 100), customer)[0]
    draw(importances, averages, explained, customer.iloc[0], arguments.output)
