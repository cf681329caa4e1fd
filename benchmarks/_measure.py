"""What the benchmarks share: the header, wall and CPU time, memory, new processes, the table."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

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
    # Others at work on the machine make BLAS' threads wait for each other: better measured again.
    load = f", load before {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    cores = f"{os.cpu_count()} cores ({platform.machine()})"
    print(f"Python {platform.python_version()}, {cores}{load}")
    print(", ".join(f"{name} {version(name)}" for name in packages) + "\n", flush=True)


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Run it; return the wall and CPU seconds, the latter of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def interleaved(
    runs: dict[str, Callable[[], object]], repeats: int, fewer: dict[str, int] | None = None
) -> dict[str, np.ndarray]:
    """Run everything in turn, `repeats` times; return the (repeats, 2) wall and CPU seconds.

    In turn, so that a slow minute of the machine hits all alike. Those in `fewer` run only so many
    times, spread over the rounds.
    """
    counts = {name: min((fewer or {}).get(name, repeats), repeats) for name in runs}
    seconds: dict[str, list] = {name: [] for name in runs}
    for k in range(repeats):
        for name, run in runs.items():
            if k * counts[name] % repeats < counts[name]:
                seconds[name].append(timed(run))
    return {name: np.array(pairs) for name, pairs in seconds.items()}


def median_seconds(seconds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the median wall and CPU seconds of what `interleaved` returned."""
    return {name: np.median(pairs, axis=0) for name, pairs in seconds.items()}


def memory(key: str) -> int:
    """Bytes of this process: VmRSS is what is resident now, VmHWM its peak (Linux only).

    The ru_maxrss of a child would begin at its parent's peak.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def in_new_processes(scripts: dict[str, str], repeats: int) -> dict[str, np.ndarray]:
    """Run each script in a new process, in turn; return the medians of the numbers they print.

    The scripts can import the modules of this folder.
    """
    printed: dict[str, list] = {name: [] for name in scripts}
    for _ in range(repeats):
        for name, script in scripts.items():
            done = subprocess.run(
                [sys.executable, "-c", script],
                cwd=Path(__file__).parent,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                sys.exit(f"{name}: {done.stderr}")
            printed[name].append([float(word) for word in done.stdout.split()])
    return {name: np.median(numbers, axis=0) for name, numbers in printed.items()}


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
