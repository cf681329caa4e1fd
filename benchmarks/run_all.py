"""Run the benchmarks one after the other, and write one table of what they measured.

The table has a line for each target. The exit code is 1 if a script fails, or if a ratio of times
is worse by more than a fifth than in the table that the file had before. A missed target is no
failure.

    python benchmarks/run_all.py --output TABLE [--quick] [--data FOLDER] [--scripts NAME ...]

It needs `".[bench]"`, `catboost`, `dask[distributed]` and an idle machine. Without a folder of
tables, bench_quality.py takes those of scikit-learn.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from _measure import Target, read_targets

HERE = Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("bench_*.py"))
PACKAGES = "tensorflow", "keras", "scikit-learn", "scikeras", "numpy", "catboost"
QUALITY = "--splits", "1", "--models", "skreg", "skreg, ensemble"
FEW_TABLES = "--rows", "200", "--every", "10"
_SLOWER = 1.2
_COLUMNS = ["script", "figure", "measured", "target", "reached", "a ratio of times"]


def make_command(script: str, quick: bool, folder: Path | None) -> list[str]:
    """Return the command of a script."""
    command = [sys.executable, str(HERE / script)]
    if script != "bench_quality.py":
        return [*command, "--quick"] if quick else command
    tables = ["--data", str(folder)] if folder else []
    return [*command, *QUALITY, *tables, *(FEW_TABLES if quick else ())]


def run(script: str, quick: bool, folder: Path | None) -> dict[str, Target] | None:
    """Return the targets that a script prints, or None if it fails."""
    print(f"{script} ...", flush=True)
    command = make_command(script, quick, folder)
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout, flush=True)
    if done.returncode:
        print(done.stderr, flush=True)
        return None
    return read_targets(done.stdout)


def format_table(found: dict[str, dict[str, Target]]) -> str:
    """Return the table in Markdown, after the machine and the versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [f"{platform.machine()}, Python {platform.python_version()}, {versions}.", ""]
    rows = [_COLUMNS, ["---"] * len(_COLUMNS)]
    for script, targets in found.items():
        for name, target in targets.items():
            limit = f"{target.relation} {target.limit:g}"
            words = ["yes" if value else "no" for value in (target.is_reached, target.is_ratio)]
            rows.append([f"`{script}`", name, f"{target.measured:g}", limit, *words])
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows), ""])


def read_table(text: str) -> dict[tuple[str, str], float]:
    """Return the measured figures of a table by script and name."""
    rows = re.findall(r"^\| `(\S+)` \| (.+?) \| (\S+) \|", text, re.MULTILINE)
    return {(script, name): float(measured) for script, name, measured in rows}


def find_slower(found: dict[str, dict[str, Target]], former: dict) -> list[str]:
    """Return the ratios of times that are worse than the former ones by more than a fifth."""
    slower = []
    for script, targets in found.items():
        for name, target in targets.items():
            before = former.get((script, name))
            if not target.is_ratio or before is None:
                continue
            worse = (
                target.measured / before if target.relation == "<=" else before / target.measured
            )
            if worse > _SLOWER:
                slower.append(f"{script}, {name}: {target.measured:g}, before {before:g}")
    return slower


def main():
    """Write the table, and say what failed and what became slower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats and smaller sizes")
    parser.add_argument("--data", type=Path, help="folder of tables for bench_quality.py")
    parser.add_argument("--output", type=Path, required=True, help="file of the table")
    parser.add_argument("--scripts", nargs="+", choices=SCRIPTS, default=SCRIPTS)
    arguments = parser.parse_args()
    found = {name: run(name, arguments.quick, arguments.data) for name in arguments.scripts}
    failed = [name for name, targets in found.items() if targets is None]
    found = {name: targets for name, targets in found.items() if targets}
    former = read_table(arguments.output.read_text()) if arguments.output.exists() else {}
    slower = find_slower(found, former)
    arguments.output.write_text(format_table(found))
    print(
        "\n".join([f"failed: {name}" for name in failed] + [f"slower: {line}" for line in slower])
    )
    sys.exit(bool(failed or slower))


if __name__ == "__main__":
    main()
