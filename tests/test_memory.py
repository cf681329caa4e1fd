"""Peak memory of a fit, in a process that has fitted before (Linux)."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux' /proc"),
    pytest.mark.full,
]

START = """
import numpy as np
from skreg import RegularizedMLPClassifier

def memory(key):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])

rng = np.random.default_rng(0)
"""

SPARSE = """
from scipy import sparse

X = sparse.random_array((20_000, 20_000), density=0.002, rng=rng, format="csr", dtype=np.float32)
y = (X @ rng.normal(size=20_000) > 0).astype(int)
size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
model = RegularizedMLPClassifier((8,), max_iter=1, random_state=0)
model.fit(X[:2000], y[:2000])
warm = memory("VmRSS")
model.fit(X, y)
model.predict(X)
print((memory("VmHWM") - warm) / size)
"""

# Pages of the file are no memory of the process, so the peak is that of anonymous memory, looked at
# a hundred times a second.
MAPPED = """
import tempfile
import threading

folder = tempfile.TemporaryDirectory()
path = folder.name + "/X.npy"
table = np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=(500_000, 50))
for rows in np.array_split(np.arange(len(table)), 10):
    table[rows] = rng.standard_normal((len(rows), 50), np.float32)
table.flush()
X = np.load(path, mmap_mode="r")
y = (X[:, 0] > 0).astype(int)
model = RegularizedMLPClassifier((8,), max_iter=1, numerical_encoding=None, random_state=0)
model.fit(X[:2000], y[:2000])
warm, peaks, ended = memory("RssAnon"), [0], threading.Event()

def watch():
    while not ended.wait(0.01):
        peaks.append(memory("RssAnon"))

watcher = threading.Thread(target=watch)
watcher.start()
model.fit(X, y)
ended.set()
watcher.join()
print((max(peaks) - warm) / X.nbytes)
"""


def measure_peak(script):
    """Return the peak above a small fit, in units of the table."""
    command = [sys.executable, "-c", START + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_memory_is_in_proportion_to_the_non_zeros():
    """20,000 x 20,000, 0.2 % filled: 6.4 MB as CSR, 1.6 GB as float32 rows."""
    assert measure_peak(SPARSE) < 30


def test_a_mapped_table_has_one_copy_in_memory():
    """100 MB. Two copies would be two of its sizes, beside the rows of an epoch and the merging."""
    assert 1 < measure_peak(MAPPED) < 2
