"""Training of jobs: threads, calls and checkpoints change no bit, and jobs can be stopped."""

import ctypes
import dataclasses
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers import TESTS, make_job
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, make_classification

from skreg._data.rows import merge_rows
from skreg._data.statistics import measure_columns
from skreg._data.tables import make_training_rows
from skreg._engine.epoch import Counters
from skreg._engine.job import (
    Decision,
    EpochCallback,
    TrainingInterrupted,
    TrainingJob,
    TrainingStopped,
)
from skreg._engine.status import Status
from skreg._engine.trainer import Trainer, train


def make_table_job(X, y, dropout, seed, max_iter):
    merged = merge_rows(X, y, None)
    statistics = measure_columns(X, merged.indices, merged.weight)
    targets = y[:, None].astype(np.float32)
    rows = make_training_rows(X, targets, merged, statistics.center, statistics.scale, None)
    template = make_job(hidden=(32, 16), dropout=(dropout, dropout), max_iter=max_iter)
    return TrainingJob(
        rows=rows,
        n_features=X.shape[1],
        hidden_layer_sizes=template.hidden_layer_sizes,
        n_outputs=1,
        activation="relu",
        loss="binary_cross_entropy",
        solver="adam",
        batch_size=32,
        hyper=template.hyper,
        seed=seed,
    )


def run_in_threads(jobs, n_threads):
    """Train jobs as a search does."""
    return Parallel(n_jobs=n_threads, backend="threading")(delayed(train)(job) for job in jobs)


def assert_same_result(left, right):
    assert left.losses == right.losses
    for one, other in zip(
        (*left.kernels, *left.biases), (*right.kernels, *right.biases), strict=True
    ):
        np.testing.assert_array_equal(one, other)


TABLES = {
    # 18 steps an epoch, and a noisy table with 94: at least 2,500 steps of each.
    "breast cancer": (lambda: load_breast_cancer(return_X_y=True), 140),
    "noisy": (lambda: make_classification(3000, 20, flip_y=0.3, random_state=0), 28),
}


@pytest.fixture(scope="module", params=TABLES)
def jobs_and_results(request):
    """Jobs with two rates of dropout and two seeds, and the results of each job alone."""
    load, max_iter = TABLES[request.param]
    X, y = load()
    jobs = [
        make_table_job(X, y, dropout, seed, max_iter)
        for dropout in (0.0, 0.5)
        for seed in ((1, 2), (3, 4))
    ]
    assert jobs[0].n_steps * max_iter >= 2500
    return jobs, [train(job) for job in jobs]


@pytest.mark.parametrize(("n_threads", "step"), [(2, 1), (3, -1)], ids=["two", "three, reversed"])
def test_a_job_gives_the_same_bits_alone_and_in_threads(jobs_and_results, n_threads, step):
    jobs, alone = jobs_and_results
    results = run_in_threads(jobs[::step], n_threads)[::step]
    for one, other in zip(alone, results, strict=True):
        assert_same_result(one, other)


def test_another_seed_gives_other_losses(jobs_and_results):
    _, alone = jobs_and_results
    assert alone[0].losses != alone[1].losses


@pytest.mark.parametrize("seconds", [1e-9, 2e-3])
def test_length_of_a_call_changes_no_bit(seconds, monkeypatch):
    # More epochs than one call of draw_orders returns, and calls that end within epochs.
    job = make_job(max_iter=150, dropout=(0.5, 0.5), tol=1e-9, n_iter_no_change=140)
    expected = train(job)
    monkeypatch.setattr("skreg._engine.trainer._CALL_SECONDS", seconds)
    assert_same_result(expected, train(job))


def test_number_of_orders_in_a_block_changes_no_bit(monkeypatch):
    job = make_job(max_iter=20, dropout=(0.5, 0.5))
    expected = train(job)
    monkeypatch.setattr("skreg._engine.job._BLOCK_VISITS", 200)
    assert job.spec.epochs_per_block == 3
    assert_same_result(expected, train(job))


