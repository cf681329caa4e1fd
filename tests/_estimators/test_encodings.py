"""Numerical encodings of estimators: columns, storage, weights, streams, searches, pickles."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import (
    TESTS,
    assert_same_network,
    assert_same_search,
    grid_search,
    quick_search,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._engine.program import count_programs

ENCODINGS = ("piecewise", "periodic")
N_ROWS = 120
rng = np.random.default_rng(0)
# Two numbers, an indicator, and a constant; float32 holds all of them.
X = np.round(8 * rng.normal(size=(N_ROWS, 4))) / 8
X[:, 2], X[:, 3] = X[:, 2] > 0, 3
y = (np.abs(X[:, 0]) > 0.7).astype(int)
ON_ROWS = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "dropout": 0.2}


def make_classifier(encoding, **changes):
    return RegularizedMLPClassifier(**{**ON_ROWS, "numerical_encoding": encoding, **changes})


def get_parameters(model):
    return model.encoding_.get_parameters()


@pytest.fixture(scope="module", params=ENCODINGS)
def fitted(request):
    return make_classifier(request.param).fit(X, y)


def test_columns_of_more_than_two_values_are_encoded(fitted):
    assert set(fitted.encoding_.columns) == {0, 1}
    names = fitted.encoded_feature_names_
    assert names[:4].tolist() == ["x0", "x1", "x2", "x3"]
    assert len(names) == len(fitted.coefs_[0]) == 4 + fitted.encoding_.n_outputs


def test_levels_and_indicators_of_missing_values_are_not_encoded():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": ["u", "v", "w"] * 40})
    frame.loc[:9, "b"] = np.nan
    model = make_classifier("piecewise").fit(frame, y)
    assert set(model.encoding_.columns) == {0, 1}
    names = model.encoded_feature_names_
    assert names[:7].tolist() == ["a", "b", "b_missing", "c_u", "c_v", "c_w", "a_bin_1"]
    numbers = make_classifier("piecewise").fit(
        np.column_stack([frame["a"], frame["b"].fillna(frame["b"].median())]), y
    )
    n_bins = model.encoding_.n_outputs
    np.testing.assert_array_equal(model.encoding_.lower, numbers.encoding_.lower)
    assert n_bins == numbers.encoding_.n_outputs


def test_without_an_encoding_there_is_none():
    assert make_classifier(None).fit(X, y).encoding_ is None


def test_a_wave_is_learned():
    X = np.random.default_rng(0).uniform(-3, 3, size=(400, 3))
    y = np.sin(4 * X[:, 0]) + (X[:, 1] > 1)
    scores = {}
    for encoding in (None, *ENCODINGS):
        model = RegularizedMLPRegressor(
            (16,), max_iter=60, dropout=0.0, l2=1e-4, random_state=0, numerical_encoding=encoding
        )
        scores[encoding] = model.fit(X[:300], y[:300]).score(X[300:], y[300:])
    assert min(scores[encoding] for encoding in ENCODINGS) > scores[None] + 0.05
    assert model.encoding_.frequencies.std() > 0.11  # they were trained


def test_storage_types_and_order_of_the_rows_change_no_bit(fitted):
    order = np.random.default_rng(1).permutation(N_ROWS)
    for table, target in (
        (X.astype(np.float32), y),
        (pd.DataFrame(X), y),
        (np.asfortranarray(X), y),
        (X[order], y[order]),
    ):
        again = clone(fitted).fit(table, target)
        assert_same_network(again, fitted)
        np.testing.assert_array_equal(get_parameters(again), get_parameters(fitted))
        np.testing.assert_array_equal(again.encoding_.columns, fitted.encoding_.columns)
    expected = fitted.predict_proba(X)
    np.testing.assert_array_equal(fitted.predict_proba(np.asfortranarray(X)), expected)
    np.testing.assert_array_equal(fitted.predict_proba(sparse.csr_array(X)), expected)
    np.testing.assert_allclose(fitted.predict_proba(X[:1]), expected[:1], rtol=1e-12)
    in_float32 = fitted.predict_proba(X.astype(np.float32))
    assert in_float32.dtype == np.float32
    np.testing.assert_allclose(in_float32, expected, atol=1e-5)


def test_a_weight_is_as_many_rows_bit_for_bit(fitted):
    counts = np.random.default_rng(2).integers(0, 3, size=N_ROWS)
    weighted = clone(fitted).fit(X, y, sample_weight=counts)
    repeated = clone(fitted).fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert_same_network(weighted, repeated)
    np.testing.assert_array_equal(get_parameters(weighted), get_parameters(repeated))
    np.testing.assert_array_equal(weighted.encoding_.columns, repeated.encoding_.columns)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix])
def test_a_sparse_table_is_refused_by_name(encoding, make):
    with pytest.raises(ValueError, match="numerical_encoding: expected a dense table"):
        make_classifier(encoding).fit(make(X), y)
    with pytest.raises(ValueError, match="numerical_encoding: expected a dense table"):
        make_classifier(encoding).partial_fit(make(X), y, classes=[0, 1])


def test_an_unknown_encoding_is_an_error():
    with pytest.raises(ValueError, match="numerical_encoding"):
        make_classifier("bins").fit(X, y)


def test_other_values_compile_nothing(fitted):
    clone(fitted).fit(X, y)
    before = count_programs()
    clone(fitted).set_params(l2=0.1, dropout=0.0, random_state=5).fit(X[:, [1, 0, 2, 3]] * 7, y)
    assert count_programs() == before


def test_a_pickle_predicts_the_same_without_tensorflow(fitted, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fitted))
    assert path.stat().st_size < 20_000
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys, pickle, numpy as np\n"
        f"model = pickle.load(open({str(path)!r}, 'rb'))\n"
        f"p = model.predict_proba(np.load({str(tmp_path / 'X.npy')!r}))\n"
        f"np.save({str(tmp_path / 'p.npy')!r}, p)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, cwd=TESTS.parent)
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), fitted.predict_proba(X))


def test_samples_with_dropout_are_those_of_the_seed(fitted):
    model = clone(fitted).set_params(input_dropout=0.3).fit(X, y)
    samples = model.mc_dropout(X, 5, random_state=0)
    np.testing.assert_array_equal(model.mc_dropout(X, 5, random_state=0), samples)
    assert samples.std(axis=0).max() > 0.01


# -- fits that go on ---------------------------------------------------------------------------


def test_a_warm_start_keeps_the_encoding_and_the_function(fitted):
    model = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True, learning_rate_init=1e-30)
    expected, bins = model.decision_function(X), model.encoding_.columns
    moved = X * [1.5, 1, 1, 1] + [2.0, 0, 0, 0]
    model.fit(np.concatenate([X, moved]), np.concatenate([y, y]))
    assert model.center_[0] != fitted.center_[0]
    np.testing.assert_allclose(model.decision_function(X), expected, atol=2e-4)
    np.testing.assert_array_equal(model.encoding_.columns, bins)


def test_a_warm_start_trains_on(fitted):
    model = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True)
    loss = model.loss_
    for _ in range(5):
        model.fit(X, y)
    assert model.loss_ < loss


def test_a_warm_start_with_another_encoding_is_refused(fitted):
    model = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True, numerical_encoding=None)
    with pytest.raises(ValueError, match="that of the fitted network, to continue"):
        model.fit(X, y)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_stream_keeps_the_first_edges_and_goes_on_after_a_pickle(encoding):
    model = make_classifier(encoding).partial_fit(X[:60], y[:60], classes=[0, 1])
    first, parameters = model.encoding_, get_parameters(model)
    model.partial_fit(X[60:], y[60:])
    again = pickle.loads(pickle.dumps(model)).partial_fit(X[:60], y[:60])
    model.partial_fit(X[:60], y[:60])
    assert_same_network(again, model)
    np.testing.assert_array_equal(get_parameters(again), get_parameters(model))
    np.testing.assert_array_equal(model.encoding_.columns, first.columns)
    if encoding == "piecewise":
        np.testing.assert_array_equal(model.encoding_.lower, first.lower)
    else:
        assert (get_parameters(model) != parameters).any()


# -- validation rows, divergence, searches ------------------------------------------------------


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_early_stopping_keeps_the_encoding_of_the_best_epoch(scoring):
    options = {"early_stopping": True, "validation_scoring": scoring, "learning_rate_init": 0.03}
    options |= {"learning_rate": "constant", "n_iter_no_change": 5, "max_iter": 30, "l2": 1e-3}
    model = make_classifier("periodic", **options)
    model.fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:])
    assert model.best_iter_ < model.n_iter_
    # As long as the best epoch, without a choice.
    short = make_classifier("periodic", **{**options, "max_iter": model.best_iter_})
    short.set_params(n_iter_no_change=99).fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:])
    np.testing.assert_array_equal(get_parameters(short), get_parameters(model))
    np.testing.assert_array_equal(short.coefs_[0], model.coefs_[0])
    proba = np.clip(model.predict_proba(X[90:])[np.arange(30), y[90:]], 1e-7, 1)
    expected = model.validation_loss_curve_[model.best_iter_ - 1]
    np.testing.assert_allclose(-np.log(proba).mean(), expected, rtol=1e-4)


def test_divergence_keeps_the_last_finite_encoding():
    model = make_classifier("periodic", learning_rate_init=1e25, solver="sgd", max_iter=10)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y)
    assert np.isfinite(get_parameters(model)).all()
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_search_has_the_bits_of_a_grid_search(encoding):
    search = quick_search(numerical_encoding=encoding, hidden_layer_sizes=(6,), max_iter=4)
    before = count_programs()
    search.fit(X, y)
    assert count_programs() <= before + 2  # of the folds and of all rows
    expected = grid_search(search).fit(X, y)
    assert count_programs() <= before + 2
    assert_same_search(search, expected)
    np.testing.assert_array_equal(get_parameters(search), get_parameters(expected.best_estimator_))


@pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")
def test_a_halving_search_continues_trained_encodings():
    """A candidate that halving trains to the end has the scores of the grid."""
    options = {"numerical_encoding": "periodic", "hidden_layer_sizes": (6,), "max_iter": 9}
    options |= {"dropouts": [0.0, 0.2, 0.4, 0.6]}
    grid = quick_search(**options).fit(X, y)
    halving = quick_search(search="halving", **options).fit(X, y)
    finished = halving.cv_results_["n_epochs"] == 9
    assert 0 < finished.sum() < finished.size
    for k in range(3):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(
            halving.cv_results_[name][finished], grid.cv_results_[name][finished]
        )


ON_ONE_CORE = """
import os, sys
import numpy as np
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
from skreg import RegularizedMLPClassifier
X, y = np.load(sys.argv[1]), np.arange(320) % 3
for encoding in ("piecewise", "periodic"):
    model = RegularizedMLPClassifier(
        (64,), dropout=0.5, batch_size=32, max_iter=1, random_state=0, numerical_encoding=encoding
    )
    np.save(sys.argv[1] + encoding + ".npy", model.fit(X, y).coefs_[0])
"""


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sets Linux' affinity")
def test_number_of_threads_changes_no_bit(tmp_path):
    """Of 904 inputs, whose sums Eigen would split among threads if they were stored transposed."""
    X, y = np.random.default_rng(0).normal(size=(320, 100)), np.arange(320) % 3
    path = str(tmp_path / "X.npy")
    np.save(path, X)
    subprocess.run(
        [sys.executable, "-c", ON_ONE_CORE, path], check=True, cwd=TESTS.parent, capture_output=True
    )
    for encoding in ENCODINGS:
        model = make_classifier(encoding, hidden_layer_sizes=(64,), batch_size=32, max_iter=1)
        kernel = model.set_params(dropout=0.5).fit(X, y).coefs_[0]
        np.testing.assert_array_equal(np.load(f"{path}{encoding}.npy"), kernel)
