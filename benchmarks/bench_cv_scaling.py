"""(h) How does a search grow with candidates, folds and rows, and what memory does it take?

python benchmarks/bench_cv_scaling.py [--quick] [--check] [--output FILE]
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from _measure import check_targets, in_new_processes, print_header, print_table
from sklearn.datasets import make_classification

from skreg import RegularizedMLPClassifierCV

EPOCHS = 10
AXES = {
    "candidates": [4, 8, 16, 32, 64],
    "folds": [2, 4, 8, 16],
    "rows": [1000, 2000, 4000, 8000, 16000],
}
MEMORY = """
import warnings; warnings.simplefilter("ignore")
import numpy as np
from _measure import memory
from sklearn.datasets import load_breast_cancer
from skreg import RegularizedMLPClassifierCV
X, y = load_breast_cancer(return_X_y=True)
options = dict(max_iter=3, n_jobs=2, random_state=0, refit={refit!r}, search={search!r})
RegularizedMLPClassifierCV(dropouts=[0.5], l2s=[1e-3], **options).fit(X, y)
before = memory("VmHWM")
RegularizedMLPClassifierCV(dropouts={n}, l2s={n}, cv=10, **options).fit(X, y)
print((memory("VmHWM") - before) / 1e6)
"""


def seconds_of(candidates=8, folds=5, rows=2000, repeats=3):
    """Median of a search of so many candidates and folds on a table of so many rows."""
    X, y = make_classification(rows, 20, random_state=0)
    model = RegularizedMLPClassifierCV(
        dropouts=list(np.linspace(0, 0.7, candidates)),
        l2s=[1e-3],
        cv=folds,
        max_iter=EPOCHS,
        batch_size=64,
        numerical_encoding=None,
        n_jobs=2,
        refit=False,
        random_state=0,
    )
    model.fit(X, y)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def draw(measured, output):
    """A panel an axis: seconds, and the line through the origin of the largest."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(measured), figsize=(13, 4), layout="constrained")
    for ax, (name, seconds) in zip(axes, measured.items(), strict=True):
        values = AXES[name][: len(seconds)]
        ax.plot(values, seconds, "o-", color="black", label="measured")
        ax.plot([0, values[-1]], [0, seconds[-1]], ":", color="gray", label="proportional")
        ax.set(xlabel=name, ylabel="seconds", xlim=(0, None), ylim=(0, None))
        ax.legend()
    figure.savefig(output, dpi=120)


def main():
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats and smaller sizes")
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    parser.add_argument("--output", help="file of the figure")
    arguments = parser.parse_args()
    print_header(__doc__.splitlines()[0])
    warnings.simplefilter("ignore")
    print(f"8 candidates x 5 folds of 2,000 x 20, {EPOCHS} epochs, two threads, but for the axis\n")
    measured, rows, exponents = {}, [], {}
    for name, values in AXES.items():
        values = values[:2] if arguments.quick else values
        seconds = [seconds_of(**{name: value}) for value in values]
        measured[name] = seconds
        # Of seconds ~ value ** exponent, between the last two.
        exponents[name] = np.log(seconds[-1] / seconds[-2]) / np.log(values[-1] / values[-2])
        rows += [
            [f"{value:,} {name}", s, s / value] for value, s in zip(values, seconds, strict=True)
        ]
    print_table(["search", "s", "s a unit"], rows)
    if arguments.output:
        draw(measured, arguments.output)
    scripts = {
        f"{10 * n * n:,} networks, {search}, refit={refit!r}": MEMORY.format(
            n=n, refit=refit, search=search
        )
        for n, refit, search in (
            (1, False, "grid"),
            (10, False, "grid"),
            (10, "folds", "grid"),
            (10, False, "halving"),
        )
    }
    peaks = in_new_processes(scripts, 1 if arguments.quick else 3)
    print("peak memory above a search of five networks, breast cancer, new processes\n")
    print_table(["search", "MB"], [[name, numbers[0]] for name, numbers in peaks.items()])
    targets = {f"growth with {name}": (e, "<=", 1.1) for name, e in exponents.items()}
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
