"""(i) What does a search spend on a network beside training and scoring it?

On a table so small, and with a scorer so quick, that the rest is most of it: CPU seconds of the one
thread that trains, those inside the program's call apart.

    python benchmarks/bench_overhead.py [--quick] [--check]
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from _measure import check_targets, parse_arguments, print_header, print_table
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV
from skreg._engine.program import Program

NETWORK = {
    "hidden_layer_sizes": (4,),
    "max_iter": 1,
    "batch_size": 40,
    "numerical_encoding": None,
    "random_state": 0,
}
L2S = list(np.logspace(-5, -1, 20))


def no_score(model, X, y):
    """Take no time."""
    return 0.0


def search(n_dropouts):
    """Our search of 20 networks a dropout and fold."""
    dropouts = list(np.linspace(0, 0.9, n_dropouts))
    return RegularizedMLPClassifierCV(
        dropouts=dropouts, l2s=L2S, cv=2, scoring=no_score, refit=False, n_jobs=1, **NETWORK
    )


def grid_search(n_dropouts):
    """scikit-learn's over our network."""
    grid = {"dropout": list(np.linspace(0, 0.9, n_dropouts)), "l2": L2S}
    return GridSearchCV(
        RegularizedMLPClassifier(**NETWORK), grid, cv=2, scoring=no_score, refit=False
    )


def grid_search_mlp(n_alphas):
    """scikit-learn's over its own network, whose training is Python and not apart."""
    grid = {"alpha": list(np.logspace(-5, -1, 20 * n_alphas))}
    return GridSearchCV(MLPClassifier(**NETWORK), grid, cv=2, scoring=no_score, refit=False)


def seconds_a_network(make, few, many, X, y):
    """CPU seconds that a network more takes, and those of the program's call in them."""
    inside = 0.0
    advance = Program.advance

    def timed(self, *arguments):
        nonlocal inside
        start = time.thread_time()
        state = advance(self, *arguments)
        inside += time.thread_time() - start
        return state

    spent = []
    Program.advance = timed
    try:
        for n in (few, many):
            inside, start = 0.0, time.thread_time()
            make(n).fit(X, y)
            spent.append((time.thread_time() - start, inside))
    finally:
        Program.advance = advance
    return np.subtract(spent[1], spent[0]) / (40 * (many - few))


def main():
    """Measure and print."""
    arguments = parse_arguments(__doc__.splitlines()[0])
    print_header(__doc__.splitlines()[0])
    warnings.simplefilter("ignore")
    X, y = make_classification(80, 8, random_state=0)
    makers = {
        "skreg CV": search,
        "skreg GridSearchCV": grid_search,
        "MLPClassifier GridSearchCV": grid_search_mlp,
    }
    for make in makers.values():
        make(1).fit(X, y)
    repeats, many = (2, 6) if arguments.quick else (7, 26)
    seconds: dict[str, list] = {name: [] for name in makers}
    for _ in range(repeats):  # in turn, so that a slow minute hits all alike
        for name, make in makers.items():
            seconds[name].append(seconds_a_network(make, 1, many, X, y))
    medians = {name: 1e6 * np.median(pairs, axis=0) for name, pairs in seconds.items()}
    rows = [[name, total, call, total - call] for name, (total, call) in medians.items()]
    print("microseconds of CPU a network, medians of", repeats, "\n")
    print_table(["search", "all", "program's call", "the rest"], rows)
    own = medians["skreg CV"]
    targets = {"microseconds of our search beside the call": (own[0] - own[1], "<=", 100.0)}
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
