"""
Uncertainty from dropout
========================

Predictions sampled with dropout show how certain a network is, and sometimes mislead: away from the
data, in a gap between rows, and on rotated images. Monte Carlo dropout interprets dropout as an
approximation of a Bayesian network (Gal and Ghahramani 2016). :doc:`/user_guide/uncertainty`
describes the results.

.. image:: ../../examples/figures/uncertainty.png
   :alt: Mutual information around two moons, a regression with a gap, and rotated digits.

Run it with::

    python examples/03_uncertainty_from_dropout.py [--quick] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _script import parse
from scipy.ndimage import rotate
from sklearn.datasets import load_digits, make_moons
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, predictive_uncertainty

ANGLES = [0, 15, 30, 45, 60, 75, 90, 120, 150, 180]
SURE = 0.1  # nats of entropy


# %%
# Away from the data
# ------------------


def two_moons(n_samples, max_iter):
    """Compute the mutual information on a map around two moons."""
    X, y = make_moons(400, noise=0.15, random_state=0)
    model = RegularizedMLPClassifier(
        dropout=0.5, l2=1e-4, max_iter=max_iter, numerical_encoding=None, random_state=0
    )
    model.fit(X, y)
    side = np.linspace(-4, 5, 91)
    points = np.stack(np.meshgrid(side, side - 0.5), axis=-1).reshape(-1, 2)
    measures = predictive_uncertainty(model.mc_dropout(points, n_samples, random_state=0))
    distance = np.linalg.norm(points[:, None] - X[None, ::4], axis=2).min(axis=1)
    far = distance > 2
    print("two moons: mutual information of class and network, in nats")
    print(f"  {measures.mutual_information[distance < 0.1].mean():.3f}  among the rows, mean")
    print(f"  {measures.mutual_information[far].mean():.3f}  farther than 2 from all, mean")
    sure = (measures.entropy[far] < SURE).mean()
    print(
        f"  {sure:.0%} of the points far away have an entropy below {SURE}: sure without a reason\n"
    )
    return X, y, side, measures.mutual_information.reshape(len(side), -1)


# %%
# In a gap between rows
# ---------------------


def a_gap(n_samples, max_iter):
    """Compute predictions and their spread between the rows and outside."""
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.uniform(-3, -1, 100), generator.uniform(1, 3, 100)])
    y = np.sin(2 * x) + generator.normal(scale=0.1, size=len(x))
    model = RegularizedMLPRegressor(dropout=0.1, l2=1e-5, max_iter=max_iter, random_state=0)
    model.fit(x[:, None], y)
    at = np.linspace(-6, 6, 241)
    samples = model.mc_dropout(at[:, None], n_samples, random_state=0)
    spread, truth = samples.std(axis=0), np.sin(2 * at)
    inside = (np.abs(at) > 1) & (np.abs(at) < 3)
    print("a sine with a gap: mean standard deviation, and mean absolute error")
    error = np.abs(samples.mean(axis=0) - truth)
    for name, where in (
        ("where rows are", inside),
        ("in the gap", np.abs(at) < 1),
        ("outside", np.abs(at) > 4),
    ):
        print(f"  {spread[where].mean():.3f}  {error[where].mean():.3f}  {name}")
    print()
    return x, y, at, samples.mean(axis=0), spread


# %%
# On rotated images
# -----------------


def turned_digits(n_samples, max_iter):
    """Compute accuracy and entropy of rotated digits, which training has not seen."""
    X, y = load_digits(return_X_y=True)
    X /= 16  # pixels share a scale; standardised, rarely lit ones would be huge
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = RegularizedMLPClassifier(
        dropout=0.5,
        l2=1e-4,
        standardize=False,
        max_iter=max_iter,
        numerical_encoding=None,
        random_state=0,
    )
    model.fit(X, y)
    rows = []
    for angle in ANGLES:
        images = rotate(X_test.reshape(-1, 8, 8), angle, axes=(1, 2), reshape=False, order=1)
        turned = images.reshape(len(X_test), -1)
        measures = predictive_uncertainty(model.mc_dropout(turned, n_samples, random_state=0))
        wrong = measures.mean.argmax(axis=1) != y_test
        sure_and_wrong = (wrong & (measures.entropy < SURE)).mean()
        rows.append((1 - wrong.mean(), measures.entropy.mean(), sure_and_wrong))
    print("digits, turned: accuracy, mean entropy, share that is wrong and sure of it")
    for angle, row in zip(ANGLES, rows, strict=True):
        print(f"  {angle:3d} degrees  {row[0]:.3f}  {row[1]:.2f}  {row[2]:.1%}")
    return np.array(rows)


# %%
# The figure
# ----------


def draw(moons, gap, digits):
    """Draw the three experiments."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(16, 4.5), layout="constrained")
    X, y, side, information = moons
    levels = axes[0].contourf(side, side - 0.5, information, levels=10, cmap="Greys")
    figure.colorbar(levels, ax=axes[0], label="mutual information, nats")
    for label, marker in ((0, "o"), (1, "^")):
        axes[0].plot(*X[y == label].T, marker, markersize=3, label=f"class {label}")
    axes[0].set(title="two moons", xlabel="first column", ylabel="second column")
    axes[0].legend()
    x, targets, at, mean, spread = gap
    axes[1].fill_between(at, mean - 2 * spread, mean + 2 * spread, color="0.8", label="2 std")
    axes[1].plot(at, mean, color="black", label="mean of the samples")
    axes[1].plot(at, np.sin(2 * at), ":", color="C3", label="truth")
    axes[1].plot(x, targets, ".", markersize=3, color="C0", label="rows")
    axes[1].set(title="a sine with a gap", xlabel="x", ylabel="y", ylim=(-4, 4))
    axes[1].legend(loc="lower left")
    names = "accuracy", "mean entropy, nats", f"wrong, with entropy < {SURE}"
    for column, name, style in zip(digits.T, names, ("o-", "s--", "^:"), strict=True):
        axes[2].plot(ANGLES, column, style, label=name)
    axes[2].set(title="digits, turned", xlabel="degrees")
    axes[2].legend()
    return figure


# %%
# The script
# ----------


def main():
    """Train, print the results and draw them."""
    arguments = parse(__doc__, "uncertainty.png")
    n_samples, shorter = (5, 0.05) if arguments.quick else (200, 1)
    moons = two_moons(n_samples, max(1, int(100 * shorter)))
    gap = a_gap(n_samples, max(1, int(400 * shorter)))
    digits = turned_digits(n_samples, max(1, int(50 * shorter)))
    draw(moons, gap, digits).savefig(arguments.output, dpi=120)
    print(f"\nfigure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/uncertainty.png"

if __name__ == "__main__":
    main()
