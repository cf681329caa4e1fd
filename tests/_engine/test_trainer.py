"""The queue: company, threads and calls do not change a bit; interrupts and errors get through."""

import dataclasses
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import TESTS, make_member
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, make_classification

import skreg._engine.trainer as training
from skreg._data.rows import merge_rows
from skreg._data.scaling import column_statistics
from skreg._data.tables import training_rows
from skreg._engine.job import Member, Stopped, Verdict, Watcher
from skreg._engine.spec import Status
from skreg._engine.trainer import Trainer, train


def table_member(X, y, dropout, seed, max_iter):
    merged = merge_rows(X, y, None)
    statistics = column_statistics(X, merged.first, merged.weight)
    targets = y[:, None].astype(np.float32)
    rows = training_rows(X, targets, merged, statistics.center, statistics.scale)
    like = make_member(hidden=(32, 16), dropout=(dropout, dropout), max_iter=max_iter)
    return Member(
        rows=rows,
        n_features=X.shape[1],
        hidden_layer_sizes=like.hidden_layer_sizes,
        n_outputs=1,
        activation="relu",
        head="sigmoid",
        solver="adam",
        batch_size=32,
        hyper=like.hyper,
        seed=seed,
    )


def queued(members, n_threads):
    """As a search runs them."""
    return Parallel(n_jobs=n_threads, backend="threading")(delayed(train)(m) for m in members)


def assert_equal_bits(left, right):
    assert left.losses == right.losses
    for one, other in zip(
        (*left.kernels, *left.biases), (*right.kernels, *right.biases), strict=True
    ):
        np.testing.assert_array_equal(one, other)


TABLES = {
    # 18 steps an epoch, and a noisy table with 94: 2,500 steps and more of each
    "breast cancer": (lambda: load_breast_cancer(return_X_y=True), 140),
    "noisy": (lambda: make_classification(3000, 20, flip_y=0.3, random_state=0), 28),
}


@pytest.mark.parametrize("name", TABLES)
def test_member_is_the_same_alone_in_company_and_on_any_thread(name):
    load, max_iter = TABLES[name]
    X, y = load()
    members = [
        table_member(X, y, dropout, seed, max_iter)
        for dropout in (0.0, 0.5)
        for seed in ((1, 2), (3, 4))
    ]
    assert members[0].n_steps * max_iter >= 2500
    alone = [train(member) for member in members]
    for outcomes in (queued(members, 2), queued(members[::-1], 3)[::-1]):
        for one, other in zip(alone, outcomes, strict=True):
            assert_equal_bits(one, other)
    assert alone[0].losses != alone[1].losses


@pytest.mark.parametrize("seconds", [1e-9, 2e-3])
def test_length_of_a_call_does_not_change_a_bit(seconds, monkeypatch):
    # More epochs than one block of permutations holds, and calls that end within epochs.
    member = make_member(max_iter=150, dropout=(0.5, 0.5), tol=1e-9, n_iter_no_change=140)
    expected = train(member)
    monkeypatch.setattr(training, "_CALL_SECONDS", seconds)
    got = train(member)
    assert_equal_bits(expected, got)


def test_handing_over_permutations_in_other_blocks_does_not_change_a_bit(monkeypatch):
    member = make_member(max_iter=20, dropout=(0.5, 0.5))
    expected = train(member)
    monkeypatch.setattr("skreg._engine.job._BLOCK_VISITS", 200)
    assert member.spec.epoch_slots == 3
    got = train(member)
    assert_equal_bits(expected, got)


def test_epochs_are_reported_in_order_and_completely():
    seen = []

    class Noting(Watcher):
        def __call__(self, report):
            seen.append(report)
            return Verdict()

    outcome = train(make_member(max_iter=150), Noting())
    epochs = [report.first_epoch + k for report in seen for k in range(len(report.losses))]
    assert epochs == list(range(150))
    assert [loss for report in seen for loss in report.losses] == outcome.losses


def test_paused_member_ends_as_if_it_had_not_been(tmp_path):
    member = make_member(max_iter=150, dropout=(0.5, 0.5), tol=1e-9, n_iter_no_change=140)
    trainer = Trainer(member)
    expected, paused = trainer.train(), None
    for epoch in (1, 20, 131):
        outcome = trainer.train(until=epoch, paused=paused)
        assert outcome.status is Status.RUNNING
        assert outcome.losses == expected.losses[:epoch]
        paused = pickle.loads(pickle.dumps(outcome.paused()))
    resumed = trainer.train(paused=paused)
    assert_equal_bits(expected, resumed)
    assert resumed.best_epoch == expected.best_epoch


def test_members_that_share_a_trainer_are_those_that_are_trained_alone():
    member = make_member(max_iter=20, dropout=(0.5, 0.5))
    trainer = Trainer(member)
    values = [((0.0, 0.0), (0.0, 0.0, 0.0)), ((0.2, 0.7), (0.1, 0.0, 1e-3)), (None, None)]
    shared = Parallel(n_jobs=2, backend="threading")(
        delayed(trainer.train)(dropout=dropout, l2=l2) for dropout, l2 in values * 2
    )
    for (dropout, l2), *outcomes in zip(values, shared[:3], shared[3:], strict=True):
        hyper = dataclasses.replace(
            member.hyper, dropout=dropout or member.hyper.dropout, l2=l2 or member.hyper.l2
        )
        alone = train(dataclasses.replace(member, hyper=hyper))
        for outcome in outcomes:
            assert_equal_bits(outcome, alone)


def test_interrupt_between_calls_ends_the_member_soon():
    class Interrupting(Watcher):
        def __call__(self, report):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # not interrupted, it would train for hours
        train(make_member(max_iter=10**8), Interrupting())


def test_members_in_flight_stop_soon_after_they_are_told_to():
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Stopped):
        Trainer(make_member(max_iter=10**8)).train(stop=stop)


def test_exception_raised_in_a_foreign_thread_is_seen_between_calls():
    """As Jupyter, Dask and Streamlit stop a thread: by an exception set from outside."""
    import ctypes

    train(make_member(max_iter=1))
    caught = []

    def fit():
        try:
            train(make_member(max_iter=10**7))
        except KeyboardInterrupt as error:
            caught.append(error)

    thread = threading.Thread(target=fit)
    thread.start()
    time.sleep(0.5)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
    )
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert len(caught) == 1


THREADS = """
import hashlib
from helpers import make_member
from skreg._engine.trainer import train

for hidden, n, batch_size, n_classes in (
    ((32, 16), 200, 16, 3),
    ((128, 64), 1024, 32, 3),
    ((128, 64), 4096, 64, 10),
    ((256, 128), 1024, 128, 3),
):
    member = make_member(hidden=hidden, n=n, batch_size=batch_size, max_iter=5,
                         n_classes=n_classes, dropout=(0.5, 0.5))
    outcome = train(member)
    print(hashlib.sha256(b"".join(kernel.tobytes() for kernel in outcome.kernels)).hexdigest())
"""


def test_number_of_tensorflows_threads_does_not_change_a_bit():
    """Of networks and batches up to which XLA splits no sum by the number of threads.

    It was so on the processors that were tried; of wider ones it depends on the processor's caches
    (README says so).
    """
    digests = {
        subprocess.run(
            [sys.executable, "-c", THREADS],
            capture_output=True,
            text=True,
            check=True,
            cwd=TESTS,
            env={**os.environ, "TF_NUM_INTRAOP_THREADS": n_threads},
        ).stdout
        for n_threads in ("1", "2", "3")
    }
    assert len(digests) == 1
