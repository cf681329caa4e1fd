"""The compiled step and loop against Keras, against NumPy, and against themselves."""

import dataclasses
import itertools

import numpy as np
import pytest
from helpers import hyperparameters, make_member

from skreg._data.padding import bucket
from skreg._data.rows import MergedRows
from skreg._data.tables import permutations, validation_rows
from skreg._engine.job import Start
from skreg._engine.spec import Monitor, Status
from skreg._engine.trainer import FIRST_WEIGHTS, _key, generator_of, train
from skreg._nn.dropout import keep_threshold, numpy_keep
from skreg._nn.inputs import DenseBatch
from skreg._nn.mlp import compiled_loss_and_gradients, initial_parameters
from skreg._nn.predict import numpy_logits
from skreg._tensorflow import tensorflow


def batches(member):
    """The rows of every step, in the order in which the program visits them."""
    key = _key(member.seed)
    visits = member.rows.visits
    for epoch in range(member.hyper.max_iter):
        order = permutations(visits, key, epoch, 1, (1, len(visits)))[0]
        yield from np.array_split(order, member.n_steps)


def first_weights(member):
    generator = generator_of(member.seed, FIRST_WEIGHTS)
    kernels, biases = initial_parameters(
        member.spec.layer_sizes, member.n_features, member.n_outputs, generator
    )
    kernels[-1], biases[-1] = kernels[-1][:, : member.n_outputs], biases[-1][: member.n_outputs]
    return kernels, biases


def keras_optimizer(member):
    import keras

    hyper = member.hyper
    rate = hyper.learning_rate_init
    if hyper.cosine:
        rate = keras.optimizers.schedules.CosineDecay(rate, hyper.max_iter * member.n_steps)
    if member.solver == "sgd":
        return keras.optimizers.SGD(rate, hyper.momentum, hyper.nesterovs_momentum)
    arguments = {"beta_1": hyper.beta_1, "beta_2": hyper.beta_2, "epsilon": hyper.epsilon}
    if hyper.weight_decay:
        optimizer = keras.optimizers.AdamW(rate, hyper.weight_decay, **arguments)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    return keras.optimizers.Adam(rate, **arguments)


def trained_by_keras(member):
    """The same first weights and batches, one `train_on_batch` a step."""
    import keras

    names = {"logistic": "sigmoid", "identity": "linear"}
    activation = names.get(member.activation, member.activation)
    kernels, biases = first_weights(member)
    kernels[0] = kernels[0][: member.n_features]
    layers = [keras.Input((member.n_features,))]
    widths = (*member.hidden_layer_sizes, member.n_outputs)
    for k, width in enumerate(widths):
        layers.append(
            keras.layers.Dense(
                width,
                activation=activation if k < len(widths) - 1 else None,
                kernel_regularizer=keras.regularizers.L2(member.hyper.l2[k]),
            )
        )
    model = keras.Sequential(layers)
    if member.head == "sigmoid":
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras_optimizer(member), loss)
    model.set_weights([w for pair in zip(kernels, biases, strict=True) for w in pair])
    table = member.rows.table[:, : member.n_features]
    for rows in batches(member):
        model.train_on_batch(table[rows], member.rows.targets[rows].astype(np.float32))
    weights = model.get_weights()
    return weights[::2], weights[1::2]


KERAS_CASES = {
    "adam": {},
    "adam, softmax": {"n_classes": 4},
    "adam, tanh": {"activation": "tanh"},
    "adam, logistic": {"activation": "logistic"},
    "adam, identity, softmax": {"activation": "identity", "n_classes": 3},
    "adam, cosine": {"cosine": True},
    "adam, decoupled weight decay": {"weight_decay": 0.1},
    "adam, l2 by layer": {"l2": (1e-1, 0.0, 1e-2)},
    "adam, no hidden layer": {"hidden": (), "n_classes": 3},
    "adam, other betas": {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    "adam, uneven batches": {"n": 70},
    "sgd, nesterov": {"solver": "sgd"},
    "sgd, nesterov, softmax": {"solver": "sgd", "n_classes": 4},
    "sgd, classical momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "sgd, no momentum, cosine": {
        "solver": "sgd",
        "momentum": 0.0,
        "nesterovs_momentum": False,
        "cosine": True,
    },
}


