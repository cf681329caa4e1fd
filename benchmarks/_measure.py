"""What the benchmarks share: the header, wall and CPU time, memory, new processes, the table."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

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


class Target(NamedTuple):
    """What was measured, and what it should be.

    Attributes
    ----------
    measured : float
    relation : str
        "<=" or ">=".
    limit : float
    is_ratio : bool
        Whether it is a ratio of times that were measured in the same run.
    """

    measured: float
    relation: str
    limit: float
    is_ratio: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether it is what it should be."""
        at_most = self.relation == "<="
        return self.measured <= self.limit if at_most else self.measured >= self.limit


_LINE = re.compile(
    r"(?:reached|MISSED): (.+): (\S+) \(target ([<>]=) ([^,)]+)(, a ratio of times)?\)"
)


def check_targets(targets: dict[str, tuple], check: bool) -> None:
    """Print each `Target`, or a tuple of its values; exit with 1 if `check` and one is missed."""
    found = {name: Target(*values) for name, values in targets.items()}
    for name, target in found.items():
        word = "reached" if target.is_reached else "MISSED"
        kind = ", a ratio of times" if target.is_ratio else ""
        limit = f"{target.relation} {target.limit:.4g}{kind}"
        print(f"{word}: {name}: {target.measured:.3g} (target {limit})")
    if check and not all(target.is_reached for target in found.values()):
        sys.exit(1)


def read_targets(printed: str) -> dict[str, Target]:
    """Return the targets that `check_targets` has printed."""
    return {
        name: Target(float(measured), relation, float(limit), bool(is_ratio))
        for name, measured, relation, limit, is_ratio in _LINE.findall(printed)
    }
