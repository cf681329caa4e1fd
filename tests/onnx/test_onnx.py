"""ONNX graphs predict what the estimators predict, alone and inside pipelines."""

import pickle
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import polars
import pytest
import skl2onnx
from helpers import TINY, in_full, quick_regression_search, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)
from skreg.keras import save_model
from skreg.onnx import make_inputs, to_onnx

# The winner of a small grid often lies on its edge.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning"),
    pytest.mark.filterwarnings("ignore:X. most values of the columns:UserWarning"),
]

IRIS = load_iris()
X, SPECIES = IRIS.data, IRIS.target
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


def run(graph, table):
    """The outputs of a graph by their names."""
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, make_inputs(session, table)), strict=True))


def assert_converts(model, table, rows=None):
    """A graph for the types of `table` predicts other rows as the model does."""
    rows = table if rows is None else rows
    graph = to_onnx(model, table)
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx.ml"}
    outputs = run(graph, rows)
    if hasattr(model, "predict_proba"):
        assert list(outputs) == ["label", "probabilities"]
        assert_allclose(outputs["probabilities"], model.predict_proba(rows), atol=1e-5)
        assert_array_equal(outputs["label"], model.predict(rows))
        return outputs
    assert list(outputs) == ["variable"]
    expected = model.predict(rows).reshape(len(rows), -1)
    largest = np.abs(expected).max()
    assert_allclose(outputs["variable"] / largest, expected / largest, atol=1e-5)
    return outputs


def make_table(seed=0, is_new=False):
    """Every kind of column. Texts have an empty level and look like those of missing ones."""
    rng = np.random.default_rng(seed)
    n_rows = 80
    text = rng.choice(["red", "blue", "green"], n_rows).astype(object)
    text[:4] = "", "", None, "once"
    if is_new:
        text[4:8] = "new", "[MISSING]", "[UNK]", None
    return pd.DataFrame(
        {
            "size": np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(1e6, 3, n_rows)),
            "count": rng.integers(0, 9, n_rows),
            "is new": rng.random(n_rows) < 0.5,
            "asked": pd.array(rng.choice([True, False, None], n_rows), dtype="boolean"),
            "code": pd.Categorical(rng.choice([1, 2, 500], n_rows)),
            "colour": text,
            "city": pd.Categorical(rng.choice(["Ulm", "Kiel"], n_rows)),
            "größe": rng.normal(size=n_rows).astype(np.float32),
        }
    )


TABLE = make_table()
LABELS = np.where(TABLE["count"] + (TABLE["colour"] == "red") > 4, "yes", "no")


# -- tables of numbers -------------------------------------------------------------------------

CLASSIFIERS = {
    "relu": {"numerical_encoding": "piecewise"},
    "periodic": {"numerical_encoding": "periodic"},
    "linear": {"hidden_layer_sizes": ()},
    "unscaled": {"standardize": False, "activation": "identity"},
    **{name: {"activation": name} for name in ("tanh", "logistic", "gelu", "silu")},
}


@pytest.mark.parametrize("changes", in_full(CLASSIFIERS, "tanh", "logistic", "gelu", "silu"))
def test_a_classifier_is_converted(changes):
    model = RegularizedMLPClassifier(**{**SMALL, **CLASSIFIERS[changes]}).fit(X, SPECIES)
    assert_converts(model, X)


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (SPECIES == 1, bool),
        (IRIS.target_names[SPECIES], object),
        (SPECIES * 1.0, np.float64),
        (SPECIES.astype(np.uint8), np.int64),
        (np.c_[SPECIES > 0, SPECIES == 1].astype(int), np.int64),
    ],
    ids=["booleans", "texts", "floats", "unsigned", "two labels"],
)
def test_labels_have_their_type(labels, dtype):
    model = RegularizedMLPClassifier(**SMALL).fit(X, labels)
    assert assert_converts(model, X)["label"].dtype == dtype


REGRESSORS = {
    "squares": {},
    "counts": {"loss": "poisson"},
    "quantiles": {"loss": "quantile", "quantile": (0.1, 0.5, 0.9)},
}


