"""Training steps with dropout and sample weights equal those of a NumPy implementation."""

import numpy as np
import pytest
from helpers import compute_mask_numpy, draw_first_weights, iterate_batches, make_job

from skreg._engine.trainer import train
from skreg._nn.dropout import compute_threshold


def train_with_numpy(job):
    """Train by sgd without momentum in float64, with the dropout masks of compute_mask_numpy."""
    hyper = job.hyper
    kernels, biases = draw_first_weights(job)
    kernels = [kernel.astype(float) for kernel in kernels]
    biases = [bias.astype(float) for bias in biases]
    padded_batch = job.spec.padded_batch
    rates = (hyper.input_dropout, *hyper.dropout)
    for step, rows in enumerate(iterate_batches(job)):
        n = len(rows)
        masks = [
            compute_mask_numpy(
                (padded_batch, kernel.shape[0]), job.seed, step, layer, compute_threshold(rate)
            )[:n]
            / (1 - rate)
            for layer, (kernel, rate) in enumerate(zip(kernels, rates, strict=True))
        ]
        inputs = [job.rows.table.values[rows] * masks[0]]
        for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            logits = inputs[layer] @ kernel + bias
            if layer < len(kernels) - 1:
                inputs.append(np.tanh(logits) * masks[layer + 1])
        weight = job.rows.visit_weight[rows][:, None] / n
        delta = weight * (1 / (1 + np.exp(-logits)) - job.rows.targets[rows])
        for layer in reversed(range(len(kernels))):
            kernel_gradient = (
                inputs[layer].T @ delta + 2 * hyper.penalties["l2"][layer] * kernels[layer]
            )
            bias_gradient = delta.sum(axis=0)
            if layer > 0:
                hidden = np.where(masks[layer] > 0, inputs[layer] * (1 - rates[layer]), 0)
                delta = delta @ kernels[layer].T * masks[layer] * (1 - hidden**2)
            kernels[layer] = kernels[layer] - hyper.learning_rate_init * kernel_gradient
            biases[layer] = biases[layer] - hyper.learning_rate_init * bias_gradient
    return kernels, biases


@pytest.mark.parametrize("input_dropout", [0.0, 0.3])
@pytest.mark.parametrize("dropout", [(0.0, 0.0), (0.5, 0.5), (0.2, 0.7)])
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_with_dropout_and_weights_equal_those_of_numpy(dropout, input_dropout, weighted):
    weight = np.random.default_rng(3).uniform(0.2, 3, size=70) if weighted else None
    job = make_job(
        n=70,
        solver="sgd",
        activation="tanh",
        momentum=0.0,
        nesterovs_momentum=False,
        dropout=dropout,
        input_dropout=input_dropout,
        learning_rate_init=0.1,
        weight=weight,
    )
    result = train(job)
    kernels, biases = train_with_numpy(job)
    for kernel, expected in zip(result.kernels, kernels, strict=True):
        np.testing.assert_allclose(kernel, expected[: len(kernel)], rtol=1e-4, atol=1e-5)
    for bias, expected in zip(result.biases, biases, strict=True):
        np.testing.assert_allclose(bias, expected, rtol=1e-4, atol=1e-5)
