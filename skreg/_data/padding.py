"""How sizes are rounded up, so that few shapes of programs exist, and aligned memory.

Axes, always in this order and by these letters:

==  =======================================
n   rows of the table
b   rows of one batch
d   features, the columns of the table
h   units of a hidden layer
q   outputs, the columns of the logits
==  =======================================
"""

from __future__ import annotations

import numpy as np

_ALIGNMENT = 64  # bytes; what TensorFlow needs to use memory that it does not own

# Rows whose validation loss is computed at once.
VALIDATION_BLOCK = 1024


def pad_size(size: int) -> int:
    """Round up to one of at most nine values per octave, so that similar sizes share a program.

    Between two powers of two the step is an eighth of the lower one, and at least 8. Padding
    therefore adds less than an eighth above 64 rows, and folds of 379 and 380 rows both have 384.
    """
    step = max(8, 1 << max(size.bit_length() - 4, 0))
    return -(-size // step) * step


def pad_features(n_features: int) -> int:
    """Round up to a multiple of 8."""
    return -(-n_features // 8) * 8


def pad_outputs(n_outputs: int) -> int:
    """Fill up few outputs, 2 to 15, to 16.

    Eigen splits the inner axis of a product with so few columns among its threads, and the bits of
    the sum would depend on their number. One column is summed in order anyway.
    """
    return n_outputs if n_outputs == 1 else max(n_outputs, 16)


def pad_validation_rows(n_rows: int) -> int:
    """Round up as `pad_size` does, and large tables to whole blocks."""
    size = pad_size(n_rows)
    if size <= VALIDATION_BLOCK:
        return size
    return -(-size // VALIDATION_BLOCK) * VALIDATION_BLOCK


def choose_chunk(n_nonzeros: int, n_rows: int) -> int:
    """Return the size of a chunk: the mean number of non-zeros per row, at most 16.

    It is rounded up to a power of two, so that folds share a program.
    """
    mean = -(-n_nonzeros // max(n_rows, 1))
    return min(16, 1 << max(mean - 1, 0).bit_length())


def allocate_aligned(shape: tuple[int, int], dtype=np.float32) -> np.ndarray:
    """Return zeros at an address that TensorFlow can use without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    return memory[offset : offset + size].view(dtype).reshape(shape)
