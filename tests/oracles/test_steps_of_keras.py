"""Fifty steps from the same first weights on the same batches give the weights of Keras."""

import keras
import numpy as np
import pytest
from helpers import draw_first_weights, in_full, iterate_batches, make_job

from skreg._engine.trainer import train
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.encodings import ENCODINGS
from skreg._nn.losses import LOSSES, REGRESSION_LOSSES
from skreg._nn.penalties import PENALTIES


def make_optimizer(job):
    hyper, rate = job.hyper, job.hyper.learning_rate_init
    if hyper.cosine:
        rate = keras.optimizers.schedules.CosineDecay(rate, hyper.max_iter * job.n_steps)
    parameters = hyper.solver_parameters
    if job.solver == "sgd":
        return keras.optimizers.SGD(
            rate, parameters["momentum"], bool(parameters["nesterovs_momentum"])
        )
    arguments = {name: parameters[name] for name in ("beta_1", "beta_2", "epsilon")}
    if hyper.weight_decay:
        optimizer = keras.optimizers.AdamW(rate, hyper.weight_decay, **arguments)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    return keras.optimizers.Adam(rate, **arguments)


class PinballLoss(keras.losses.Loss):
    """The quantile loss of the median, which Keras lacks."""

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        return keras.ops.mean(keras.ops.maximum(0.5 * error, -0.5 * error), axis=-1)


LEVELS = (0.1, 0.5, 0.8)


class MeanPinballLoss(keras.losses.Loss):
    """The mean quantile loss of `LEVELS`, each with an output of its own."""

    def call(self, y_true, y_pred):
        error, levels = y_true - y_pred, np.array(LEVELS, np.float32)
        return keras.ops.mean(keras.ops.maximum(levels * error, (levels - 1) * error), axis=-1)


class PoissonOfLogits(keras.losses.Loss):
    """exp(f) - y f, where f is the output of a linear last layer."""

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.exp(y_pred) - y_true * y_pred, axis=-1)


LOSSES_OF_LOGITS = {
    "binary_cross_entropy": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "categorical_cross_entropy": lambda: keras.losses.SparseCategoricalCrossentropy(
        from_logits=True
    ),
    "squared_error": keras.losses.MeanSquaredError,
    "absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "log_cosh": keras.losses.LogCosh,
    "quantile": PinballLoss,
    "quantiles": MeanPinballLoss,
    "poisson": PoissonOfLogits,
}


FORMULAS = {
    "l2": lambda kernel: keras.ops.sum(kernel * kernel),
    "l1": lambda kernel: keras.ops.sum(keras.ops.abs(kernel)),
}


class Penalties(keras.regularizers.Regularizer):
    """The sum of all penalties of a kernel."""

    def __init__(self, strengths):
        self.strengths = strengths

    def __call__(self, kernel):
        return sum(value * FORMULAS[name](kernel) for name, value in self.strengths.items())


def train_with_keras(job):
    """Train a Keras model with `train_on_batch` for each step."""
    kernels, biases = draw_first_weights(job)
    kernels[0] = kernels[0][: job.n_inputs]
    outputs = inputs = keras.Input((job.n_features,))
    if job.encoding is not None:
        columns = keras.ops.take(inputs, job.encoding.columns, axis=1)
        encoded = job.encoding.apply_in_keras(keras, columns, "float32")
        outputs = keras.ops.concatenate([inputs, encoded], axis=1)
    encoder = keras.Model(inputs, outputs)
    widths, layers = (*job.hidden_layer_sizes, job.n_outputs), []
    for k, width in enumerate(widths):
        is_hidden = k < len(widths) - 1
        strengths = {name: of_kernels[k] for name, of_kernels in job.hyper.penalties.items()}
        layer = keras.layers.Dense(
            width,
            activation=ACTIVATIONS[job.activation].keras_name if is_hidden else None,
            kernel_regularizer=Penalties(strengths),
        )
        outputs = layer(outputs)
        layer.set_weights([kernels[k], biases[k]])
        layers.append(layer)
    model, of_encoding = keras.Model(inputs, outputs), {}
    if job.encoding is not None:
        of_encoding = {name: encoder.get_layer(name) for name in job.encoding.get_keras_weights()}
    for name, layer in of_encoding.items():
        layer.set_weights(job.encoding.get_keras_weights()[name])
    optimizer = make_optimizer(job)
    if job.hyper.weight_decay and of_encoding:  # none of what an encoding trains
        variables = [v for layer in of_encoding.values() for v in layer.trainable_variables]
        optimizer.exclude_from_weight_decay(var_list=variables, var_names=["bias"])
    model.compile(optimizer, LOSSES_OF_LOGITS[job.loss]())
    table = job.rows.table.values[:, : job.n_features]
    for rows in iterate_batches(job):
        model.train_on_batch(table[rows], job.rows.targets[rows].astype(np.float32))
    kernels, biases = zip(*(layer.get_weights() for layer in layers), strict=True)
    return kernels, biases, {name: layer.get_weights() for name, layer in of_encoding.items()}


