"""
Guide 2: what L2 does
=====================

Which weights shrink and what the losses do along the strengths of L2 and of decoupled weight decay,
and how far the two are the same penalty. :doc:`/user_guide/regularization/l2` discusses the
results.

.. image:: ../../examples/figures/what_l2_does.png
   :alt: Losses along l2, weights of the first kernel, and test loss against the weight norm.

Run it with::

    python examples/guide_2_what_l2_does.py [--quick] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _script import parse, print_table
from _tables import three_tables
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier

PENALTIES = {
    "l2": [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 1e-1],
    "weight_decay": [0.01, 0.1, 0.3, 1.0, 3.0, 6.0, 10.0],
}
IN_HISTOGRAM = [0.0, 1e-3, 1e-2, 3e-2]
MOMENTUM = {"solver": "sgd", "momentum": 0.9, "learning_rate_init": 0.02}
# name -> parameters, and how many times the decay
SOLVERS = {
    "sgd, no momentum": ({"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1}, 1),
    "sgd, momentum 0.9": (MOMENTUM, 1),
    "the same, decay x 10": (MOMENTUM, 10),
    "adam": ({"solver": "adam"}, 1),
}


def fit(split, max_iter, seed=0, **parameters):
    """Return a network of the columns alone, without dropout, and without L2 unless given."""
    options = {"dropout": 0.0, "l2": 0.0, "numerical_encoding": None, **parameters}
    model = RegularizedMLPClassifier(max_iter=max_iter, random_state=seed, **options)
    return model.fit(split[0], split[2])


# %%
# Weights and losses along the strengths
# --------------------------------------
#
# The last ten of the twenty columns are noise.


def measure(model, X, X_test, y, y_test):
    """Return norms of the kernels, share near zero, noise / other columns, losses, accuracy."""
    first, norms = model.coefs_[0], [np.linalg.norm(kernel) for kernel in model.coefs_]
    noise = np.linalg.norm(first[10:]) / np.linalg.norm(first[:10])
    rows = (y, model.predict_proba(X)), (y_test, model.predict_proba(X_test))
    losses = [log_loss(*pair) for pair in rows]
    return [*norms, (np.abs(first) < 0.01).mean(), noise, *losses, model.score(X_test, y_test)]


def sweep(splits, max_iter, name):
    """Return the mean measures, shape (strengths, 8), and the networks of the first split."""
    means, networks = [], []
    for strength in PENALTIES[name]:
        models = [fit(split, max_iter, k, **{name: strength}) for k, split in enumerate(splits)]
        pairs = zip(models, splits, strict=True)
        means.append(np.mean([measure(model, *split) for model, split in pairs], axis=0))
        networks.append(models[0])
    return np.array(means), networks


# %%
# Coupled and decoupled
# ---------------------


def compare_penalties(split, max_iter, decay, options, factor):
    """Return norms of all weights without penalty, with l2 and with decay, and their distance."""
    penalties = {}, {"l2": decay / 2}, {"weight_decay": factor * decay}
    models = [fit(split, max_iter, **options, **penalty) for penalty in penalties]
    bare, l2, decayed = (np.concatenate([k.ravel() for k in model.coefs_]) for model in models)
    distance = np.linalg.norm(l2 - decayed) / np.linalg.norm(l2 - bare)
    return [*map(np.linalg.norm, (bare, l2, decayed)), f"{distance:.1e}"]


# %%
# The figure
# ----------


def draw(found, path):
    """Save the figure: losses along l2, weights of the first kernel, and the two penalties."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    (means, networks), strengths = found["l2"], PENALTIES["l2"]
    for place, label, style in ((5, "train", "s--"), (6, "test", "o-")):
        axes[0].plot([1e-5, *strengths[1:]], means[:, place], style, label=label)
    axes[0].set_xscale("log")
    axes[0].set_xticks([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], ["0", "1e-4", "1e-3", "1e-2", "1e-1"])
    axes[0].set(title="drawn table", xlabel="l2", ylabel="log loss")
    edges = np.linspace(-0.5, 0.5, 51)
    for strength, style in zip(IN_HISTOGRAM, ("-", "--", "-.", ":"), strict=True):
        kernel = networks[strengths.index(strength)].coefs_[0]
        share = np.histogram(kernel, edges)[0] / kernel.size
        axes[1].stairs(share, edges, linestyle=style, linewidth=1.6, label=f"l2 {strength:g}")
    axes[1].set_yscale("log")
    axes[1].set(title="weights of the first kernel", xlabel="weight", ylabel="share of weights")
    for (name, (means, _)), style in zip(found.items(), ("o-", "s--"), strict=True):
        axes[2].plot(np.linalg.norm(means[:, :3], axis=1), means[:, 6], style, label=name)
    axes[2].set(title="adam, drawn table", xlabel="norm of all weights", ylabel="test log loss")
    for ax in axes:
        ax.legend()
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/what_l2_does.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "what_l2_does.png")
    n_splits, max_iter = (2, 3) if arguments.quick else (8, 50)
    tables = three_tables(n_splits)
    found = {name: sweep(tables["drawn"], max_iter, name) for name in PENALTIES}
    columns = ["kernel 1", "kernel 2", "kernel 3", "near 0", "noise", "train", "test", "accuracy"]
    for name, (means, _) in found.items():
        rows = [[f"{s:g}", *row] for s, row in zip(PENALTIES[name], means, strict=True)]
        print_table(f"Drawn table, {name}", [name, *columns], rows)
    rows = [
        [name, *compare_penalties(tables["breast cancer"][0], max_iter, 0.02, *solver)]
        for name, solver in SOLVERS.items()
    ]
    columns = ["solver", "neither", "l2", "decay", "apart / moved by l2"]
    title = "Breast cancer, l2=0.01 and weight_decay=0.02: norm of all weights"
    print_table(title, columns, rows)
    draw(found, arguments.output)
