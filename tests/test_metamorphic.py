"""Metamorphic relations: what a change of the input does to the network and its predictions.

What must not matter is compared bit for bit. Another unit of the numbers puts the rows into another
order (that of their hashes), so that sums round differently: there, networks without dropout and
with one batch an epoch agree up to rounding.
"""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import assert_same_network, in_full
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

N_ROWS = 64
rng = np.random.default_rng(0)
# Multiples of 2**-8 below 16, which every float type but float16 holds exactly.
X = np.round(rng.normal(size=(N_ROWS, 4)) * 2**8) / 2**8
NUMBERS = np.round((3 * X[:, 0] + X[:, 1] ** 2 + 12) * 2**4) / 2**4
CODES = np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])
WEIGHT = rng.integers(1, 4, size=N_ROWS).astype(float)

LOSSES = ["squared_error", "absolute_error", "huber", "log_cosh", "quantile", "poisson"]
TARGETS = {
    "two classes": (CODES > 0).astype(int),
    "three classes": CODES,
    "several labels": np.c_[CODES > 0, CODES == 1, X[:, 2] > 0].astype(int),
    **dict.fromkeys(LOSSES, NUMBERS),
}
GAPPY = np.where(np.random.default_rng(3).random(X.shape) < 0.1, np.nan, X)
FEW = ["two classes", "squared_error", "absolute_error"]
TWO = ["three classes", "squared_error"]
RARE = ["huber", "log_cosh", "quantile"]

every_target = pytest.mark.parametrize("kind", in_full(TARGETS, *RARE, "several labels"))
two_targets = pytest.mark.parametrize("kind", TWO)
few_targets = pytest.mark.parametrize("kind", in_full(FEW, "absolute_error"))
losses = pytest.mark.parametrize("loss", in_full(LOSSES, *RARE))


def make(kind, **changes):
    """An estimator for a kind of target, with dropout and several batches an epoch."""
    values = {"hidden_layer_sizes": (6,), "dropout": 0.3, "max_iter": 4, "batch_size": 16}
    values |= {"random_state": 0, **changes}
    if kind in LOSSES:
        return RegularizedMLPRegressor(loss=kind, **values)
    return RegularizedMLPClassifier(**values)


def make_smooth(kind, **changes):
    """An estimator that rounding hardly moves: no dropout, all rows in each step."""
    values = {"dropout": 0.0, "activation": "tanh", "batch_size": N_ROWS, "max_iter": 20}
    values |= {
        "solver": "sgd",
        "momentum": 0.0,
        "learning_rate_init": 0.1,
        "learning_rate": "constant",
    }
    return make(kind, **{**values, **changes})


