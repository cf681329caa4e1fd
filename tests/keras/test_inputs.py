"""Tables with categories and missing values in Keras: named inputs that predict the same."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import in_full
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._estimators.validation import check_table
from skreg.keras import make_inputs, save_model

keras = pytest.importorskip("keras")

N_ROWS = 200
SMALL = {
    "hidden_layer_sizes": (8,),
    "max_iter": 5,
    "numerical_encoding": None,
    "random_state": 0,
}


def draw(generator, levels, share_missing=0.0):
    """Draw levels, some of which are missing."""
    cells = np.array(levels, dtype=object)[generator.integers(0, len(levels), N_ROWS)]
    cells[generator.random(N_ROWS) < share_missing] = None
    return cells


def make_text(generator, is_new=False):
    """Texts with missing, rare and (in a new table) unknown levels, and two that tell all apart."""
    rare = [f"rare {k}" for k in range(60)]
    new = ["new", "newer"] * is_new
    return pd.DataFrame(
        {
            "size": generator.normal(10, 3, N_ROWS),
            "colour": draw(generator, ["red", "green", "blue", *new], 0.1),
            "rare": draw(generator, [*rare, *new], 0.1 * is_new),
            "rare or missing": draw(generator, [*rare, *new], 0.2),
            "answer": draw(generator, ["yes", "no", *new], 0.1 * is_new),
        }
    )


def make_numbers(generator, is_new=False):
    """Missing numbers, and categories of numbers and booleans."""
    new = [7, 10**20] * is_new
    share = 0.1 * is_new
    return pd.DataFrame(
        {
            "missing later": pd.Series(draw(generator, [1.5, 2.5, 4.0], share), dtype=float),
            "half": pd.Categorical(draw(generator, [0.1, 0.5, 2.5], 0.1)),
            "missing": np.where(generator.random(N_ROWS) < 0.2, np.nan, generator.normal(size=200)),
            "none": np.full(N_ROWS, np.nan),
            "code": pd.Categorical(draw(generator, [1, 2, 100, *new], share)),
            "nullable": pd.array(generator.integers(0, 5, N_ROWS), dtype="Int64"),
            "flag": pd.array(draw(generator, [True, False], 0.2), dtype="boolean"),
            "bool": generator.random(N_ROWS) < 0.5,
            "no level": pd.Categorical([None] * N_ROWS, categories=["a"]),
            "many": pd.Categorical(draw(generator, [*range(50), *new], share)),
        }
    )


def make_categories(generator, is_new=False):
    return make_text(generator, is_new)[["colour", "answer"]]


def make_strange_names(generator, is_new=False):
    """Names that Keras refuses or uses itself, and levels that are its tokens."""
    levels = ["", "[MISSING]", "[UNK]", "two\nlines", "größer", *["new"] * is_new]
    frame = pd.DataFrame({"km/h": generator.normal(size=N_ROWS), "": generator.normal(size=N_ROWS)})
    for name in ("km_h", "encoder", "network", "cast", "A b", "a b", "größe"):
        frame[name] = draw(generator, levels, 0.1)
    return frame


def make_polars(generator, is_new=False):
    new = ["new"] * is_new
    rare = draw(generator, [*map(str, range(60)), *new], 0.1 * is_new).tolist()
    return pl.DataFrame(
        {
            "colour": draw(generator, ["red", "green", "blue", *new], 0.1).tolist(),
            "rare": pl.Series(rare, dtype=pl.Categorical),
            "flag": draw(generator, [True, False], 0.2).tolist(),
            "size": draw(generator, [0.5, 1.5, 2.5], 0.2).tolist(),
        }
    )


def make_array(generator, is_new=False):
    return make_text(generator, is_new).to_numpy(dtype=object)


def make_sparse(generator, is_new=False):
    cells = generator.choice([0.0, 0.0, 1.0, np.nan], (N_ROWS, 4))
    return sparse.csr_array(cells)


TABLES = {
    "text": make_text,
    "numbers": make_numbers,
    "only categories": make_categories,
    "strange names": make_strange_names,
    "polars": make_polars,
    "array": make_array,
    "sparse": make_sparse,
}


def fit(Estimator, X, y, **changes):
    if isinstance(X, np.ndarray) and X.dtype == object:
        changes["categorical_features"] = [1, 2, 3, 4]
    return Estimator(**{**SMALL, **changes}).fit(X, y)


@pytest.fixture(scope="module", params=in_full(TABLES, "only categories", "array"))
def classifier(request):
    """A classifier and two tables: that of its training, and one with what was not there."""
    make_table = TABLES[request.param]
    X = make_table(np.random.default_rng(0))
    y = np.random.default_rng(1).choice(["left", "right"], N_ROWS)
    with pytest.warns() if request.param == "numbers" else pytest.MonkeyPatch.context():
        model = fit(RegularizedMLPClassifier, X, y)  # the column "none" warns
    return model, (X, make_table(np.random.default_rng(2), is_new=True))


def assert_same_probabilities(model, exported, X):
    predicted = exported.predict(make_inputs(model, X), verbose=0)
    assert_allclose(predicted[:, 0], model.predict_proba(X)[:, 1], atol=1e-5)


def test_keras_predicts_the_probabilities_of_a_classifier(classifier):
    model, tables = classifier
    exported = model.to_keras()
    for X in tables:
        assert_same_probabilities(model, exported, X)


def test_a_keras_file_needs_no_code_of_skreg(classifier, tmp_path):
    model, tables = classifier
    save_model(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for X in tables:
        assert_same_probabilities(model, loaded, X)


def test_encoder_returns_the_encoded_table(classifier):
    """In training and later: the columns are those of `encoded_feature_names_`."""
    model, (_, X) = classifier
    exported = model.to_keras()
    encoder = exported.layers[-2]
    inputs = make_inputs(model, X)
    encoded = encoder.predict([inputs[name] for name in exported.input], verbose=0)
    expected = model._encode_table(check_table(model, X)[0])[0]
    expected = expected.toarray() if sparse.issparse(expected) else expected
    assert encoded.shape[1] == len(model.encoded_feature_names_)
    assert_allclose(encoded, expected, rtol=1e-6)


@pytest.fixture(scope="module")
def text():
    """A regressor of texts and its table."""
    X = make_text(np.random.default_rng(0))
    y = X["size"] + 5 * (X["colour"] == "red")
    return fit(RegularizedMLPRegressor, X, y), X


def test_keras_predicts_the_numbers_of_a_regressor(text):
    model, X = text
    new = make_text(np.random.default_rng(2), is_new=True)
    exported = model.to_keras()
    for table in (X, new):
        predicted = exported.predict(make_inputs(model, table), verbose=0)[:, 0]
        assert_allclose(predicted / 10, model.predict(table) / 10, atol=1e-5)


def test_inputs_have_the_names_and_types_of_columns(text):
    model, X = text
    inputs = model.to_keras().input
    assert list(inputs) == X.columns.tolist()
    assert [tensor.dtype for tensor in inputs.values()] == ["float32"] + ["string"] * 4
    assert {tensor.shape for tensor in inputs.values()} == {(None, 1)}


def test_a_column_without_a_name_is_counted():
    X = make_array(np.random.default_rng(0))
    model = fit(RegularizedMLPClassifier, X, np.arange(N_ROWS) % 2)
    assert list(model.to_keras().input) == ["x0", "x1", "x2", "x3", "x4"]


def test_a_missing_text_is_empty_unless_that_is_a_level(text):
    model, X = text
    inputs = make_inputs(model, X)
    is_missing = X["colour"].isna().to_numpy()
    assert set(inputs["colour"].numpy()[is_missing, 0]) == {b""}
    X = pd.DataFrame({"colour": ["", "red", None] * 20})
    model = fit(RegularizedMLPClassifier, X, [0, 1, 1] * 20)
    assert make_inputs(model, X)["colour"].numpy()[:3, 0].tolist() == [b"", b"red", b"[MISSING]"]


def test_an_empty_text_that_has_no_column_is_not_missing():
    X = pd.DataFrame({"colour": ["blue", "red", None] * 20})
    model = fit(RegularizedMLPClassifier, X, [0, 1, 1] * 20)
    X = pd.DataFrame({"colour": ["", "red", None]})
    assert_same_probabilities(model, model.to_keras(), X)


def test_the_model_is_compiled_and_can_be_trained(text):
    model, X = text
    exported = model.to_keras()
    assert isinstance(exported.optimizer, keras.optimizers.Adam)
    before = exported.get_layer("network").get_layer("hidden_1").get_weights()[0]
    exported.fit(make_inputs(model, X), X["size"].to_numpy(), verbose=0)
    assert (exported.get_layer("network").get_layer("hidden_1").get_weights()[0] != before).any()


def test_hidden_layers_may_compute_in_float16(text):
    model, X = text
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        exported = model.to_keras()
    finally:
        keras.config.set_dtype_policy(policy)
    assert exported.get_layer("network").get_layer("hidden_1").compute_dtype == "float16"
    predicted = exported.predict(make_inputs(model, X), verbose=0)[:, 0]
    assert_allclose(predicted / 10, model.predict(X) / 10, atol=1e-2)


def test_from_keras_refuses_the_model_and_takes_its_network(text):
    model, X = text
    exported = model.to_keras()
    with pytest.raises(ValueError, match=r"expected a model of a table of numbers.*'network'"):
        RegularizedMLPRegressor.from_keras(exported)
    loaded = RegularizedMLPRegressor.from_keras(exported.get_layer("network"))
    encoded = model._encode_table(check_table(model, X)[0])[0]
    assert_allclose(loaded.predict(encoded) / 10, model.predict(X) / 10, atol=1e-5)


def test_from_keras_refuses_a_table_of_one_column():
    X = pd.DataFrame({"size": [1.0, None, 3.0, 4.0] * 10})
    exported = fit(RegularizedMLPClassifier, X, [0, 1, 1, 0] * 10).to_keras()
    with pytest.raises(ValueError, match="expected a model of a table of numbers"):
        RegularizedMLPClassifier.from_keras(exported)


# -- a table of numbers ------------------------------------------------------------------------


def test_a_table_of_numbers_stays_a_sequential():
    iris = load_iris(as_frame=True)
    model = fit(RegularizedMLPClassifier, iris.data, iris.target)
    exported = model.to_keras()
    assert isinstance(exported, keras.Sequential)
    inputs = make_inputs(model, iris.data)
    assert_array_equal(inputs, iris.data.to_numpy(np.float32))
    predicted = exported.predict(inputs, verbose=0)
    assert_allclose(predicted, model.predict_proba(iris.data), atol=1e-5)


def test_inputs_of_a_table_of_numbers_have_medians_for_missing_values():
    iris = load_iris(as_frame=True)
    model = fit(RegularizedMLPClassifier, iris.data, iris.target)
    X = iris.data.mask(iris.data > 5)
    predicted = model.to_keras().predict(make_inputs(model, X), verbose=0)
    assert_allclose(predicted, model.predict_proba(X), atol=1e-5)


def test_a_network_from_keras_takes_numbers():
    X, y = load_iris(return_X_y=True)
    model = fit(RegularizedMLPClassifier, X, y)
    loaded = RegularizedMLPClassifier.from_keras(model.to_keras())
    assert_array_equal(make_inputs(loaded, X), X.astype(np.float32))


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "levels",
    [[20200101, 20200102, 20200103], [0.1, 0.1 + 1e-12, 0.2], [1, 2, 10**400]],
    ids=["integers", "decimals", "beyond float64"],
)
def test_levels_that_float32_cannot_tell_apart_are_refused(levels):
    X = pd.DataFrame({"day": pd.Categorical(levels * 20)})
    model = fit(RegularizedMLPClassifier, X, [0, 1, 1] * 20)
    with pytest.raises(ValueError, match=r"float32 can tell apart.*'day'.*Convert them"):
        model.to_keras()


def test_a_median_that_float32_cannot_hold_is_refused():
    X = pd.DataFrame({"size": [*[-3e39, 1e39, 2e39] * 20, None]})
    model = fit(RegularizedMLPClassifier, X, [*[0, 1, 1] * 20, 0])
    with pytest.raises(ValueError, match=r"float32 can hold.*for a column's median"):
        model.to_keras()


def test_levels_of_another_kind_are_refused(text):
    model, X = text
    with pytest.raises(ValueError, match=r"Column 'colour' of X: expected strings"):
        make_inputs(model, X.assign(colour=pd.Categorical([1] * N_ROWS)))


def test_inputs_need_a_fitted_estimator(text):
    _, X = text
    with pytest.raises(NotFittedError):
        make_inputs(RegularizedMLPClassifier(), X)
    with pytest.raises(TypeError, match="such as a RegularizedMLPClassifier"):
        make_inputs("model", X)


def test_text_needs_keras_on_tensorflow(text, monkeypatch):
    model, _ = text
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"expected Keras to run on TensorFlow.*'jax'"):
        model.to_keras()
