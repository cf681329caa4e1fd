"""
Guide 1: what dropout does
==========================

What training with masks does to the loss of new rows, how well the network that predicts
approximates the average of masked networks, and what happens if units are removed.
:doc:`/user_guide/regularization/dropout` discusses the results.

.. image:: ../../examples/figures/what_dropout_does.png
   :alt: Losses over epochs, averages of masked networks, and units removed.

Run it with::

    python examples/guide_1_what_dropout_does.py [--quick] [--output FILE]
"""

import numpy as np
from _comparison import corrected_t_test
from _script import parse, print_table
from _tables import three_tables
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier

RATES = 0.0, 0.5
SHARES = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9]
TEST_OVER_TRAIN = {"drawn": 0.0, "digits": 1.0, "breast cancer": 1.0}  # 0: disjoint splits
SETTINGS = {"max_iter": 100, "counts": [1, 2, 5, 10, 50, 200], "n_masks": 20}
QUICK = {"max_iter": 4, "counts": [1, 2], "n_masks": 5}


# %%
# Training
# --------
#
# Networks without L2, of the columns alone. One is watched on the test rows after each epoch. The
# other one is the network of the last epoch.


def train(X, X_test, y, y_test, **options):
    """Return the test losses over the epochs, and the last network."""
    options |= {"l2": 0.0, "numerical_encoding": None, "random_state": 0}
    watched = RegularizedMLPClassifier(early_stopping=True, n_iter_no_change=np.inf, **options)
    watched.fit(X, y, X_val=X_test, y_val=y_test)
    return watched.validation_loss_curve_, RegularizedMLPClassifier(**options).fit(X, y)


# %%
# Averages of masked networks
# ---------------------------


def average_masks(model, X, y, counts):
    """Return the losses of averages of masked networks, then of the network that predicts."""
    samples = model.set_params(dropout=RATES[1]).mc_dropout(X, counts[-1], random_state=0)
    means = [*(samples[:count].mean(axis=0) for count in counts), model.predict_proba(X)]
    return [log_loss(y, mean, labels=model.classes_) for mean in means]


# %%
# Units taken away
# ----------------


def remove_units(model, X, y, n_masks):
    """Return the accuracies without random shares of the hidden units, the rest scaled up."""
    accuracies = [model.score(X, y)]
    for share in SHARES[1:]:
        samples = model.set_params(dropout=share).mc_dropout(X, n_masks, random_state=0)
        accuracies.append((model.classes_[samples.argmax(axis=2)] == y).mean())
    return accuracies


# %%
# The measures of all splits
# --------------------------


def measure(splits, dropout, max_iter, counts, n_masks):
    """Return arrays of test losses over the epochs, of averages, and of accuracies."""
    found = []
    for split in splits:
        curve, model = train(*split, dropout=dropout, max_iter=max_iter)
        averages = average_masks(model, *split[1::2], counts)
        found.append((curve, averages, remove_units(model, *split[1::2], n_masks)))
    return tuple(map(np.array, zip(*found, strict=True)))


def tell(found):
    """Print the means over the splits, and what dropout changes, with 95 % intervals."""
    rows, changes = [], []
    for name, ratio in TEST_OVER_TRAIN.items():
        ends = []
        for rate in RATES:
            curves, averages, accuracies = found[name, rate]
            best = curves.mean(axis=0).argmin()
            ends.append(np.array([curves[:, -1], accuracies[:, 0]]))
            means = [*ends[-1].mean(axis=1), curves[:, best].mean(), f"{best + 1}"]
            rows.append([f"{name}, {rate:g}", *means, averages[:, -2].mean()])
            rows[-1].append(accuracies[:, SHARES.index(0.5)].mean())
        tests = [corrected_t_test(change, ratio) for change in ends[1] - ends[0]]
        changes.append([name, *(f"{mean:+.3f} +- {half:.3f}" for mean, half, _ in tests)])
    columns = ["table, dropout", "loss", "accuracy", "best loss", "at epoch", "masks", "half"]
    print_table("Test rows: last and best epoch, averaged masks, half the units", columns, rows)
    print_table("What dropout changes", ["table", "loss, interval", "accuracy"], changes)


# %%
# The figure
# ----------


def draw(found, counts, path):
    """Save the figure: losses over epochs, averages of masked networks, and removed units."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    styles = dict(zip(RATES, ("C1-", "C0--"), strict=True))
    for rate, style in styles.items():
        curve = found["drawn", rate][0].mean(axis=0)
        axes[0].plot(np.arange(len(curve)) + 1, curve, style, label=f"dropout {rate:g}")
        axes[0].plot(curve.argmin() + 1, curve.min(), style[:2] + "o")
    axes[0].set(title="drawn table; dots: best epoch", xlabel="epoch", ylabel="test log loss")
    for name, style in zip(TEST_OVER_TRAIN, ("o-", "s--", "^:"), strict=True):
        loss = found[name, RATES[1]][1].mean(axis=0)
        axes[1].plot(counts, loss[:-1] / loss[-1], style, label=name)
    axes[1].axhline(1, color="black", linewidth=1)
    axes[1].set(title="average of masked networks", xlabel="networks averaged", xscale="log")
    axes[1].set(ylabel="test log loss, without a mask = 1")
    for name, marker in (("drawn", "o"), ("digits", "s")):
        for rate, style in styles.items():
            accuracy = found[name, rate][2].mean(axis=0)
            axes[2].plot(SHARES, accuracy, style + marker, label=f"{name}, trained at {rate:g}")
    axes[2].set(title="hidden units missing", xlabel="share missing", ylabel="accuracy")
    axes[2].set(ylim=(0, 1))
    for ax in axes:
        ax.legend()
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


# sphinx_gallery_thumbnail_path = "../examples/figures/what_dropout_does.png"

if __name__ == "__main__":
    arguments = parse(__doc__, "what_dropout_does.png")
    settings = QUICK if arguments.quick else SETTINGS
    found = {
        (name, rate): measure(splits, rate, **settings)
        for name, splits in three_tables(2 if arguments.quick else 8).items()
        for rate in RATES
    }
    tell(found)
    draw(found, settings["counts"], arguments.output)
