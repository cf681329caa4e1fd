"""Sizes are rounded up, so that they have few values."""

import pytest

from skreg._data.padding import choose_chunk, pad_size

SIZES = [1, 7, 8, 63, 64, 65, 379, 380, 569, 1000, 12345, 10**6, 10**7]


@pytest.mark.parametrize("size", SIZES)
def test_padding_is_at_most_an_eighth(size):
    assert size <= pad_size(size) < size + max(8, size / 7.9)


@pytest.mark.parametrize("size", SIZES)
def test_a_padded_size_is_not_padded_again(size):
    assert pad_size(pad_size(size)) == pad_size(size)


def test_padded_sizes_are_few():
    assert len({pad_size(size) for size in range(1024, 2048)}) <= 9


def test_sizes_of_folds_have_one_padded_size():
    assert pad_size(379) == pad_size(380)


def test_chunks_are_powers_of_two_up_to_16():
    assert [choose_chunk(n, 10) for n in (0, 10, 11, 25, 80, 81, 10**6)] == [1, 1, 2, 4, 8, 16, 16]