@pytest.mark.parametrize("changes", REGRESSORS)
def test_a_regressor_is_converted(changes):
    model = RegularizedMLPRegressor(**SMALL, **REGRESSORS[changes]).fit(X[:, 1:], 100 + X[:, 0])
    assert_converts(model, X[:, 1:])


def test_several_targets_are_converted():
    model = RegularizedMLPRegressor(**SMALL).fit(X[:, 2:], X[:, :2] * [1, 1e4])
    assert assert_converts(model, X[:, 2:])["variable"].shape == (150, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_beyond_the_training_rows_are_those_of_predict(dtype):
    """Means end at the largest number of the type."""
    x = np.linspace(-1, 1, 100)[:, None]
    model = RegularizedMLPRegressor((), loss="poisson", max_iter=20, random_state=0)
    model.fit(x, np.exp(3 * x[:, 0]))
    far = np.array([[-20.0], [20.0], [60.0], [1e4]], dtype)
    found = run(to_onnx(model, far), far)["variable"][:, 0]
    assert_allclose(found, model.predict(far), rtol=1e-4)
    assert found[3] == np.finfo(dtype).max
    if dtype == np.float64:
        assert np.finfo(np.float32).max < found[2] < found[3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_average_of_the_largest_numbers_is_the_largest_number(dtype):
    x = np.linspace(-1, 1, 100)[:, None]
    model = RegularizedMLPRegressorCV(
        dropouts=[0],
        l2s=[0],
        cv=11,  # 11 times a rounded eleventh of the largest float64 is infinite
        refit="folds",
        hidden_layer_sizes=(),
        loss="poisson",
        max_iter=20,
        random_state=0,
    ).fit(x, np.exp(3 * x[:, 0]))
    far = np.array([[1.0], [1e4]], dtype)
    found = run(to_onnx(model, far), far)["variable"][:, 0]
    assert_allclose(found, model.predict(far), rtol=1e-4)
    assert found[1] == np.finfo(dtype).max


def test_columns_far_from_zero_keep_their_digits_in_float64():
    model = RegularizedMLPClassifier(**SMALL).fit(X + 1e9, SPECIES)
    assert_converts(model, X + 1e9)


def test_precision_is_that_of_the_table():
    model = RegularizedMLPClassifier(**SMALL).fit(X, SPECIES)
    narrow = X.astype(np.float32)
    assert assert_converts(model, narrow)["probabilities"].dtype == np.float32
    assert assert_converts(model, X)["probabilities"].dtype == np.float64
    assert run(to_onnx(model), X)["probabilities"].dtype == np.float32


def test_a_sparse_table_is_converted():
    table = sparse.csr_array(np.where(X > 3, X, 0))
    model = RegularizedMLPClassifier(**SMALL).fit(table, SPECIES)
    outputs = run(to_onnx(model), table)
    assert_allclose(outputs["probabilities"], model.predict_proba(table), atol=1e-5)


def test_a_network_from_keras_rounds_its_inputs():
    model = RegularizedMLPClassifier(**SMALL).fit(X, SPECIES)
    back = RegularizedMLPClassifier.from_keras(model.to_keras())
    assert_converts(back, X)


# -- categories and missing values -------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda table: table, "polars"], ids=["pandas", "polars"])
def test_a_mixed_table_has_an_input_for_each_column(make):
    if make == "polars":
        make = polars.from_pandas
    model = RegularizedMLPClassifier(**SMALL).fit(make(TABLE), LABELS)
    assert_converts(model, make(TABLE))
    assert_converts(model, make(TABLE), make(make_table(1, is_new=True)))
    assert_converts(model, make(TABLE)[2:3], make(TABLE))  # whose text is missing
    names = [name.replace(" ", "_") for name in TABLE]
    assert [one.name for one in to_onnx(model).graph.input] == names


def test_names_that_onnx_does_not_allow_stay_different():
    texts = np.resize(["", "a", None, "b"], 80)
    table = pd.DataFrame(dict.fromkeys(["a b", "a_b", "a-b", "1", "_"], texts))
    table["a b"] = np.resize(["x", "y"], 80)
    model = RegularizedMLPClassifier(**SMALL).fit(table, LABELS)
    assert_converts(model, table)
    assert len({one.name for one in to_onnx(model).graph.input}) == 5


def test_numbers_of_a_mixed_table_are_converted():
    model = RegularizedMLPRegressor(**SMALL, numerical_encoding="piecewise")
    assert_converts(model.fit(TABLE, TABLE["count"] + 5.0), TABLE)


@pytest.mark.parametrize("target_opset", [13, 15, 17])
@pytest.mark.parametrize("encoding", ["piecewise", "periodic"])
def test_older_operators_are_enough(target_opset, encoding):
    model = RegularizedMLPClassifier(**SMALL, numerical_encoding=encoding).fit(TABLE, LABELS)
    found = run(to_onnx(model, TABLE, target_opset=target_opset), TABLE)
    assert_allclose(found["probabilities"], model.predict_proba(TABLE), atol=1e-5)


@pytest.mark.parametrize("levels", [[20240130, 20240131, 20240132], [0.1, 0.2, 0.3]])
def test_levels_are_found_in_their_precision(levels):
    table = pd.DataFrame({"level": np.resize(levels, 60)})
    model = RegularizedMLPClassifier(**SMALL, categorical_features=["level"])
    model.fit(table, np.resize([0, 1, 1], 60))
    assert_converts(model, table)
    outputs = run(to_onnx(model), table)  # without a table
    assert_allclose(outputs["probabilities"], model.predict_proba(table), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float16, object])
def test_columns_of_other_types_keep_their_digits(dtype):
    table = np.c_[np.arange(150) % 100, SPECIES].astype(dtype)
    if dtype in (np.int64, object):
        table = table + 1_700_000_000
    model = RegularizedMLPClassifier(**SMALL).fit(table, SPECIES)
    assert_converts(model, table)


@pytest.mark.filterwarnings("ignore:X. the columns .* have no values:UserWarning")
def test_a_column_without_values_in_training_may_have_texts():
    table = pd.DataFrame({"a": X[:, 0], "note": [None] * 150})
    model = RegularizedMLPClassifier(**SMALL).fit(table, SPECIES)
    assert_converts(model, table, table.assign(note="x"))


def test_a_list_of_rows_may_have_missing_texts():
    rows = [["a", 1.0], [float("nan"), 2.0], ["b", 3.0]] * 20
    model = RegularizedMLPClassifier(**SMALL, categorical_features=[0])
    model.fit(rows, [0, 1, 0] * 20)
    found = run(to_onnx(model), rows)["probabilities"]
    assert_allclose(found, model.predict_proba(rows), atol=1e-5)


def test_narrow_bins_far_from_the_mean_keep_their_digits():
    rng = np.random.default_rng(0)
    column = np.where(np.arange(400) % 2, 0.0, 1000 + rng.normal(0, 0.5, 400))
    table = np.c_[column, rng.normal(size=400)]
    for encoding in ("piecewise", "periodic"):
        model = RegularizedMLPClassifier(**SMALL, numerical_encoding=encoding)
        assert_converts(model.fit(table, column > 1000), table)


def test_missing_numbers_of_an_array_are_replaced():
    table = X.copy()
    table[::7, 2] = np.nan
    model = RegularizedMLPClassifier(**SMALL).fit(table, SPECIES)
    assert_converts(model, table)
    assert [one.name for one in to_onnx(model).graph.input] == ["x0", "x1", "x2", "x3"]


def test_missing_numbers_that_training_did_not_have_are_replaced():
    model = RegularizedMLPClassifier(**SMALL).fit(X, SPECIES)
    assert_converts(model, X, np.where(X > 6, np.nan, X))


def test_named_categories_of_an_array_are_converted():
    table = np.c_[X.round(), SPECIES]
    model = RegularizedMLPClassifier(**SMALL, categorical_features=[0, 4]).fit(table, SPECIES)
    assert_converts(model, table)


# -- searches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [True, "folds", "ensemble"])
def test_a_search_is_converted(refit):
    model = quick_search(**TINY, refit=refit).fit(X, SPECIES)
    assert_converts(model, X)


@pytest.mark.parametrize("changes", [{}, {"loss": "quantile", "quantile": (0.1, 0.9)}])
def test_numbers_of_an_ensemble_are_averaged(changes):
    model = quick_regression_search(**TINY, **changes, refit="ensemble")
    model.fit(X[:, 1:], 10 * X[:, 0])
    assert len(set(model.estimator_weights_)) > 1
    assert_converts(model, X[:, 1:])


@pytest.mark.parametrize(
    "labels",
    [SPECIES, SPECIES > 0, np.c_[SPECIES == 0, SPECIES == 2].astype(int)],
    ids=["three", "two", "labels"],
)
def test_folds_may_lack_a_class(labels):
    splits = [(np.arange(50, 150), np.arange(50)), (np.arange(100), np.arange(100, 150))]
    model = quick_search(**{**TINY, "cv": splits}, refit="folds").fit(X, labels)
    assert_converts(model, X)
    # Far away each network may exclude the classes that it knows. Labels may be ties.
    far = X.mean(axis=0) + 1e4 * np.random.default_rng(0).normal(size=(500, 4))
    outputs = run(to_onnx(model, X, target_opset=12), far)
    assert_allclose(outputs["probabilities"], model.predict_proba(far), atol=1e-5)


def test_two_folds_may_have_one_class_each():
    splits = [(np.arange(50, 150), np.arange(50)), (np.arange(50), np.arange(50, 150))]
    model = quick_search(**{**TINY, "cv": splits, "max_iter": 100}, refit="folds")
    model.fit(X, SPECIES > 0)
    far = X.mean(axis=0) + 1e2 * np.random.default_rng(0).normal(size=(500, 4))
    assert_converts(model, np.r_[X, far])


@pytest.mark.filterwarnings("ignore:X. the columns .* have no values:UserWarning")
def test_folds_may_know_other_levels_and_columns():
    table = TABLE.assign(late=np.where(np.arange(80) < 40, None, "a"))
    model = quick_search(**{**TINY, "cv": KFold(3)}, refit="folds").fit(table, LABELS)
    new = make_table(1, is_new=True).assign(late=np.resize(["a", None, "b"], 80))
    assert_converts(model, table, new)


# -- scikit-learn around it --------------------------------------------------------------------


def test_a_pipeline_is_converted():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    prepare = make_column_transformer(
        (numbers, ["size", "größe", "count"]), (OneHotEncoder(), ["city"])
    )
    table = TABLE.assign(size=TABLE["size"] - 1e6)
    pipeline = make_pipeline(prepare, RegularizedMLPClassifier(**SMALL)).fit(table, LABELS)
    assert_converts(pipeline, table)
    search = make_pipeline(prepare, quick_search(**TINY, refit="ensemble")).fit(table, LABELS)
    assert_converts(search, table)


def test_a_pipeline_that_passes_texts_on_is_converted():
    table = TABLE[["größe", "city", "colour"]].assign(colour=TABLE["colour"].fillna("none"))
    prepare = make_column_transformer(
        (StandardScaler(), ["größe"]), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    pipeline = make_pipeline(prepare, RegularizedMLPClassifier(**SMALL)).fit(table, LABELS)
    assert_converts(pipeline, table)


# Each encoder makes a level of what is missing, which skl2onnx calls "None" or "nan".
MISSING = pd.DataFrame({"text": ["u", None, "w"] * 20, "other": [None, "x", "y", "x"] * 15})
IS_MISSING = MISSING["text"].isna().to_numpy()


@pytest.mark.parametrize("dtype", [object, "str", "category"])
@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(encoded_missing_value=-2),
        TargetEncoder(),
    ],
    ids=["one-hot", "ignore", "ordinal", "target"],
)
def test_missing_texts_of_an_encoder_are_the_level_of_the_graph(encoder, dtype):
    table = MISSING.astype(dtype)
    prepare = make_column_transformer((encoder, ["text", "other"]))
    pipeline = make_pipeline(prepare, RegularizedMLPClassifier(**SMALL)).fit(table, IS_MISSING)
    assert_converts(pipeline, table)


