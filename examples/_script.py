"""The command line of the examples, and how they print tables."""

from __future__ import annotations

import argparse


def parse(documentation, output, quick="a smoke test", data=None):
    """Parse --quick, --output, and --data if there is a help text for it.

    `documentation` is the docstring of the example, whose first line tells what it does. The
    gallery runs examples without one.
    """
    first_line = (documentation or "").strip().partition("\n")[0]
    parser = argparse.ArgumentParser(description=first_line)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--output", default=output, help="file of the figure")
    if data:
        parser.add_argument("--data", metavar="FOLDER", help=data)
    arguments = parser.parse_args()
    if arguments.quick:
        print(f"--quick: {quick}; its numbers mean nothing.")
    return arguments


def print_table(title, columns, rows):
    """Print rows of strings and numbers under a title, the first column left-aligned."""
    cells = [
        [cell if isinstance(cell, str) else f"{cell:.3f}" for cell in row]
        for row in [columns, *rows]
    ]
    first, *widths = (max(map(len, column)) for column in zip(*cells, strict=True))
    print(f"\n{title}\n")
    for name, *others in cells:
        line = "".join(f"  {cell:>{width}}" for cell, width in zip(others, widths, strict=True))
        print(f"  {name:<{first}}{line}".rstrip(), flush=True)