@pytest.mark.parametrize("case", KERAS_CASES.values(), ids=KERAS_CASES.keys())
def test_fifty_steps_equal_those_of_keras(case):
    member = make_member(**case)
    assert member.n_steps * member.hyper.max_iter >= 50
    outcome = train(member)
    kernels, biases = trained_by_keras(member)
    for got, expected in zip(outcome.kernels, kernels, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    for got, expected in zip(outcome.biases, biases, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-5)


def trained_by_numpy(member):
    """Sgd without momentum on the objective, in float64, with the NumPy twin's dropout masks."""
    hyper = member.hyper
    kernels, biases = first_weights(member)
    kernels = [kernel.astype(float) for kernel in kernels]
    biases = [bias.astype(float) for bias in biases]
    slots = member.spec.batch_slots
    rates = (hyper.input_dropout, *hyper.dropout)
    for step, rows in enumerate(batches(member)):
        n = len(rows)
        masks = [
            numpy_keep((slots, kernel.shape[0]), member.seed, step, layer, keep_threshold(rate))[:n]
            / (1 - rate)
            for layer, (kernel, rate) in enumerate(zip(kernels, rates, strict=True))
        ]
        inputs = [member.rows.table[rows] * masks[0]]
        for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            logits = inputs[layer] @ kernel + bias
            if layer < len(kernels) - 1:
                inputs.append(np.tanh(logits) * masks[layer + 1])
        weight = member.rows.visit_weight[rows][:, None] / n
        delta = weight * (1 / (1 + np.exp(-logits)) - member.rows.targets[rows])
        for layer in reversed(range(len(kernels))):
            kernel_gradient = inputs[layer].T @ delta + 2 * hyper.l2[layer] * kernels[layer]
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
def test_dropout_and_weights_enter_as_written_out_in_numpy(dropout, input_dropout, weighted):
    weight = np.random.default_rng(3).uniform(0.2, 3, size=70) if weighted else None
    member = make_member(
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
    outcome = train(member)
    kernels, biases = trained_by_numpy(member)
    for got, expected in zip(outcome.kernels, kernels, strict=True):
        np.testing.assert_allclose(got, expected[: len(got)], rtol=1e-4, atol=1e-5)
    for got, expected in zip(outcome.biases, biases, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_hand_written_gradient_equals_the_taped_one(activation):
    tf = tensorflow()
    rng = np.random.default_rng(0)
    sizes = (5, 7, 6, 3)
    kernels = [
        tf.Variable(rng.normal(size=shape), dtype=tf.float32) for shape in itertools.pairwise(sizes)
    ]
    biases = [tf.Variable(rng.normal(size=size), dtype=tf.float32) for size in sizes[1:]]
    inputs = DenseBatch(tf.constant(rng.normal(size=(11, 5)), tf.float32))
    masks = [
        (tf.constant(rng.uniform(size=(11, size)) > 0.4), tf.constant(1 / 0.6, tf.float32))
        for size in sizes[1:-1]
    ]
    target = tf.constant(rng.normal(size=(11, 3)), tf.float32)

    def half_squares(logits):
        return 0.5 * tf.reduce_sum((logits - target) ** 2), logits - target

    with tf.GradientTape() as tape:
        loss, kernel_gradients, bias_gradients = compiled_loss_and_gradients(
            kernels, biases, inputs, activation, masks, half_squares
        )
    taped = tape.gradient(loss, [*kernels, *biases])
    for got, expected in zip([*kernel_gradients, *bias_gradients], taped, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_loss_is_the_objective_at_learning_rate_nearly_zero():
    member = make_member(n_classes=3, learning_rate_init=1e-12, n=70)
    outcome = train(member)
    kernels, biases = first_weights(member)
    values = member.rows.table[:70].astype(float)
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        values = np.maximum(values @ kernel + bias, 0)
    logits = values @ kernels[-1] + biases[-1]
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(70), member.rows.targets[:70]]
    penalty = sum(1e-3 * (kernel.astype(float) ** 2).sum() for kernel in kernels)
    # Steps differ in size by at most one, so the mean over rows is the mean over steps by size.
    np.testing.assert_allclose(outcome.losses, losses.mean() + penalty, rtol=1e-5)


def test_padding_of_columns_stays_zero_and_is_cut_off():
    outcome = train(make_member(weight_decay=0.1, input_dropout=0.5))
    assert outcome.kernels[0].shape == (5, 12)


def test_member_that_diverges_keeps_its_last_finite_weights():
    member = make_member(solver="sgd", learning_rate_init=1e20, max_iter=50)
    outcome = train(member)
    assert outcome.status is Status.DIVERGED
    assert len(outcome.losses) < 50
    assert all(np.isfinite(array).all() for array in (*outcome.kernels, *outcome.biases))
    assert not np.isfinite(outcome.losses[-1]) or len(outcome.losses) == 1


def test_tol_stops_when_the_smoothed_loss_stalls():
    member = make_member(max_iter=2000, tol=1e-3, n_iter_no_change=5, learning_rate_init=1e-2)
    outcome = train(member)
    assert outcome.status is Status.CONVERGED
    smoothed = outcome.losses[0]
    best, waited, expected = np.inf, 0, None
    for epoch, loss in enumerate(outcome.losses):
        smoothed = loss if epoch == 0 else 0.8 * smoothed + 0.2 * loss
        waited = waited + 1 if smoothed > best - 1e-3 else 0
        best = min(best, smoothed)
        if waited >= 5:
            expected = epoch + 1
            break
    assert len(outcome.losses) == expected


def test_tol_that_is_not_reached_is_reported():
    outcome = train(make_member(max_iter=3, tol=0.0))
    assert outcome.status is Status.NOT_CONVERGED
    outcome = train(make_member(max_iter=3))
    assert outcome.status is Status.FINISHED


@pytest.mark.parametrize("size", [1, 7, 8, 63, 64, 65, 379, 380, 569, 1000, 12345, 10**6, 10**7])
def test_bucket_wastes_at_most_an_eighth(size):
    assert size <= bucket(size) < size + max(8, size / 7.9)
    assert bucket(bucket(size)) == bucket(size)


def test_buckets_are_few():
    assert len({bucket(size) for size in range(1024, 2048)}) <= 9
    assert bucket(379) == bucket(380)


@pytest.mark.parametrize("n_classes", [2, 3, 20])
def test_first_weights_are_glorots_and_padding_is_zero(n_classes):
    """Uniform within sqrt(6 / (fan_in + fan_out)) of the real sizes, as Keras' Dense."""
    member = make_member(n_classes=n_classes, hidden=(400, 300))
    generator = generator_of(member.seed, FIRST_WEIGHTS)
    sizes = member.spec.layer_sizes
    kernels, biases = initial_parameters(sizes, 5, member.n_outputs, generator)
    reals = (5, 400, 300, member.n_outputs)
    for k, kernel in enumerate(kernels):
        real = kernel[: reals[k], : reals[k + 1]]
        limit = np.sqrt(6 / (reals[k] + reals[k + 1]))
        assert np.abs(real).max() <= limit
        np.testing.assert_allclose(real.std(), limit / np.sqrt(3), rtol=0.1)
        assert np.count_nonzero(kernel) == real.size
        assert not biases[k].any()


def with_validation(member, n=40, **changes):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 5))
    targets = rng.integers(0, 2, size=(n, 1)).astype(np.float32)
    weight = rng.uniform(0.5, 2, size=n)
    held_out = validation_rows(X, targets, MergedRows(np.arange(n), weight), None, None)
    return dataclasses.replace(
        member, validation=held_out, monitor=Monitor.VALIDATION_LOSS, **changes
    )


def validation_loss(held_out, kernels, biases):
    values = held_out.table[:, : len(kernels[0])].astype(float)
    logits = numpy_logits(values, [k.astype(float) for k in kernels], biases, "relu")
    losses = np.logaddexp(0, logits) - logits * held_out.targets
    return (held_out.share * losses[:, 0]).sum()


@pytest.mark.parametrize("n", [40, 2500])
def test_weights_of_the_best_validation_loss_are_kept(n):
    member = with_validation(make_member(max_iter=200, n_iter_no_change=7, tol=1e-4), n)
    outcome = train(member)
    curve = np.array(outcome.validation_losses)
    assert outcome.best_epoch == curve.argmin() + 1
    got = validation_loss(member.validation, outcome.kernels, outcome.biases)
    np.testing.assert_allclose(got, curve.min(), rtol=1e-4)
    # It ended when 7 epochs in a row had not beaten the best so far by more than tol.
    best, waited = np.inf, 0
    waits = []
    for loss in curve:
        waited = 0 if loss < best - 1e-4 else waited + 1
        best = min(best, loss)
        waits.append(waited)
    assert waits.index(7) == len(curve) - 1 < 199
    assert outcome.status is Status.CONVERGED


def test_validation_changes_nothing_of_the_training():
    member = make_member(max_iter=30, dropout=(0.5, 0.5))
    alone = train(member)
    hyper = hyperparameters(max_iter=30, dropout=(0.5, 0.5), n_iter_no_change=1000)
    validated = train(with_validation(member, hyper=hyper))
    np.testing.assert_allclose(alone.losses, validated.losses, rtol=1e-5)


def test_validation_loss_that_is_not_finite_is_a_divergence():
    member = with_validation(make_member(max_iter=10))
    member.validation.table[0] = np.inf
    outcome = train(member)
    assert outcome.status is Status.DIVERGED
    assert outcome.best_epoch == 0
    assert all(np.isfinite(kernel).all() for kernel in outcome.kernels)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_member_that_goes_on_equals_one_that_never_stopped(solver):
    """Two fits of 5 epochs, the second from the first one's end, are one of 10, bit for bit."""
    changes = {"dropout": (0.5, 0.3), "solver": solver, "n": 70}
    whole = train(make_member(max_iter=10, **changes))
    member = make_member(max_iter=5, **changes)
    first = train(member)
    start = Start(first.kernels, first.biases, first.slots(), 5 * member.n_steps, 5)
    second = train(dataclasses.replace(member, start=start))
    assert first.losses + second.losses == whole.losses
    for got, expected in zip(second.kernels, whole.kernels, strict=True):
        np.testing.assert_array_equal(got, expected)


ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": None}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_pass_in_numpy_equals_that_of_keras(activation):
    import keras

    rng = np.random.default_rng(0)
    sizes = (5, 9, 7, 3)
    kernels = [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    biases = [rng.normal(size=size) for size in sizes[1:]]
    model = keras.Sequential([keras.Input((5,))])
    for size in sizes[1:-1]:
        model.add(keras.layers.Dense(size, activation=ACTIVATIONS[activation]))
    model.add(keras.layers.Dense(3))
    model.set_weights([w for pair in zip(kernels, biases, strict=True) for w in pair])
    X = rng.normal(size=(20, 5))
    got = numpy_logits(X, kernels, biases, activation)
    expected = model(X.astype(np.float32)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_pass_of_huge_weights_is_finite_and_warns_of_nothing(activation, dtype):
    rng = np.random.default_rng(0)
    sizes = (5, *[4] * 30, 3)
    kernels = [rng.choice([-1e30, 1e30], size=s).astype(dtype) for s in itertools.pairwise(sizes)]
    biases = [np.zeros(size, np.float32) for size in sizes[1:]]
    X = rng.choice([-1e18, 1e18], size=(20, 5)).astype(dtype)
    got = numpy_logits(X, kernels, biases, activation)
    assert got.dtype == dtype
    assert np.isfinite(got).all()
