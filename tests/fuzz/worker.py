"""Runs some cases in this process, and writes one line of JSON as each begins and ends."""

import faulthandler
import json
import sys
import traceback

from fuzz.oracle import Violation, run_case


def main(first: int, count: int) -> None:
    """Run the cases from `first` on."""
    faulthandler.enable()
    for number in range(first, first + count):
        print(json.dumps({"begins": number}), flush=True)
        try:
            violations = run_case(number)
        except Exception as error:
            kind = f"the fuzzer fails: {type(error).__name__}"
            violations = [Violation(kind, number, traceback.format_exc())]
        print(json.dumps({"ends": number, "violations": violations}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
