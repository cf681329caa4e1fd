"""(d) How long does predict take, for 1, 1,000 and 1,000,000 rows, and with 30 networks?"""

from __future__ import annotations

import numpy as np
from _measure import (
    check_targets,
    interleaved,
    median_seconds,
    parse_arguments,
    print_header,
    print_table,
)
from _peers import scikeras_network, sklearn_network, skreg_network
from sklearn.datasets import load_breast_cancer

from skreg import RegularizedMLPClassifierCV

EPOCHS = 20
STRENGTHS = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2)
TOGETHER = "30 networks of skreg"


def average_networks(X, y):
    """Return a search that predicts with the networks of six candidates on five folds."""
    searches = [
        RegularizedMLPClassifierCV(
            dropouts=[0.5],
            l2s=[l2],
            refit="folds",
            max_iter=EPOCHS,
            numerical_encoding=None,
            random_state=0,
        )
        for l2 in STRENGTHS
    ]
    networks = [network for search in searches for network in search.fit(X, y).estimators_]
    searches[0].estimators_ = networks
    return searches[0]


def main():
    """Print the latencies beside those of a bare MLPClassifier, which does not even standardise."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    X, y = load_breast_cancer(return_X_y=True)
    bare = "MLPClassifier, bare"
    models = {
        "skreg": skreg_network(EPOCHS),
        bare: sklearn_network(EPOCHS)[-1],
        "scikeras": scikeras_network(EPOCHS),
    }
    for model in models.values():
        model.fit(X, y)
    models[TOGETHER] = average_networks(X, y)
    scores = {name: model.score(X, y) for name, model in models.items()}
    rows, ratios, together = [], {}, {}
    for size in [1, 1000] if arguments.quick else [1, 1000, 1_000_000]:
        table = np.resize(X, (size, X.shape[1]))
        runs = {name: lambda m=model, t=table: m.predict(t) for name, model in models.items()}
        if size <= 1000:
            runs["scikeras"]()  # traces for this size; half a minute for a million
        runs["skreg"]()
        repeats = 11 if arguments.quick else {1: 301, 1000: 101}.get(size, 5)
        fewer = {"scikeras": 5 if size <= 1000 else 1, TOGETHER: 31 if size <= 1000 else 1}
        seconds = interleaved(runs, repeats, fewer)
        medians = median_seconds(seconds)
        ratios[size] = medians["skreg"][0] / medians[bare][0]
        together[size] = medians[TOGETHER][0], medians[TOGETHER][0] / medians["skreg"][0]
        for name, (wall, cpu) in medians.items():
            times = wall / medians["skreg"][0]
            count = str(len(seconds[name]))
            rows.append(
                [f"{size:,}", name, 1000 * wall, 1000 * cpu, times, count, scores[name]],
            )
    print(f"trained for {EPOCHS} epochs, accuracy on the training rows; scikeras predicts a")
    print("million rows once only\n")
    print_table(
        ["rows", "predict", "median, ms", "CPU, ms", "ratio", "repeats", "accuracy"],
        rows,
    )
    targets = {
        "one row against MLPClassifier": (ratios[1], "<=", 1.5, True),
        "one row by 30 networks, ms": (1000 * together[1][0], "<=", 3),
        "1,000 rows by 30 networks against one": (together[1000][1], "<=", 10, True),
    }
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
