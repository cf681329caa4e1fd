"""(e) What do importing and the first fit cost, in seconds and memory? New processes, medians."""

from __future__ import annotations

from _measure import check_targets, in_new_processes, parse_arguments, print_header, print_table

# The modules of scikit-learn 1.9 that skreg imports.
NEEDED = (
    "import sklearn.base, sklearn.callback, sklearn.exceptions, sklearn.metrics,"
    " sklearn.model_selection, sklearn.utils, sklearn.utils.class_weight,"
    " sklearn.utils.metadata_routing, sklearn.utils.multiclass, sklearn.utils.validation"
)
# Prints wall and CPU seconds of the second statement, and the resident memory after it in MB.
CLOCK = """
import time
{}
wall, cpu = time.perf_counter(), time.process_time()
{}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
from _measure import memory
print(wall, cpu, memory("VmRSS") / 1e6)
"""
FIT = (
    "from sklearn.datasets import load_breast_cancer; from _peers import {0};"
    " X, y = load_breast_cancer(return_X_y=True); {0}(10).fit(X, y)"
)
OURS = FIT.format("skreg_network")
# Prints the same for each of ten programs of other architectures: memory as its growth.
PROGRAMS = (
    OURS
    + """
from _measure import memory, timed
from skreg._engine.program import count_programs
before, resident = count_programs(), memory("VmRSS")
fits = [
    lambda width=width: skreg_network(1, (width, 64)).fit(X, y) for width in range(24, 104, 8)
]
seconds = [timed(fit) for fit in fits]
count = count_programs() - before
assert count == len(fits)
print(*(sum(column) / count for column in zip(*seconds)))
print((memory("VmRSS") - resident) / count / 1e6)
"""
)
FIRST_FIT = "up to a fit of skreg, imports included"
SCRIPTS = {
    "scikit-learn's modules that skreg needs": CLOCK.format("", NEEDED),
    "import skreg": CLOCK.format("", "import skreg"),
    "import sklearn.neural_network": CLOCK.format("", "import sklearn.neural_network"),
    "import tensorflow": CLOCK.format("", "import tensorflow"),
    "import scikeras.wrappers": CLOCK.format("", "import scikeras.wrappers"),
    FIRST_FIT: CLOCK.format("", OURS),
    "up to a fit of MLPClassifier": CLOCK.format("", FIT.format("sklearn_network")),
    "up to a fit of scikeras": CLOCK.format("", FIT.format("scikeras_network")),
    "skreg's first fit, TensorFlow imported": CLOCK.format("import tensorflow, skreg", OURS),
    "skreg's second fit": CLOCK.format(OURS, "skreg_network(10).fit(X, y)"),
    "skreg's first fit of another architecture": PROGRAMS,
}


def main():
    """Print the medians over new processes."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    medians = in_new_processes(SCRIPTS, 2 if arguments.quick else 7)
    print("fits: the seed network, breast cancer, 10 epochs; MB: what is resident at the end;")
    print("another architecture: the mean of ten, 1 epoch, and the growth of what is resident\n")
    print_table(["new process", "s", "CPU, s", "MB"], [[k, *row] for k, row in medians.items()])
    over = medians["import skreg"][0] - medians["scikit-learn's modules that skreg needs"][0]
    check_targets(
        {
            "import skreg over scikit-learn's modules, s": (over, "<=", 0.10),
            "up to a fit of skreg, s": (medians[FIRST_FIT][0], "<=", 3.0),
        },
        arguments.check,
    )


if __name__ == "__main__":
    main()
