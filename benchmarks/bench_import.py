"""(e) What do importing and the first fit cost? New processes, medians."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from _measure import check_targets, parse_arguments, print_header, print_table

# The modules of scikit-learn that skreg imports.
NEEDED = (
    "import sklearn.base, sklearn.exceptions, sklearn.preprocessing, sklearn.utils,"
    " sklearn.utils.class_weight, sklearn.utils.multiclass, sklearn.utils.validation"
)
CLOCK = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
FIT = """
import time
from sklearn.datasets import load_breast_cancer
from skreg import RegularizedMLPClassifier
X, y = load_breast_cancer(return_X_y=True)
{}
start = time.perf_counter()
for _ in range({}):
    RegularizedMLPClassifier(random_state=0).fit(X, y)
print(time.perf_counter() - start)
"""
STATEMENTS = {
    "scikit-learn's modules that skreg needs": CLOCK.format(NEEDED),
    "import skreg": CLOCK.format("import skreg"),
    "import tensorflow": CLOCK.format("import tensorflow"),
    "first fit, TensorFlow's import included": FIT.format("", 1),
    "first fit, TensorFlow imported": FIT.format("import tensorflow", 1),
    "first and second fit, TensorFlow imported": FIT.format("import tensorflow", 2),
}


def main():
    """Print the medians over new processes."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    seconds = {name: [] for name in STATEMENTS}
    for _ in range(2 if arguments.quick else 7):
        for name, statement in STATEMENTS.items():
            done = subprocess.run(
                [sys.executable, "-c", statement], capture_output=True, text=True, check=True
            )
            seconds[name].append(float(done.stdout))
    medians = {name: np.median(values) for name, values in seconds.items()}
    print_table(["new process", "s"], [[name, value] for name, value in medians.items()])
    over = medians["import skreg"] - medians["scikit-learn's modules that skreg needs"]
    check_targets(
        {"import skreg over scikit-learn's modules, s": (over, "<=", 0.15)}, arguments.check
    )


if __name__ == "__main__":
    main()
