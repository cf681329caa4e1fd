"""
The regularisation path
=======================

How the score of a network depends on `dropout` and `l2` on a table of few rows and many columns,
where regularisation matters. `RegularizedMLPClassifierCV` trains every candidate once. The displays
show the grid, the scores along one parameter, and the losses of the chosen network.

.. image:: ../../examples/figures/regularization_path.png
   :alt: Heat map of the scores, scores along l2, and the losses of the chosen network.

Run it with::

    python examples/02_regularization_path.py [--quick] [--output FILE]
"""

from __future__ import annotations

import time

import numpy as np
from _script import parse
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skreg import (
    RegularizationPathDisplay,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    TrainingCurveDisplay,
    one_standard_error,
)

DROPOUTS = [0.0, 0.2, 0.4, 0.5, 0.6, 0.7]
L2S = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2]


# %%
# The search
# ----------


def load_few_rows(n_rows):
    """Return digits with few training rows and as many noise columns as pixels."""
    X, y = load_digits(return_X_y=True)
    noise = np.random.default_rng(0).normal(scale=4, size=X.shape)
    return train_test_split(np.hstack([X, noise]), y, train_size=n_rows, stratify=y, random_state=0)


def search_path(X, y, quick):
    """Train all candidates on all folds."""
    model = RegularizedMLPClassifierCV(
        dropouts=DROPOUTS[::3] if quick else DROPOUTS,
        l2s=L2S[::2] if quick else L2S,
        max_iter=5 if quick else 50,
        numerical_encoding=None,
        n_jobs=2,
        verbose=1,
        random_state=0,
    )
    start = time.perf_counter()
    model.fit(X, y)
    n_networks = model.scores_.size
    print(f"\n{n_networks} networks and the refit in {time.perf_counter() - start:.1f} s")
    return model


def read_aloud(model):
    """Print what the path shows."""
    mean = model.scores_.mean(axis=2)
    error = model.scores_.std(axis=2, ddof=1) / np.sqrt(model.n_splits_)
    params = model.cv_results_["params"]
    by_place = np.array(params, dtype=object).reshape(mean.shape)
    dropout_alone, l2_alone = mean[:, 0].argmax(), mean[0].argmax()
    chosen = np.unravel_index(model.best_index_, mean.shape)
    print("mean loss over five folds:")
    print(f"  {-mean[0, 0]:.3f}  without regularisation")
    print(
        f"  {-mean[dropout_alone, 0]:.3f}  dropout {by_place[dropout_alone, 0]['dropout']:g} alone"
    )
    print(f"  {-mean[0, l2_alone]:.3f}  L2 {by_place[0, l2_alone]['l2']:g} alone")
    print(f"  {-mean[chosen]:.3f}  chosen: dropout {model.dropout_:g} and L2 {model.l2_:g}")
    gain = mean[chosen] - max(mean[dropout_alone, 0], mean[0, l2_alone])
    print(
        f"The chosen one is better than the better one alone by {gain:.3f}, where the\n"
        f"standard error of a mean is {error[chosen]:.3f}."
    )
    simple = params[one_standard_error(model.cv_results_)]
    print(
        "The most regularised within one standard error of it: "
        f"dropout {simple['dropout']:g}, L2 {simple['l2']:g}."
    )


# %%
# The figure
# ----------


def draw(model):
    """Draw the grid, the scores along l2, and the losses of the chosen network."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(16, 4.5), layout="constrained")
    RegularizationPathDisplay.from_estimator(model, ax=axes[0])
    RegularizationPathDisplay.from_estimator(model, kind="curves", ax=axes[1])
    TrainingCurveDisplay.from_estimator(model, ax=axes[2])
    axes[2].set_title("the chosen network, on all rows")
    return figure


# %%
# The script
# ----------


def main():
    """Search, print the results and draw them."""
    arguments = parse(__doc__, "regularization_path.png")
    X, X_test, y, y_test = load_few_rows(200)
    print(f"digits and noise: {X.shape[0]} rows, {X.shape[1]} columns, ten classes\n")
    model = search_path(X, y, arguments.quick)
    read_aloud(model)
    bare = RegularizedMLPClassifier(
        dropout=0.0, l2=0.0, max_iter=model.max_iter, numerical_encoding=None, random_state=0
    )
    for name, network in (("without regularisation", bare.fit(X, y)), ("as chosen", model)):
        accuracy = network.score(X_test, y_test)
        print(f"accuracy on {len(y_test)} other rows, {name}: {accuracy:.3f}")
    draw(model).savefig(arguments.output, dpi=120)
    print(f"figure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/regularization_path.png"

if __name__ == "__main__":
    main()
