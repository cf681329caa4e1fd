"""What the benchmarks share: the header, interleaved repeats with wall and CPU time, the table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np


def parse_arguments(description: str) -> argparse.Namespace:
    """Read the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repeats and smaller sizes")
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    return parser.parse_args()


def print_header(question: str) -> None:
    """Print the question, and on what it is answered."""
    packages = ("tensorflow", "keras", "scikit-learn", "scikeras", "numpy")
    print(question)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores ({platform.machine()})")
    print(", ".join(f"{name} {version(name)}" for name in packages) + "\n", flush=True)


def interleaved(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, np.ndarray]:
    """Run everything in turn, `repeats` times; return the (repeats, 2) wall and CPU seconds.

    In turn, so that a slow minute of the machine hits all alike.
    """
    seconds: dict[str, list] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: np.array(pairs) for name, pairs in seconds.items()}


def print_table(columns: list[str], rows: list[list]) -> None:
    """Print rows under right-aligned columns, the first one left-aligned."""
    cells = [[cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in [columns, *cells]) for k in range(len(columns))]
    for row in [columns, *cells]:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        print("  ".join([row[0].ljust(widths[0]), *rest]), flush=True)
    print()


def check_targets(targets: dict[str, tuple[float, str, float]], check: bool) -> None:
    """Print each (measured, "<=" or ">=", target); exit with 1 if `check` and one is missed."""
    missed = 0
    for name, (measured, relation, target) in targets.items():
        reached = measured <= target if relation == "<=" else measured >= target
        missed += not reached
        word = "reached" if reached else "MISSED"
        print(f"{word}: {name}: {measured:.3g} (target {relation} {target:g})")
    if check and missed:
        sys.exit(1)
