"""Encodings: bins, NumPy against the compiled form, and the gradient that is written by hand."""

import itertools

import numpy as np
import pytest

from skreg._data.rows import MergedRows
from skreg._data.tables import CSRTable, make_training_rows
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.dropout import Mask
from skreg._nn.encodings import ENCODINGS, make_input_layer
from skreg._nn.mlp import compute_loss_and_gradients
from skreg._nn.network import Network
from skreg._nn.periodic import N_FREQUENCIES, N_OUTPUTS, PeriodicEncoding, _compute_waves
from skreg._nn.piecewise import N_BINS, PiecewiseEncoding
from skreg._nn.predict import DropoutSampler, predict_logits, sample_logits
from skreg._tensorflow import tensorflow

N_ROWS, N_FEATURES = 40, 7
COLUMNS = np.array([0, 3, 6])
X = np.random.default_rng(0).normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
TABLE = make_training_rows(
    X, np.zeros((N_ROWS, 1)), MergedRows(np.arange(N_ROWS), np.ones(N_ROWS)), None, None, None
).table


def begin(name, columns=COLUMNS):
    def find_quantiles(levels):
        return np.quantile(X[:, columns], [0, *levels, 1], axis=0)

    return ENCODINGS[name].initialize(columns, find_quantiles, np.random.default_rng(1))


def begin_trained(name):
    """An encoding whose numbers differ from the first ones everywhere."""
    encoding = begin(name)
    parameters = encoding.get_parameters()
    noise = np.random.default_rng(2).normal(size=parameters.shape).astype(np.float32)
    return encoding.replace_parameters(parameters + 0.3 * noise * (parameters != 0))


def make_batch(encoding, rows=None, **dropout):
    """The layer of an encoding, and a batch of the rows."""
    tf = tensorflow()
    layer = make_input_layer(TABLE, encoding)
    table = layer.to_tensors(TABLE, encoding)
    rows = tf.range(N_ROWS) if rows is None else rows
    parameters = tf.constant(encoding.get_parameters())
    batch = layer.make_batch(table, rows, parameters=parameters, **dropout)
    return layer, batch, layer.find_rows(N_FEATURES, N_FEATURES + encoding.n_outputs)


def test_bins_are_shares_below_the_value():
    encoding = PiecewiseEncoding(
        np.array([0, 0, 1], np.int32),
        lower=np.array([-1, 0, 2], np.float32),
        width=np.array([1, 4, 1], np.float32),
    )
    got = encoding.encode(np.array([[-2.0, 2.25], [-0.75, 9.0], [1.0, 2.0]]))
    np.testing.assert_array_equal(got, [[0, 0, 0.25], [0.25, 0, 1], [1, 0.25, 0]])
    assert encoding.name_outputs(["a", "b"]) == ["a_bin_1", "a_bin_2", "b_bin_1"]


def test_there_are_as_many_bins_as_there_are_different_quantiles():
    quantiles = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 2], np.arange(9), [5] * 9]).T
    encoding = PiecewiseEncoding.initialize(np.array([2, 4, 5]), lambda levels: quantiles, None)
    np.testing.assert_array_equal(encoding.columns, [2] * 2 + [4] * N_BINS)
    np.testing.assert_array_equal(encoding.lower, [0, 1, *range(N_BINS)])
    np.testing.assert_array_equal(encoding.width, np.ones(10))


def test_edges_that_float32_hardly_tells_apart_are_one():
    quantiles = np.array([[1, 1 + 1e-6, 2, 2 + 1e-7], [0, 1e-40, 1e-20, 1e30]]).T
    encoding = PiecewiseEncoding.initialize(np.array([0, 1]), lambda levels: quantiles, None)
    np.testing.assert_array_equal(encoding.columns, [0, 1, 1])
    assert np.isfinite(1 / encoding.width).all()
    assert encoding.lower[0] + encoding.width[0] == np.float32(2 + 1e-7)


