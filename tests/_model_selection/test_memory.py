"""The memory of a search: networks that are stored are not trained again."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from helpers import CANCER, TESTS, quick_search
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
N_NETWORKS = 12


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_stored_networks_are_read(search, tmp_path, trained):
    model = quick_search(search=search, memory=str(tmp_path))
    first = clone(model).fit(X, y)
    assert trained
    trained.clear()
    second = clone(model).fit(X, y)
    assert not trained
    assert_array_equal(first.scores_, second.scores_)
    assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_memory_may_be_a_folder_or_an_object(tmp_path, trained):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    quick_search(memory=joblib.Memory(str(tmp_path), verbose=0)).fit(X, y)
    assert not trained


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_worker_processes_share_a_memory(tmp_path, trained):
    with parallel_config(backend="loky", n_jobs=2):
        first = quick_search(memory=str(tmp_path)).fit(X, y)
    second = quick_search(memory=str(tmp_path)).fit(X, y)
    assert not trained
    assert_array_equal(first.scores_, second.scores_)


# -- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"scoring": "accuracy"}, {"refit": "folds"}, {"n_jobs": 2}, {"verbose": 1}]
)
def test_networks_are_read_if_the_parameter_does_not_change_them(changes, tmp_path, trained):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    quick_search(memory=str(tmp_path), **changes).fit(X, y)
    assert not trained


def test_only_new_candidates_are_trained(tmp_path, trained):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    quick_search(memory=str(tmp_path), l2s=[1e-3, 1e-2, 1e-1]).fit(X, y)
    assert len(trained) == 2 * 3


@pytest.mark.parametrize(
    "changes",
    [{"random_state": 1}, {"max_iter": 8}, {"hidden_layer_sizes": (7,)}, {"tol": 0.1}],
)
def test_other_parameters_give_other_networks(changes, tmp_path, trained):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        quick_search(memory=str(tmp_path), **changes).fit(X, y)
    assert len(trained) == N_NETWORKS


@pytest.mark.parametrize(
    "data", [(X + 1e-9, y), (X, y, np.arange(len(y)) % 2 + 1)], ids=["rows", "weights"]
)
def test_other_data_give_other_networks(data, tmp_path, trained):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    quick_search(memory=str(tmp_path)).fit(*data)
    assert len(trained) == N_NETWORKS


def test_without_a_seed_no_network_is_read_and_a_warning_says_so(tmp_path, trained):
    model = quick_search(memory=str(tmp_path), random_state=None)
    for _ in range(2):
        with pytest.warns(UserWarning, match="with random_state=None every fit draws another"):
            model.fit(X, y)
    assert len(trained) == 2 * N_NETWORKS


def test_another_processor_gives_other_networks(tmp_path, trained, monkeypatch):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    monkeypatch.setattr(platform, "machine", lambda: "VAX")
    quick_search(memory=str(tmp_path)).fit(X, y)
    assert len(trained) == N_NETWORKS


def test_another_version_gives_other_networks(tmp_path, trained, monkeypatch):
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0" if name == "numpy" else version(name)
    )
    quick_search(memory=str(tmp_path)).fit(X, y)
    assert len(trained) == N_NETWORKS


def test_a_package_of_another_name_is_found(tmp_path, monkeypatch, trained):
    version, distributions = importlib.metadata.version, {"tensorflow": ["tensorflow-cpu"]}

    def find(name):
        if name in ("tensorflow", "skreg"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.21" if name == "tensorflow-cpu" else version(name)

    monkeypatch.setattr(importlib.metadata, "version", find)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: distributions)
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    clone(model).fit(X, y)
    assert not trained


def test_damaged_networks_are_trained_again(tmp_path, trained):
    first = quick_search(memory=str(tmp_path)).fit(X, y)
    for path in tmp_path.rglob("output.pkl"):
        path.write_bytes(path.read_bytes()[:50])
    trained.clear()
    second = quick_search(memory=str(tmp_path)).fit(X, y)
    assert len(trained) == N_NETWORKS
    assert_array_equal(first.scores_, second.scores_)


def put_numbers(paths):
    for path in paths:
        joblib.dump({"a": 1}, path)


def put_arrays(paths):
    for path in paths:
        joblib.dump((np.zeros(3), 1, 2, 3), path)


def exchange(paths):
    """Put every network in the place of another one."""
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


@pytest.mark.parametrize("put", [put_numbers, put_arrays, exchange])
def test_files_of_something_else_are_trained_again_with_a_warning(put, tmp_path, trained):
    first = quick_search(memory=str(tmp_path)).fit(X, y)
    put(sorted(tmp_path.rglob("output.pkl")))
    trained.clear()
    message = f"memory: .*{tmp_path}.* has something else"
    with pytest.warns(UserWarning, match=message) as caught:
        second = quick_search(memory=str(tmp_path)).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]  # one, at the user's line
    assert len(trained) == N_NETWORKS
    assert_array_equal(first.scores_, second.scores_)


def test_files_of_something_else_are_replaced(tmp_path, trained):
    quick_search(memory=str(tmp_path)).fit(X, y)
    put_numbers(tmp_path.rglob("output.pkl"))
    with pytest.warns(UserWarning, match="has something else"):
        quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    quick_search(memory=str(tmp_path)).fit(X, y)
    assert not trained


def test_a_garbled_file_about_the_function_is_replaced(tmp_path, trained, monkeypatch):
    """joblib writes and reads it in a process that has not called the function yet."""
    monkeypatch.setattr("joblib.memory._FUNCTION_HASHES", {})
    first = quick_search(memory=str(tmp_path)).fit(X, y)
    (path,) = tmp_path.rglob("func_code.py")
    path.write_bytes(b"\xff\xfe" * 50)
    trained.clear()
    monkeypatch.setattr("joblib.memory._FUNCTION_HASHES", {})
    with pytest.warns(UserWarning, match=f"memory: .*{tmp_path}.* has something else"):
        second = quick_search(memory=str(tmp_path)).fit(X, y)
    assert_array_equal(first.scores_, second.scores_)
    trained.clear()
    quick_search(memory=str(tmp_path)).fit(X, y)
    assert not trained


KILLED = """
import os, sys
from helpers import CANCER, quick_search
calls = []
def score(model, X, y):
    calls.append(1)
    if len(calls) == 8:
        os.kill(os.getpid(), 9)
    return model.score(X, y)
