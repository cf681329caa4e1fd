"""The same code gives the same bits: in one process, in threads, and on every machine.

Processors round differently, so that fits are compared with fits of the same run. Results without
rounding are compared with fixed hashes.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import compute_mask_numpy, in_full, make_job
from oracles.reference_hashes import CASES, digest, make_table

from skreg._data.epochs import count_visits, draw_orders
from skreg._data.rows import merge_rows, split_rows
from skreg._engine.trainer import FIRST_WEIGHTS, make_generator
from skreg._nn.dropout import compute_threshold
from skreg._nn.mlp import draw_parameters

QUICK = {"classifier", "regressor", "halving"}


def run_case(name):
    return digest(CASES[name]())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", in_full(CASES, *(set(CASES) - QUICK)))
def test_a_case_gives_the_same_hash_alone_and_in_two_threads(name):
    alone = run_case(name)
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(run_case, [name, name]))
    assert together == [alone, alone]


def test_digest_depends_on_types():
    values = np.zeros(3), np.zeros(3, np.float32), [0.0, 0.0, 0.0]
    assert len(set(map(digest, values))) == 3


def merge_table():
    X, y, _, weight = make_table()
    return merge_rows(np.round(X), y, weight.astype(float))


def hold_rows_out():
    training, held_out = split_rows(merge_table(), None, 0.3, make_generator((1, 2), 7))
    return training.indices, held_out.indices


EXACT = {
    "canonical rows": lambda: [merge_table().indices, merge_table().weight],
    "held-out rows": hold_rows_out,
    "visits": lambda: count_visits(np.array([0.5, 1.0, 2.0, 3.5]))[0],
    "orders": lambda: draw_orders(np.arange(50, dtype=np.int32), 5, 3, 4, (4, 64)),
    "masks": lambda: compute_mask_numpy((32, 16), (1, 2), 9, 1, compute_threshold(0.3)),
    "first weights": lambda: draw_parameters(
        make_job().spec.layer_sizes, 5, 1, make_generator((1, 2), FIRST_WEIGHTS)
    ),
}
EXPECTED = {
    "canonical rows": "8d536a85d718d19f",
    "held-out rows": "58a0dff3fdaa7a2e",
    "visits": "66ad1413e6f1184f",
    "orders": "9bac50b6ab353ef3",
    "masks": "e9ad221e13264535",
    "first weights": "e430a30634f2c793",
}


@pytest.mark.parametrize("name", EXACT)
def test_a_result_without_rounding_has_its_fixed_hash(name):
    assert digest(EXACT[name]()) == EXPECTED[name]