def test_first_periodic_weights_are_of_the_seed_and_of_the_right_spread():
    columns = np.arange(400)
    encoding = PeriodicEncoding.initialize(columns, None, np.random.default_rng(0))
    assert encoding.frequencies.shape == (400, N_FREQUENCIES)
    np.testing.assert_allclose(encoding.frequencies.std(), 0.1, rtol=0.05)
    np.testing.assert_allclose(encoding.phases.std(), np.pi / np.sqrt(3), rtol=0.05)
    np.testing.assert_allclose(np.abs(encoding.kernels).max(), 0.25, rtol=0.01)
    again = PeriodicEncoding.initialize(columns, None, np.random.default_rng(0))
    np.testing.assert_array_equal(again.get_parameters(), encoding.get_parameters())


def test_periodic_numbers_are_those_of_the_definition():
    encoding, values = begin_trained("periodic"), X.astype(np.float64)
    waves = np.cos(2 * np.pi * values[:, COLUMNS, None] * encoding.frequencies + encoding.phases)
    expected = np.einsum("rnf,nfk->rnk", waves, encoding.kernels) + encoding.biases
    np.testing.assert_allclose(encoding.encode(values), expected.reshape(N_ROWS, -1), atol=1e-12)


@pytest.mark.parametrize("name", ENCODINGS)
def test_parameters_are_read_as_they_are_written(name):
    encoding = begin_trained(name)
    again = encoding.replace_parameters(encoding.get_parameters())
    np.testing.assert_array_equal(again.encode(X), encoding.encode(X))


