"""
Guide 1: what dropout does
==========================

What a mask does to the input of a unit, what training with masks does to the losses, why the
network that predicts is an average of masked networks, and what happens if units are removed.
:doc:`/user_guide/regularization/dropout` discusses the results.

.. image:: ../../examples/figures/what_dropout_does.png
   :alt: Losses over epochs, averages of masked networks, and units removed.

Run it with::

    python examples/guide_1_what_dropout_does.py [--quick] [--output FILE]
"""

from __future__ import annotations

import numpy as np
from _comparison import corrected_t_test
from _guide import print_table, three_tables
from _script import parse

from skreg import RegularizedMLPClassifier

RATE = 0.5
MASK_RATES = [0.1, 0.25, 0.5, 0.75]
SHARES = [0.1, 0.3, 0.5, 0.7, 0.9]
COUNTS = [1, 2, 5, 10, 50, 200]
TEST_OVER_TRAIN = {"drawn": 0.0, "digits": 1.0, "breast cancer": 1.0}  # 0: disjoint splits


# %%
# One mask
# --------


def inputs_of_second_layer(model, X):
    """Return the hidden units of the first layer and the next kernel."""
    standardised = (X - model.center_) / model.scale_
    return np.maximum(standardised @ model.coefs_[0] + model.intercepts_[0], 0), model.coefs_[1]


def show_masks(model, X, n_masks):
    """Print mean and noise of a unit's input under masks, with and without 1 / (1 - rate)."""
    hidden, kernel = inputs_of_second_layer(model, X)
    full = hidden @ kernel
    generator = np.random.default_rng(0)
    rows = []
    for rate in MASK_RATES:
        keep = (generator.random((n_masks, *hidden.shape)) >= rate).astype(float)
        fed = (hidden * keep) @ kernel
        plain = (fed.mean(axis=0) * full).sum() / (full**2).sum()
        inverted = fed / (1 - rate)
        noise = inverted.var(axis=0).mean()
        expected = rate / (1 - rate) * (hidden**2 @ kernel**2).mean()
        rows.append([f"{rate:g}", plain, plain / (1 - rate), noise**0.5, expected**0.5])
    print_table(
        f"What a unit of the second layer is fed through {n_masks:,} masks, relative to no mask",
        ["rate", "mask alone", "mask / (1 - rate)", "noise (std)", "by the formula"],
        rows,
    )


# %%
# Training
# --------


def network(dropout, max_iter, seed, **options):
    """Return a network without L2, of the columns alone."""
    options = {"l2": 0.0, "numerical_encoding": None, "random_state": seed, **options}
    return RegularizedMLPClassifier(dropout=dropout, max_iter=max_iter, **options)


def curve_of(split, watched, *parameters):
    """Return the loss without masks on training or test rows after each epoch."""
    X, X_test, y, y_test = split
    rows = (X, y) if watched == "train" else (X_test, y_test)
    model = network(*parameters, early_stopping=True, n_iter_no_change=np.inf)
    return model.fit(X, y, X_val=rows[0], y_val=rows[1]).validation_loss_curve_


def curves_of(splits, dropout, max_iter):
    """Return the curves of training and test loss, shape (2, splits, epochs)."""
    return np.array(
        [
            [curve_of(split, watched, dropout, max_iter, seed) for seed, split in enumerate(splits)]
            for watched in ("train", "test")
        ]
    )


def final_networks(splits, dropout, max_iter):
    """Return the networks after the last epoch, one for each split."""
    return [network(dropout, max_iter, seed).fit(X, y) for seed, (X, _, y, _) in enumerate(splits)]


def accuracies(networks, splits):
    """Return the accuracy of each network on its test rows."""
    return np.array(
        [
            model.score(X_test, y_test)
            for model, (_, X_test, _, y_test) in zip(networks, splits, strict=True)
        ]
    )


