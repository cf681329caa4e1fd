"""(d) How long does predict take, for 1, 1,000 and 1,000,000 rows?"""

from __future__ import annotations

import numpy as np
from _measure import check_targets, interleaved, parse_arguments, print_header, print_table
from _peers import scikeras_network, skreg_network
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier


def main():
    """Print the latencies beside those of a bare MLPClassifier, which does not even standardise."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    X, y = load_breast_cancer(return_X_y=True)
    ours = skreg_network(2).fit(X, y)
    theirs = MLPClassifier((128, 64), max_iter=2, n_iter_no_change=2, tol=0)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two epochs are enough to predict
        theirs.fit(X, y)
    keras = scikeras_network(1).fit(X, y)
    rows, ratios = [], {}
    sizes = [1, 1000] if arguments.quick else [1, 1000, 1_000_000]
    for size in sizes:
        table = np.resize(X, (size, X.shape[1]))
        repeats = {1: 301, 1000: 101}.get(size, 5)
        runs = {
            "skreg": lambda t=table: ours.predict(t),
            "MLPClassifier": lambda t=table: theirs.predict(t),
        }
        ours.predict(table)
        seconds = interleaved(runs, 11 if arguments.quick else repeats)
        if size <= 1000:
            seconds |= interleaved({"scikeras": lambda t=table: keras.predict(t)}, 5)
        medians = {name: np.median(pairs[:, 0]) for name, pairs in seconds.items()}
        ratios[size] = medians["skreg"] / medians["MLPClassifier"]
        rows.append(
            [
                f"{size:,}",
                *(
                    1000 * medians.get(name, np.nan)
                    for name in ("skreg", "MLPClassifier", "scikeras")
                ),
                ratios[size],
            ]
        )
    print_table(["rows", "skreg, ms", "MLPClassifier, ms", "scikeras, ms", "skreg / MLP"], rows)
    check_targets({"one row against MLPClassifier": (ratios[1], "<=", 1.5)}, arguments.check)


if __name__ == "__main__":
    main()
