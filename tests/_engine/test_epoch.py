"""The end of an epoch: loss, convergence, divergence, validation and continued training."""

import dataclasses

import numpy as np
import pytest
from helpers import draw_first_weights, make_hyperparameters, make_job

from skreg._data.rows import MergedRows
from skreg._data.tables import make_validation_rows
from skreg._engine.job import WarmStart
from skreg._engine.status import Status, StopCriterion
from skreg._engine.trainer import train
from skreg._nn.predict import forward


def test_loss_at_a_learning_rate_near_zero_is_the_objective():
    job = make_job(n_classes=3, learning_rate_init=1e-12, n=70)
    result = train(job)
    kernels, biases = draw_first_weights(job)
    values = job.rows.table.values[:70].astype(float)
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        values = np.maximum(values @ kernel + bias, 0)
    logits = values @ kernels[-1] + biases[-1]
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(70), job.rows.targets[:70]]
    penalty = sum(1e-3 * (kernel.astype(float) ** 2).sum() for kernel in kernels)
    # The mean over rows is the mean over steps, weighted by their sizes.
    np.testing.assert_allclose(result.losses, losses.mean() + penalty, rtol=1e-5)


def test_kernels_have_no_padded_rows():
    result = train(make_job(weight_decay=0.1, input_dropout=0.5))
    assert result.kernels[0].shape == (5, 12)


def test_diverged_training_returns_its_last_finite_weights():
    job = make_job(solver="sgd", learning_rate_init=1e20, max_iter=50)
    result = train(job)
    assert result.status is Status.DIVERGED
    assert len(result.losses) < 50
    assert all(np.isfinite(array).all() for array in (*result.kernels, *result.biases))
    assert not np.isfinite(result.losses[-1]) or len(result.losses) == 1


def test_tol_stops_when_the_smoothed_loss_stalls():
    job = make_job(max_iter=2000, tol=1e-3, n_iter_no_change=5, learning_rate_init=1e-2)
    result = train(job)
    assert result.status is Status.CONVERGED
    smoothed = result.losses[0]
    best, n_stalled, expected = np.inf, 0, None
    for epoch, loss in enumerate(result.losses):
        smoothed = loss if epoch == 0 else 0.8 * smoothed + 0.2 * loss
        n_stalled = n_stalled + 1 if smoothed > best - 1e-3 else 0
        best = min(best, smoothed)
        if n_stalled >= 5:
            expected = epoch + 1
            break
    assert len(result.losses) == expected


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"tol": 0.0}, Status.NOT_CONVERGED), ({}, Status.FINISHED)],
    ids=["with tol", "without tol"],
)
def test_status_at_max_iter(changes, status):
    assert train(make_job(max_iter=3, **changes)).status is status


def add_validation(job, n=40, **changes):
    """The same job with validation rows, whose loss stops it."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 5))
    targets = rng.integers(0, 2, size=(n, 1)).astype(np.float32)
    weight = rng.uniform(0.5, 2, size=n)
    rows = MergedRows(np.arange(n), weight)
    validation = make_validation_rows(X, targets, rows, None, None, None)
    return dataclasses.replace(
        job, validation=validation, stop_criterion=StopCriterion.VALIDATION_LOSS, **changes
    )


def compute_validation_loss(validation, kernels, biases):
    values = validation.table.values[:, : len(kernels[0])].astype(float)
    logits = forward(values, [k.astype(float) for k in kernels], biases, "relu")
    losses = np.logaddexp(0, logits) - logits * validation.targets
    return (validation.share * losses[:, 0]).sum()


@pytest.fixture(scope="module", params=[40, 2500])
def stopped(request):
    """A job that its validation loss stops, and its result."""
    job = add_validation(make_job(max_iter=200, n_iter_no_change=7, tol=1e-4), request.param)
    return job, train(job)


def test_best_epoch_has_the_lowest_validation_loss(stopped):
    _, result = stopped
    assert result.best_epoch == np.argmin(result.validation_losses) + 1


def test_weights_are_those_of_the_best_epoch(stopped):
    job, result = stopped
    loss = compute_validation_loss(job.validation, result.kernels, result.biases)
    np.testing.assert_allclose(loss, min(result.validation_losses), rtol=1e-4)


def test_training_stops_after_n_iter_no_change_epochs_without_improvement(stopped):
    _, result = stopped
    best, n_stalled = np.inf, 0
    stalls = []
    for loss in result.validation_losses:
        n_stalled = 0 if loss < best - 1e-4 else n_stalled + 1
        best = min(best, loss)
        stalls.append(n_stalled)
    assert stalls.index(7) == len(stalls) - 1 < 199
    assert result.status is Status.CONVERGED


def test_validation_does_not_change_the_training_losses():
    job = make_job(max_iter=30, dropout=(0.5, 0.5))
    without = train(job)
    hyper = make_hyperparameters(max_iter=30, dropout=(0.5, 0.5), n_iter_no_change=1000)
    validated = train(add_validation(job, hyper=hyper))
    np.testing.assert_allclose(without.losses, validated.losses, rtol=1e-5)


def test_a_validation_loss_that_is_not_finite_is_divergence():
    job = add_validation(make_job(max_iter=10))
    job.validation.table.values[0] = np.inf
    result = train(job)
    assert result.status is Status.DIVERGED
    assert result.best_epoch == 0
    assert all(np.isfinite(kernel).all() for kernel in result.kernels)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_two_fits_of_5_epochs_equal_one_of_10(solver):
    """The second one continues with the weights and moments of the first, bit for bit."""
    changes = {"dropout": (0.5, 0.3), "solver": solver, "n": 70}
    whole = train(make_job(max_iter=10, **changes))
    job = make_job(max_iter=5, **changes)
    first = train(job)
    n_steps = 5 * job.n_steps
    start = WarmStart(first.kernels, first.biases, first.get_moments(), n_steps, n_steps, 5)
    second = train(dataclasses.replace(job, warm_start=start))
    assert first.losses + second.losses == whole.losses
    for kernel, expected in zip(second.kernels, whole.kernels, strict=True):
        np.testing.assert_array_equal(kernel, expected)
