"""
Guide 3: dropout and L2 together
================================

Neither, dropout alone, L2 alone, or both? Each is tuned inside the training rows, on the same
repeated splits of public tables, and scored on the test rows. The comparison is repeated with fewer
rows, with noise columns and with wrong labels. :doc:`/user_guide/regularization/together` discusses
the results.

.. image:: ../../examples/figures/together.png
   :alt: Gain of both on each table, and on average in each condition.

Run it with::

    python examples/guide_3_together.py [--quick] [--data FOLDER] [--output FILE]
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from _comparison import corrected_t_test
from _script import parse, print_table
from _tables import public_tables
from scipy import stats
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

DROPOUTS = [0.0, 0.2, 0.4, 0.6]
L2S = [0.0, 1e-4, 1e-3, 1e-2, 3e-2]
# name -> part of the grid: rows are dropouts, columns strengths
FAMILIES = {
    "neither": (slice(0, 1), slice(0, 1)),
    "dropout": (slice(1, None), slice(0, 1)),
    "L2": (slice(0, 1), slice(1, None)),
    "both": (slice(1, None), slice(1, None)),
}
RIVALS = ["neither", "dropout", "L2", "better one"]
MAX_ROWS = 600
CONDITIONS = {
    "as it is": "as it is",
    "fewer": "a quarter of the rows",
    "columns": "50 columns of noise",
    "labels": "a fifth of labels drawn",
}


# %%
# Splits
# ------


def with_wrong_labels(y, seed, share=0.2):
    """Return labels of which a share is drawn again."""
    generator = np.random.default_rng(seed)
    drawn = generator.random(len(y)) < share
    return np.where(drawn, generator.permutation(y), y)


def split_of(X, y, condition, seed):
    """Return (X, X_test, y, y_test) of at most 600 rows, a fifth of them for testing."""
    n_rows = min(len(y), MAX_ROWS)
    generator = np.random.default_rng(seed)
    if condition == "columns":
        X = np.hstack([X, generator.normal(size=(len(X), 50))])
    if condition == "labels":
        y = with_wrong_labels(y, seed)
    X, X_test, y, y_test = train_test_split(
        X, y, train_size=n_rows - n_rows // 5, test_size=n_rows // 5, stratify=y, random_state=seed
    )
    if condition == "fewer":
        X, _, y, _ = train_test_split(X, y, train_size=len(y) // 4, stratify=y, random_state=seed)
    return X, X_test, y, y_test


# %%
# Tuning and judging
# ------------------


def winners(scores):
    """Return place and score of the best candidate of each family."""
    means = scores.mean(axis=2)
    found = {}
    for family, (rows, columns) in FAMILIES.items():
        part = means[rows, columns]
        row, column = np.unravel_index(part.argmax(), part.shape)
        found[family] = (row + rows.start, column + columns.start), part.max()
    return found


def judged(split, place, max_iter, seed):
    """Return test log loss and accuracy of a candidate trained on all training rows."""
    X, X_test, y, y_test = split
    model = RegularizedMLPClassifier(
        dropout=DROPOUTS[place[0]],
        l2=L2S[place[1]],
        max_iter=max_iter,
        numerical_encoding=None,
        random_state=seed,
    ).fit(X, y)
    probabilities = model.predict_proba(X_test)
    return log_loss(y_test, probabilities, labels=model.classes_), model.score(X_test, y_test)


def compare(split, cv, max_iter, seed):
    """Return the measures of each family's winner, and of dropout or L2 alone."""
    X, _, y, _ = split
    search = RegularizedMLPClassifierCV(
        dropouts=DROPOUTS,
        l2s=L2S,
        cv=cv,
        refit=False,
        max_iter=max_iter,
        numerical_encoding=None,
        n_jobs=2,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The best .* edge", UserWarning)
        search.fit(X, y)
    found = winners(search.scores_)
    measures = {
        family: judged(split, place, max_iter, seed) for family, (place, _) in found.items()
    }
    better = max(("dropout", "L2"), key=lambda family: found[family][1])
    return measures | {"better one": measures[better]}, found["both"][0]


def measure_table(X, y, condition, n_splits, cv, max_iter):
    """Return measures (splits, families and better one, 2), the ratio of rows, and choices."""
    measures, choices = [], []
    for seed in range(n_splits):
        split = split_of(X, y, condition, seed)
        found, chosen = compare(split, cv, max_iter, seed)
        measures.append([found["both"], *(found[rival] for rival in RIVALS)])
        choices.append(chosen)
    return np.array(measures), len(split[3]) / len(split[2]), choices


# %%
# What the differences say
# ------------------------


def verdict(differences, test_over_train):
    """Return 1 if the interval of the mean difference is below 0, -1 if above, else 0."""
    mean, half, _ = corrected_t_test(differences, test_over_train)
    return int(mean + half < 0) - int(mean - half > 0)


def verdicts_of(measures, ratio):
    """Return the verdicts of both against each rival, shape (2, rivals)."""
    costs = measures * [1, -1]  # larger accuracy is better
    differences = costs[:, :1] - costs[:, 1:]
    return np.array(
        [[verdict(column, ratio) for column in of.T] for of in differences.T.swapaxes(1, 2)]
    )


def counted(verdicts):
    """Return wins, ties and losses of both as text."""
    return " / ".join(str((verdicts == value).sum()) for value in (1, 0, -1))


def show_table(name, shape, measures, ratio):
    """Print the log loss of each family, and both against the better one."""
    losses = measures[..., 0]
    mean, half, _ = corrected_t_test(losses[:, 0] - losses[:, 4], ratio)
    cells = [f"{losses[:, k].mean():.3f}" for k in (1, 2, 3, 0)]
    line = "".join(f"{cell:>8}" for cell in cells)
    print(f"  {name:18s}{shape[0]:4d} x {shape[1]:3d}{line}  {mean:+.3f} +- {half:.3f}", flush=True)


def show_counts(results):
    """Print wins, ties and losses of both over the tables."""
    verdicts = np.array([verdicts_of(*result[:2]) for result in results.values()])
    print_table(
        f"Both against each: wins / ties / losses on {len(results)} tables",
        ["", *RIVALS],
        [
            [label, *(counted(verdicts[:, k, rival]) for rival in range(len(RIVALS)))]
            for k, label in enumerate(["by log loss", "by accuracy"])
        ],
    )
    for value, word in ((1, "won"), (-1, "lost")):
        names = np.array(list(results))[verdicts[:, 0, RIVALS.index("L2")] == value]
        print(f"  {word} against L2 by log loss: {', '.join(names) or 'nowhere'}", flush=True)


def relative_gains(results):
    """Return the gain of both on each rival, in % of log loss and points of accuracy."""
    ratios, points = [], []
    for measures, *_ in results.values():
        losses, accuracies = measures[..., 0].mean(axis=0), measures[..., 1].mean(axis=0)
        ratios.append(100 * (1 - losses[0] / losses[1:]))
        points.append(100 * (accuracies[0] - accuracies[1:]))
    return np.array(ratios), np.array(points)


def over_tables(values):
    """Return the mean over tables and half its 95 % interval as text."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{values.mean():+.1f} +- {half:.1f}"


def show_gains(by_condition):
    """Print the mean gains of both in each condition, with intervals over the tables."""
    for k, title in enumerate(["Log loss, % that both gain", "Accuracy, points that both gain"]):
        rows = []
        for condition, results in by_condition.items():
            gains = relative_gains(results)[k]
            rows.append([CONDITIONS[condition], *(over_tables(column) for column in gains.T)])
        print_table(
            f"{title}: mean over tables and 95 % interval",
            ["", *RIVALS],
            rows,
        )


def show_choices(by_condition):
    """Print how often each rate and strength was chosen for both."""
    rows = []
    for condition, results in by_condition.items():
        places = np.array([place for *_, choices in results.values() for place in choices])
        rates = np.bincount(places[:, 0], minlength=len(DROPOUTS))[1:] / len(places)
        strengths = np.bincount(places[:, 1], minlength=len(L2S))[1:] / len(places)
        rows.append([condition, *(f"{share:.0%}" for share in [*rates, *strengths])])
    print_table(
        "What was chosen for both",
        ["", *(f"d {rate:g}" for rate in DROPOUTS[1:]), *(f"l2 {value:g}" for value in L2S[1:])],
        rows,
    )


# %%
# The figure
# ----------


def draw(by_condition):
    """Draw the gain on each rival by table, and the mean gain on the better one by condition."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(13, 5), layout="constrained", width_ratios=[3, 2]
    )
    results = by_condition["as it is"]
    ratios = relative_gains(results)[0]
    order = ratios[:, 3].argsort()
    for k, (rival, style) in enumerate(zip(RIVALS[:3], ("^", "o", "s"), strict=True)):
        left.plot(
            ratios[order, k],
            range(len(order)),
            style,
            fillstyle="none" if k else "full",
            label=rival,
        )
    left.plot(ratios[order, 3], range(len(order)), "k|", markersize=14, label="better one")
    left.axvline(0, color="black", linewidth=1)
    left.set_yticks(range(len(order)), np.array(list(results))[order])
    left.set(title="what both gain on each table", xlabel="% of the log loss of the other")
    left.legend()
    for k, style in ((1, "o"), (2, "s"), (3, "D")):
        for place, of in enumerate(by_condition.values()):
            gains = relative_gains(of)[0][:, k]
            half = stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains)
            right.errorbar(
                gains.mean(),
                place + 0.15 * (k - 2),
                xerr=half,
                fmt="k" + style,
                capsize=4,
                fillstyle="full" if k == 3 else "none",
                label=None if place else RIVALS[k],
            )
    right.axvline(0, color="black", linewidth=1)
    right.set_yticks(
        range(len(by_condition)), [CONDITIONS[condition] for condition in by_condition]
    )
    right.invert_yaxis()
    right.set(title="mean over tables, 95 % interval", xlabel="% of the log loss of the other")
    right.legend()
    return figure