quick_search(memory=sys.argv[1], scoring=score).fit(*CANCER)
"""


@pytest.mark.full
def test_killed_process_leaves_its_networks(tmp_path, trained):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=TESTS)
    assert done.returncode == -9
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    assert len(trained) == N_NETWORKS - 8  # a network is stored before it is scored
    assert_array_equal(model.scores_, quick_search().fit(X, y).scores_)


# -- memories of other kinds -------------------------------------------------------------------


class DictMemory:
    """A memory in this process."""

    location = None

    def __init__(self):
        self.stored = {}

    def cache(self, function, ignore):
        def read_or_call(key, fold, candidate, checkpoint, until):
            place = key, candidate, until
            if place not in self.stored:
                self.stored[place] = function(key, fold, candidate, checkpoint, until)
            return self.stored[place]

        return read_or_call


def test_memory_may_be_of_another_kind():
    memory = DictMemory()
    model = quick_search(memory=memory).fit(X, y)
    assert_array_equal(model.scores_, quick_search().fit(X, y).scores_)
    assert len(memory.stored) == N_NETWORKS


def test_something_else_in_a_memory_of_another_kind_is_trained_again():
    memory = DictMemory()
    first = quick_search(memory=memory).fit(X, y)
    memory.stored = dict.fromkeys(memory.stored, "something else")
    with pytest.warns(UserWarning, match="memory: .*DictMemory.* has something else"):
        second = quick_search(memory=memory).fit(X, y)
    assert_array_equal(first.scores_, second.scores_)


def test_memory_has_to_ignore_arguments(trained):
    class Memory:
        def cache(self, function):
            return function

    with pytest.raises(ValueError, match=r"memory: expected a joblib\.Memory"):
        quick_search(memory=Memory()).fit(X, y)
    assert not trained


def test_memory_refuses_a_function_as_validation_scoring(tmp_path, trained):
    model = quick_search(memory=str(tmp_path), early_stopping=True)
    model.set_params(validation_scoring=lambda model, X, y: 0.0)
    with pytest.raises(ValueError, match="expected the name of a scorer with memory"):
        model.fit(X, y)
    assert not trained


@pytest.mark.parametrize("kind", ["a file", "below a file", "read only"])
def test_memory_that_is_not_writable_is_refused(kind, tmp_path, trained, monkeypatch):
    path = tmp_path / "memory"
    if kind == "read only":
        monkeypatch.setattr(os, "access", lambda *arguments: False)
    else:
        path.write_text("")
    folder = path / "below" if kind == "below a file" else path
    with pytest.raises(ValueError, match="memory: expected a writable folder"):
        quick_search(memory=str(folder)).fit(X, y)
    assert not trained
