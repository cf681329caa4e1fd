"""Helpers of examples 01, 04 to 08 and guides 1 and 3: families of networks on the same splits."""

from __future__ import annotations

import textwrap
import time
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np
from _script import parse
from scipy import stats
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GroupKFold

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

FAMILIES = ["neither", "dropout", "L2", "both"]  # parts of one grid
ENSEMBLE = "ensemble"  # of linear models and networks with encodings; HALVING, otherwise defaults
LOWER_IS_BETTER = ["log loss"]
HALVING = {"search": "halving"}  # of the ensemble
PLAIN = {"numerical_encoding": None}  # the network of the columns alone
GRID = {"dropouts": [0.0, 0.25, 0.5, 0.75, 0.9], "l2s": [0.0, 1e-3, 1e-2, 3e-2, 1e-1]}
QUICK = {
    "grid": {"dropouts": [0, 0.5], "l2s": [0, 1e-2]},
    "folds": 2,
    "network": {"max_iter": 3},
    "ensemble": {"dropouts": [0], "l2s": [1e-2], "max_iter": 3},
}


class Comparison(NamedTuple):
    """Scores of the splits, the most important metric first."""

    scores: dict  # by metric, by model: an array of one score a split
    chosen: list  # for each split, (dropout, l2) by family
    ratio: float  # test rows / training rows; 0 if the splits are disjoint


def parts_of_the_grid(dropouts, l2s):
    """Return the mask of each family in the grid, shape (n_dropouts, n_l2s)."""
    drops, decays = np.array(dropouts)[:, None] > 0, np.array(l2s) > 0
    masks = ~drops & ~decays, drops & ~decays, ~drops & decays, drops & decays
    return dict(zip(FAMILIES, masks, strict=True))


def winners(scores, dropouts, l2s):
    """Return (dropout, l2) of the best mean over the folds for each family."""
    best = {}
    for family, mask in parts_of_the_grid(dropouts, l2s).items():
        means = np.where(mask, scores.mean(axis=2), -np.inf)
        row, column = np.unravel_index(means.argmax(), means.shape)
        best[family] = dropouts[row], l2s[column]
    return best


def search(table, train, folds, seed, **options):
    """Return a search on the training rows."""
    groups = None if table.groups is None else table.groups[train]
    cv = folds if groups is None else GroupKFold(folds)
    model = RegularizedMLPClassifierCV(cv=cv, n_jobs=2, random_state=seed, **options)
    with warnings.catch_warnings():  # about the whole grid; `tell` prints the choices
        warnings.filterwarnings("ignore", "The best .* lies on the")
        return model.fit(table.X[train], table.y[train], groups=groups)


def measure(model, table, test):
    """Return the scores of a classifier on the test rows."""
    probabilities = model.predict_proba(table.X[test])
    return {
        "log loss": log_loss(table.y[test], probabilities, labels=model.classes_),
        "accuracy": accuracy_score(table.y[test], model.predict(table.X[test])),
    }


def compare(table, splits, grid, folds, network, ensemble=HALVING, overlap=True, measure=measure):
    """Tune, refit and score the families and the ensemble on every split."""
    start, rows, chosen = time.perf_counter(), [], []
    for seed, (train, test) in enumerate(splits):
        tuned = search(table, train, folds, seed, **grid, **PLAIN, **network, refit=False)
        chosen.append(winners(tuned.scores_, **grid))
        rows.append({})
        for family, (dropout, l2) in chosen[-1].items():
            options = {"dropout": dropout, "l2": l2, "random_state": seed}
            model = RegularizedMLPClassifier(**options, **PLAIN, **network)
            rows[-1][family] = measure(model.fit(table.X[train], table.y[train]), table, test)
        model = search(table, train, folds, seed, **ensemble, refit="ensemble")
        rows[-1][ENSEMBLE] = measure(model, table, test)
    scores = {
        metric: {name: np.array([row[name][metric] for row in rows]) for name in rows[0]}
        for metric in rows[0][ENSEMBLE]
    }
    n_train, n_test = np.mean([(len(train), len(test)) for train, test in splits], axis=0)
    print(f"\n{len(table.X):,} rows, {table.X.shape[1]} columns; {len(splits)} splits of", end=" ")
    print(f"{n_train:.0f} and {n_test:.0f} rows; {time.perf_counter() - start:.0f} s")
    return Comparison(scores, chosen, n_test / n_train if overlap else 0.0)


def corrected_t_test(differences, ratio=0.0):
    """Return the mean of paired differences, half its 95 % interval, and the p-value.

    Splits share training rows, so the variance of the mean over J splits is
    (1/J + n_test/n_train) s^2 (Nadeau and Bengio 2003). A ratio of 0 is the ordinary paired t-test.
    """
    n, mean = len(differences), np.mean(differences)
    error = np.sqrt((1 / n + ratio) * np.var(differences, ddof=1))
    return mean, stats.t.ppf(0.975, n - 1) * error, 2 * stats.t.sf(abs(mean), n - 1, scale=error)


def contrasts(comparison, metric):
    """Test each family against neither, both against the better one, the ensemble against both."""
    first, scores = next(iter(comparison.scores.items()))
    better = min if first in LOWER_IS_BETTER else max  # by the test scores, in its favour
    single = better(("dropout", "L2"), key=lambda family: scores[family].mean())
    tests = {}
    pairs = [(family, "neither") for family in FAMILIES[1:]]
    for one, other in [*pairs, ("both", single), (ENSEMBLE, "both")]:
        differences = comparison.scores[metric][one] - comparison.scores[metric][other]
        test = corrected_t_test(differences, comparison.ratio)
        tests[one, other] = *test, np.sum(differences < 0)
    return tests