# %%
# The script
# ----------


def main():
    """Tune and score on every table in every condition, print and draw the results."""
    arguments = parse(__doc__, "together.png", data="folder of tables, instead of OpenML")
    start = time.perf_counter()
    tables = list(public_tables(arguments.data, arguments.quick))[: 2 if arguments.quick else None]
    by_condition = {}
    for condition, words in CONDITIONS.items():
        n_splits = 10 if condition == "as it is" else 4
        n_splits, cv, max_iter = (2, 2, 1) if arguments.quick else (n_splits, 5, 50)
        print(f"\n{words}, {n_splits} splits: mean log loss, and both - better one\n")
        heading = "".join(f"{name:>8}" for name in ("neither", "dropout", "L2", "both"))
        print(f"  {'table':18s}{'training':>10}{heading}    95 % interval")
        results = by_condition[condition] = {}
        for name, X, y in tables:
            results[name] = measure_table(X, y, condition, n_splits, cv, max_iter)
            n_rows = min(len(y), MAX_ROWS)
            n_train = (n_rows - n_rows // 5) // (4 if condition == "fewer" else 1)
            n_columns = X.shape[1] + (50 if condition == "columns" else 0)
            show_table(name, (n_train, n_columns), *results[name][:2])
        show_counts(results)
    show_gains(by_condition)
    show_choices(by_condition)
    draw(by_condition).savefig(arguments.output, dpi=110)
    print(f"\n{time.perf_counter() - start:.0f} s; figure: {arguments.output}")


# sphinx_gallery_thumbnail_path = "../examples/figures/together.png"

if __name__ == "__main__":
    main()
