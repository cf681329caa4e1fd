"""TODO."""

from __future__ import annotations


def bucket(size: int) -> int:
    """Round `size` up to at most 9 values an octave, so that near sizes share one program.

    Between two powers of two the step is an eighth of the lower one, at least 8: padding wastes
    less than an eighth of the rows (apart from tables of fewer than 64), and folds of 379 and 380
    rows are both 384.
    """
    step = max(8, 1 << max(size.bit_length() - 4, 0))
    return -(-size // step) * step


# Rows whose validation loss is computed at once.
VALIDATION_BLOCK = 1024


def piece_size(n_nonzeros: int, n_rows: int) -> int:
    """Non-zeros of a piece: about a mean row, for then most rows are one piece, hardly padded.

    A power of two, so that folds share one program.
    """
    mean = -(-n_nonzeros // max(n_rows, 1))
    return min(16, 1 << max(mean - 1, 0).bit_length())


def padded_outputs(n_outputs: int) -> int:
    """Fill up few outputs, 2 to 15, to 16.

    Eigen splits the inner axis of a product with so few columns among its threads, and the bits of
    the sum would depend on their number. One column is summed in order anyway.
    """
    return n_outputs if n_outputs == 1 else max(n_outputs, 16)