@pytest.mark.parametrize("name", ENCODINGS)
def test_compiled_form_is_the_form_in_numpy_and_padding_is_zero(name):
    encoding = begin_trained(name)
    layer, batch, rows = make_batch(encoding)
    got = np.asarray(batch.values)
    assert got.shape == (N_ROWS, layer.n_inputs)
    np.testing.assert_allclose(got[:, rows], encoding.extend(X), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(got[:, rows], encoding.extend(X.astype(float)), rtol=1e-4, atol=1e-5)
    assert not np.delete(got, rows, axis=1).any()
    assert len(encoding.name_outputs([f"x{k}" for k in range(7)])) == encoding.n_outputs


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_column_to_encode_leaves_the_columns(name):
    encoding = begin(name, np.array([], dtype=int))
    _, batch, rows = make_batch(encoding)
    assert encoding.n_outputs == 0
    np.testing.assert_array_equal(np.asarray(batch.values)[:, rows], X)
    np.testing.assert_array_equal(encoding.extend(X), X)


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_column_is_dropped_together_with_its_encoded_inputs(name):
    tf = tensorflow()
    encoding = begin_trained(name)
    keep = np.random.default_rng(3).uniform(size=(N_ROWS, 8)) > 0.4
    flat = tf.constant(keep.ravel())
    _, batch, rows = make_batch(
        encoding,
        compute_mask=lambda at: tf.gather(flat, tf.cast(at, tf.int32)),
        scale=tf.constant(2.0),
    )
    factor = encoding.extend_factor(2.0 * keep[:, :N_FEATURES])
    np.testing.assert_allclose(
        np.asarray(batch.values)[:, rows], factor * encoding.extend(X), rtol=1e-4, atol=1e-5
    )


def test_waves_are_accurate_far_from_zero_too():
    turns = np.linspace(-300, 300, 9999).astype(np.float32)
    cosine, sine = _compute_waves(tensorflow().constant(turns))
    angle = 2 * np.pi * turns.astype(np.float64)
    np.testing.assert_allclose(cosine, np.cos(angle), atol=1e-6)
    np.testing.assert_allclose(sine, np.sin(angle), atol=1e-6)


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_same_function_in_other_units(name):
    rng = np.random.default_rng(4)
    ratio, shift = rng.uniform(0.5, 3, N_FEATURES), rng.normal(size=N_FEATURES)
    encoding = begin_trained(name)
    rescaled = encoding.rescale(ratio, shift)
    values = X.astype(np.float64)
    np.testing.assert_allclose(
        rescaled.encode((values - shift) / ratio), encoding.encode(values), atol=1e-5
    )


def make_problem(name):
    """A function from the vector of input parameters to the loss of a batch and its gradients."""
    tf, rng = tensorflow(), np.random.default_rng(0)
    encoding = begin_trained(name)
    layer = make_input_layer(TABLE, encoding)
    table = layer.to_tensors(TABLE, encoding)
    sizes = (layer.n_inputs, 6, 3)
    kernels = [
        tf.Variable(rng.normal(size=shape) / 3, dtype=tf.float32)
        for shape in itertools.pairwise(sizes)
    ]
    biases = [tf.Variable(rng.normal(size=size), dtype=tf.float32) for size in sizes[1:]]
    keep = tf.constant(rng.uniform(size=N_ROWS * 8) > 0.3)
    masks = [Mask(tf.constant(rng.uniform(size=(N_ROWS, 6)) > 0.4), tf.constant(1 / 0.6))]
    target = tf.constant(rng.normal(size=(N_ROWS, 3)), tf.float32)

    def half_squares(logits):
        return 0.5 * tf.reduce_sum((logits - target) ** 2), logits - target

    def compute(parameters):
        batch = layer.make_batch(
            table,
            tf.range(N_ROWS),
            lambda at: tf.gather(keep, tf.cast(at, tf.int32)),
            tf.constant(1 / 0.7),
            parameters,
        )
        return compute_loss_and_gradients(
            kernels, biases, batch, ACTIVATIONS["tanh"], masks, half_squares
        )

    return encoding, [*kernels, *biases], compute


@pytest.mark.parametrize("name", ENCODINGS)
def test_hand_written_gradient_equals_the_taped_one(name):
    tf = tensorflow()
    encoding, weights, compute = make_problem(name)
    parameters = tf.Variable(encoding.get_parameters())
    with tf.GradientTape() as tape:
        loss, kernel_gradients, bias_gradients, input_gradients = compute(parameters)
    *taped, by_parameters = tape.gradient(loss, [*weights, parameters])
    for got, expected in zip([*kernel_gradients, *bias_gradients], taped, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    if encoding.get_parameters().size:
        got = np.concatenate(input_gradients)
        scale = np.abs(by_parameters).max()
        np.testing.assert_allclose(got / scale, by_parameters / scale, atol=1e-5)
    else:
        assert input_gradients == []


def test_gradient_of_periodic_parameters_equals_finite_differences():
    tf = tensorflow()
    encoding, _, compute = make_problem("periodic")
    start = encoding.get_parameters()
    gradient = np.concatenate(compute(tf.constant(start))[3])
    rng, step = np.random.default_rng(5), 1e-2
    for _ in range(6):  # random directions, of all parameters together
        direction = rng.normal(size=start.size).astype(np.float32)
        direction /= np.linalg.norm(direction)
        ahead, behind = (
            float(compute(tf.constant(start + sign * step * direction))[0]) for sign in (1, -1)
        )
        np.testing.assert_allclose(
            (ahead - behind) / (2 * step), gradient @ direction, rtol=2e-2, atol=2e-2
        )


@pytest.mark.parametrize("name", ENCODINGS)
def test_samples_with_dropout_of_columns_have_the_mean_of_the_prediction(name):
    encoding = begin_trained(name)
    rng = np.random.default_rng(6)
    network = Network(
        kernels=[rng.normal(size=(N_FEATURES + encoding.n_outputs, 2)).astype(np.float32)],
        biases=[np.zeros(2, np.float32)],
        activation="relu",
        link="identity",
        encoding=encoding,
    )
    assert network.n_columns == N_FEATURES
    sampler = DropoutSampler((0.3,), np.random.default_rng(7))
    samples = sample_logits(network, X, np.float64, sampler, 4000)
    error = samples.mean(axis=0) - predict_logits(network, X, np.float64)
    assert (np.abs(error) < 6 * samples.std(axis=0) / np.sqrt(4000)).all()
    assert samples.std() > 0


def test_a_sparse_table_and_an_encoding_do_not_go_together():
    table = CSRTable(np.zeros(2, np.int32), np.zeros(1, np.int32), np.zeros(1), (1, 8), 1)
    with pytest.raises(TypeError, match="DenseTable"):
        make_input_layer(table, begin("piecewise"))


def test_number_of_outputs():
    assert begin("periodic").n_outputs == 3 * N_OUTPUTS
    assert begin("piecewise").n_outputs == 3 * N_BINS
