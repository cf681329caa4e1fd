"""(f) What memory does one fit take, above the table and a process that has fitted before?"""

from __future__ import annotations

from _measure import check_targets, in_new_processes, parse_arguments, print_header, print_table
from _peers import HIDDEN, NETWORKS

# Prints the peak above a tiny fit and the table in bytes, then the fit's seconds and its accuracy.
FIT = """
from pathlib import Path
from _measure import memory, timed
from _peers import NETWORKS
from _tables import dense_table, text_table
X, y = {table}
model = NETWORKS[{peer!r}](1, batch_size=128)
model = model if {scaled} else model[-1]
model.fit(X[:1000, :40], y[:1000])
warm = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
seconds = timed(lambda: model.fit(X, y))
peak = memory("VmHWM") - warm
size = X.nbytes if hasattr(X, "nbytes") else X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
print(peak, size, *seconds, model.score(X[:2000], y[:2000]))
"""

# The same for a data frame of 40 numbers and 10 columns of strings.
FRAME = """
from pathlib import Path
from _measure import memory, timed
from bench_frames import make_wide_frame
from skreg import RegularizedMLPClassifier
X, y = make_wide_frame({n_rows})
model = RegularizedMLPClassifier(batch_size=128, max_iter=1, random_state=0)
model.fit(X[:1000], y[:1000])
warm = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
seconds = timed(lambda: model.fit(X, y))
peak = memory("VmHWM") - warm
names = [name for name in model.encoded_feature_names_ if "_bin_" not in name]
one_hot = 8 * len(X) * len(names)
print(peak, one_hot, *seconds, model.score(X[:2000], y[:2000]))
"""

# The same for a table of float32 in a file. Its pages are no memory of the process, so the peak is
# that of anonymous memory, looked at twenty times a second.
MAPPED = """
import tempfile, threading
from pathlib import Path
import numpy as np
from _measure import memory, timed
from skreg import RegularizedMLPClassifier
folder = tempfile.TemporaryDirectory()
X = np.lib.format.open_memmap(
    Path(folder.name, "X.npy"), "w+", dtype=np.float32, shape=({n_rows}, 50)
)
rng = np.random.default_rng(0)
for start in range(0, len(X), 100_000):
    X[start : start + 100_000] = rng.standard_normal(X[start : start + 100_000].shape)
y = (X[:, 0] + rng.standard_normal(len(X)) > 0).astype(int)
X = np.load(Path(folder.name, "X.npy"), mmap_mode="r")
model = RegularizedMLPClassifier(batch_size=128, max_iter=1, random_state=0)
model.fit(X[:1000], y[:1000])
warm, peaks, ended = memory("RssAnon"), [0], threading.Event()
def watch():
    while not ended.wait(0.05):
        peaks.append(memory("RssAnon"))
watcher = threading.Thread(target=watch)
watcher.start()
seconds = timed(lambda: model.fit(X, y))
ended.set()
watcher.join()
print(max(peaks) - warm, X.nbytes, *seconds, model.score(X[:2000], y[:2000]))
"""


def main():
    """Print the peak of each peer's fit on large tables: dense, sparse, and a data frame."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    dense = (100_000 if arguments.quick else 1_000_000, 50)
    text = (2_000, 5_000) if arguments.quick else (20_000, 50_000)
    scripts, columns = {}, {}
    for kind, (n_rows, n_columns) in (("dense", dense), ("text", text)):
        for peer in NETWORKS:
            key = f"{kind}, {n_rows:,} x {n_columns:,}, {peer}"
            columns[key] = n_columns
            # A scaler that centres takes no sparse table, so the peers go without; skreg scales.
            scripts[key] = FIT.format(
                table=f"{kind}_table({n_rows}, {n_columns})",
                peer=peer,
                scaled=kind == "dense" or peer == "skreg",
            )
    frame = f"frame, {dense[0]:,} x 50, skreg"
    scripts[frame], columns[frame] = FRAME.format(n_rows=dense[0]), 0
    n_mapped = 100_000 if arguments.quick else 5_000_000
    mapped = f"mapped file, {n_mapped:,} x 50, skreg"
    scripts[mapped], columns[mapped] = MAPPED.format(n_rows=n_mapped), 50
    medians = in_new_processes(scripts, 1 if arguments.quick else 3)
    print("one epoch, batch 128; MB at the peak above what is resident after a tiny fit;")
    print("text: 0.1 % filled, its size that of its CSR arrays, most is the network and Adam's")
    print("moments; frame: its size that of the one-hot columns in float64; accuracy on 2,000")
    print("training rows\n")
    rows = []
    for key, (peak, size, *rest) in medians.items():
        kernel = 4 * columns[key] * HIDDEN[0]
        rows.append([key, size / 1e6, kernel / 1e6, peak / 1e6, peak / size, *rest])
    print_table(
        [
            "fit",
            "table, MB",
            "first kernel, MB",
            "peak, MB",
            "tables",
            "s",
            "CPU, s",
            "accuracy",
        ],
        rows,
    )
    share = rows[0][4]
    check_targets(
        {
            "peak memory of the largest fit, tables of float32": (share, "<=", 3),
            "that of the data frame, tables of one-hot float64": (rows[-2][4], "<=", 1.5),
            "that of the mapped file, tables of float32": (rows[-1][4], "<=", 2),
        },
        arguments.check,
    )


if __name__ == "__main__":
    main()
