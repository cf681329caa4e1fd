"""Several quantiles in one network, compared with a network for each level.

Three made-up tables whose noise depends on the columns, 1,000 rows to train and 2,000 to test, or
with --data the tables of numbers of a folder, split into 75 % and 25 %. All other parameters are at
their defaults. Printed are the mean pinball losses on the test rows, the mean over seeds of
log(loss of one network / loss of its own network) with its standard error, and the share of test
rows whose quantiles cross; of a folder also the mean and error of the log ratios over tables.

With --strengths, l2 is each of them divided by the training rows instead. Printed is the mean over
levels, tables and seeds of log(loss / that of networks of one level with the first strength).

    python benchmarks/choose_quantiles.py [--seeds N] [--data FOLDER] [--rows N] [--strengths C ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _measure import print_table
from _tables import read_tables
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPRegressor

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
N_TRAIN, N_TEST = 1000, 2000


def make_tables(generator):
    """Yield name, X and y of each made-up table."""
    n_rows = N_TRAIN + N_TEST
    X = generator.normal(size=(n_rows, 8))
    noise = np.exp(X[:, 2] / 2) * generator.normal(size=n_rows)
    yield "linear, normal noise", X, X[:, 0] + X[:, 1] / 2 + noise
    noise = (0.2 + np.abs(X[:, 2])) * (generator.exponential(size=n_rows) - 1)
    yield "smooth, skewed noise", X, np.sin(2 * X[:, 0]) * X[:, 1] + noise
    noise = (0.3 + 0.7 * (X[:, 3] > 0)) * generator.standard_t(3, size=n_rows)
    yield "steps, heavy tails", X, 2 * (X[:, 0] > 0) + X[:, 1] * (X[:, 2] > 0.5) + noise


def read_numbers(folder, n_rows):
    """Yield name, X and y of the tables of numbers of a folder."""
    for name, X, y, is_classes in read_tables(folder, n_rows):
        if not is_classes:
            yield name, X, y / y.std()


def predict(X, y, X_test, quantile, **options):
    """Return the predictions of the test rows and the logits, which are not sorted."""
    model = RegularizedMLPRegressor(loss="quantile", quantile=quantile, **options)
    model.fit(X, y)
    return model.predict(X_test), model._compute_logits(X_test)


def measure_table(X, y, seed, test_size, strength=None):
    """Return the losses of one network and of a network a level, and the shares of crossed rows.

    The losses have shape (2, levels). `strength` times the rows is "auto" if it is None.
    """
    X, X_test, y, y_test = train_test_split(X, y, test_size=test_size, random_state=seed)
    options = {"l2": "auto" if strength is None else strength / len(X), "random_state": seed}
    together, logits = predict(X, y, X_test, LEVELS, **options)
    alone = np.stack([predict(X, y, X_test, level, **options)[0] for level in LEVELS], axis=1)
    losses = [
        [
            mean_pinball_loss(y_test, column, alpha=level)
            for level, column in zip(LEVELS, predictions.T, strict=True)
        ]
        for predictions in (together, alone)
    ]
    return losses, [(np.diff(values) < 0).any(axis=1).mean() for values in (logits, alone)]


def compare_strengths(tables, strengths):
    """Print the losses of networks of one level and of all levels, by the strength of L2."""
    losses = [[measure_table(*table, strength)[0] for table in tables] for strength in strengths]
    logs = np.log(losses)  # (strengths, tables, 2, levels), several levels first
    several, alone = (logs - logs[:1, :, 1:]).mean(axis=(1, 3)).T
    rows = [
        (f"{strength:g} / n", *(f"{value:+.3f}" for value in pair))
        for strength, *pair in zip(strengths, alone, several, strict=True)
    ]
    print_table(["l2", "a network a level", "one network"], rows)


def main():
    """Measure all tables, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="networks and draws of each table")
    parser.add_argument("--data", type=Path, help="folder of tables")
    parser.add_argument("--rows", type=int, default=4000, help="most rows of a table of the folder")
    parser.add_argument("--strengths", type=float, nargs="*", help="l2 times the training rows")
    arguments = parser.parse_args()
    n_seeds, folder = arguments.seeds, arguments.data
    tables, names = [], []
    for seed in range(n_seeds):
        made = make_tables(np.random.default_rng(seed))
        for name, X, y in read_numbers(folder, arguments.rows) if folder else made:
            names.append(name)
            tables.append((X, y, seed, 0.25 if folder else N_TEST))
    if arguments.strengths:
        compare_strengths(tables, arguments.strengths)
        return
    found: dict[str, list] = {}
    for name, table in zip(names, tables, strict=True):
        found.setdefault(name, []).append(measure_table(*table))
    rows, crossed, means = [], [], []
    for name, of_seeds in found.items():
        losses = np.array([losses for losses, _ in of_seeds])  # (seeds, 2, levels)
        ratios = np.log(losses[:, 0] / losses[:, 1])
        means.append(ratios.mean(axis=0))
        errors = ratios.std(axis=0, ddof=1) / np.sqrt(n_seeds)
        for k, level in enumerate(LEVELS):
            together, alone = losses[:, :, k].mean(axis=0)
            ratio = f"{ratios[:, k].mean():+.3f} ({errors[k]:.3f})"
            rows.append((name, f"{level:g}", f"{together:.4f}", f"{alone:.4f}", ratio))
        shares = np.mean([shares for _, shares in of_seeds], axis=0)
        crossed.append((name, *(f"{share:.1%}" for share in shares)))
    print_table(["table", "level", "one network", "its own", "log ratio (error)"], rows)
    if folder:
        errors = np.std(means, axis=0, ddof=1) / np.sqrt(len(means))
        of_tables = zip(LEVELS, np.mean(means, axis=0), errors, np.max(means, axis=0), strict=True)
        print_table(["level", "mean of all tables", "error", "largest"], list(map(list, of_tables)))
    print_table(["rows that cross", "one network, before it sorts", "a network a level"], crossed)


if __name__ == "__main__":
    main()
