"""How long does one fit take, and do two threads train twice as much?

The reference job: breast cancer (569 x 30, standardised), hidden layers (128, 64), batches of 32,
100 epochs. Times are of warm fits on all rows; scores are cross-validated over five folds.

    python benchmarks/bench_fit.py [--quick] [--check]
"""

from __future__ import annotations

from functools import partial

import joblib
import numpy as np
from _measure import Targets, interleaved, parse_options, print_header, print_table, ratio, timed
from _peers import (
    cross_validated,
    mlp_classifier,
    reference_table,
    scikeras_classifier,
    skreg_classifier,
)
from sklearn.base import clone
from threadpoolctl import threadpool_limits

SKREG, MLP, MLP_1, KERAS = (
    "skreg",
    "MLPClassifier",
    "MLPClassifier, float32, BLAS on 1 thread",
    "scikeras",
)


def fit_models(model, X, y, count, n_jobs):
    """Fit `count` times, with `n_jobs` Python threads."""
    fits = [joblib.delayed(clone(model).fit)(X, y) for _ in range(count)]
    joblib.Parallel(n_jobs=n_jobs, backend="threading")(fits)


def main():
    """Time the fits, then the threads, then compare the scores."""
    options = parse_options(__doc__)
    epochs, repeats, slow, splits = (10, 3, 1, 2) if options.quick else (100, 9, 3, 5)
    print_header(f"One fit: 569 x 30, (128, 64), batch 32, {epochs} epochs", options)
    X, y = reference_table()
    start, _ = timed(lambda: skreg_classifier(1, hidden=()).fit(X[:50], y[:50]))
    print(f"Importing TensorFlow and training a first, tiny model: {start:.1f} s\n", flush=True)

    models = {
        SKREG: skreg_classifier(epochs),
        MLP: mlp_classifier(epochs),
        KERAS: scikeras_classifier(epochs),
    }
    X_float32 = X.astype(np.float32)
    calls = {
        SKREG: partial(models[SKREG].fit, X, y),
        MLP: partial(models[MLP].fit, X, y),
        MLP_1: partial(fit_on_one_blas_thread, clone(models[MLP]), X_float32, y),
        KERAS: partial(models[KERAS].fit, X, y),
    }
    first = {name: timed(call)[0] for name, call in calls.items()}
    timings = interleaved(calls, repeats, {KERAS: slow})
    scores = {name: cross_validated(model, X, y, splits) for name, model in models.items()}
    scores[MLP_1] = scores[MLP]

    count = 4 if options.quick else 12
    pair = {
        n_jobs: partial(fit_models, skreg_classifier(epochs), X, y, count, n_jobs)
        for n_jobs in (1, 2)
    }
    threads = interleaved(pair, repeats)
    rows = [
        [
            name,
            timing.wall,
            timing.cpu,
            ratio(timing, timings[SKREG]),
            max(0.0, first[name] - timing.wall),
            scores[name]["accuracy"],
            scores[name]["log_loss"],
        ]
        for name, timing in timings.items()
    ]
    rows += [
        [f"skreg, {n_jobs} thread{'s' * (n_jobs > 1)}, a fit", t.wall / count, t.cpu / count]
        + [t.wall / count / timings[SKREG].wall, None, None, None]
        for n_jobs, t in threads.items()
    ]
    print_table(
        ["warm fit", "wall s", "CPU s", "x skreg", "first, extra s", "accuracy", "log loss"], rows
    )

    targets = Targets()
    for peer in (MLP, KERAS):
        targets.parity(peer, scores[SKREG], scores[peer])
    targets.at_most("skreg / MLPClassifier", ratio(timings[SKREG], timings[MLP]), 0.2)
    faster = ratio(timings[SKREG], timings[MLP_1])
    targets.at_most("skreg / MLPClassifier, float32, 1 BLAS thread", faster, 0.2)
    targets.at_most("skreg / scikeras", ratio(timings[SKREG], timings[KERAS]), 1 / 30)
    targets.at_least("throughput of two threads over one", ratio(threads[1], threads[2]), 1.7)
    targets.close(options)


def fit_on_one_blas_thread(model, X, y):
    """Fit the peer as fast as it goes here: its products are too small to share."""
    with threadpool_limits(1, "blas"):
        model.fit(X, y)


if __name__ == "__main__":
    main()