class RecordingCallback(EpochCallback):
    """Record the reports of all epochs."""

    def __init__(self):
        self.reports = []

    def __call__(self, report):
        self.reports.append(report)
        return Decision()


def test_every_epoch_is_reported_once_and_in_order():
    callback = RecordingCallback()
    result = train(make_job(max_iter=150), callback)
    epochs = [
        report.first_epoch + k for report in callback.reports for k in range(len(report.losses))
    ]
    assert epochs == list(range(150))
    assert [loss for report in callback.reports for loss in report.losses] == result.losses


def test_training_continued_from_checkpoints_gives_the_same_bits():
    job = make_job(max_iter=150, dropout=(0.5, 0.5), tol=1e-9, n_iter_no_change=140)
    trainer = Trainer(job)
    expected, checkpoint = trainer.train(), None
    for epoch in (1, 20, 131):
        result = trainer.train(until=epoch, checkpoint=checkpoint)
        assert result.status is Status.RUNNING
        assert result.losses == expected.losses[:epoch]
        checkpoint = pickle.loads(pickle.dumps(result.get_checkpoint()))
    resumed = trainer.train(checkpoint=checkpoint)
    assert_same_result(expected, resumed)
    assert resumed.best_epoch == expected.best_epoch


def test_a_shared_trainer_gives_the_bits_of_one_trainer_a_job():
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
            assert_same_result(result, alone)


# -- interrupts --------------------------------------------------------------------------------


class SignallingCallback(EpochCallback):
    """Set an event at the first report."""

    def __init__(self, event):
        self.event = event

    def __call__(self, report):
        self.event.set()
        return Decision()


def test_interrupt_between_calls_ends_training_with_a_result():
    class Interrupting(EpochCallback):
        def __call__(self, report):
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted) as caught:  # otherwise it would train for hours
        train(make_job(max_iter=10**8), Interrupting())
    assert caught.value.result.status is Status.INTERRUPTED
    assert len(caught.value.result.losses) >= 1


def test_training_stops_when_the_event_is_set():
    stop = threading.Event()
    with pytest.raises(TrainingStopped):
        Trainer(make_job(max_iter=10**8)).train(SignallingCallback(stop), stop=stop)


def test_exception_set_by_another_thread_is_raised_between_calls():
    """Jupyter, Dask and Streamlit stop a thread by an exception that they set from outside."""
    started, caught = threading.Event(), []

    def fit():
        try:
            train(make_job(max_iter=10**8), SignallingCallback(started))
        except KeyboardInterrupt as error:
            caught.append(error)

    thread = threading.Thread(target=fit)
    thread.start()
    assert started.wait(timeout=60)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
    )
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert len(caught) == 1


# -- threads of TensorFlow ---------------------------------------------------------------------

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


@pytest.mark.full
def test_number_of_threads_of_tensorflow_changes_no_bit():
    """For networks and batches so small that XLA splits no sum by the number of threads.

    For larger ones it depends on the caches of the processor, as reproducibility.md says.
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


def test_interrupt_while_a_call_is_read_leaves_the_epochs_before_it(monkeypatch):
    job, thread = make_job(max_iter=50, dropout=(0.5, 0.5)), threading.get_ident()

    def interrupt(*values):
        counters = Counters(*values)
        if counters.epoch == 3 and threading.get_ident() == thread:
            raise KeyboardInterrupt
        return counters

    with monkeypatch.context() as patched:
        patched.setattr("skreg._engine.trainer._CALL_SECONDS", 1e-9)  # a step per call
        patched.setattr("skreg._engine.trainer.Counters", interrupt)
        with pytest.raises(TrainingInterrupted) as caught:
            train(job)
    assert len(caught.value.result.losses) == 2
    assert_same_result(caught.value.result, Trainer(job).train(until=2))


def test_strengths_of_a_penalty_that_the_program_does_not_compute_are_refused():
    with pytest.raises(ValueError, match="does not compute the penalty 'l1'"):
        Trainer(make_job()).train(strengths={"l1": (0.1, 0.1, 0.1)})
