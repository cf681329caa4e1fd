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
from _script import parse, print_table
from scipy.ndimage import rotate
from sklearn.datasets import load_digits, make_moons
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, predictive_uncertainty

ANGLES = [0, 15, 30, 45, 60, 75, 90, 120, 150, 180]
SURE = 0.1  # nats of entropy
NETWORK = {"dropout": 0.5, "l2": 1e-4, "numerical_encoding": None, "random_state": 0}


# %%
# Away from the data
# ------------------


def two_moons(n_samples, max_iter):
    """Return two moons, a map around them, and its mutual information of class and network."""
    X, y = make_moons(400, noise=0.15, random_state=0)
    model = RegularizedMLPClassifier(**NETWORK, max_iter=max_iter).fit(X, y)
    side = np.linspace(-4, 5, 91)
    points = np.stack(np.meshgrid(side, side - 0.5), axis=-1).reshape(-1, 2)
    measures = predictive_uncertainty(model.mc_dropout(points, n_samples, random_state=0))
    distance = np.linalg.norm(points[:, None] - X[None, ::4], axis=2).min(axis=1)
    far, information = distance > 2, measures.mutual_information
    rows = [["among the rows", information[distance < 0.1].mean()]]
    rows += [["farther than 2", information[far].mean()]]
    rows += [[f"share there with entropy < {SURE}", (measures.entropy[far] < SURE).mean()]]
    print_table("Two moons: mutual information, nats", ["points", "mean"], rows)
    return X, y, side, information.reshape(len(side), -1)


# %%
# In a gap between rows
# ---------------------


def a_gap(n_samples, max_iter):
    """Return rows of a sine with a gap, and mean and deviation of the samples around them."""
    generator = np.random.default_rng(0)
    x = np.concatenate([generator.uniform(-3, -1, 100), generator.uniform(1, 3, 100)])
    y = np.sin(2 * x) + generator.normal(scale=0.1, size=len(x))
    model = RegularizedMLPRegressor(dropout=0.1, l2=1e-5, max_iter=max_iter, random_state=0)
    at = np.linspace(-6, 6, 241)
    samples = model.fit(x[:, None], y).mc_dropout(at[:, None], n_samples, random_state=0)
    mean, spread, far = samples.mean(axis=0), samples.std(axis=0), np.abs(at)
    error = np.abs(mean - np.sin(2 * at))
    places = {"rows": (far > 1) & (far < 3), "gap": far < 1, "outside": far > 4}
    rows = [[name, spread[where].mean(), error[where].mean()] for name, where in places.items()]
    print_table("A sine with a gap", ["where", "deviation", "error"], rows)
    return x, y, at, mean, spread


# %%
# On rotated images
# -----------------


def turned_digits(n_samples, max_iter):
    """Return accuracy, entropy, and the share that is wrong and sure, of digits by angle."""
    X, y = load_digits(return_X_y=True)
    # Pixels share a scale. Standardised, rarely lit ones would be huge.
    X, X_test, y, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
    model = RegularizedMLPClassifier(**NETWORK, standardize=False, max_iter=max_iter).fit(X, y)
    rows = []
    for angle in ANGLES:
        images = rotate(X_test.reshape(-1, 8, 8), angle, axes=(1, 2), reshape=False, order=1)
        turned = images.reshape(len(X_test), -1)
        measures = predictive_uncertainty(model.mc_dropout(turned, n_samples, random_state=0))
        wrong = measures.mean.argmax(axis=1) != y_test
        sure_and_wrong = (wrong & (measures.entropy < SURE)).mean()
        rows.append([f"{angle}", 1 - wrong.mean(), measures.entropy.mean(), sure_and_wrong])
    print_table("Digits", ["degrees", "accuracy", "entropy", "wrong and sure"], rows)
    return np.array(rows)[:, 1:].astype(float)


# %%
# The figure
# ----------


def draw(moons, gap, digits, path):
    """Save the figure of the three experiments."""
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
    figure.savefig(path, dpi=120)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/uncertainty.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "uncertainty.png")
    n_samples, share = (5, 0.05) if arguments.quick else (200, 1)
    moons = two_moons(n_samples, int(100 * share))
    gap = a_gap(n_samples, int(400 * share))
    draw(moons, gap, turned_digits(n_samples, max(1, int(50 * share))), arguments.output)
