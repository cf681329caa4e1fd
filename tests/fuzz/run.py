"""Run random cases in child processes, and print what is wrong with each, grouped by kind.

``python tests/fuzz/run.py --first 0 --count 20000 --processes 2`` takes some hours, and
``python tests/fuzz/run.py --first 123 --count 1 --describe`` shows and runs one case.

A case that takes longer than the limit, or ends its process, is a violation. Ctrl-C prints what was
found so far.
"""

from __future__ import annotations

import argparse
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
# Cases of a process: half of a block of `fuzz.cases`, which shares its programs. With encodings a
# process could not hold those of a whole block.
CHUNK = 300


class Report:
    """Collects violations from several threads."""

    def __init__(self, count: int, quiet: bool):
        self.count, self.quiet = count, quiet
        self.n_done, self.start = 0, time.monotonic()
        self.by_kind: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.is_stopped = False
        self.children: set[subprocess.Popen] = set()
        self._lock = threading.Lock()

    def add(self, violations: list) -> None:
        """Record the outcome of one case."""
        with self._lock:
            self.n_done += 1
            for kind, number, detail in violations:
                if kind not in self.by_kind:
                    self._say(f"case {number}: {kind}")
                self.by_kind[kind].append((number, detail))
            if self.n_done % CHUNK == 0:
                seconds = time.monotonic() - self.start
                self._say(f"{self.n_done} of {self.count} cases, {seconds:.0f} s")

    def _say(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)

    def stop(self) -> None:
        """End the children."""
        self.is_stopped = True
        for child in list(self.children):
            child.kill()

    def print(self, n_shown: int) -> None:
        """Print the kinds, the most frequent first, with some cases of each."""
        for kind, found in sorted(self.by_kind.items(), key=lambda item: -len(item[1])):
            numbers = sorted({number for number, _ in found})
            print(f"\n== {kind}\n{len(numbers)} cases: {numbers[:20]}")
            for number, detail in sorted(found, key=lambda item: len(item[1]))[:n_shown]:
                print(f"\n-- case {number}\n{detail}")
        print(f"\n{self.n_done} cases, {len(self.by_kind)} kinds of violations")


def run_chunk(first: int, count: int, limit: float, report: Report) -> None:
    """Run consecutive cases, each within the limit; begin anew after one that ended its process."""
    last = first + count
    while first < last and not report.is_stopped:
        first = _run_child(first, last - first, limit, report)


def _run_child(first: int, count: int, limit: float, report: Report) -> int:
    """Run cases in one child, and return the number of the next case."""
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "fuzz.worker", str(first), str(count)],
            cwd=TESTS,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        report.children.add(child)
        lines: queue.Queue = queue.Queue()
        reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
        reader.start()
        number, problem = first, "ends its process"
        while number < first + count:
            try:
                line = lines.get(timeout=limit)
            except queue.Empty:
                problem = "takes too long"
                child.send_signal(signal.SIGABRT)  # faulthandler writes where it stands
                break
            if line is None:
                break
            record = json.loads(line)
            if "ends" in record:
                report.add(record["violations"])
                number = record["ends"] + 1
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        report.children.discard(child)
        if number < first + count and not report.is_stopped:
            errors.seek(0)
            trace = errors.read().partition("Extension modules:")[0]
            detail = f"return code {child.returncode}\n{trace[-5000:]}"
            report.add([(f"a case {problem}", number, detail)])
            number += 1
    return number


def _read(stream, lines: queue.Queue) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def main() -> int:
    """Run the cases of the command line; return 1 if there is a violation."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, default=100, help="number of cases")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds of one case")
    parser.add_argument("--shown", type=int, default=3, help="tracebacks of each kind")
    parser.add_argument("--describe", action="store_true", help="print the cases, too")
    options = parser.parse_args()
    if options.describe:
        sys.path.insert(0, str(TESTS))
        from fuzz.cases import make_case

        for number in range(options.first, options.first + options.count):
            print(make_case(number).describe())
    report = Report(options.count, quiet=options.count <= CHUNK)
    chunks: queue.Queue = queue.Queue()
    first, last = options.first, options.first + options.count
    while first < last:  # chunks end where blocks end
        end = min(last, (first // CHUNK + 1) * CHUNK)
        chunks.put((first, end - first))
        first = end

    def work():
        while not report.is_stopped:
            try:
                chunk = chunks.get_nowait()
            except queue.Empty:
                return
            run_chunk(*chunk, options.limit, report)

    threads = [threading.Thread(target=work) for _ in range(options.processes)]
    for thread in threads:
        thread.start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        report.stop()
    report.print(options.shown)
    return 1 if report.by_kind else 0


if __name__ == "__main__":
    sys.exit(main())