CASES = {
    "adam": {},
    "adam, cosine": {"cosine": True},
    "adam, decoupled weight decay": {"weight_decay": 0.1},
    "adam, no hidden layer": {"hidden": (), "n_classes": 3},
    "adam, other betas": {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    "adam, uneven batches": {"n": 70},
    "l2 by layer": {"l2": (1e-1, 0.0, 1e-2)},
    "l1": {"l1": (1e-2,)},
    "l1 by layer, without l2": {"l1": (1e-2, 0.0, 1e-3), "l2": (0.0,)},
    "l1 and l2, sgd": {"l1": (1e-2,), "l2": (1e-2,), "solver": "sgd"},
    "sgd, nesterov": {"solver": "sgd"},
    "sgd, nesterov, softmax": {"solver": "sgd", "n_classes": 4},
    "sgd, classical momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "sgd, no momentum, cosine": {
        "solver": "sgd",
        "momentum": 0.0,
        "nesterovs_momentum": False,
        "cosine": True,
    },
    "softmax": {"n_classes": 4},
    "identity, softmax": {"activation": "identity", "n_classes": 3},
    **{activation: {"activation": activation} for activation in ACTIVATIONS},
    **{loss: {"loss": loss} for loss in REGRESSION_LOSSES},
    # Neither penalties nor decay apply to what an encoding trains.
    **{
        encoding: {"encoding": encoding, "l2": (1e-2,), "weight_decay": 0.1}
        for encoding in ENCODINGS
    },
    "several outputs": {"loss": "log_cosh", "n_outputs": 3},
    "several quantiles": {"loss": "quantiles", "n_outputs": 3, "n_columns": 1, "quantile": LEVELS},
}


VARIANTS = [
    "adam",
    "adam, other betas",
    "l1",
    "l1 by layer, without l2",
    "l2 by layer",
    "sgd, nesterov, softmax",
    "identity, softmax",
    "silu",
    "tanh",
    "huber",
    "quantile",
]


@pytest.mark.parametrize("case", in_full(CASES, *VARIANTS))
def test_fifty_steps_equal_those_of_keras(case):
    job = make_job(**CASES[case])
    assert job.n_steps * job.hyper.max_iter >= 50
    result = train(job)
    kernels, biases, of_encoding = train_with_keras(job)
    for kernel, expected in zip(result.kernels, kernels, strict=True):
        np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    for bias, expected in zip(result.biases, biases, strict=True):
        np.testing.assert_allclose(bias, expected, rtol=1e-4, atol=2e-5)
    for name, weights in of_encoding.items():
        before = job.encoding.get_keras_weights()[name]
        got = result.encoding.get_keras_weights()[name]
        for first, one, expected in zip(before, got, weights, strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-4, atol=2e-5)
            assert np.abs(one - first).max() > 1e-2  # they were trained


def test_every_loss_has_a_loss_of_keras():
    assert LOSSES_OF_LOGITS.keys() == LOSSES.keys()


def test_every_penalty_has_a_formula_and_a_case():
    assert FORMULAS.keys() == PENALTIES.keys()
    assert {name for case in CASES.values() for name in case} >= PENALTIES.keys()