def show_training(tables, networks, max_iter):
    """Print losses of the last and the best epoch and the accuracy; return the curves."""
    curves, rows = {}, []
    for name, splits in tables.items():
        for dropout in (0.0, RATE):
            curve = curves[name, dropout] = curves_of(splits, dropout, max_iter)
            train, test = curve.mean(axis=1)
            accuracy = accuracies(networks[name, dropout], splits)
            losses = [train[-1], test[-1], test.min(), str(test.argmin() + 1)]
            scores = [accuracy.mean(), accuracy.std(ddof=1)]
            rows.append([f"{name}, {dropout:g}", *losses, *scores])
    print_table(
        f"Loss with the masks off after {max_iter} epochs, and test loss at its best epoch",
        ["table, dropout", "train", "test", "best", "at epoch", "accuracy", "(std)"],
        rows,
        [20, 7, 7, 7, 8, 8, 7],
    )
    return curves


def show_differences(tables, networks, curves):
    """Print how dropout changes the last test loss and the accuracy, with intervals."""
    rows = []
    for name, splits in tables.items():
        with_, without = (
            (curves[name, rate][1, :, -1], networks[name, rate]) for rate in (RATE, 0.0)
        )
        changes = (
            with_[0] - without[0],
            100 * (accuracies(with_[1], splits) - accuracies(without[1], splits)),
        )
        rows.append([name])
        for change in changes:
            mean, half, _ = corrected_t_test(change, TEST_OVER_TRAIN[name])
            rows[-1] += [f"{mean:+.3f}", f"+- {half:.3f}"]
    print_table(
        f"What dropout {RATE:g} changes, with 95 % intervals",
        ["table", "test loss", "", "accuracy, points", ""],
        rows,
    )


# %%
# Averages of masked networks
# ---------------------------


def mean_loss(probabilities, y):
    """Return the mean log loss of probabilities of the classes 0, 1, ..."""
    return -np.log(np.maximum(probabilities[np.arange(len(y)), y], 1e-300)).mean()


def show_averages(tables, networks, counts):
    """Print the log loss of averages of masked networks and of the one that predicts."""
    losses = {name: np.zeros((len(counts) + 1, len(splits))) for name, splits in tables.items()}
    for name, splits in tables.items():
        for k, (_, X_test, _, y_test) in enumerate(splits):
            model = networks[name, RATE][k]
            samples = model.mc_dropout(X_test, n_samples=counts[-1], random_state=0)
            means = [samples[:count].mean(axis=0) for count in counts]
            for place, probabilities in enumerate([*means, model.predict_proba(X_test)]):
                losses[name][place, k] = mean_loss(probabilities, y_test)
    labels = [*(f"{count} masked" for count in counts), "without a mask"]
    means = np.transpose([losses[name].mean(axis=1) for name in tables])
    print_table(
        f"Test log loss of the average of networks with masks of rate {RATE:g}",
        ["networks", *tables],
        [[label, *row] for label, row in zip(labels, means, strict=True)],
    )
    return losses


# %%
# Units taken away
# ----------------


def single_removals(model, X_test, y_test):
    """Return the accuracy lost by removing each unit of the last hidden layer."""
    whole = model.score(X_test, y_test)
    kernel = model.coefs_[-1]
    lost = []
    for unit in range(len(kernel)):
        kept = kernel[unit].copy()
        kernel[unit] = 0
        lost.append(whole - model.score(X_test, y_test))
        kernel[unit] = kept
    return np.array(lost)


def accuracy_without(model, X_test, y_test, share, n_masks):
    """Return the accuracy without a random share of the hidden units, the rest scaled up."""
    rate = model.dropout
    samples = model.set_params(dropout=share).mc_dropout(X_test, n_masks, random_state=0)
    model.set_params(dropout=rate)
    return (model.classes_[samples.argmax(axis=2)] == y_test).mean()


