"""(k) What does a Dask cluster do to a search: its time, its scores, and what travels?

The default search with refit="ensemble" on a made-up table of 3,000 x 20, in threads and on Dask
clusters of one and two worker processes with a thread each. Workers have imported TensorFlow before
the time starts. In one search a worker process ends in the middle, and Dask starts another. If Ray
is installed, two of its workers run the search, too.

    python benchmarks/bench_cluster.py [--quick] [--check]
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import cloudpickle
import distributed
import numpy as np
from _measure import check_targets, parse_arguments, print_header, print_table
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import make_classification

from skreg import RegularizedMLPClassifierCV
from skreg._model_selection import search as search_module

KILLED = "2 workers, one of which ends"
N_NETWORKS = 125


def score(folder: Path | None, model, X, y) -> float:
    """Return minus the log loss. With a folder, end a process after half of the networks."""
    if folder is not None:
        death = folder / "death"
        if len(list(folder.iterdir())) >= N_NETWORKS // 2 and not death.exists():
            death.touch()
            os._exit(1)
        (folder / f"{time.time_ns()}-{os.getpid()}").touch()
    codes = np.searchsorted(model.classes_, y)
    probabilities = model.predict_proba(X)[np.arange(len(y)), codes]
    return float(np.log(np.maximum(probabilities, 1e-15)).mean())


def make_search(scoring, max_iter) -> RegularizedMLPClassifierCV:
    """Return the search."""
    return RegularizedMLPClassifierCV(
        refit="ensemble", scoring=scoring, max_iter=max_iter, n_jobs=2, random_state=0
    )


def run(model, X, y, backend: str) -> tuple[float, RegularizedMLPClassifierCV]:
    """Return the seconds of a search, and the search."""
    start = time.perf_counter()
    with parallel_config(backend=backend):
        model.fit(X, y)
    return time.perf_counter() - start, model


def run_on_dask(model, X, y, n_workers: int) -> tuple[float, RegularizedMLPClassifierCV]:
    """Return the seconds of a search on so many workers, and the search."""
    options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with distributed.LocalCluster(processes=True, env=paths, **options) as cluster:
        with distributed.Client(cluster) as client:
            client.run(__import__, "tensorflow")
            return run(model, X, y, "dask")


def run_on_ray(model, X, y) -> tuple[float, RegularizedMLPClassifierCV]:
    """Return the seconds of a search on two workers, which start in that time, and the search."""
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False)
    register_ray()
    return run(model, X, y, "ray")


def measure_tasks(X, y, max_iter) -> tuple[list[int], list[int]]:
    """Return the bytes of each task of a search, and of what it returns."""
    sent, returned = [], []
    run_group = search_module.run_group

    def run_and_measure(group):
        sent.append(len(cloudpickle.dumps(group)))
        results = run_group(group)
        returned.append(len(cloudpickle.dumps(results)))
        return results

    search_module.run_group = run_and_measure
    try:
        make_search("loss", max_iter).fit(X, y)
    finally:
        search_module.run_group = run_group
    return sent, returned


def main():
    """Print times, scores and bytes."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    warnings.simplefilter("ignore")
    max_iter = 2 if arguments.quick else "auto"
    X, y = make_classification(
        3000, 20, n_informative=10, n_redundant=4, flip_y=0.1, random_state=0
    )
    with tempfile.TemporaryDirectory() as folder:
        model = make_search(partial(score, None), max_iter)
        dying = make_search(partial(score, Path(folder)), max_iter)
        found = {
            "2 threads": run(clone(model), X, y, "threading"),
            "1 worker": run_on_dask(clone(model), X, y, 1),
            "2 workers": run_on_dask(clone(model), X, y, 2),
            KILLED: run_on_dask(dying, X, y, 2),
        }
        if importlib.util.find_spec("ray"):
            found["2 workers of Ray"] = run_on_ray(clone(model), X, y)
        was_killed = Path(folder, "death").exists()
    threads = found["2 threads"]
    rows = [
        [
            name,
            seconds,
            seconds / threads[0],
            model.ensemble_scores_[-1],
            float(np.abs(model.scores_ - threads[1].scores_).max()),
        ]
        for name, (seconds, model) in found.items()
    ]
    print_table(["", "seconds", "ratio", "score", "largest difference of scores"], rows)
    sent, returned = (np.array(sizes) / 2**20 for sizes in measure_tasks(X, y, max_iter))
    print_table(
        ["MB", "tasks", "mean", "largest", "sum"],
        [
            [name, str(len(sizes)), sizes.mean(), sizes.max(), sizes.sum()]
            for name, sizes in (("sent", sent), ("returned", returned))
        ],
    )
    targets = {
        "largest difference of scores": (max(row[-1] for row in rows), "<=", 0.0),
        "processes that ended": (float(was_killed), ">=", 1.0),
    }
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
