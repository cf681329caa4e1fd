"""(j) What does a tuned ensemble cost: its search, its size, and its predictions?

A made-up table of 3,000 x 20 for training, and 1,000 rows to predict. Each search runs in a process
of its own, so its seconds include compiling, but not the import of TensorFlow.
"""

from __future__ import annotations

from textwrap import dedent

from _measure import check_targets, in_new_processes, parse_arguments, print_header, print_table

DATA = """
    import pickle, time, warnings
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.metrics import log_loss

    warnings.simplefilter("ignore")
    X, y = make_classification(
        4000, 20, n_informative=10, n_redundant=4, flip_y=0.1, random_state=0
    )
    new, truth, X, y = X[3000:], y[3000:], X[:3000], y[:3000]
"""
MEASURE = """
    start = time.perf_counter()
    model.fit(X, y)
    print(time.perf_counter() - start, log_loss(truth, model.predict_proba(new)))
    print(getattr(model, "n_members_", 1), len(pickle.dumps(model)) / 2**20)
    for rows, repeats in ((new[:1], 51), (new, 11)):
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            model.predict_proba(rows)
            seconds.append(time.perf_counter() - start)
        print(1000 * np.median(seconds))
"""
SKREG = """
    from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV
    from skreg._tensorflow import tensorflow

    tensorflow()
    options = {{"max_iter": 2}} if {quick} else {{}}
    model = {model}
"""
ENSEMBLE = 'RegularizedMLPClassifierCV(refit="ensemble", n_jobs=2, random_state=0, **options)'
MODELS = {
    "one network": "RegularizedMLPClassifier(random_state=0, **options)",
    "ensemble": ENSEMBLE,
    "ensemble after halving": f'{ENSEMBLE}.set_params(search="halving")',
}
CATBOOST = """
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        verbose=0, random_seed=0, thread_count=2, allow_writing_files=False,
        iterations=10 if {quick} else None,
    )
"""


def main():
    """Print a line for each model."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    makers = {
        name: SKREG.format(model=model, quick=arguments.quick) for name, model in MODELS.items()
    }
    makers["CatBoost"] = CATBOOST.format(quick=arguments.quick)
    scripts = {name: "".join(map(dedent, (DATA, make, MEASURE))) for name, make in makers.items()}
    found = in_new_processes(scripts, 1 if arguments.quick else 3)
    one = found["one network"]
    print_table(
        ["", "fit, s", "log loss", "members", "pickle, MB", "1 row, ms", "1,000 rows, ms", "ratio"],
        [[name, *numbers, numbers[5] / one[5]] for name, numbers in found.items()],
    )
    ensemble, halving = found["ensemble"], found["ensemble after halving"]
    scale = 30 / ensemble[2]
    targets = {
        "seconds of the search": (ensemble[0], "<=", 25),
        "seconds of the search with halving": (halving[0], "<=", 12),
        "seconds against CatBoost's": (ensemble[0] / found["CatBoost"][0], "<=", 25, True),
        "1,000 rows against one network, for 30 members": (
            ensemble[5] / one[5] * scale,
            "<=",
            10,
            True,
        ),
        "one row, for 30 members, ms": (ensemble[4] * scale, "<=", 3),
        "one row, ms": (ensemble[4], "<=", 3),
    }
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
