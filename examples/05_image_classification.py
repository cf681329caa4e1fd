"""
Image classification
====================

Which digit was written, on images of 8 x 8 pixels (the digits of scikit-learn) and of 28 x 28
pixels (MNIST).

.. image:: ../../examples/figures/image_classification.png
   :alt: Log loss and accuracy of the four families, and their differences.

Run it with::

    python examples/05_image_classification.py [--quick] [--data FOLDER] [--output FILE]

MNIST is downloaded from OpenML once, which takes a while. With `--data` its 10,000 test images are
read from FOLDER/mnist_10k.csv.gz.

Results, with `--data`:

- Small digits, 1,347 training rows: regularisation has little left to do. The mean log loss of ten
  splits is 0.072 for neither, 0.066 for dropout, 0.067 for L2 and 0.062 for both. Both are lower
  than neither in nine splits, but the interval is -0.026 to +0.006. All accuracies are between
  0.980 and 0.982.
- MNIST, 700 training rows: the log loss is 0.464, 0.441, 0.390 and 0.397. It is clearly lower than
  neither for L2 (-0.12 to -0.03) and for both (-0.11 to -0.03), not for dropout (-0.07 to +0.03).
  Both are not better than L2 alone.
- No accuracy on MNIST, 0.892, 0.893, 0.887 and 0.896, is clearly different from that of neither.
  Both against L2 alone gain +0.002 to +0.016, one of sixteen tests.
- No network stops early.
"""

from __future__ import annotations

from importlib.util import find_spec

from _comparison import QUICK, compare, run
from _tables import Table, download, read_table, separate_splits, stand_in
from sklearn.datasets import fetch_openml, load_digits
from sklearn.model_selection import StratifiedShuffleSplit

# Pixels share a scale already. Standardised, rarely lit pixels would have huge values.
NETWORK = {"standardize": False, "max_iter": 30}
# Weaker penalties than elsewhere: pixels from 0 to 1 are small, so kernels must be large.
GRID = {"dropouts": [0.0, 0.25, 0.5, 0.75], "l2s": [0.0, 1e-4, 1e-3, 1e-2]}
SETTINGS = {"grid": GRID, "folds": 3, "network": NETWORK}
MNIST = 554  # number of the data set at OpenML


# %%
# The images
# ----------


def load_small():
    """Return the digits of scikit-learn: 8 x 8 pixels with values from 0 to 16."""
    X, y = load_digits(return_X_y=True)
    return Table(X / 16, y)


def load_mnist(arguments):
    """Return the 10,000 test images, the last ones at OpenML."""
    if arguments.quick:
        return stand_in(2000, 784, n_classes=10)
    if arguments.data:
        table = read_table(arguments.data, "mnist_10k")
    else:
        parser = "pandas" if find_spec("pandas") else "liac-arff"  # slower, but needs no pandas
        options = {"return_X_y": True, "as_frame": False, "parser": parser}
        X, y = download(fetch_openml, "mnist_10k", data_id=MNIST, **options)
        table = Table(X[-10_000:], y[-10_000:].astype(str))
    return Table(table.X / 255, table.y)


# %%
# The comparison
# --------------


def digits(arguments):
    """Compare the families on ten splits with three quarters of the rows for training."""
    table = load_small()
    draws = StratifiedShuffleSplit(2 if arguments.quick else 10, test_size=0.25, random_state=0)
    splits = list(draws.split(table.X, table.y))
    return compare(table, splits, **(QUICK if arguments.quick else SETTINGS))


def mnist(arguments):
    """Compare the families on ten disjoint splits of 700 training and 300 test rows."""
    table = load_mnist(arguments)
    splits = separate_splits(table.y, n_splits=2 if arguments.quick else 10, n_train=700)
    return compare(table, splits, **(QUICK if arguments.quick else SETTINGS), overlap=False)


# sphinx_gallery_thumbnail_path = "../examples/figures/image_classification.png"

if __name__ == "__main__":
    run(__doc__, "image_classification.png", {"digits": digits, "MNIST": mnist})