def verdict(mean, half):
    """Return on which side of zero the interval is."""
    return "lower" if mean + half < 0 else "higher" if mean - half > 0 else "no clear difference"


def compute_gains(comparisons, metric, one, other):
    """Return how much better one is than the other, in each of several comparisons.

    The gain is in per cent of the other's log loss, or in points of accuracy.
    """
    scores = [comparison.scores[metric] for comparison in comparisons.values()]
    ours, theirs = np.array([[of[one].mean(), of[other].mean()] for of in scores]).T
    return 100 * (1 - ours / theirs) if metric == "log loss" else 100 * (ours - theirs)


def average_gains(comparisons, metric, one, other):
    """Return the mean gain over comparisons, and half its 95 % interval."""
    gains = compute_gains(comparisons, metric, one, other)
    return gains.mean(), stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains)


def count_verdicts(comparisons, one, other):
    """Return in how many comparisons one has less log loss / none is clear / it has more."""
    verdicts = []
    for comparison in comparisons.values():
        differences = comparison.scores["log loss"][one] - comparison.scores["log loss"][other]
        verdicts.append(verdict(*corrected_t_test(differences, comparison.ratio)[:2]))
    words = "lower", "no clear difference", "higher"
    return " / ".join(str(verdicts.count(word)) for word in words)


def in_words(name, comparison):
    """Return a sentence on both against neither and the better one, and on the ensemble."""
    parts = []
    for one, other in list(contrasts(comparison, "log loss"))[-3:]:
        words = []
        for metric in comparison.scores:
            mean, half, *_ = contrasts(comparison, metric)[one, other]
            low, high = mean - half, mean + half
            words.append(f"{metric} {verdict(mean, half)} ({low:+.4f} to {high:+.4f})")
        parts.append(f"{one} against {other}: {', '.join(words)}")
    return f"{name}, {'; '.join(parts)}."


def tell(name, comparison):
    """Print the scores, the differences and a sentence about them."""
    metrics, n_splits = list(comparison.scores), len(comparison.chosen)
    print(name)
    print(" " * 11 + "".join(f"{metric:^20s}" for metric in metrics) + "chosen most often")
    for model in comparison.scores[metrics[0]]:
        cells = [comparison.scores[metric][model] for metric in metrics]
        text = "".join(f"  {cell.mean():.4f} +- {cell.std(ddof=1):.4f} " for cell in cells)
        if model in FAMILIES:
            counts = Counter(row[model] for row in comparison.chosen)
            ((dropout, l2), times), *_ = counts.most_common()
            text += f"{dropout:g}, {l2:g} ({times} of {n_splits})"
        print(f"  {model:9s}{text}".rstrip())
    for metric in metrics:
        print(f"difference of {metric}, half its 95 % interval, splits in which it is below 0")
        for (one, other), (mean, half, p, below) in contrasts(comparison, metric).items():
            p = "p<0.0001" if p < 1e-4 else f"p {p:.4f}"
            print(f"  {one:>8s} - {other:8s}{mean:+.4f} +- {half:.4f}  {p}", end="  ")
            print(f"{below:2d}/{n_splits}  {verdict(mean, half)}")
    print(textwrap.fill(in_words(name, comparison), 80))


def draw_points(axes, points, markers, title, label):
    """Draw points with error bars, one below the other; points are {name: (middle, half)}."""
    for place, (marker, (middle, half)) in enumerate(zip(markers, points.values(), strict=True)):
        axes.errorbar(middle, place, xerr=half, fmt=marker, color="black", capsize=4)
    axes.set_yticks(range(len(points)), list(points))
    axes.set(title=title, xlabel=label, ylim=(len(points) - 0.4, -0.6))


def draw_metric(left, right, comparison, metric):
    """Draw the scores, with single splits in grey, and the differences."""
    columns = comparison.scores[metric]
    for place, column in enumerate(columns.values()):
        left.plot(column, np.full(len(column), place + 0.3), "|", color="0.5")
    points = {name: (column.mean(), column.std(ddof=1)) for name, column in columns.items()}
    draw_points(left, points, "os^D*", metric, "mean, standard deviation")
    right.axvline(0, color="0.5", linestyle="--")
    tests = contrasts(comparison, metric)
    points = {f"{one} $-$ {other}": test[:2] for (one, other), test in tests.items()}
    label = f"95 % interval; better: {'left' if metric in LOWER_IS_BETTER else 'right'}"
    draw_points(right, points, "s^DX*", f"difference of {metric}", label)


def draw(comparisons, path):
    """Save the figure: a row for each table with scores and differences of each metric."""
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(14, 3.6 * len(comparisons)), layout="constrained")
    rows = figure.subfigures(len(comparisons), 1, squeeze=False)[:, 0]
    for row, (name, comparison) in zip(rows, comparisons.items(), strict=True):
        row.suptitle(f"{name}, {len(comparison.chosen)} splits", fontweight="bold")
        axes = row.subplots(1, 2 * len(comparison.scores))
        for pair, metric in zip(axes.reshape(-1, 2), comparison.scores, strict=True):
            draw_metric(*pair, comparison, metric)
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


def run(documentation, output, experiments):
    """Run, print and draw the comparisons; experiments are {title: function of the arguments}."""
    quick = "a smoke test on a stand-in or on few rows"
    data = "folder of .csv.gz files; without it: download"
    arguments = parse(documentation, output, quick, data)
    comparisons = {}
    for title, experiment in experiments.items():
        comparisons[title] = experiment(arguments)
        tell(title, comparisons[title])
    draw(comparisons, arguments.output)
