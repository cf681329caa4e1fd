"""
Guide 2: what L2 does
=====================

What a penalty on the squared weights does to the weights and the losses, along which directions it
shrinks a linear model, and how it differs from decoupled weight decay: not at all for plain sgd,
much for adam. :doc:`/user_guide/regularization/l2` discusses the results.

.. image:: ../../examples/figures/what_l2_does.png
   :alt: Losses along l2, weights of the first kernel, and test loss against the weight norm.

Run it with::

    python examples/guide_2_what_l2_does.py [--quick] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _comparison import corrected_t_test
from _guide import print_table, three_tables
from _script import parse
from sklearn.datasets import load_diabetes
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

L2S = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 1e-1]
DECAYS = [0.01, 0.1, 0.3, 1.0, 3.0, 6.0, 10.0]
DRAWN_IN_HISTOGRAM = [0.0, 1e-3, 1e-2, 3e-2]
NEAR_ZERO = 0.01
SGD = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1}
MOMENTUM = {"solver": "sgd", "momentum": 0.9, "learning_rate_init": 0.02}
# name -> (parameters, factor of the decay)
SOLVERS = {
    "sgd, no momentum": (SGD, 1),
    "sgd, momentum 0.9": (MOMENTUM, 1),
    "the same, decay x 10": (MOMENTUM, 10),
    "adam": ({"solver": "adam"}, 1),
}


# %%
# Weights and losses along the strengths
# --------------------------------------


def measured(model, split):
    """Return norms of the kernels, share near zero, noise / informative, losses, accuracy."""
    X, X_test, y, y_test = split
    first = model.coefs_[0]
    norms = [np.linalg.norm(kernel) for kernel in model.coefs_]
    return [
        *norms,
        np.mean(np.abs(first) < NEAR_ZERO),
        np.linalg.norm(first[10:]) / np.linalg.norm(first[:10]),
        log_loss(y, model.predict_proba(X)),
        log_loss(y_test, model.predict_proba(X_test)),
        model.score(X_test, y_test),
    ]


def fitted(split, seed, max_iter, **parameters):
    """Return a fitted network without dropout, and without L2 unless given."""
    options = {"dropout": 0.0, "l2": 0.0, "numerical_encoding": None}
    options |= {"max_iter": max_iter, "random_state": seed}
    return RegularizedMLPClassifier(**(options | parameters)).fit(split[0], split[2])


def sweep(splits, name, strengths, max_iter):
    """Return measures, shape (strengths, splits, 8), and the networks of the first split."""
    measures, networks = [], []
    for strength in strengths:
        models = [
            fitted(split, seed, max_iter, **{name: strength}) for seed, split in enumerate(splits)
        ]
        networks.append(models[0])
        measures.append([measured(*pair) for pair in zip(models, splits, strict=True)])
    return np.array(measures), networks


def show_sweep(title, name, strengths, measures, informative):
    """Print the means over the splits, one line for each strength."""
    columns = ["kernel 1", "kernel 2", "kernel 3", "near 0", "noise", "train", "test", "accuracy"]
    keep = [k for k in range(8) if informative or k != 4]
    print_table(
        title,
        [name, *(columns[k] for k in keep)],
        [
            [f"{strength:g}", *row[keep]]
            for strength, row in zip(strengths, measures.mean(axis=1), strict=True)
        ],
        [12, *[8] * 3, *[6] * (len(keep) - 4), 8],
    )


def show_best(l2s, decays):
    """Compare the best strengths of the two penalties."""
    best_l2, best_decay = (measures[..., 6].mean(axis=1).argmin() for measures in (l2s, decays))
    rows = []
    for place, label in ((6, "test loss"), (7, "accuracy"), (1, "norm of kernel 2")):
        change = decays[best_decay, :, place] - l2s[best_l2, :, place]
        mean, half, _ = corrected_t_test(change)
        means = [l2s[best_l2, :, place].mean(), decays[best_decay, :, place].mean()]
        rows.append([label, *means, f"{mean:+.3f} +- {half:.3f}"])
    print_table(
        f"Adam at its best: l2 {L2S[best_l2]:g} against weight_decay {DECAYS[best_decay]:g}",
        ["", "l2", "decay", "difference, 95 % interval"],
        rows,
    )


# %%
# A linear model
# --------------


def show_directions(strength, max_iter):
    """Print the shrinkage of a linear regression along the eigenvectors of the correlations."""
    X, y = load_diabetes(return_X_y=True)
    model = RegularizedMLPRegressor(
        (),
        l2=strength,
        batch_size=len(y),
        learning_rate_init=0.1,
        max_iter=max_iter,
        random_state=0,
    ).fit(X, y)
    standardised = (X - model.center_) / model.scale_
    target = (y - model.target_center_) / model.target_scale_
    correlations = standardised.T @ standardised / len(y)
    values, vectors = np.linalg.eigh(correlations)
    unpenalised = np.linalg.solve(correlations, standardised.T @ target / len(y))
    shrinkage = (vectors.T @ model.coefs_[0][:, 0]) / (vectors.T @ unpenalised)
    print_table(
        f"Linear regression with l2 {strength:g}: what is left of each direction's weight",
        ["eigenvalue s", "measured", "s / (s + l2)"],
        [
            [f"{value:.4f}", left, value / (value + strength)]
            for value, left in zip(values[::-3], shrinkage[::-3], strict=True)
        ],
    )


# %%
# Coupled and decoupled
# ---------------------


def weights_of(model):
    """Return all kernels as one vector."""
    return np.concatenate([kernel.ravel() for kernel in model.coefs_])


def show_coupling(split, decay, max_iter):
    """Print how far weight decay d and l2 = d / 2 differ at the end, for each solver."""
    rows = []
    for name, (options, factor) in SOLVERS.items():
        bare = weights_of(fitted(split, 0, max_iter, **options))
        coupled = weights_of(fitted(split, 0, max_iter, l2=decay / 2, **options))
        decoupled = weights_of(fitted(split, 0, max_iter, weight_decay=factor * decay, **options))
        norms = [np.linalg.norm(weights) for weights in (bare, coupled, decoupled)]
        apart = np.linalg.norm(coupled - decoupled) / np.linalg.norm(coupled - bare)
        rows.append([name, *norms, f"{apart:.1e}"])
    print_table(
        f"Breast cancer: norm of all weights, l2 {decay / 2:g} against weight_decay {decay:g}",
        ["solver", "neither", "l2", "decay", "apart / moved by l2"],
        rows,
        [20, 8, 8, 8, 20],
    )


def show_shrinking(n_steps, rate=0.005):
    """Print what decay alone leaves of a weight after a fit with a cosine schedule."""
    rates = rate * 0.5 * (1 + np.cos(np.pi * np.arange(n_steps) / n_steps))
    print_table(
        f"What weight decay alone leaves of a weight after {n_steps} steps at the default rate",
        ["weight_decay", "left"],
        [[f"{decay:g}", np.prod(1 - rates * decay)] for decay in DECAYS],
    )


# %%
# The figure
# ----------


def draw_losses(ax, measures):
    """Draw training and test loss along the strengths, 0 at the left edge."""
    at = [1e-5, *L2S[1:]]
    for place, label, style in ((5, "train", "s--"), (6, "test", "o-")):
        mean, spread = measures[..., place].mean(axis=1), measures[..., place].std(axis=1, ddof=1)
        ax.errorbar(at, mean, yerr=spread, fmt=style, capsize=3, label=label)
    ax.set_xscale("log")
    ax.set_xticks([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], ["0", "1e-4", "1e-3", "1e-2", "1e-1"])
    ax.set(title="drawn table: loss and its std", xlabel="l2", ylabel="log loss")
    ax.legend()


def draw_weights(ax, networks):
    """Draw the distribution of the first kernel's weights for some strengths."""
    edges = np.linspace(-0.5, 0.5, 51)
    chosen = [networks[L2S.index(strength)] for strength in DRAWN_IN_HISTOGRAM]
    styles = "-", "--", "-.", ":"
    for strength, network, style in zip(DRAWN_IN_HISTOGRAM, chosen, styles, strict=True):
        share = np.histogram(network.coefs_[0], edges)[0] / network.coefs_[0].size
        ax.stairs(share, edges, linestyle=style, linewidth=1.6, label=f"l2 {strength:g}")
    ax.set_yscale("log")
    ax.set(title="weights of the first kernel", xlabel="weight", ylabel="share of weights")
    ax.legend()


