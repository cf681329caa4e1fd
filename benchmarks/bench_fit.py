"""(a) How long does one fit take? Breast cancer, 569 x 30, batch 32, 100 epochs, in every peer."""

from __future__ import annotations

import threading
import time

import numpy as np
from _measure import check_targets, interleaved, parse_arguments, print_header, print_table
from _peers import scikeras_network, sklearn_network, skreg_network
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss

from skreg._program import n_programs


def fitted_in_turn(model, X, y, count):
    for _ in range(count):
        model().fit(X, y)


def throughput_of_two_threads(model, X, y, count, repeats):
    """Fits a second of two threads over those of one, medians of interleaved repeats."""

    def two():
        threads = [
            threading.Thread(target=fitted_in_turn, args=(model, X, y, count // 2))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    runs = {"one": lambda: fitted_in_turn(model, X, y, count), "two": two}
    seconds = interleaved(runs, repeats)
    return np.median(seconds["one"][:, 0] / seconds["two"][:, 0])


def main():
    """Print the table of one fit, cold and warm, and the throughput of two threads."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    X, y = load_breast_cancer(return_X_y=True)
    epochs = 20 if arguments.quick else 100
    models = {
        "skreg": lambda: skreg_network(epochs),
        "MLPClassifier (no dropout)": lambda: sklearn_network(epochs),
        "scikeras KerasClassifier": lambda: scikeras_network(epochs),
    }
    train, test = np.arange(len(y)) % 5 > 0, np.arange(len(y)) % 5 == 0
    first, losses, scores = {}, {}, {}
    for name, model in models.items():
        start = time.perf_counter()
        fitted = model().fit(X[train], y[train])
        first[name] = time.perf_counter() - start
        losses[name] = log_loss(y[test], fitted.predict_proba(X[test]))
        scores[name] = fitted.score(X[test], y[test])
    fits = {name: lambda model=model: model().fit(X, y) for name, model in models.items()}
    for fit in fits.values():
        fit()  # the whole table has another shape than its training rows
    programs = n_programs()
    *quick, slow = fits
    seconds = interleaved({name: fits[name] for name in quick}, 3 if arguments.quick else 11)
    seconds |= interleaved({slow: fits[slow]}, 1 if arguments.quick else 3)
    assert n_programs() == programs, "a warm fit compiled something"
    medians = {name: np.median(pairs, axis=0) for name, pairs in seconds.items()}
    base, mlp, keras = (medians[name][0] for name in models)
    print_table(
        ["one fit", "first, s", "warm, s", "CPU, s", "ratio", "log loss", "accuracy"],
        [
            [name, first[name], *medians[name], medians[name][0] / base, losses[name], scores[name]]
            for name in models
        ],
    )
    gain = throughput_of_two_threads(models["skreg"], X, y, 8, 3 if arguments.quick else 7)
    print(f"two threads: {gain:.2f} times the fits of one\n")
    check_targets(
        {
            "time against MLPClassifier": (base / mlp, "<=", 0.2),
            "time against scikeras": (base / keras, "<=", 1 / 30),
            "log loss above MLPClassifier's": (
                losses["skreg"] - losses["MLPClassifier (no dropout)"],
                "<=",
                0.02,
            ),
            "throughput of two threads": (gain, ">=", 1.7),
        },
        arguments.check,
    )


if __name__ == "__main__":
    main()