def predict(model, X):
    """Numbers that say all about a prediction: probabilities or values."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


# -- units and shifts --------------------------------------------------------------------------

CHANGES = {
    "a power of two": lambda X: X * 2.0 ** np.array([-20, 3, 0, 40]),
    "any unit": lambda X: X * [1e-3, 7.0, 1e5, 1 / 3],
    "a shift": lambda X: X + np.array([16.0, -8.0, 1024.0, 0.5]),
    "all of it": lambda X: (X - 5.0) * 1e6,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@few_targets
def test_unit_and_shift_of_the_columns_do_not_matter(kind, change):
    y = TARGETS[kind]
    one = make_smooth(kind).fit(X, y)
    other = make_smooth(kind).fit(change(X), y)
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-4)
    expected = predict(one, X)
    tolerance = 1e-4 * np.abs(expected).max()
    assert_allclose(predict(other, change(X)), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("exponent", [-300, -40, 1, 100])
@few_targets
def test_a_unit_that_is_a_power_of_two_changes_no_bit_of_scales(kind, exponent):
    y = TARGETS[kind]
    one = make(kind, max_iter=1).fit(X, y)
    other = make(kind, max_iter=1).fit(np.ldexp(X, exponent), y)
    assert_array_equal(np.ldexp(other.center_, -exponent), one.center_)
    assert_array_equal(np.ldexp(other.scale_, -exponent), one.scale_)


@pytest.mark.parametrize("unit", [2.0**-30, 2.0**20, 1e-3, 1e6])
@losses
def test_unit_of_the_target_does_not_matter(loss, unit):
    one = make_smooth(loss).fit(X, NUMBERS)
    other = make_smooth(loss).fit(X, NUMBERS * unit)
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-4)
    assert_allclose(other.predict(X) / unit, one.predict(X), rtol=1e-4)


@pytest.mark.parametrize("shift", [-64.0, 0.1, 1e4])
@pytest.mark.parametrize("loss", in_full([loss for loss in LOSSES if loss != "poisson"], *RARE))
def test_shift_of_the_target_does_not_matter(loss, shift):
    one = make_smooth(loss).fit(X, NUMBERS)
    other = make_smooth(loss).fit(X, NUMBERS + shift)
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-4)
    assert_allclose(other.predict(X) - shift, one.predict(X), rtol=0, atol=1e-3)


@pytest.mark.parametrize("unit", [2.0**-30, 2.0**20])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_unit_of_the_target_does_not_matter_in_a_stream(loss, unit):
    def stream(y):
        model = make_smooth(loss)
        for part in np.split(np.arange(N_ROWS), 4):
            model.partial_fit(X[part], y[part])
        return model.predict(X)

    assert_allclose(stream(NUMBERS * unit) / unit, stream(NUMBERS), rtol=1e-4)


# -- rows and weights --------------------------------------------------------------------------


@every_target
def test_order_of_the_rows_changes_no_bit(kind):
    y, order = TARGETS[kind], np.random.default_rng(1).permutation(N_ROWS)
    one, other = make(kind).fit(X, y), make(kind).fit(X[order], y[order])
    assert_same_network(one, other)
    assert_array_equal(predict(one, X), predict(other, X))


@few_targets
def test_order_of_weighted_rows_changes_no_bit(kind):
    y, order = TARGETS[kind], np.random.default_rng(1).permutation(N_ROWS)
    one = make(kind).fit(X, y, WEIGHT)
    assert_same_network(one, make(kind).fit(X[order], y[order], WEIGHT[order]))


@few_targets
def test_order_of_the_rows_changes_no_bit_of_a_stream(kind):
    y, order = TARGETS[kind], np.random.default_rng(1).permutation(N_ROWS // 2)
    models = []
    for rows in (np.arange(N_ROWS // 2), order):
        model = make(kind)
        known = {"classes": [0, 1]} if kind == "two classes" else {}
        model.partial_fit(X[rows], y[rows], **known)
        models.append(model.partial_fit(X[32 + rows], y[32 + rows]))
    assert_same_network(*models)


@two_targets
def test_order_of_the_rows_changes_no_bit_of_early_stopping(kind):
    y, order = TARGETS[kind], np.random.default_rng(1).permutation(N_ROWS)
    one = make(kind, early_stopping=True).fit(X, y)
    other = make(kind, early_stopping=True).fit(X[order], y[order])
    assert_same_network(one, other)
    assert one.validation_loss_curve_ == other.validation_loss_curve_


@pytest.mark.parametrize("factor", [2.0**-40, 0.5, 3, 1000])
@few_targets
def test_a_factor_of_all_weights_changes_no_bit(kind, factor):
    y = TARGETS[kind]
    assert_same_network(make(kind).fit(X, y, WEIGHT), make(kind).fit(X, y, factor * WEIGHT))


@pytest.mark.parametrize("value", [1e-310, 0.1, 2, 1000, 1e300])
@few_targets
def test_equal_weights_are_no_weights(kind, value):
    y = TARGETS[kind]
    assert_same_network(make(kind).fit(X, y), make(kind).fit(X, y, np.full(N_ROWS, value)))


@pytest.mark.parametrize("factor", [0.5, 1000])
@two_targets
def test_a_factor_of_all_weights_changes_no_bit_of_early_stopping(kind, factor):
    y = TARGETS[kind]
    one = make(kind, early_stopping=True).fit(X, y, WEIGHT)
    other = make(kind, early_stopping=True).fit(X, y, factor * WEIGHT)
    assert_same_network(one, other)
    assert one.validation_loss_curve_ == other.validation_loss_curve_


@pytest.mark.parametrize("factor", [0.5, 1000])
@few_targets
def test_a_factor_of_all_weights_changes_no_bit_of_a_stream(kind, factor):
    y, known = TARGETS[kind], {"classes": [0, 1]} if kind == "two classes" else {}
    models = []
    for scale in (1.0, factor):
        model = make(kind).partial_fit(X[:32], y[:32], scale * WEIGHT[:32], **known)
        models.append(model.partial_fit(X[32:], y[32:], scale * WEIGHT[32:]))
    assert_same_network(*models)


# -- names -------------------------------------------------------------------------------------


@few_targets
def test_names_of_the_columns_change_no_bit(kind):
    frames = [pd.DataFrame(X, columns=list(names)) for names in ("abcd", "zyxw")]
    one, other = (make(kind).fit(frame, TARGETS[kind]) for frame in frames)
    assert_same_network(one, other)
    assert_array_equal(predict(one, frames[0]), predict(other, frames[1]))


@few_targets
def test_an_index_of_the_rows_changes_no_bit(kind):
    y, index = TARGETS[kind], np.arange(N_ROWS)[::-1] * 10
    frame, series = pd.DataFrame(X, index=index), pd.Series(y, index=index)
    assert_same_network(make(kind).fit(X, y), make(kind).fit(frame, series))


NAMES = {
    "letters": np.array(["a", "b", "c"]),
    "objects": np.array(["a", "b", "c"], dtype=object),
    "numbers": np.array([-5, 10, 2**40]),
    "floats": np.array([1.0, 2.0, 7.0]),
    "small integers": np.array([3, 4, 5], dtype=np.int8),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("kind", ["two classes", "three classes"])
def test_labels_with_other_names_in_the_same_order_change_no_bit(kind, names):
    y = TARGETS[kind]
    one, other = make(kind).fit(X, y), make(kind).fit(X, names[y])
    assert_same_network(one, other)
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert_array_equal(names[one.predict(X)], other.predict(X))


# -- storage and types -------------------------------------------------------------------------

DENSE = {
    "column-major": np.asfortranarray,
    "strided": lambda array: array.repeat(2, axis=0)[::2],
    "backwards": lambda array: np.ascontiguousarray(array[::-1])[::-1],
    "pandas": lambda array: pd.DataFrame(array) if array.ndim == 2 else pd.Series(array),
    "polars": lambda array: pl.DataFrame(array) if array.ndim == 2 else pl.Series(array),
}
SPARSE = {
    "CSC": sparse.csc_array,
    "COO": sparse.coo_array,
    "LIL": sparse.lil_array,
    "CSR matrix": sparse.csr_matrix,
    "CSR with 64-bit indices": lambda array: _widen(sparse.csr_array(array)),
    "CSR with stored zeros": lambda array: _store_zeros(sparse.csr_array(array)),
}


def _widen(table):
    table.indices, table.indptr = table.indices.astype(np.int64), table.indptr.astype(np.int64)
    return table


def _store_zeros(table):
    coo = table.tocoo()
    row, column = np.indices(table.shape).reshape(2, -1)
    values = np.concatenate([coo.data, np.zeros(row.size)])
    places = np.concatenate([coo.row, row]), np.concatenate([coo.col, column])
    return sparse.coo_array((values, places), shape=table.shape)


def assert_same_as_stored(kind, table, other):
    """A table gives the same network as the one that it is stored as otherwise."""
    y = TARGETS[kind]
    one, two = make(kind).fit(table, y), make(kind).fit(other, y)
    assert_same_network(one, two)
    assert_array_equal(predict(one, table), predict(two, other))


@pytest.mark.parametrize("store", DENSE.values(), ids=DENSE.keys())
@pytest.mark.parametrize("kind", ["several labels", "squared_error", "quantile"])
def test_storage_of_a_dense_table_changes_no_bit(kind, store):
    assert_same_as_stored(kind, X, store(X))


@pytest.mark.parametrize("store", DENSE.values(), ids=DENSE.keys())
@pytest.mark.parametrize("kind", ["three classes", "several labels", "squared_error"])
def test_storage_of_the_target_changes_no_bit(kind, store):
    y = TARGETS[kind]
    assert_same_network(make(kind).fit(X, y), make(kind).fit(X, store(y)))


@pytest.mark.parametrize("share", [0.5, 0.02], ids=["many", "few"])
@pytest.mark.parametrize("store", SPARSE.values(), ids=SPARSE.keys())
@two_targets
def test_storage_of_a_sparse_table_changes_no_bit(kind, store, share):
    """Of many non-zeros, which are held as dense rows, and of few."""
    keep = np.random.default_rng(2).random(X.shape) < share
    table = np.where(keep, X, 0.0)
    assert_same_as_stored(kind, sparse.csr_array(table), store(table))


@pytest.mark.parametrize("share", [0.5, 0.02], ids=["many", "few"])
@two_targets
def test_copies_of_the_rows_of_a_sparse_table_are_weights(kind, share):
    table = np.where(np.random.default_rng(2).random(X.shape) < share, X, 0.0)
    y, counts = TARGETS[kind], WEIGHT.astype(int)
    one = make(kind).fit(sparse.csr_array(table), y, counts)
    copies = sparse.csr_array(table.repeat(counts, axis=0))
    assert_same_network(one, make(kind).fit(copies, y.repeat(counts, axis=0)))


VALIDATION = {"dense": np.asarray, "CSR": sparse.csr_array, "CSC": sparse.csc_array}


@pytest.mark.parametrize("share", [0.5, 0.02], ids=["many", "few"])
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@two_targets
def test_storage_of_validation_rows_changes_no_bit(kind, store, share):
    table = np.where(np.random.default_rng(2).random(X.shape) < share, X, 0.0)
    y, models = TARGETS[kind], []
    for store_held_out in VALIDATION.values():
        model = make(kind, early_stopping=True)
        held_out = {"X_val": store_held_out(table[48:]), "y_val": y[48:]}
        models.append(model.fit(store(table[:48]), y[:48], **held_out))
    for model in models[1:]:
        assert_same_network(models[0], model)
        assert model.validation_loss_curve_ == models[0].validation_loss_curve_


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble, object])
@every_target
def test_other_types_of_the_same_numbers_change_no_bit(kind, dtype):
    y = TARGETS[kind]
    one = make(kind).fit(X, y)
    assert_same_network(one, make(kind).fit(X.astype(dtype), y))
    if kind in LOSSES:
        assert_same_network(one, make(kind).fit(X, y.astype(dtype)))


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int64, bool])
@few_targets
def test_narrow_types_change_no_bit(kind, dtype):
    table = np.round(X) if dtype is not bool else X > 0
    y = TARGETS[kind]
    assert_same_network(make(kind).fit(table, y), make(kind).fit(table.astype(dtype), y))


@every_target
def test_predictions_of_float32_and_float64_agree(kind):
    model = make(kind).fit(X, TARGETS[kind])
    expected = predict(model, X)
    found = predict(model, X.astype(np.float32))
    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.02], ids=["many", "few"])
@pytest.mark.parametrize("has_missing", [False, True], ids=["complete", "with missing values"])
@two_targets
def test_a_dense_and_a_sparse_table_give_the_same_bits(kind, has_missing, share):
    chance = np.random.default_rng(2).random((2, *X.shape))
    table = np.where(chance[0] < share, X, 0.0)
    if has_missing:
        table[chance[1] < 0.1] = np.nan
    for store in (sparse.csr_array, sparse.csc_array):
        assert_same_as_stored(kind, table, store(table))


@two_targets
def test_a_dense_and_a_sparse_table_give_the_same_bits_in_a_stream(kind):
    known = {"classes": [0, 1, 2]} if kind == "three classes" else {}
    y, models = TARGETS[kind], []
    for store in (np.asarray, sparse.csr_array):
        model = make(kind).partial_fit(store(GAPPY[:32]), y[:32], **known)
        models.append(model.partial_fit(store(GAPPY[32:]), y[32:]))
    assert_same_network(*models)


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble, object])
@two_targets
def test_other_types_of_numbers_with_missing_ones_change_no_bit(kind, dtype):
    y = TARGETS[kind]
    assert_same_network(make(kind).fit(GAPPY, y), make(kind).fit(GAPPY.astype(dtype), y))


# -- data frames -------------------------------------------------------------------------------

# With eight encoded columns, so that they train with the programs of the tables above.
LEVELS = np.array(["blue", "green", "red", None], dtype=object)
COLORS = np.digitize(X[:, 2], [-0.8, 0.3, 1.0])
FRAME = pd.DataFrame(
    {
        "a": GAPPY[:, 0],
        "b": X[:, 1],
        "c": pd.Series(LEVELS[COLORS], dtype="str"),
        "d": X[:, 3] > 0,
    }
)
ENCODED = [*("a", "b", "d", "a_missing"), *("c_blue", "c_green", "c_red", "c_missing")]


def to_objects(frame):
    """A frame as an array of objects, with None for missing cells."""
    return frame.astype(object).where(frame.notna(), None).to_numpy()


def to_polars(string_type):
    return lambda frame: pl.DataFrame(
        {
            **{name: pl.Series(frame[name].to_numpy(), nan_to_null=True) for name in "ab"},
            "c": pl.Series(to_objects(frame)[:, 2].tolist(), dtype=string_type),
            "d": frame["d"].to_numpy(),
        }
    )


STORED_FRAMES = {
    "objects and None": lambda frame: frame.assign(c=pd.Series(to_objects(frame)[:, 2], dtype="O")),
    "objects and NaN": lambda frame: frame.assign(c=frame["c"].astype(object)),
    "nullable types": lambda frame: frame.astype(
        {"a": "Float64", "b": "Float64", "c": "string", "d": "boolean"}
    ),
    "category": lambda frame: frame.astype({"c": "category"}),
    "unused categories": lambda frame: frame.assign(
        c=pd.Categorical(frame["c"], ["unused", "red", "green", "blue", "also unused"])
    ),
    "other rows before": lambda frame: frame.iloc[::-1].set_index(np.arange(N_ROWS)).iloc[::-1],
    "polars strings": to_polars(pl.String),
    "polars categories": to_polars(pl.Categorical),
    "polars enums": to_polars(pl.Enum(["unused", "red", "green", "blue"])),
}


def test_the_frame_has_the_columns_of_a_program_of_above():
    model = make("three classes").fit(FRAME, CODES)
    assert model.encoded_feature_names_[: len(ENCODED)].tolist() == ENCODED  # then their bins


@two_targets
def test_a_frame_is_the_table_of_its_encoded_columns(kind):
    table = pd.concat(
        [
            FRAME["a"].fillna(FRAME["a"].median()),
            FRAME[["b", "d"]].astype(float),
            FRAME["a"].isna().astype(float),
            pd.get_dummies(FRAME["c"], dummy_na=True, dtype=float),
        ],
        axis=1,
    ).to_numpy()
    y = TARGETS[kind]
    one, other = make(kind).fit(FRAME, y), make(kind).fit(table, y)
    assert_same_network(one, other)
    assert_array_equal(predict(one, FRAME), predict(other, table))


@pytest.mark.parametrize("store", STORED_FRAMES.values(), ids=STORED_FRAMES.keys())
@two_targets
def test_storage_of_a_frame_changes_no_bit(kind, store):
    assert_same_as_stored(kind, FRAME, store(FRAME))


@pytest.mark.parametrize("selection", [[2], [False, False, True, False]], ids=["index", "mask"])
@pytest.mark.parametrize("store", [np.asarray, np.asfortranarray, np.ndarray.tolist])
@two_targets
def test_an_array_with_named_categories_is_a_frame(kind, store, selection):
    y, table = TARGETS[kind], store(to_objects(FRAME))
    one = make(kind).fit(FRAME, y)
    other = make(kind, categorical_features=selection).fit(table, y)
    assert_same_network(one, other)
    assert_array_equal(predict(one, FRAME), predict(other, table))


@pytest.mark.parametrize("selection", ["from_dtype", ["c"], np.array([2])], ids=str)
@pytest.mark.parametrize("store", ["category", "polars strings"])
@two_targets
def test_ways_to_select_the_categories_change_no_bit(kind, store, selection):
    y, frame = TARGETS[kind], STORED_FRAMES[store](FRAME)
    other = make(kind, categorical_features=selection).fit(frame, y)
    assert_same_network(make(kind).fit(FRAME, y), other)


RENAMED = {
    "words": ["bird", "fish", "horse"],
    "numbers": [-5, 1, 2**40],
    "fractions": [-0.5, 0.25, 1e300],
}


@pytest.mark.parametrize("levels", RENAMED.values(), ids=RENAMED.keys())
@two_targets
def test_levels_with_other_names_in_the_same_order_change_no_bit(kind, levels):
    y, codes = TARGETS[kind], np.where(COLORS == 3, -1, COLORS)
    renamed = FRAME.assign(c=pd.Categorical.from_codes(codes, levels))
    assert_same_as_stored(kind, FRAME, renamed)
    weighted = make(kind).fit(FRAME, y, WEIGHT), make(kind).fit(renamed, y, WEIGHT)
    assert_same_network(*weighted)


@two_targets
def test_names_of_the_columns_of_a_frame_change_no_bit(kind):
    assert_same_as_stored(kind, FRAME, FRAME.rename(columns=dict(zip("abcd", "zyxw", strict=True))))


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["no weights", "weights"])
@two_targets
def test_order_of_the_rows_of_a_frame_changes_no_bit(kind, weight):
    y, order = TARGETS[kind], np.random.default_rng(1).permutation(N_ROWS)
    one = make(kind).fit(FRAME, y, weight)
    other = make(kind).fit(FRAME.iloc[order], y[order], None if weight is None else weight[order])
    assert_same_network(one, other)
    assert_array_equal(predict(one, FRAME), predict(other, FRAME))


@pytest.mark.parametrize("early_stopping", [False, True])
@two_targets
def test_copies_of_the_rows_of_a_frame_are_weights(kind, early_stopping):
    y, counts = TARGETS[kind], WEIGHT.astype(int)
    one = make(kind, early_stopping=early_stopping).fit(FRAME, y, counts)
    copies = FRAME.loc[FRAME.index.repeat(counts)]
    other = make(kind, early_stopping=early_stopping).fit(copies, y.repeat(counts))
    assert_same_network(one, other)
    assert one.validation_loss_curve_ == other.validation_loss_curve_


@two_targets
def test_rows_of_a_frame_without_weight_change_no_bit(kind):
    y = np.concatenate([TARGETS[kind], TARGETS[kind][:8]])
    others = FRAME[:8].assign(b=np.nan, c=["new", "newer"] * 4)
    weight = np.concatenate([WEIGHT, np.zeros(8)])
    one = make(kind).fit(FRAME, TARGETS[kind], WEIGHT)
    assert_same_network(one, make(kind).fit(pd.concat([FRAME, others]), y, weight))


@pytest.mark.parametrize("factor", [2.0**-40, 3, 1e300])
@two_targets
def test_a_factor_of_all_weights_changes_no_bit_of_a_frame(kind, factor):
    y = TARGETS[kind]
    one, other = (make(kind).fit(FRAME, y, scale * WEIGHT) for scale in (1.0, factor))
    assert_same_network(one, other)
    one, other = make(kind).fit(FRAME, y), make(kind).fit(FRAME, y, np.full(N_ROWS, factor))
    assert_same_network(one, other)


STREAMS = {
    "other order": (lambda frame: frame.iloc[::-1], slice(None, None, -1), 1.0),
    "other weights": (lambda frame: frame, slice(None), 1000.0),
    "category": (STORED_FRAMES["category"], slice(None), 1.0),
    "polars": (STORED_FRAMES["polars strings"], slice(None), 1.0),
    "objects": (to_objects, slice(None), 1.0),
}


@pytest.mark.parametrize(("change", "order", "factor"), STREAMS.values(), ids=STREAMS.keys())
@two_targets
def test_a_stream_of_frames_has_the_same_bits(kind, change, order, factor):
    known = {"classes": [0, 1, 2]} if kind == "three classes" else {}
    models = []
    for store, rows, scale in ((lambda frame: frame, slice(None), 1.0), (change, order, factor)):
        selection = [2] if store is to_objects else "from_dtype"
        model = make(kind, categorical_features=selection)
        for start in (0, 32):
            part = slice(start, start + 32)
            y, weight = TARGETS[kind][part][rows], scale * WEIGHT[part][rows]
            model.partial_fit(store(FRAME.iloc[part]), y, weight, **known)
        models.append(model)
    assert_same_network(*models)


@pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")
@two_targets
def test_storage_of_a_frame_changes_no_bit_of_a_search(kind):
    frames = [
        FRAME,
        *(STORED_FRAMES[name](FRAME) for name in ("unused categories", "polars enums")),
    ]
    options = {"dropouts": [0.1, 0.4], "l2s": [1e-3], "cv": 2, "hidden_layer_sizes": (6,)}
    options |= {"batch_size": 16, "max_iter": 4, "random_state": 0}
    searches = [SEARCHES[kind](**options).fit(frame, TARGETS[kind], WEIGHT) for frame in frames]
    for search, frame in zip(searches, frames, strict=True):
        scores = [s.cv_results_["mean_test_score"] for s in (searches[0], search)]
        assert_array_equal(*scores)
        assert_same_network(searches[0], search)
        assert_array_equal(predict(searches[0], FRAME), predict(search, frame))


# -- calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@every_target
def test_rows_predicted_in_parts_are_those_of_one_call(kind, store, dtype, tolerance):
    table = store(X.astype(dtype))
    model = make(kind).fit(table, TARGETS[kind])
    parts = [slice(0, 1), slice(1, 7), slice(7, N_ROWS)]
    found = np.concatenate([predict(model, table[part]) for part in parts])
    assert_allclose(found, predict(model, table), rtol=tolerance, atol=tolerance)


@few_targets
def test_a_second_fit_forgets_the_first(kind):
    y = TARGETS[kind]
    one = make(kind).fit(X, y)
    other = make(kind).fit(5 * X[:40, :3], y[:40]).fit(X, y)
    assert_same_network(one, other)


@few_targets
def test_a_clone_with_the_same_parameters_gives_the_same_bits(kind):
    y, model = TARGETS[kind], make(kind)
    model.fit(X[:30], y[:30])
    assert_same_network(make(kind).fit(X, y), clone(model).fit(X, y))


SEARCHES = {
    "two classes": RegularizedMLPClassifierCV,
    "three classes": RegularizedMLPClassifierCV,
    **dict.fromkeys(LOSSES, RegularizedMLPRegressorCV),
}


@pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")
@pytest.mark.parametrize("kind", ["two classes", "squared_error", "quantile"])
def test_the_winner_of_a_search_is_the_network_of_a_fit(kind):
    y, model = TARGETS[kind], make(kind)
    grid = GridSearchCV(model, {"dropout": [0.1, 0.4], "l2": [1e-3]}, cv=2).fit(X, y)
    parameters = {
        name: value
        for name, value in model.get_params().items()
        if name not in ("dropout", "l2", "warm_start")
    }
    search = SEARCHES[kind](dropouts=[0.1, 0.4], l2s=[1e-3], cv=2, **parameters).fit(X, y)
    alone = make(kind, **grid.best_params_).fit(X, y)
    assert_same_network(grid.best_estimator_, alone)
    alone = make(kind, **search.best_params_).fit(X, y)
    assert_same_network(search, alone)