def show_removals(tables, networks, n_masks):
    """Print the accuracy without single units and without a share of them."""
    columns, remaining = [], {}
    for (name, dropout), models in networks.items():
        cases = [
            (model, split[1], split[3]) for model, split in zip(models, tables[name], strict=True)
        ]
        lost = 100 * np.array([single_removals(*case) for case in cases])
        shares = [
            np.mean([accuracy_without(*case, share, n_masks) for case in cases]) for share in SHARES
        ]
        remaining[name, dropout] = np.array([accuracies(models, tables[name]).mean(), *shares])
        columns.append([np.abs(lost).mean(), lost.max(axis=1).mean(), *remaining[name, dropout]])
    headings = [f"{name.split()[0]} {dropout:g}" for name, dropout in networks]
    labels = ["one: points moved", "one: worst, lost", "all there"]
    labels += [f"{share:.0%} missing" for share in SHARES]
    print_table(
        "Accuracy without some hidden units (one: in points, of the last layer)",
        ["", *headings],
        [[label, *row] for label, row in zip(labels, np.transpose(columns), strict=True)],
        [18, *(max(7, len(heading)) for heading in headings)],
    )
    return remaining


# %%
# The figure
# ----------


def draw(curves, losses, remaining, counts):
    """Draw losses over epochs, averages of masked networks, and removed units."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    styles = {("test", 0.0): "-", ("test", RATE): "--", ("train", 0.0): "-.", ("train", RATE): ":"}
    for dropout, colour in ((0.0, "C1"), (RATE, "C0")):
        for what, curve in zip(
            ("train", "test"), curves["drawn", dropout].mean(axis=1), strict=True
        ):
            axes[0].plot(
                np.arange(len(curve)) + 1,
                curve,
                styles[what, dropout],
                color=colour,
                label=f"{what}, {dropout:g}",
            )
    axes[0].set(
        title="drawn table: loss, masks off", xlabel="epoch", ylabel="log loss", ylim=(0, 1.6)
    )
    axes[0].legend(title="rows, dropout")
    for (name, loss), style in zip(losses.items(), ("o-", "s--", "^:"), strict=False):
        relative = loss.mean(axis=1) / loss.mean(axis=1)[-1]
        axes[1].plot(counts, relative[:-1], style, label=name)
    axes[1].axhline(1, color="black", linewidth=1)
    axes[1].set(
        title="average of masked networks",
        xlabel="networks averaged",
        ylabel="test log loss, without a mask = 1",
        xscale="log",
    )
    axes[1].legend()
    for name, marker in (("drawn", "o"), ("digits", "s")):
        for dropout, line, colour in ((0.0, "-", "C1"), (RATE, "--", "C0")):
            axes[2].plot(
                [0, *SHARES],
                remaining[name, dropout],
                marker + line,
                color=colour,
                label=f"{name}, trained at {dropout:g}",
            )
    axes[2].set(
        title="hidden units missing", xlabel="share missing", ylabel="accuracy", ylim=(0, 1)
    )
    axes[2].legend(loc="lower left")
    return figure


# %%
# The script
# ----------


def main():
    """Train, print the results and draw them."""
    arguments = parse(__doc__, "what_dropout_does.png")
    n_splits, max_iter, n_masks = (2, 4, 5) if arguments.quick else (8, 100, 20)
    counts = COUNTS[:2] if arguments.quick else COUNTS
    tables = three_tables(n_splits)
    if arguments.quick:
        del tables["breast cancer"]
    networks = {
        (name, dropout): final_networks(splits, dropout, max_iter)
        for name, splits in tables.items()
        for dropout in (0.0, RATE)
    }
    show_masks(networks["digits", RATE][0], tables["digits"][0][1][:50], 100 * n_masks)
    curves = show_training(tables, networks, max_iter)
    show_differences(tables, networks, curves)
    losses = show_averages(tables, networks, counts)
    remaining = show_removals(tables, networks, n_masks)
    draw(curves, losses, remaining, counts).savefig(arguments.output, dpi=110)
    print(f"\nfigure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/what_dropout_does.png"

if __name__ == "__main__":
    main()