def draw_solvers(ax, l2s, decays):
    """Draw test loss against the norm of the weights."""
    for measures, label, style in ((l2s, "l2", "o-"), (decays, "weight_decay", "s--")):
        norm = np.sqrt((measures[..., :3] ** 2).sum(axis=-1)).mean(axis=1)
        ax.plot(norm, measures[..., 6].mean(axis=1), style, label=label)
    ax.set(title="adam, drawn table", xlabel="norm of all weights", ylabel="test log loss")
    ax.legend()


# %%
# The script
# ----------


def main():
    """Train, print the results and draw them."""
    arguments = parse(__doc__, "what_l2_does.png")
    n_splits, max_iter = (2, 3) if arguments.quick else (8, 50)
    tables = three_tables(n_splits)
    drawn, cancer = tables["drawn"], tables["breast cancer"]
    l2s, networks = sweep(drawn, "l2", L2S, max_iter)
    show_sweep(
        "Drawn table (near 0: share of |w| < 0.01; noise: its columns' norm / others')",
        "l2",
        L2S,
        l2s,
        informative=True,
    )
    of_cancer, _ = sweep(cancer, "l2", L2S, max_iter)
    show_sweep("Breast cancer", "l2", L2S, of_cancer, informative=False)
    decays, _ = sweep(drawn, "weight_decay", DECAYS, max_iter)
    show_sweep(
        "Drawn table, decoupled weight decay", "weight_decay", DECAYS, decays, informative=True
    )
    show_best(l2s, decays)
    show_shrinking(10 * max_iter)
    show_coupling(cancer[0], 0.02, max_iter)
    show_directions(0.1, 40 * max_iter)

    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    draw_losses(axes[0], l2s)
    draw_weights(axes[1], networks)
    draw_solvers(axes[2], l2s, decays)
    figure.savefig(arguments.output, dpi=110)
    print(f"\nfigure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/what_l2_does.png"

if __name__ == "__main__":
    main()
