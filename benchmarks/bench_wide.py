"""(c) How near do wide networks come to the machine's own rate of matrix products?"""

from __future__ import annotations

import numpy as np
from _measure import check_targets, interleaved, parse_arguments, print_header, print_table
from _peers import NETWORKS
from sklearn.datasets import make_classification

from skreg._tensorflow import tensorflow

ROWS, COLUMNS, EPOCHS = 4096, 64, 10
COMPARED = (512, 256)  # width and batch at which the peers run, too


def flops_of_a_fit(width, batch):
    """Count 2 b in out a product: forward, kernel gradient, input gradient (not the first)."""
    shapes = [(COLUMNS, width), (width, width), (width, 1)]
    pairs = enumerate(shapes)
    products = sum(rows * columns * (2 if k == 0 else 3) for k, (rows, columns) in pairs)
    return 2 * batch * products * (ROWS // batch) * EPOCHS


def main():
    """Print the rate of training beside NumPy's sgemm in the same run."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    X, y = make_classification(ROWS, COLUMNS, n_informative=20, random_state=0)
    X = X.astype(np.float32)
    square = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)

    def sgemm():
        for _ in range(60):
            square @ square

    tensor = tensorflow().constant(square)

    def tensorflow_matmul():
        for _ in range(60):
            tensorflow().matmul(tensor, tensor)

    widths = [COMPARED] if arguments.quick else [(128, 32), (256, 128), COMPARED, (1024, 256)]
    cases = [("skreg", *case) for case in widths]
    cases += [(name, *COMPARED) for name in NETWORKS if name != "skreg"]
    runs = {"sgemm": sgemm, "TensorFlow": tensorflow_matmul}
    models = {}
    for name, width, batch in cases:
        model = NETWORKS[name](EPOCHS, (width, width), batch)
        models[name, width, batch] = model.fit(X, y)
        runs[name, width, batch] = lambda model=model: model.fit(X, y)
    sgemm()
    seconds = interleaved(runs, 3 if arguments.quick else 9)
    peak = 60 * 2 * 1024**3 / np.median(seconds["sgemm"][:, 0]) / 1e9
    rows, shares = [], {}
    for case in cases:
        name, width, batch = case
        flops = flops_of_a_fit(width, batch)
        wall, cpu = np.median(seconds[case], axis=0)
        shares[case], of_tensorflow = (
            np.median(seconds[product][:, 0] / seconds[case][:, 0]) * flops / (120 * 1024**3)
            for product in ("sgemm", "TensorFlow")
        )
        label = f"{name}, ({width}, {width}), batch {batch}"
        score = models[case].score(X, y)
        rows.append([label, wall, cpu, flops / wall / 1e9, shares[case], of_tensorflow, score])
    theirs = peak * np.median(seconds["sgemm"][:, 0] / seconds["TensorFlow"][:, 0])
    print(
        f"product of 1024 x 1024, all cores: {peak:.0f} GFLOP/s in NumPy (sgemm),"
        f" {theirs:.0f} in TensorFlow"
    )
    print(f"fits of {ROWS} x {COLUMNS}, {EPOCHS} epochs; scikeras compiles in each of its fits;")
    print("accuracy on the training rows\n")
    columns = ["fit, s", "CPU, s", "GFLOP/s", "of sgemm", "of TensorFlow's", "accuracy"]
    print_table(["network", *columns], rows)
    share = shares["skreg", *COMPARED]
    check_targets(
        {"(512, 512) at batch 256, share of sgemm": (share, ">=", 0.75, True)}, arguments.check
    )


if __name__ == "__main__":
    main()
