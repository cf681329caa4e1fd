"""What the estimators share: parameters, pickles, HTML representation and prediction."""

import copy
import email.message
import io
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
from helpers import assert_same_network, make_classifier, make_regressor, quick_search
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification

from skreg import RegularizedMLPClassifier
from skreg._estimators.user_warnings import warn_once


def make_small(**changes):
    values = {"hidden_layer_sizes": (8, 4), "max_iter": 5, "numerical_encoding": None}
    return RegularizedMLPClassifier(**{**values, "random_state": 0, **changes})


# -- hints -------------------------------------------------------------------------------------


def fit_twice(model):
    """The hints of two fits in this process."""
    warn_once.cache_clear()  # another test may have used the process
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        X = np.arange(20.0)[:, None]
        for _ in range(2):
            model.fit(X, X[:, 0] > 9)
    return [str(warning.message) for warning in caught if "threads" in str(warning.message)]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # by loky
@pytest.mark.full
def test_a_worker_process_hints_at_threads_once():
    models = make_small(max_iter=1), quick_search(max_iter=1, refit=False)
    hints = joblib.Parallel(n_jobs=2)(joblib.delayed(fit_twice)(model) for model in models)
    assert [len(of_model) for of_model in hints] == [1, 1]
    assert "joblib.parallel_config(backend='threading')" in hints[0][0]
    assert fit_twice(models[0]) == []


@pytest.mark.parametrize(
    ("name", "n_hints"), [("ForkPoolWorker-1", 1), ("LokyProcess-2", 1), ("MainProcess", 0)]
)
def test_the_hint_depends_on_the_kind_of_process(name, n_hints, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "name", name)
    warn_once.cache_clear()
    try:
        assert len(fit_twice(make_small(max_iter=1))) == n_hints
    finally:
        warn_once.cache_clear()


# -- parameters --------------------------------------------------------------------------------


@pytest.fixture
def with_sequences(iris):
    """An estimator with parameters that are mutable sequences, in a process with TensorFlow."""
    make_small().fit(*iris)
    return make_small(dropout=[0.1, 0.2], l2=np.array([0.1, 0.2, 0.3]), hidden_layer_sizes=[8, 4])


def test_fit_leaves_the_parameters_as_they_are(iris, with_sequences):
    before, contents = with_sequences.get_params(), repr(with_sequences.get_params())
    with_sequences.fit(*iris)
    assert all(with_sequences.get_params()[name] is value for name, value in before.items())
    assert repr(with_sequences.get_params()) == contents


def get_global_generators():
    """The states of the generators of NumPy and Python, with their positions."""
    name, words, *position = np.random.get_state()
    return name, words.tolist(), position, random.getstate()


def test_fit_leaves_global_generators_and_the_environment_as_they_are(iris, with_sequences):
    generators, environment = get_global_generators(), dict(os.environ)
    with_sequences.fit(*iris)
    assert get_global_generators() == generators
    assert dict(os.environ) == environment


@pytest.fixture(scope="module")
def fitted(iris):
    return make_small(dropout=(0.1, 0.3), l2=1e-2).fit(*iris)


def test_clone_has_the_same_parameters_and_is_not_fitted(fitted):
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "coefs_")


def test_clone_is_fitted_to_the_same_network(fitted, iris):
    assert_same_network(fitted, clone(fitted).fit(*iris))


def test_set_params_takes_what_get_params_returns(fitted, iris):
    model = RegularizedMLPClassifier().set_params(**fitted.get_params())
    assert_same_network(fitted, model.fit(*iris))


def test_set_params_replaces_a_sequence_by_a_number(fitted):
    assert clone(fitted).set_params(dropout=0.2).get_params()["dropout"] == 0.2


def test_parameters_set_after_a_fit_do_not_change_its_predictions(iris):
    X, y = iris
    model = make_small().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(activation="tanh", standardize=False, hidden_layer_sizes=(3,))
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_a_fit_that_fails_leaves_the_estimator_as_it_was(iris):
    X, y = iris
    model = make_small().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="class_weight"):
        model.set_params(class_weight={0: -1}).fit(X[:, :2], np.array(["u", "v", "w"])[y])
    np.testing.assert_array_equal(model.predict_proba(X), before)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


# -- pickles -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def default():
    """A classifier with default layers, and its table."""
    X, y = load_breast_cancer(return_X_y=True)
    return RegularizedMLPClassifier(max_iter=2, random_state=0).fit(X, y), X


def dump_and_load(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


COPIES = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "joblib": dump_and_load,
    "copy": lambda model, path: copy.copy(model),
    "deepcopy": lambda model, path: copy.deepcopy(model),
}


@pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES.keys())
def test_a_copy_gives_the_same_predictions(default, make_copy, tmp_path):
    model, X = default
    copied = make_copy(model, tmp_path / "model")
    np.testing.assert_array_equal(copied.predict_proba(X), model.predict_proba(X))


def assert_pickle_is_small(model):
    """A pickle is the weights, the encoding and at most 8 kilobytes."""
    arrays = [*model.coefs_, *model.intercepts_]
    if model.encoding_ is not None:
        arrays += [value for value in vars(model.encoding_).values() if hasattr(value, "nbytes")]
    weights = sum(array.nbytes for array in arrays)
    assert weights < len(pickle.dumps(model)) <= weights + 8 * 1024


def test_a_pickle_of_default_layers_is_small(default):
    assert_pickle_is_small(default[0])


ESTIMATORS = {
    "classifier": (load_iris, make_classifier),
    "regressor": (load_diabetes, make_regressor),
}


@pytest.mark.parametrize("width", [16, 512])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_pickle_is_small(name, width):
    load, make_estimator = ESTIMATORS[name]
    model = make_estimator(hidden_layer_sizes=(width, width), max_iter=3)
    assert_pickle_is_small(model.fit(*load(return_X_y=True)))


def test_a_pickle_predicts_without_importing_tensorflow(iris, tmp_path):
    X, y = iris
    model = make_small().fit(X, y)
    joblib.dump((model, X), tmp_path / "model")
    code = (
        "import sys, joblib\n"
        "model, X = joblib.load(sys.argv[1])\n"
        "joblib.dump([model.predict(X), model.predict_proba(X)], sys.argv[1])\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "model"], check=True, timeout=120)
    labels, probabilities = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_array_equal(probabilities, model.predict_proba(X))


def pickle_in_format(model, version):
    """A pickle of the model by a version of skreg with another format, or `None` without one."""

    class Pickler(pickle.Pickler):
        def reducer_override(self, value):
            if value is not model:
                return NotImplemented
            reconstruct, arguments, state = value.__reduce_ex__(4)[:3]
            del state["_pickle_format"]
            return (
                reconstruct,
                arguments,
                state if version is None else {**state, "_pickle_format": version},
            )

    file = io.BytesIO()
    Pickler(file).dump(model)
    return file.getvalue()


@pytest.fixture(scope="module", params=ESTIMATORS)
def quick(request):
    load, make_estimator = ESTIMATORS[request.param]
    return make_estimator(max_iter=2).fit(*load(return_X_y=True))


def test_a_pickle_of_this_format_is_loaded(quick):
    own = quick.__getstate__()["_pickle_format"]
    assert pickle.loads(pickle_in_format(quick, own)).n_iter_ == 2


@pytest.mark.parametrize("version", [None, 0, 999])
def test_a_pickle_of_another_format_is_refused(quick, version):
    own = quick.__getstate__()["_pickle_format"]
    with pytest.raises(ValueError, match=f"format {own}, received {version}"):
        pickle.loads(pickle_in_format(quick, version))


# -- HTML representation -----------------------------------------------------------------------


def test_representation_has_every_parameter(iris):
    html = make_small().fit(*iris)._repr_html_()
    assert "RegularizedMLPClassifier" in html
    for name in ("dropout", "l2", "early_stopping"):
        assert name in html


def test_representation_links_to_the_documentation_of_the_package(iris, monkeypatch):
    message = email.message.Message()
    message["Project-URL"] = "Documentation, https://example.org/skreg"
    monkeypatch.setattr("skreg._estimators.base.metadata", lambda name: message)
    html = make_small().fit(*iris)._repr_html_()
    assert "https://example.org/skreg#RegularizedMLPClassifier" in html


# -- prediction --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predicted():
    """A classifier, its table and its probabilities."""
    X, y = make_classification(400, 6, random_state=0)
    model = make_small().fit(X, y)
    return model, X, model.predict_proba(X)


def test_predictions_do_not_depend_on_the_other_rows(predicted):
    model, X, probabilities = predicted
    rows = np.vstack([model.predict_proba(row[None]) for row in X])
    np.testing.assert_allclose(probabilities, rows, rtol=1e-12)


def test_predictions_do_not_depend_on_the_size_of_blocks(predicted, monkeypatch):
    model, X, probabilities = predicted
    monkeypatch.setattr("skreg._data.statistics._BLOCK_VALUES", 64)
    np.testing.assert_allclose(model.predict_proba(X), probabilities, rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_prediction_needs_no_second_copy_of_the_table(dtype, order):
    model = make_small().fit(*make_classification(200, 100, random_state=0))
    X = np.random.default_rng(0).integers(-3, 3, size=(200_000, 100)).astype(dtype, order=order)
    tracemalloc.start()
    try:
        model.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * X.nbytes
