"""Losses and links: values, derivatives, NumPy forms, and what they say about targets."""

import keras
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

from skreg._data.statistics import Statistics
from skreg._nn.links import LINKS
from skreg._nn.losses import LOSSES, REGRESSION_LOSSES
from skreg._tensorflow import tensorflow

EXTREME = np.array([-1e30, -800.0, -37.0, -1.0, 0.0, 1.0, 37.0, 800.0, 1e30])
PARAMETERS = {"quantile": 0.3}
LEVELS = (0.1, 0.5, 0.8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "function", "logarithm"),
    [
        ("logistic", expit, log_expit),
        ("softmax", lambda z: softmax(z, axis=1), lambda z: log_softmax(z, axis=1)),
    ],
)
def test_link_is_exact_at_both_ends(name, function, logarithm, dtype):
    rng = np.random.default_rng(0)
    logits = rng.choice(EXTREME, size=(50, 4)).astype(dtype)
    probabilities = LINKS[name].predict(logits)
    assert probabilities.dtype == dtype
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(probabilities, function(logits), rtol=tolerance)
    np.testing.assert_allclose(LINKS[name].log_predict(logits), logarithm(logits), rtol=tolerance)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_compiled_loss_and_its_derivative_are_finite_for_extreme_logits(name):
    tf = tensorflow()
    logits = tf.constant(EXTREME[:, None] * [[1.0, -1.0]], tf.float32)
    logits = logits[:, :1] if name == "binary_cross_entropy" else logits
    targets = LOSSES[name].encode(np.array([0, 1, 0, 1, 0, 1, 0, 1, 0]))
    losses, delta = LOSSES[name].compute(logits, targets, PARAMETERS)
    assert np.isfinite(losses).all()
    assert np.isfinite(delta).all()


WRITTEN_OUT = {
    "binary_cross_entropy": lambda f, y: np.log1p(np.exp(f)) - y * f,
    "squared_error": lambda f, y: (f - y) ** 2,
    "absolute_error": lambda f, y: np.abs(f - y),
    "huber": lambda f, y: np.where(np.abs(f - y) <= 1, 0.5 * (f - y) ** 2, np.abs(f - y) - 0.5),
    "log_cosh": lambda f, y: np.log(np.cosh(f - y)),
    "quantile": lambda f, y: np.maximum(0.3 * (y - f), (0.3 - 1) * (y - f)),
    "quantiles": lambda f, y: np.maximum(
        np.array(LEVELS) * (y - f), (np.array(LEVELS) - 1) * (y - f)
    ),
    "poisson": lambda f, y: np.exp(f) - y * f,
}


SEVERAL_COLUMNS = [name for name in WRITTEN_OUT if name != "quantiles"]  # of targets


def draw_logits_and_targets(n_outputs, n_columns):
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(50, n_outputs)).astype(np.float32)
    return logits, rng.integers(0, 2, size=(50, n_columns)).astype(np.float32)


@pytest.fixture(params=[1, 3])
def logits_and_targets(request):
    return draw_logits_and_targets(request.param, request.param)


@pytest.fixture
def quantiles():
    """Logits of three quantiles of one column, its targets, and the levels."""
    return *draw_logits_and_targets(3, 1), {"quantile": LEVELS}


@pytest.mark.parametrize("name", SEVERAL_COLUMNS)
def test_compiled_loss_is_the_mean_over_outputs(name, logits_and_targets):
    logits, targets = logits_and_targets
    losses, _ = LOSSES[name].compute(logits, targets, PARAMETERS)
    expected = WRITTEN_OUT[name](logits.astype(float), targets).mean(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SEVERAL_COLUMNS)
def test_delta_is_the_derivative_of_the_loss(name, logits_and_targets):
    tf = tensorflow()
    logits, targets = logits_and_targets
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        losses, delta = LOSSES[name].compute(variable, targets, PARAMETERS)
        total = tf.reduce_sum(losses)
    np.testing.assert_allclose(delta, tape.gradient(total, variable), rtol=1e-5, atol=1e-6)


