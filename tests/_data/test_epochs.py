"""Epochs: the orders of rows, the batch size and the number of epochs."""

import numpy as np
import pytest

from skreg._data.epochs import choose_batch_size, choose_epochs, draw_orders


@pytest.fixture
def visits():
    return np.arange(30, dtype=np.int32).repeat(2)


def test_an_order_is_a_permutation_of_the_visits_and_padding(visits):
    orders = draw_orders(visits, 7, 0, 5, (5, 64))
    np.testing.assert_array_equal(np.sort(orders[:, :60]), np.tile(visits, (5, 1)))
    assert not orders[:, 60:].any()


def test_an_order_does_not_depend_on_how_many_are_drawn_together(visits):
    together = draw_orders(visits, 7, 0, 5, (5, 64))
    for epoch in range(5):
        np.testing.assert_array_equal(draw_orders(visits, 7, epoch, 1, (1, 64))[0], together[epoch])


def test_every_epoch_and_every_key_has_another_order(visits):
    orders = draw_orders(visits, 7, 0, 5, (5, 64))
    assert len({row.tobytes() for row in orders}) == 5
    assert (draw_orders(visits, 8, 0, 1, (1, 64)) != orders[0]).any()


@pytest.mark.parametrize(
    ("n_visits", "size"),
    [
        (1, 32),
        (569, 32),
        (2047, 32),
        (2049, 64),
        (5000, 64),
        (10_000, 128),
        (10**5, 256),
        (10**7, 256),
    ],
)
def test_automatic_batch_size_is_the_power_of_two_nearest_to_the_root_of_the_visits(n_visits, size):
    assert choose_batch_size(n_visits) == size


@pytest.mark.parametrize(
    ("n_visits", "batch_size", "n_epochs"),
    [
        (1, 1, 2000),
        (100, 32, 500),
        (1024, 32, 63),
        (1025, 32, 61),
        (2500, 50, 40),
        (10_000, 100, 40),  # 4,000 steps
        (250_000, 250, 20),  # 20,000 steps
        (1_000_000, 256, 16),
    ],
)
def test_automatic_epochs_give_enough_steps_and_are_at_least_sixteen(
    n_visits, batch_size, n_epochs
):
    assert choose_epochs(n_visits, batch_size) == n_epochs


@pytest.mark.parametrize(("n_visits", "n_epochs"), [(100, 250), (900, 42), (10_000, 40)])
def test_fewer_steps_are_enough_for_few_rows(n_visits, n_epochs):
    """1,000 steps for 625 visits, 1,200 for 900, and as many as otherwise from 2,500 on."""
    batch_size = {100: 25, 900: 32, 10_000: 100}[n_visits]
    assert choose_epochs(n_visits, batch_size, fewest_steps=1000) == n_epochs
