"""(e) What is the time of a step spent on, for some widths of the table, batches and encodings?

A step of the default network, in CPU microseconds. Parts are what a step without them saves:
masks are dropout, and Adam is the difference to plain gradient descent. Products are those of the
step in NumPy, in one thread. The rest has gathers, activations, the loss and the loop.
"""

from __future__ import annotations

import numpy as np
from _measure import interleaved, median_seconds, parse_arguments, print_header, print_table
from _tables import dense_table
from threadpoolctl import threadpool_limits

from skreg import RegularizedMLPClassifier

N_ROWS, HIDDEN = 4096, (128, 64)
FEW, MANY = 4, 24  # epochs
CASES = [
    *((columns, batch, None) for columns in (30, 100, 300) for batch in (32, 64, 128, 256)),
    *((columns, 64, name) for name in ("piecewise", "periodic") for columns in (30, 100)),
]
QUICK = [(30, 64, None), (30, 64, "periodic")]
PARTS = {
    "all": {"dropout": 0.3, "solver": "adam"},
    "no masks": {"dropout": 0.0, "solver": "adam"},
    "no masks, no Adam": {"dropout": 0.0, "solver": "sgd", "momentum": 0.0},
}


def multiply_as_a_step(n_inputs: int, batch: int):
    """Return a function of the products of a step: forward, of kernels, and of inputs."""
    shapes = list(zip((n_inputs, *HIDDEN), (*HIDDEN, 1), strict=True))
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((batch, rows), np.float32) for rows, _ in shapes]
    deltas = [rng.standard_normal((batch, columns), np.float32) for _, columns in shapes]
    kernels = [rng.standard_normal(shape, np.float32) for shape in shapes]

    def multiply():
        for layer, (values, kernel, delta) in enumerate(zip(inputs, kernels, deltas, strict=True)):
            values @ kernel
            values.T @ delta
            if layer:
                delta @ kernel.T

    return multiply


def measure(columns: int, batch: int, encoding, repeats: int) -> tuple[dict, float, int]:
    """Return the seconds of a step by `PARTS`, those of its products, and the inputs."""
    X, y = dense_table(N_ROWS, columns)
    options = {"batch_size": batch, "numerical_encoding": encoding, "random_state": 0}

    def fit(part, epochs):
        model = RegularizedMLPClassifier(HIDDEN, **options, **PARTS[part])
        return model.set_params(learning_rate_init=1e-3, max_iter=epochs).fit(X, y)

    runs = {
        (part, epochs): lambda part=part, epochs=epochs: fit(part, epochs)
        for part in PARTS
        for epochs in (FEW, MANY)
    }
    compiled = [run() for run in runs.values()]
    n_inputs, n_steps = len(compiled[0].coefs_[0]), (MANY - FEW) * N_ROWS // batch
    multiply = multiply_as_a_step(n_inputs, batch)

    def multiply_often():
        with threadpool_limits(1):
            for _ in range(n_steps):
                multiply()

    seconds = interleaved(runs | {"products": multiply_often}, repeats)
    # CPU, which other work on the machine disturbs less. The difference of a long and a short fit
    # has neither the preparation of the rows nor the call.
    steps = {
        part: np.median(seconds[part, MANY][:, 1] - seconds[part, FEW][:, 1]) / n_steps
        for part in PARTS
    }
    return steps, median_seconds(seconds)["products"][1] / n_steps, n_inputs


def main():
    """Print a line for each case."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    rows = []
    for columns, batch, encoding in QUICK if arguments.quick else CASES:
        steps, products, n_inputs = measure(columns, batch, encoding, 3 if arguments.quick else 7)
        masks = steps["all"] - steps["no masks"]
        adam = steps["no masks"] - steps["no masks, no Adam"]
        rest = steps["no masks, no Adam"] - products
        shares = [f"{part / steps['all']:.0%}" for part in (products, masks, adam, rest)]
        case = f"{columns} columns, batch {batch}" + (f", {encoding}" if encoding else "")
        rows.append([case, str(n_inputs), 1e6 * steps["all"], *shares])
    print_table(["", "inputs", "CPU, us", "products", "masks", "Adam", "rest"], rows)


if __name__ == "__main__":
    main()
