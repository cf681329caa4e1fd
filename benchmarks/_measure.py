"""What the benchmarks share: the header, the clock, medians of interleaved runs, tables, targets.

Owns how something is measured and printed. Does not own what is measured, nor the peers.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import joblib

_PACKAGES = ("skreg", "numpy", "scikit-learn", "tensorflow", "keras", "scikeras")
# After a call, BLAS and TensorFlow keep their threads spinning for some time.
_PAUSE_SECONDS = 0.05


def parse_options(doc: str) -> argparse.Namespace:
    """Read the options that every benchmark has; `doc` is the script's docstring."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less work, rough figures")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    return parser.parse_args()


def print_header(question: str, options: argparse.Namespace) -> None:
    """Print the question, the machine and the versions."""
    print(question)
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.date.today()}, {joblib.cpu_count()} cores of {_processor()}, {system}")
    print(", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        print(f"The machine was busy: load {os.getloadavg()[0]:.1f} before the start.")
    if options.quick:
        print("--quick: less work and fewer repeats, so the figures are rough.")
    print(flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(none)"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


@dataclass
class Timing:
    """Wall and CPU seconds of each run of one call; CPU time is that of all its threads."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Median wall time."""
        return median(self.walls)

    @property
    def cpu(self) -> float:
        """Median CPU time."""
        return median(self.cpus)

    def add(self, wall: float, cpu: float) -> None:
        """Keep one more run."""
        self.walls.append(wall)
        self.cpus.append(cpu)


def timed(call: Callable, count: int = 1) -> tuple[float, float]:
    """Wall and CPU seconds of one of `count` calls in a row."""
    gc.collect()
    time.sleep(_PAUSE_SECONDS)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall / count, cpu / count


def interleaved(
    calls: dict[str, Callable],
    repeats: int,
    fewer: dict[str, int] | None = None,
    count: int = 1,
) -> dict[str, Timing]:
    """Time every call in each of `repeats` rounds, so that a slow minute meets all of them.

    Nothing is warmed up here. `fewer` names the calls that take part in the first rounds only;
    every other round runs backwards.
    """
    timings = {name: Timing() for name in calls}
    for number in range(repeats):
        names = [name for name in calls if number < (fewer or {}).get(name, repeats)]
        for name in names if number % 2 == 0 else reversed(names):
            timings[name].add(*timed(calls[name], count))
    return timings


def ratio(numerator: Timing, denominator: Timing) -> float:
    """Median over the rounds of one wall time over the other of the same round."""
    pairs = zip(numerator.walls, denominator.walls, strict=False)
    return median(one / other for one, other in pairs)


def run_child(*arguments: str):
    """Run Python in a process of its own and return the JSON of its last line."""
    command = [sys.executable, *arguments]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        raise RuntimeError(f"{command} failed:\n{child.stderr}")
    return json.loads(child.stdout.splitlines()[-1])


def print_table(head: Sequence[str], rows: Sequence[Sequence]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    lines = [list(head), *[[_cell(value) for value in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        first, *others = [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join([first, *others]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print(flush=True)


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        digits = 4 if abs(value) < 1 else 3
        return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


class Targets:
    """What a benchmark must show; printed as it is compared, settled by `close`."""

    def __init__(self) -> None:
        self._missed = 0

    def at_most(self, what: str, measured: float, bound: float) -> None:
        """Expect `measured` <= `bound`."""
        self._compare(what, measured, bound, measured <= bound, "at most")

    def at_least(self, what: str, measured: float, bound: float) -> None:
        """Expect `measured` >= `bound`."""
        self._compare(what, measured, bound, measured >= bound, "at least")

    def parity(self, peer: str, mine: dict[str, float], theirs: dict[str, float]) -> None:
        """Expect scores that are no worse than the peer's by more than 0.01 or 0.03."""
        less = theirs["accuracy"] - mine["accuracy"]
        self.at_most(f"accuracy below that of {peer}", less, 0.01)
        more = mine["log_loss"] - theirs["log_loss"]
        self.at_most(f"log loss above that of {peer}", more, 0.03)

    def close(self, options: argparse.Namespace) -> None:
        """End the script with 1 if a target was missed and `--check` was given."""
        if self._missed:
            print(f"{self._missed} missed")
        if self._missed and options.check:
            sys.exit(1)

    def _compare(self, what, measured, bound, reached, words) -> None:
        self._missed += not reached
        verdict = "reached" if reached else "MISSED "
        print(f"{verdict}  {what}: {_cell(float(measured))} ({words} {_cell(float(bound))})")
