"""How good is a stream with drifting columns, against a running StandardScaler outside?"""

from __future__ import annotations

import numpy as np
from _measure import check_targets, parse_arguments, print_header, print_table
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

N_ROWS, N_AHEAD = 400, 20
DRIFTS = {
    "none": lambda noise: noise,
    "counts up": lambda noise: np.arange(len(noise)),
    "random walk": np.cumsum,
    "grows by 10,000": lambda noise: noise * np.geomspace(1e-2, 1e2, len(noise)),
    "tiny first rows": lambda noise: noise * np.where(np.arange(len(noise)) < 5, 1e-3, 1),
    "jumps by 1,000": lambda noise: noise + 1000 * (np.arange(len(noise)) >= len(noise) // 2),
}


def measure(drift, batch: int, seed: int) -> np.ndarray:
    """Return errors on the rows that come next, in the second half of the stream.

    They are the share of wrong labels and the mean squared error, inside and outside.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N_ROWS, 5))
    X[:, 0] = drift(X[:, 0])
    labels = X[:, 1] > 0
    numbers = 2 * X[:, 1] + 1 + 0.3 * rng.normal(size=N_ROWS)
    scaler, errors = StandardScaler(), []
    pairs = [
        [kind(standardize=inside, random_state=seed) for inside in (True, False)]
        for kind in (RegularizedMLPClassifier, RegularizedMLPRegressor)
    ]
    for start in range(0, N_ROWS - batch, batch):
        now, ahead = slice(start, start + batch), slice(start + batch, start + batch + N_AHEAD)
        scaled = scaler.partial_fit(X[now]).transform(X)
        for classifier, table in zip(pairs[0], (X, scaled), strict=True):
            classifier.partial_fit(table[now], labels[now], classes=[False, True])
        for regressor, table in zip(pairs[1], (X, scaled), strict=True):
            regressor.partial_fit(table[now], numbers[now])
        if start >= N_ROWS // 2:
            wrong = [
                np.mean(classifier.predict(table[ahead]) != labels[ahead])
                for classifier, table in zip(pairs[0], (X, scaled), strict=True)
            ]
            squared = [
                np.mean((regressor.predict(table[ahead]) - numbers[ahead]) ** 2)
                for regressor, table in zip(pairs[1], (X, scaled), strict=True)
            ]
            errors.append([*wrong, *squared])
    return np.mean(errors, axis=0)


def main():
    """Print a row for each drift and size of batches."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    n_seeds = 2 if arguments.quick else 10
    rows, all_errors = [], []
    for name, drift in DRIFTS.items():
        for batch in (1, 20):
            errors = np.array([measure(drift, batch, seed) for seed in range(n_seeds)])
            all_errors.append(errors)
            rows.append([f"{name}, batches of {batch}", *errors.mean(axis=0)])
    columns = ["wrong, inside", "outside", "squared error, inside", "outside"]
    print_table(["drift of a column that is noise", *columns], rows)
    print("Means over seeds. The target that is learned outside has no scale of its own.\n")
    wrong, wrong_outside, squared, squared_outside = np.moveaxis(all_errors, -1, 0)
    check_targets(
        {
            "share of wrong labels, inside less outside": (
                np.mean(wrong - wrong_outside),
                "<=",
                0.005,
            ),
            "squared error, inside over outside": (
                np.exp(np.mean(np.log(squared / squared_outside))),
                "<=",
                1.05,
            ),
        },
        arguments.check,
    )


if __name__ == "__main__":
    main()