def test_missing_texts_are_those_of_what_reads_the_column():
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer(
        (encoder, ["text"]), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    network = RegularizedMLPClassifier(**SMALL)
    pipeline = make_pipeline(prepare, network).fit(MISSING, IS_MISSING)
    assert_converts(pipeline, MISSING)
    # "nan" is a text that the encoder does not know.
    assert_converts(pipeline, MISSING, MISSING.assign(text="nan"))


def test_missing_texts_that_steps_read_as_different_ones_are_refused():
    encoder = OneHotEncoder(sparse_output=False)
    prepare = make_column_transformer(
        (encoder, ["text"]), ("passthrough", ["text", "other"]), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    network = RegularizedMLPClassifier(**SMALL)
    pipeline = make_pipeline(prepare, network).fit(MISSING, IS_MISSING)
    graph = to_onnx(pipeline, MISSING)
    with pytest.raises(ValueError, match=r"no missing strings for the input 'text'.*Fill them"):
        run(graph, MISSING)
    assert_converts(pipeline, MISSING, MISSING[~IS_MISSING])


def test_an_ordinal_encoder_that_makes_nan_is_refused():
    prepare = make_column_transformer((OrdinalEncoder(), ["text", "other"]))
    network = RegularizedMLPClassifier(**SMALL)
    pipeline = make_pipeline(prepare, network).fit(MISSING, IS_MISSING)
    with pytest.raises(ValueError, match=r"a number as encoded_missing_value.*received nan"):
        to_onnx(pipeline, MISSING)


def test_a_pipeline_of_one_step_and_a_search_are_their_estimator():
    pipeline = make_pipeline(RegularizedMLPClassifier(**SMALL)).fit(TABLE, LABELS)
    assert_converts(pipeline, TABLE, make_table(1, is_new=True))
    search = GridSearchCV(RegularizedMLPClassifier(**SMALL), {"l2": [0.0, 0.1]}, cv=2)
    assert_converts(search.fit(TABLE, LABELS), TABLE)


def test_a_data_frame_of_numbers_is_one_input_of_a_transformer():
    table = pd.DataFrame(X, columns=list("abcd")).assign(d=SPECIES)
    pipeline = make_pipeline(PCA(2), RegularizedMLPClassifier(**SMALL)).fit(table, SPECIES)
    assert_converts(pipeline, table)


# Not isotonic calibration, whose nodes skl2onnx writes otherwise than scikit-learn computes.
META = {
    "calibrated": lambda model: CalibratedClassifierCV(model, cv=2, ensemble=False),
    "one versus the rest": OneVsRestClassifier,
    "bagging": lambda model: BaggingClassifier(model, 2, max_features=0.5, random_state=0),
    "stacking": lambda model: StackingClassifier([("network", model)], cv=2),
}


@pytest.mark.parametrize("labels", [SPECIES, SPECIES > 0], ids=["three", "two"])
@pytest.mark.parametrize("name", META)
def test_meta_estimators_are_converted(name, labels):
    model = META[name](RegularizedMLPClassifier(**SMALL)).fit(X, labels.astype(int))
    outputs = run(to_onnx(model, X.astype(np.float32)), X)
    assert list(outputs) == ["label", "probabilities"]
    assert_allclose(outputs["probabilities"], model.predict_proba(X), atol=1e-5)


def test_calibration_of_a_search_is_converted():
    search = quick_search(**TINY, refit="folds")
    for labels in (SPECIES, (SPECIES > 0).astype(int)):
        model = CalibratedClassifierCV(search, cv=2, ensemble=False).fit(X, labels)
        found = run(to_onnx(model, X.astype(np.float32)), X)["probabilities"]
        assert_allclose(found, model.predict_proba(X), atol=1e-5)


def test_stacked_regressors_are_converted():
    model = StackingRegressor([("ridge", Ridge())], RegularizedMLPRegressor(**SMALL), cv=2)
    model.fit(X[:, 1:], X[:, 0])
    found = run(to_onnx(model, X[:, 1:].astype(np.float32)), X[:, 1:])["variable"][:, 0]
    assert_allclose(found, model.predict(X[:, 1:]), atol=1e-5)


def test_skl2onnx_converts_a_whole_pipeline():
    """Its own function, as for any estimator, on a table with columns of each kind."""
    table = TABLE[["size", "count", "city"]].astype({"city": object})
    table["size"] = table["size"].fillna(0.0)
    columns = make_column_transformer(
        (StandardScaler(), ["size", "count"]), (OneHotEncoder(sparse_output=False), ["city"])
    )
    for search in (False, True):
        model = quick_search(**TINY, refit="folds") if search else RegularizedMLPClassifier(**SMALL)
        pipeline = make_pipeline(columns, model).fit(table, LABELS)
        found = run(skl2onnx.to_onnx(pipeline, table[:1]), table)
        assert list(found) == ["label", "probabilities"]
        assert_array_equal(found["label"], pipeline.predict(table))
        assert_allclose(found["probabilities"], pipeline.predict_proba(table), atol=1e-5)


def test_skl2onnx_converts_a_whole_pipeline_of_numbers():
    table = TABLE[["count", "city"]].astype({"city": object})
    columns = make_column_transformer(
        (StandardScaler(), ["count"]), (OneHotEncoder(sparse_output=False), ["city"])
    )
    target = table["count"] + 5.0 * (LABELS == "yes")
    pipeline = make_pipeline(columns, RegularizedMLPRegressor(**SMALL)).fit(table, target)
    found = run(skl2onnx.to_onnx(pipeline, table[:1]), table)
    assert list(found) == ["variable"]
    assert_allclose(found["variable"][:, 0], pipeline.predict(table), rtol=1e-5)


@pytest.mark.full
def test_skl2onnx_converts_it_by_itself():
    """Importing `skreg.onnx` is enough, in a process of its own."""
    script = (
        "import numpy as np, onnxruntime, skl2onnx, skreg.onnx\n"
        "from skreg import RegularizedMLPRegressor\n"
        "X = np.arange(40.0).reshape(20, 2)\n"
        "model = RegularizedMLPRegressor((4,), max_iter=2, random_state=0).fit(X, X[:, 0])\n"
        "graph = skl2onnx.to_onnx(model, X[:1])\n"
        "session = onnxruntime.InferenceSession(graph.SerializeToString())\n"
        "found = session.run(['variable'], {'X': X})[0][:, 0]\n"
        "np.testing.assert_allclose(found, model.predict(X), rtol=1e-5)\n"
    )
    subprocess.run([sys.executable, "-W", "error::DeprecationWarning", "-c", script], check=True)


def test_a_graph_needs_no_tensorflow(tmp_path):
    model = quick_search(**TINY, refit="ensemble").fit(X, SPECIES)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    script = (
        "import pickle, sys\n"
        "from skreg.keras import save_model\n"
        "save_model(pickle.load(open('model.pkl', 'rb')), 'model.onnx')\n"
        "assert not {'tensorflow', 'keras', 'tf2onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, cwd=tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["probabilities"], {"X": X.astype(np.float32)})
    assert_allclose(found, model.predict_proba(X), atol=1e-5)


# -- files, and what is refused ----------------------------------------------------------------


def test_a_file_of_a_pipeline_needs_rows(tmp_path):
    pipeline = make_pipeline(StandardScaler(), RegularizedMLPClassifier(**SMALL)).fit(X, SPECIES)
    with pytest.raises(ValueError, match=r"X: expected rows of the table.*None for a Pipeline"):
        save_model(pipeline, tmp_path / "model.onnx")
    with pytest.raises(TypeError, match="expected an estimator of skreg"):
        save_model(pipeline, tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())
    save_model(pipeline, tmp_path / "model.onnx", X=X[:1])
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(["probabilities"], make_inputs(session, X))[0]
    assert_allclose(found, pipeline.predict_proba(X), atol=1e-5)


def test_another_estimator_of_scikit_learn_may_be_written(tmp_path):
    model = LogisticRegression(C=0.01).fit(X, SPECIES)
    save_model(model, tmp_path / "model.onnx", X=X)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(["probabilities"], make_inputs(session, X))[0]
    assert_allclose(found, model.predict_proba(X), atol=1e-5)


def test_other_columns_are_refused():
    table = pd.DataFrame(X, columns=list("abcd"))
    model = RegularizedMLPClassifier(**SMALL).fit(table, SPECIES)
    graph = to_onnx(model)
    assert_converts(model, table)
    with pytest.raises(ValueError, match=r"X: expected the columns \['a'.*received \['d'"):
        to_onnx(model, table[list("dcba")])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    with pytest.raises(ValueError, match=r"X: expected the columns \['a'.*received \['d'"):
        make_inputs(session, table[list("dcba")])
    with pytest.raises(ValueError, match="X: expected 4 columns, as in training; received 3"):
        make_inputs(session, X[:, :3])


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_values_that_an_input_cannot_hold_are_refused(value):
    table = pd.DataFrame({"n": SPECIES, "v": X[:, 0]})
    prepare = make_column_transformer((StandardScaler(), ["n"]), (StandardScaler(), ["v"]))
    pipeline = make_pipeline(prepare, RegularizedMLPClassifier(**SMALL)).fit(table, SPECIES)
    session = onnxruntime.InferenceSession(to_onnx(pipeline, table).SerializeToString())
    with pytest.raises(ValueError, match=r"expected values that tensor\(int64\) holds.*'n'"):
        make_inputs(session, table.assign(n=value))
    with pytest.raises(ValueError, match=r"expected values that tensor\(float\) holds.*'v'"):
        make_inputs(session, table.assign(v=1e300))


def test_what_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        to_onnx(RegularizedMLPClassifier(), X)


def test_labels_that_onnx_lacks_are_refused():
    labels = np.array([1, "a"], dtype=object)[(SPECIES > 0).astype(int)]
    model = RegularizedMLPClassifier(**SMALL).fit(X, SPECIES > 0)
    model.classes_ = np.unique(labels.astype(str)).astype(object)
    model.classes_[0] = 1
    with pytest.raises(ValueError, match="expected labels that are numbers, strings or booleans"):
        to_onnx(model)


def test_levels_that_float64_cannot_tell_apart_are_refused():
    table = pd.DataFrame({"code": np.resize([2**60, 2**60 + 1, 5], 60)})
    model = RegularizedMLPClassifier(**SMALL, categorical_features=["code"])
    with pytest.raises(ValueError, match=r"levels that float64 can tell apart; column 'code'"):
        to_onnx(model.fit(table, np.resize([0, 1, 1], 60)), table)


def test_inputs_of_another_width_or_type_are_refused():
    model = RegularizedMLPClassifier(**SMALL).fit(X, SPECIES)
    with pytest.raises(ValueError, match=r"expected inputs of 4 columns.*received 3"):
        skl2onnx.to_onnx(model, initial_types=[("X", FloatTensorType([None, 3]))])
    with pytest.raises(ValueError, match=r"expected inputs of numbers.*tensor of strings"):
        skl2onnx.to_onnx(model, initial_types=[("X", StringTensorType([None, 4]))])
    session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString())
    with pytest.raises(ValueError, match="expected values of type tensor"):
        make_inputs(session, np.full((2, 4), "a", dtype=object))
    mixed = RegularizedMLPClassifier(**SMALL).fit(TABLE, LABELS)
    session = onnxruntime.InferenceSession(to_onnx(mixed).SerializeToString())
    with pytest.raises(ValueError, match="expected the columns"):
        make_inputs(session, TABLE.drop(columns="size"))
    with pytest.raises(ValueError, match="expected strings for the input 'colour'; received 1"):
        make_inputs(session, TABLE.assign(colour=1))