def test_loss_of_several_quantiles_is_the_mean_over_the_levels(quantiles):
    logits, targets, parameters = quantiles
    tensors = {"quantile": tensorflow().constant(LEVELS, "float32")}
    losses, _ = LOSSES["quantiles"].compute(logits, targets, tensors)
    expected = WRITTEN_OUT["quantiles"](logits.astype(float), targets).mean(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
    in_numpy = LOSSES["quantiles"].compute_numpy(logits.astype(float), targets, **parameters)
    np.testing.assert_allclose(in_numpy, expected, rtol=1e-12)
    of_levels = [
        REGRESSION_LOSSES["quantile"].compute_numpy(logits[:, [k]], targets, quantile=level)
        for k, level in enumerate(LEVELS)
    ]
    np.testing.assert_allclose(np.mean(of_levels, axis=0), expected, rtol=1e-5)


def test_delta_of_several_quantiles_is_the_derivative(quantiles):
    tf = tensorflow()
    logits, targets, parameters = quantiles
    loss, variable = LOSSES["quantiles"], tf.Variable(logits)
    with tf.GradientTape() as tape:
        losses, delta = loss.compute(variable, targets, {"quantile": tf.constant(LEVELS)})
        total = tf.reduce_sum(losses)
    np.testing.assert_allclose(delta, tape.gradient(total, variable), rtol=1e-6)
    wide, step = logits.astype(float), 1e-5
    for k, shift in enumerate(step * np.eye(len(LEVELS))):
        upper, lower = (
            loss.compute_numpy(wide + sign * shift, targets, **parameters) for sign in (1, -1)
        )
        np.testing.assert_allclose(delta[:, k], (upper - lower) / (2 * step), rtol=1e-5)


def test_several_quantiles_have_a_derivative_of_zero_at_the_target():
    tf = tensorflow()
    levels = {"quantile": tf.constant(LEVELS)}
    losses, delta = LOSSES["quantiles"].compute(tf.ones((1, 3)), tf.ones((1, 1)), levels)
    assert not losses.numpy().any()
    assert not delta.numpy().any()


def test_sorted_link_sorts_each_row_and_never_raises_the_loss(quantiles):
    logits, targets, parameters = quantiles
    loss = LOSSES["quantiles"]
    arranged = loss.link.predict(logits)
    np.testing.assert_array_equal(arranged, np.sort(logits, axis=1))
    np.testing.assert_array_equal(loss.link.predict(logits[None])[0], arranged)
    before, after = (loss.compute_numpy(f, targets, **parameters) for f in (logits, arranged))
    assert (after <= before + 1e-6).all()
    assert after.mean() < before.mean()


@pytest.mark.parametrize(
    "levels", [(), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.9, 0.1), (0.1, np.nan), np.nan, 0.0, 1.0]
)
def test_levels_are_ascending_numbers_between_zero_and_one(levels):
    with pytest.raises(ValueError, match=r"quantile: expected one number in \(0, 1\), or several"):
        REGRESSION_LOSSES["quantile"].check_parameters({"quantile": levels})


