"""(a) How long does one fit take? Breast cancer, 569 x 30, batch 32, 100 epochs, in every peer.

And how long a step with an encoding of 20 numeric columns, batch 64, against a step without.
"""

from __future__ import annotations

import threading

import numpy as np
from _measure import (
    check_targets,
    interleaved,
    median_seconds,
    parse_arguments,
    print_header,
    print_table,
    timed,
)
from _peers import NETWORKS, skreg_network
from _tables import dense_table
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss

from skreg import RegularizedMLPClassifier
from skreg._engine.program import count_programs
from skreg._tensorflow import tensorflow


def fitted_in_turn(epochs, X, y, count):
    for _ in range(count):
        skreg_network(epochs).fit(X, y)


def throughput_of_two_threads(epochs, X, y, count, repeats):
    """Fits a second of two threads over those of one, medians of interleaved repeats."""

    def two():
        threads = [
            threading.Thread(target=fitted_in_turn, args=(epochs, X, y, count // 2))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    runs = {"one": lambda: fitted_in_turn(epochs, X, y, count), "two": two}
    seconds = interleaved(runs, repeats)
    return np.median(seconds["one"][:, 0] / seconds["two"][:, 0])


def seconds_of_steps(repeats):
    """CPU seconds of a step with each encoding of 20 columns: medians over interleaved repeats.

    CPU, which other work on the machine disturbs less. The difference of a long and a short fit has
    neither the preparation of the rows nor the call.
    """
    X, y = dense_table(4096, 20)
    few, many, batch = 5, 30, 64

    def fit(encoding, epochs):
        RegularizedMLPClassifier(
            batch_size=batch, max_iter=epochs, numerical_encoding=encoding, random_state=0
        ).fit(X, y)

    runs = {
        (encoding, epochs): lambda encoding=encoding, epochs=epochs: fit(encoding, epochs)
        for encoding in (None, "piecewise", "periodic")
        for epochs in (few, many)
    }
    for run in runs.values():
        run()
    seconds = interleaved(runs, repeats)
    n_steps = (many - few) * len(X) // batch
    return {
        encoding: np.median(seconds[encoding, many][:, 1] - seconds[encoding, few][:, 1]) / n_steps
        for encoding in (None, "piecewise", "periodic")
    }


def main():
    """Print the table of one fit, cold and warm, and the throughput of two threads."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    X, y = load_breast_cancer(return_X_y=True)
    epochs = 20 if arguments.quick else 100
    train, test = np.arange(len(y)) % 5 > 0, np.arange(len(y)) % 5 == 0
    importing, _ = timed(tensorflow)
    first, losses, scores = {}, {}, {}
    for name, network in NETWORKS.items():
        model = network(epochs)
        first[name], _ = timed(lambda model=model: model.fit(X[train], y[train]))
        losses[name] = log_loss(y[test], model.predict_proba(X[test]))
        scores[name] = model.score(X[test], y[test])
    fits = {name: lambda make=make: make(epochs).fit(X, y) for name, make in NETWORKS.items()}
    for fit in fits.values():
        fit()  # the whole table has another shape than its training rows
    programs = count_programs()
    seconds = interleaved(fits, 3 if arguments.quick else 11, fewer={"scikeras": 3})
    assert count_programs() == programs, "a warm fit compiled something"
    medians = median_seconds(seconds)
    base = medians["skreg"][0]
    print(f"importing TensorFlow, apart from the first fits: {importing:.2f} s")
    print("MLPClassifier has no dropout, so does less; log loss and accuracy of 114 held-out rows;")
    print(f"warm: medians of {', '.join(f'{len(s)} ({n})' for n, s in seconds.items())} fits\n")
    print_table(
        ["one fit", "first, s", "warm, s", "CPU, s", "ratio", "log loss", "accuracy"],
        [
            [name, first[name], *medians[name], medians[name][0] / base, losses[name], scores[name]]
            for name in NETWORKS
        ],
    )
    gain = throughput_of_two_threads(epochs, X, y, 8, 3 if arguments.quick else 7)
    print(f"two threads: {gain:.2f} times the fits of one\n")
    steps = seconds_of_steps(3 if arguments.quick else 11)
    print_table(
        ["a step, 20 numeric columns", "CPU, us", "ratio"],
        [[str(name), 1e6 * time, time / steps[None]] for name, time in steps.items()],
    )
    check_targets(
        {
            "time against MLPClassifier": (base / medians["MLPClassifier"][0], "<=", 0.2, True),
            "time against scikeras": (base / medians["scikeras"][0], "<=", 1 / 30, True),
            "log loss above MLPClassifier's": (
                losses["skreg"] - losses["MLPClassifier"],
                "<=",
                0.02,
            ),
            "throughput of two threads": (gain, ">=", 1.7, True),
            "step, piecewise": (steps["piecewise"] / steps[None], "<=", 1.5, True),
            "step, periodic": (steps["periodic"] / steps[None], "<=", 2.0, True),
        },
        arguments.check,
    )


if __name__ == "__main__":
    main()
