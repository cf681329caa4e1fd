"""Running jobs: threads, calls and checkpoints change no bit, and jobs can be stopped."""

import dataclasses
import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import TESTS, make_job
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, make_classification

import skreg._engine.trainer as training
from skreg._data.rows import merge_rows
from skreg._data.scaling import measure_columns
from skreg._data.tables import make_training_rows
from skreg._engine.job import (
    Decision,
    EpochCallback,
    TrainingInterrupted,
    TrainingJob,
    TrainingStopped,
)
from skreg._engine.spec import Status
from skreg._engine.trainer import Trainer, train


def make_table_job(X, y, dropout, seed, max_iter):
    merged = merge_rows(X, y, None)
    statistics = measure_columns(X, merged.first, merged.weight)
    targets = y[:, None].astype(np.float32)
    rows = make_training_rows(X, targets, merged, statistics.center, statistics.scale)
    like = make_job(hidden=(32, 16), dropout=(dropout, dropout), max_iter=max_iter)
    return TrainingJob(
        rows=rows,
        n_features=X.shape[1],
        hidden_layer_sizes=like.hidden_layer_sizes,
        n_outputs=1,
        activation="relu",
        loss="binary_cross_entropy",
        solver="adam",
        batch_size=32,
        hyper=like.hyper,
        seed=seed,
    )


def run_in_threads(jobs, n_threads):
    """As a search runs them."""
    return Parallel(n_jobs=n_threads, backend="threading")(delayed(train)(m) for m in jobs)


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
def test_job_gives_the_same_bits_alone_beside_others_and_in_any_thread(name):
    load, max_iter = TABLES[name]
    X, y = load()
    jobs = [
        make_table_job(X, y, dropout, seed, max_iter)
        for dropout in (0.0, 0.5)
        for seed in ((1, 2), (3, 4))
    ]
    assert jobs[0].n_steps * max_iter >= 2500
    alone = [train(job) for job in jobs]
    for results in (run_in_threads(jobs, 2), run_in_threads(jobs[::-1], 3)[::-1]):
        for one, other in zip(alone, results, strict=True):
            assert_equal_bits(one, other)
    assert alone[0].losses != alone[1].losses


@pytest.mark.parametrize("seconds", [1e-9, 2e-3])
def test_length_of_a_call_does_not_change_a_bit(seconds, monkeypatch):
    # More epochs than one block of draw_orders holds, and calls that end within epochs.
    job = make_job(max_iter=150, dropout=(0.5, 0.5), tol=1e-9, n_iter_no_change=140)
    expected = train(job)
    monkeypatch.setattr(training, "_CALL_SECONDS", seconds)
    got = train(job)
    assert_equal_bits(expected, got)


def test_handing_over_permutations_in_other_blocks_does_not_change_a_bit(monkeypatch):
    job = make_job(max_iter=20, dropout=(0.5, 0.5))
    expected = train(job)
    monkeypatch.setattr("skreg._engine.job._BLOCK_VISITS", 200)
    assert job.spec.epochs_per_block == 3
    got = train(job)
    assert_equal_bits(expected, got)


def test_epochs_are_reported_in_order_and_completely():
    seen = []

    class Noting(EpochCallback):
        def __call__(self, report):
            seen.append(report)
            return Decision()

    result = train(make_job(max_iter=150), Noting())
    epochs = [report.first_epoch + k for report in seen for k in range(len(report.losses))]
    assert epochs == list(range(150))
    assert [loss for report in seen for loss in report.losses] == result.losses


def test_training_continued_from_checkpoints_ends_at_the_same_bits(tmp_path):
    job = make_job(max_iter=150, dropout=(0.5, 0.5), tol=1e-9, n_iter_no_change=140)
    trainer = Trainer(job)
    expected, checkpoint = trainer.train(), None
    for epoch in (1, 20, 131):
        result = trainer.train(until=epoch, checkpoint=checkpoint)
        assert result.status is Status.RUNNING
        assert result.losses == expected.losses[:epoch]
        checkpoint = pickle.loads(pickle.dumps(result.get_checkpoint()))
    resumed = trainer.train(checkpoint=checkpoint)
    assert_equal_bits(expected, resumed)
    assert resumed.best_epoch == expected.best_epoch


def test_jobs_that_share_a_trainer_give_the_bits_of_jobs_alone():
    job = make_job(max_iter=20, dropout=(0.5, 0.5))
    trainer = Trainer(job)
    values = [((0.0, 0.0), (0.0, 0.0, 0.0)), ((0.2, 0.7), (0.1, 0.0, 1e-3)), (None, None)]
    shared = Parallel(n_jobs=2, backend="threading")(
        delayed(trainer.train)(dropout=dropout, strengths=l2 and {"l2": l2})
        for dropout, l2 in values * 2
    )
    for (dropout, l2), *results in zip(values, shared[:3], shared[3:], strict=True):
        penalties = job.hyper.penalties | ({"l2": l2} if l2 else {})
        hyper = dataclasses.replace(
            job.hyper, dropout=dropout or job.hyper.dropout, penalties=penalties
        )
        alone = train(dataclasses.replace(job, hyper=hyper))
        for result in results:
            assert_equal_bits(result, alone)


def test_interrupt_between_calls_ends_the_training_soon():
    class Interrupting(EpochCallback):
        def __call__(self, report):
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted) as caught:  # otherwise it would train for hours
        train(make_job(max_iter=10**8), Interrupting())
    assert caught.value.result.status is Status.INTERRUPTED
    assert len(caught.value.result.losses) >= 1


def test_training_stops_soon_after_it_is_told_to():
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(TrainingStopped):
        Trainer(make_job(max_iter=10**8)).train(stop=stop)


def test_exception_raised_in_a_foreign_thread_is_seen_between_calls():
    """As Jupyter, Dask and Streamlit stop a thread: by an exception set from outside."""
    import ctypes

    train(make_job(max_iter=1))
    caught = []

    def fit():
        try:
            train(make_job(max_iter=10**7))
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
from helpers import make_job
from skreg._engine.trainer import train

for hidden, n, batch_size, n_classes in (
    ((32, 16), 200, 16, 3),
    ((128, 64), 1024, 32, 3),
    ((128, 64), 4096, 64, 10),
    ((256, 128), 1024, 128, 3),
):
    job = make_job(hidden=hidden, n=n, batch_size=batch_size, max_iter=5,
                         n_classes=n_classes, dropout=(0.5, 0.5))
    result = train(job)
    print(hashlib.sha256(b"".join(kernel.tobytes() for kernel in result.kernels)).hexdigest())
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