def test_the_number_of_levels_decides_on_the_form_of_the_loss():
    loss = REGRESSION_LOSSES["quantile"]
    assert loss.choose_form({"quantile": 0.3}) is loss
    assert loss.get_levels({"quantile": 0.3}) == ()
    several = loss.choose_form({"quantile": LEVELS})
    assert several is LOSSES["quantiles"]
    assert several.get_levels({"quantile": LEVELS}) == LEVELS
    several.check_targets(np.zeros((5, 1)))
    with pytest.raises(ValueError, match=r"y: expected one column with several quantiles.*2 col"):
        several.check_targets(np.zeros((5, 2)))


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_numpy_form_of_a_regression_loss_equals_the_compiled_one(name, logits_and_targets):
    logits, targets = logits_and_targets
    loss = REGRESSION_LOSSES[name]
    parameters = {key: PARAMETERS[key] for key in loss.defaults}
    got = loss.compute_numpy(loss.link.predict(logits.astype(float)), targets, **parameters)
    losses, _ = loss.compute(logits, targets, PARAMETERS)
    np.testing.assert_allclose(got, losses, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_labels", [1, 3])
def test_numpy_form_of_the_binary_cross_entropy_equals_the_compiled_one(n_labels):
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(50, n_labels)).astype(np.float32)
    labels = rng.integers(0, 2, size=logits.shape).squeeze()
    loss = LOSSES["binary_cross_entropy"]
    losses, _ = loss.compute(logits, loss.encode(labels), {})
    np.testing.assert_allclose(loss.compute_numpy(logits, labels), losses, rtol=1e-5, atol=1e-6)


def test_numpy_form_of_the_categorical_cross_entropy_equals_the_compiled_one():
    rng = np.random.default_rng(0)
    logits, codes = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 4, size=50)
    loss = LOSSES["categorical_cross_entropy"]
    losses, _ = loss.compute(logits, loss.encode(codes), {})
    np.testing.assert_allclose(loss.compute_numpy(logits, codes), losses, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_keras_loss_is_the_loss_of_the_scaled_targets(name, scale):
    rng = np.random.default_rng(0)
    loss = REGRESSION_LOSSES[name]
    found = loss.to_keras(keras.losses, scale)
    if found is None:
        assert name == "quantile" or (name == "log_cosh" and scale != 1)
        return
    function, weight = found
    targets = rng.integers(0, 5, size=(40, 1)).astype(np.float32)
    predictions = rng.uniform(0.5, 5, size=(40, 1)).astype(np.float32)
    expected = loss.compute_numpy(predictions.astype(float), targets).mean()
    got = weight * float(function(scale * targets, scale * predictions))
    if name == "poisson":  # in other units it differs by what depends on the targets only
        got += float((targets * np.log(scale)).mean())
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert loss.is_keras(keras.losses, function)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_last_layer_predicts_the_same_for_another_scale_of_the_targets(name):
    rng = np.random.default_rng(0)
    loss, kernel, bias = REGRESSION_LOSSES[name], rng.normal(size=(4, 2)), rng.normal(size=2)
    hidden = rng.normal(size=(30, 4))
    old, new = (
        loss.get_center_and_scale(Statistics(10.0, rng.uniform(1, 3, 2), rng.uniform(1, 3, 2)))
        for _ in range(2)
    )
    before = old[0] + old[1] * loss.link.predict(hidden @ kernel + bias)
    kernel, bias = loss.rescale_outputs(kernel, bias, old, new)
    after = new[0] + new[1] * loss.link.predict(hidden @ kernel + bias)
    np.testing.assert_allclose(after, before, rtol=1e-5)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_statistics_are_recovered_from_center_and_scale(name):
    loss = REGRESSION_LOSSES[name]
    pair = loss.get_center_and_scale(Statistics(10.0, np.array([2.0]), np.array([3.0])))
    recovered = loss.get_center_and_scale(loss.recover_statistics(*pair))
    np.testing.assert_array_equal(recovered, pair)


def test_negative_targets_are_refused_by_the_poisson_loss():
    REGRESSION_LOSSES["squared_error"].check_targets(np.array([[-1.0]]))
    with pytest.raises(ValueError, match=r"y: expected numbers >= 0 with loss='poisson'.*-1"):
        REGRESSION_LOSSES["poisson"].check_targets(np.array([[-1.0], [2.0]]))


def test_poisson_loss_of_an_infinite_prediction_is_finite():
    losses = REGRESSION_LOSSES["poisson"].compute_numpy(
        np.array([[np.inf], [0.0]]), np.ones((2, 1))
    )
    assert np.isfinite(losses).all()
