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


def main():
    """Print the peak of each peer's fit on a large dense and a large sparse table."""
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
    medians = in_new_processes(scripts, 1 if arguments.quick else 3)
    print("one epoch, batch 128; MB at the peak above what is resident after a tiny fit;")
    print("text: 0.1 % filled, its size that of its CSR arrays, most is the network and Adam's")
    print("moments; accuracy on 2,000 training rows\n")
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
        {"peak memory of the largest fit, tables of float32": (share, "<=", 3)}, arguments.check
    )


if __name__ == "__main__":
    main()
