"""Penalties: values and gradients against Keras, and which of them a program computes."""

import keras
import numpy as np
import pytest

from skreg._nn.penalties import (
    PENALTIES,
    from_keras_regularizer,
    select_penalties,
    to_keras_regularizer,
)
from skreg._tensorflow import tensorflow

KERNEL = np.array([[0.5, -2.0], [0.0, 3.0]], np.float32)


IN_KERAS = [name for name, penalty in PENALTIES.items() if penalty.keras_class]
ZERO = dict.fromkeys(PENALTIES, 0.0)


@pytest.mark.parametrize("name", IN_KERAS)
def test_value_is_that_of_keras(name):
    expected = getattr(keras.regularizers, PENALTIES[name].keras_class)(0.3)(KERNEL)
    np.testing.assert_allclose(PENALTIES[name].compute_value(KERNEL, 0.3), expected, rtol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_gradient_is_the_derivative_of_the_value(name):
    tf = tensorflow()
    kernel = tf.Variable(KERNEL)
    with tf.GradientTape() as tape:
        value = PENALTIES[name].compute_value(kernel, 0.3)
    np.testing.assert_allclose(
        PENALTIES[name].compute_gradient(kernel, 0.3), tape.gradient(value, kernel)
    )


@pytest.mark.parametrize(
    ("l2", "l1", "expected"),
    [
        ((0.0, 0.0), (0.0, 0.0), ("l2",)),
        ((0.1, 0.0), (0.0, 0.0), ("l2",)),
        ((0.0, 0.0), (0.0, 0.1), ("l2", "l1")),
    ],
)
def test_program_leaves_out_an_optional_penalty_without_strength(l2, l1, expected):
    zero = dict.fromkeys(PENALTIES, (0.0, 0.0))
    assert select_penalties({**zero, "l2": l2, "l1": l1}) == expected


@pytest.mark.parametrize(
    ("strengths", "kind"),
    [
        ({}, type(None)),
        ({"l2": 0.1}, keras.regularizers.L2),
        ({"l1": 0.2}, keras.regularizers.L1),
        ({"l2": 0.1, "l1": 0.2}, keras.regularizers.L1L2),
    ],
)
def test_strengths_go_to_keras_and_back(strengths, kind):
    strengths = {**ZERO, **strengths}
    regularizer = to_keras_regularizer(keras.regularizers, strengths)
    assert type(regularizer) is kind
    assert from_keras_regularizer(keras.regularizers, regularizer) == pytest.approx(strengths)


def test_regularizer_that_is_not_known_is_none():
    regularizer = keras.regularizers.OrthogonalRegularizer()
    assert from_keras_regularizer(keras.regularizers, regularizer) is None


def test_penalty_that_keras_does_not_have_is_not_exported(monkeypatch):
    monkeypatch.setattr(PENALTIES["l1"], "keras_class", None)
    with pytest.raises(
        ValueError, match=r"expected penalties that Keras has; received 'l1'.* 0\.2"
    ):
        to_keras_regularizer(keras.regularizers, {"l2": 0.1, "l1": 0.2})
    assert to_keras_regularizer(keras.regularizers, ZERO) is None
