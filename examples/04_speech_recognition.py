"""
Speech recognition
==================

Which digit was spoken, by a speaker whom the network has not heard. Two of six speakers are held
out, in all fifteen ways. `dropout` and `l2` are tuned by holding out one of the other four.

.. image:: ../../examples/figures/speech_recognition.png
   :alt: Log loss and accuracy of the four families, and their differences.

Run it with::

    python examples/04_speech_recognition.py [--quick] [--data FOLDER] [--output FILE]

The recordings are the Free Spoken Digit Dataset (CC BY-SA 4.0), downloaded from GitHub once. With
`--data` the features are read from FOLDER/spoken_digits_logmel.csv.gz.

Results, with `--data`:

- The mean log loss of fifteen splits is 2.13 for neither, 1.28 for dropout, 1.01 for L2 and 0.99
  for both.
- With L2 or both it is lower than with neither in all fifteen splits, with dropout in fourteen. The
  size of the gain depends on the speakers, and there are only six: corrected for the overlap of the
  splits, no interval excludes zero (both: -2.33 to +0.05, p 0.06; dropout: p 0.11).
- The accuracies 0.637, 0.623, 0.645 and 0.655 show no clear difference. Dropout alone is, if
  anything, worse than neither. Both are not clearly better than L2 alone (-0.14 to +0.12).
- Without regularisation the network is right in more than six of ten cases, with nearly the loss of
  ten equal probabilities, 2.30. Regularisation makes its errors less confident, not fewer.
- No network stops early. With early stopping, the network without regularisation would presumably
  be closer.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from pathlib import PurePosixPath
from zipfile import ZipFile

import numpy as np
from _comparison import GRID, QUICK, compare, run
from _tables import Table, download, read_table, stand_in
from scipy.io import wavfile
from sklearn.datasets import fetch_file
from sklearn.model_selection import LeavePGroupsOut

RECORDINGS = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
N_BANDS, N_SEGMENTS = 16, 8
SETTINGS = {"grid": GRID, "folds": 4, "network": {"max_iter": 20}}


# %%
# The features
# ------------


def mel_filters(rate, n_fft, n_bands):
    """Return triangles evenly spaced on the mel scale, shape (n_bands, n_fft // 2 + 1)."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, n_bands + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(n_fft, 1 / rate)
    low, middle, high = (corners[i : i + n_bands, None] for i in range(3))
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.clip(np.minimum(rising, falling), 0, None)


def log_mel(signal, rate):
    """Return the log energy in each mel band, averaged over equal parts of the recording."""
    length, step, n_fft = rate * 25 // 1000, rate // 100, 256  # windows of 25 ms, every 10 ms
    shortest = length + (N_SEGMENTS - 1) * step
    signal = np.pad(signal, (0, max(0, shortest - len(signal))))
    windows = np.lib.stride_tricks.sliding_window_view(signal, length)[::step]
    power = np.abs(np.fft.rfft(windows * np.hamming(length), n_fft)) ** 2 / n_fft
    energy = np.log(power @ mel_filters(rate, n_fft, N_BANDS).T + 1e-8)
    return np.concatenate([part.mean(axis=0) for part in np.array_split(energy, N_SEGMENTS)])


def read_recordings(path):
    """Read features, digits and speakers of the files DIGIT_SPEAKER_INDEX.wav in an archive."""
    rows = []
    with ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".wav"):
                digit, speaker, _ = PurePosixPath(name).stem.split("_")
                rate, signal = wavfile.read(BytesIO(archive.read(name)))
                rows.append((log_mel(signal / 2**15, rate), digit, speaker))
    return Table(*map(np.array, zip(*rows, strict=True)))


# %%
# The comparison
# --------------


def load(arguments):
    """Return the features, with speakers as groups."""
    if arguments.quick:
        return stand_in(300, N_BANDS * N_SEGMENTS, n_classes=10, n_groups=6)
    if arguments.data:
        return read_table(arguments.data, "spoken_digits_logmel")
    return read_recordings(download(fetch_file, "spoken_digits_logmel", url=RECORDINGS))


def speech(arguments):
    """Compare the families on held-out speakers."""
    table = load(arguments)
    pairs = LeavePGroupsOut(2).split(table.X, table.y, table.groups)
    splits = list(islice(pairs, 2 if arguments.quick else None))
    return compare(table, splits, **(QUICK if arguments.quick else SETTINGS))


# sphinx_gallery_thumbnail_path = "../examples/figures/speech_recognition.png"

if __name__ == "__main__":
    run(__doc__, "speech_recognition.png", {"spoken digits, new speakers": speech})
