"""(f) How does the cost grow with rows, columns and candidates, and what memory does it take?"""

from __future__ import annotations

import subprocess
import sys
import time

import joblib
import numpy as np
from _measure import check_targets, interleaved, parse_arguments, print_header, print_table
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skreg import RegularizedMLPClassifier

EPOCHS = 5
# VmHWM, because the ru_maxrss of a child begins at its parent's peak.
MEMORY = """
import numpy as np
from skreg import RegularizedMLPClassifier

def memory(key):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])

rng = np.random.default_rng(0)
X = rng.standard_normal(({rows}, 50), dtype=np.float32)
y = (X[:, 0] > 0).astype(np.int64)
RegularizedMLPClassifier(max_iter=1, random_state=0).fit(X[:1000], y[:1000])
warm = memory("VmRSS")
RegularizedMLPClassifier(max_iter=1, random_state=0).fit(X, y)
print((memory("VmHWM") - warm) / X.nbytes)
"""


def table(n_rows, n_columns):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns), dtype=np.float32)
    return X, (X[:, 0] + rng.standard_normal(n_rows) > 0).astype(int)


def fit_seconds(n_rows, n_columns, repeats):
    """Median seconds of a warm fit, and of MLPClassifier's at the same batch size."""
    X, y = table(n_rows, n_columns)
    ours = RegularizedMLPClassifier(batch_size=128, max_iter=EPOCHS, random_state=0)
    theirs = MLPClassifier(
        (128, 64), batch_size=128, max_iter=EPOCHS, tol=0, n_iter_no_change=EPOCHS, random_state=0
    )
    ours.fit(X, y)
    theirs.fit(X, y)
    seconds = interleaved(
        {"ours": lambda: ours.fit(X, y), "theirs": lambda: theirs.fit(X, y)}, repeats
    )
    return [np.median(seconds[name][:, 0]) for name in ("ours", "theirs")]


def search_seconds(n_candidates):
    X, y = table(1000, 20)
    model = RegularizedMLPClassifier(batch_size=32, max_iter=10, random_state=0)
    grid = {"dropout": list(np.linspace(0, 0.8, n_candidates))}
    search = GridSearchCV(model, grid, cv=3, refit=False, n_jobs=2)
    start = time.perf_counter()
    with joblib.parallel_config(backend="threading"):
        search.fit(X, y)
    return time.perf_counter() - start


def main():
    """Print one table for each axis, and the peak memory of a large fit."""
    import warnings

    warnings.simplefilter("ignore")  # MLPClassifier's few epochs
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    most = 10_000 if arguments.quick else 1_000_000
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= most]
    rows = []
    for n_rows in sizes:
        ours, theirs = fit_seconds(n_rows, 50, 5 if n_rows <= 10_000 else 3)
        rows.append([f"{n_rows:,} x 50", ours, 1e6 * ours / n_rows / EPOCHS, theirs / ours])
    for n_columns in (10, 100, 1000) if not arguments.quick else (10,):
        ours, theirs = fit_seconds(10_000, n_columns, 3)
        rows.append([f"10,000 x {n_columns:,}", ours, 1e6 * ours / 10_000 / EPOCHS, theirs / ours])
    print(f"one fit, {EPOCHS} epochs, batch 128, (128, 64)\n")
    print_table(["rows x columns", "s", "us a row and epoch", "MLPClassifier's time / ours"], rows)
    search_seconds(2)
    counts = (5, 10) if arguments.quick else (5, 10, 20, 40, 80)
    print_table(
        ["candidates x 3 folds, 1,000 x 20", "s", "ms a fit"],
        [[str(n), s, 1000 * s / n / 3] for n in counts for s in [search_seconds(n)]],
    )
    script = MEMORY.format(rows=100_000 if arguments.quick else 1_000_000)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    share = float(done.stdout)
    check_targets(
        {"peak memory of the largest fit, tables of float32": (share, "<=", 3)}, arguments.check
    )


if __name__ == "__main__":
    main()
