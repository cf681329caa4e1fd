"""Numerical encodings as Keras layers, and the way back."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import TESTS

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg.keras import make_inputs, save_model

keras = pytest.importorskip("keras")

N_ROWS = 120
rng = np.random.default_rng(0)
X = rng.normal(size=(N_ROWS, 4))
X[:, 2], X[:, 3] = X[:, 2] > 0, np.exp(3 * X[:, 3])  # an indicator, and a heavy tail
y = (np.abs(X[:, 0]) > 0.7).astype(int)


@pytest.fixture(scope="module", params=["piecewise", "periodic"])
def fitted(request):
    return RegularizedMLPClassifier(
        (6,),
        numerical_encoding=request.param,
        input_dropout=0.3,
        weight_decay=0.01,
        max_iter=4,
        random_state=0,
    ).fit(X, y)


def predict_in_keras(model, X):
    return model.predict(X, verbose=0)[:, 0]


def test_keras_predicts_the_same(fitted):
    exported = fitted.to_keras()
    expected = fitted.predict_proba(X)[:, 1]
    np.testing.assert_allclose(predict_in_keras(exported, X), expected, atol=1e-5)


def test_an_encoding_comes_back_with_its_numbers(fitted):
    loaded = RegularizedMLPClassifier.from_keras(fitted.to_keras())
    assert loaded.numerical_encoding == fitted.numerical_encoding
    assert loaded.input_dropout == pytest.approx(0.3)
    assert loaded.n_features_in_ == 4
    for name in vars(fitted.encoding_):
        got, expected = getattr(loaded.encoding_, name), getattr(fitted.encoding_, name)
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype
    np.testing.assert_allclose(loaded.predict_proba(X), fitted.predict_proba(X), atol=1e-5)
    assert loaded.encoded_feature_names_[4] == fitted.encoded_feature_names_[4]
    loss = loaded.set_params(learning_rate_init=0.02, random_state=0).partial_fit(X, y).loss_
    for _ in range(20):
        loaded.partial_fit(X, y)
    assert loaded.loss_ < loss


def test_a_file_needs_keras_only(fitted, tmp_path):
    save_model(fitted, tmp_path / "model.keras")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys, keras, numpy as np\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        f"p = model.predict(np.load({str(tmp_path / 'X.npy')!r}), verbose=0)\n"
        f"np.save({str(tmp_path / 'p.npy')!r}, p)\n"
        "assert not any(name.startswith('skreg') for name in sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=TESTS.parent, capture_output=True
    )
    expected = fitted.predict_proba(X)[:, 1]
    np.testing.assert_allclose(np.load(tmp_path / "p.npy")[:, 0], expected, atol=1e-5)
    loaded = RegularizedMLPClassifier.from_keras(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict_proba(X)[:, 1], expected, atol=1e-5)


def test_dropout_in_keras_drops_a_column_together_with_its_encoded_inputs(fitted):
    inner = fitted.to_keras().get_layer("numerical_encoding")
    scaled = np.full((200, 4), 0.7, np.float32)
    scaled += np.arange(4, dtype=np.float32) / 8
    kept = inner(scaled, training=False).numpy()
    dropped = inner(scaled, training=True).numpy()
    sources = np.concatenate([np.arange(4), fitted.encoding_.sources])
    is_kept = dropped[:, :4] != 0
    np.testing.assert_allclose(
        dropped, np.where(is_kept[:, sources], kept / 0.7, 0), rtol=1e-5, atol=1e-6
    )
    assert 0.6 < is_kept.mean() < 0.8


def test_what_is_trained_here_is_trained_in_keras_and_does_not_decay(fitted):
    exported = fitted.to_keras()
    inner = exported.get_layer("numerical_encoding")
    sizes = sum(weight.size for layer in inner.layers for weight in layer.get_weights())
    columns = len(np.unique(fitted.encoding_.columns))
    per_column = 16 + 16 + 16 * 3 + 3
    assert sizes == (columns * per_column if fitted.numerical_encoding == "periodic" else 0)
    optimizer = exported.optimizer
    assert not any(optimizer._use_weight_decay(weight) for weight in inner.trainable_variables)
    decays = [optimizer._use_weight_decay(weight) for weight in exported.trainable_variables]
    assert sum(decays) == 2  # the kernels
    before = [weight.copy() for weight in inner.get_weights()]
    exported.fit(X, y, verbose=0)
    moved = [(one != two).any() for one, two in zip(before, inner.get_weights(), strict=True)]
    assert all(moved)


def test_a_table_with_categories_and_missing_values(fitted):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["e"] = ["u", "v", "w"] * 40
    frame.loc[3, "a"] = np.nan
    model = RegularizedMLPRegressor(
        (6,), numerical_encoding=fitted.numerical_encoding, max_iter=4, random_state=0
    ).fit(frame, X[:, 0])
    exported = model.to_keras()
    got = predict_in_keras(exported, make_inputs(model, frame))
    # Keras computes in float32, which has few digits for the narrow bins of a heavy tail.
    np.testing.assert_allclose(got, model.predict(frame), atol=1e-4)
    inner = RegularizedMLPRegressor.from_keras(exported.get_layer("network"))
    columns, table, _ = model._check_inputs(frame)
    encoded = columns.encode(table).toarray()
    np.testing.assert_allclose(inner.predict(encoded), model.predict(frame), atol=1e-4)


def test_the_default_network_of_a_data_frame(tmp_path):
    rows = np.random.default_rng(1).normal(size=(200, 3))
    frame = pd.DataFrame(rows, columns=["a", "b", "c"]).assign(d=["u", "v", "w", None] * 50)
    frame.loc[::7, "a"] = np.nan
    model = RegularizedMLPClassifier(random_state=0).fit(frame, rows[:, 1] > 0)
    assert model.encoding_.name == "piecewise"
    save_model(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    got = predict_in_keras(loaded, make_inputs(model, frame))
    np.testing.assert_allclose(got, model.predict_proba(frame)[:, 1], atol=1e-5)


def test_no_column_to_encode(fitted):
    flags = X[:, [2, 2]]
    model = RegularizedMLPClassifier(
        (6,), numerical_encoding=fitted.numerical_encoding, max_iter=2, random_state=0
    ).fit(flags, y)
    exported = model.to_keras()
    expected = model.predict_proba(flags)[:, 1]
    np.testing.assert_allclose(predict_in_keras(exported, flags), expected, atol=1e-5)
    loaded = RegularizedMLPClassifier.from_keras(exported)
    np.testing.assert_allclose(loaded.predict_proba(flags)[:, 1], expected, atol=1e-5)


def test_a_model_of_that_name_that_is_none_is_refused():
    columns = keras.Input((4,))
    other = keras.Model(columns, keras.ops.cos(columns), name="numerical_encoding")
    layers = [keras.Input((4,)), other, keras.layers.Dense(1, activation="sigmoid")]
    with pytest.raises(ValueError, match="computes something else"):
        RegularizedMLPClassifier.from_keras(keras.Sequential(layers))


@pytest.mark.parametrize("layer", ["Dropout", "Rescaling"])
def test_layers_between_an_encoding_and_the_network_are_refused(fitted, layer):
    first, *others = fitted.to_keras().layers[2:]
    between = getattr(keras.layers, layer)(0.5)
    model = keras.Sequential([keras.Input((4,)), first, between, *others])
    with pytest.raises(ValueError, match="its place among the others"):
        RegularizedMLPClassifier.from_keras(model)
