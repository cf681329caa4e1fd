"""Faults of a memory: killed processes, damaged files, and a disk that is full."""

import json
import os
import subprocess
import sys
import textwrap
import time
import warnings

import joblib
import numpy as np
import pytest
from helpers import CANCER, TESTS, quick_search
from numpy.testing import assert_array_equal

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
N_NETWORKS = 12


def list_stored(folder):
    """Files of stored networks, also while they are written."""
    return [
        os.path.join(path, name)
        for path, _, names in os.walk(folder)
        for name in names
        if name == "output.pkl"
    ]


@pytest.fixture(scope="module")
def undisturbed():
    return quick_search().fit(X, y)


def assert_same(model, expected):
    assert_array_equal(model.scores_, expected.scores_)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# -- killed ------------------------------------------------------------------------------------

SEARCH = """
    import sys
    from helpers import CANCER, quick_search
    quick_search(memory=sys.argv[1], search=sys.argv[2], n_jobs=int(sys.argv[3])).fit(*CANCER)
    """


def start(code, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=TESTS, stderr=subprocess.DEVNULL)


def run_and_kill(folder, search, n_jobs, n_stored):
    """Kill a search as soon as it has stored so many networks."""
    process = start(SEARCH, folder, search, n_jobs)
    while process.poll() is None and len(list_stored(folder)) < n_stored:
        time.sleep(1e-4)
    process.kill()
    process.wait()


@pytest.mark.full
@pytest.mark.parametrize(
    ("search", "n_jobs", "seed"),
    [("grid", 1, 0), ("grid", 2, 1), ("halving", 1, 2), ("halving", 2, 3)],
)
def test_a_search_killed_again_and_again_ends_with_the_same_results(
    search, n_jobs, seed, tmp_path, trained
):
    places = np.random.default_rng(seed).integers(1, N_NETWORKS, size=3)
    for n_stored in np.sort(places):
        run_and_kill(tmp_path, search, n_jobs, n_stored)
    n_stored = len(list_stored(tmp_path))
    assert n_stored >= places.max()
    model = quick_search(memory=str(tmp_path), search=search).fit(X, y)
    assert len(list_stored(tmp_path)) == n_stored + len(trained)
    assert_same(model, quick_search(search=search).fit(X, y))


KILLED_IN_A_WRITE = """
    import os, sys
    import joblib.numpy_pickle as numpy_pickle
    from helpers import CANCER, quick_search

    def dump(value, file, **options):
        calls.append(1)
        if len(calls) == 5:
            file.write(b"a part of it")
            file.flush()
            os.kill(os.getpid(), 9)
        return original(value, file, **options)

    calls, original = [], numpy_pickle.dump
    numpy_pickle.dump = dump
    quick_search(memory=sys.argv[1]).fit(*CANCER)
    """


def test_a_search_killed_while_it_writes_ends_with_the_same_results(tmp_path, trained, undisturbed):
    assert start(KILLED_IN_A_WRITE, tmp_path).wait() == -9
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    assert len(trained) == N_NETWORKS - 4
    assert_same(model, undisturbed)


# -- damaged -----------------------------------------------------------------------------------


def _write(make_bytes):
    def damage(path):
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(make_bytes(data))

    return damage


def _replace_with_a_folder(path):
    os.unlink(path)
    os.mkdir(path)


def _forbid(path):
    os.chmod(path, 0)


DAMAGES = {
    "truncated": _write(lambda data: data[: len(data) // 2]),
    "a byte short": _write(lambda data: data[:-1]),
    "empty": _write(lambda data: b""),
    "zeros": _write(lambda data: bytes(len(data))),
    "garbled": _write(lambda data: np.random.default_rng(0).bytes(len(data))),
    "text": _write(lambda data: b"<html>quota exceeded</html>"),
    "a folder": _replace_with_a_folder,
    "not readable": pytest.param(
        _forbid, marks=pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_networks_are_trained_again_with_a_warning(
    damage, tmp_path, trained, undisturbed, caplog
):
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    for path in list_stored(tmp_path)[:3]:
        damage(path)
    trained.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert len(trained) == 3
    assert_same(model, undisturbed)
    # joblib logs that it could not load them.
    messages = [str(warning.message) for warning in caught] + caplog.messages
    assert any("loading" in message or str(tmp_path) in message for message in messages)


def test_a_damaged_network_is_replaced(tmp_path, trained, undisturbed):
    quick_search(memory=str(tmp_path)).fit(X, y)
    for path in list_stored(tmp_path):
        DAMAGES["truncated"](path)
    quick_search(memory=str(tmp_path)).fit(X, y)
    trained.clear()
    assert_same(quick_search(memory=str(tmp_path)).fit(X, y), undisturbed)
    assert not trained


def forget_functions():
    """Let joblib compare functions with those in the folder, as in a new process."""
    joblib.memory._FUNCTION_HASHES.clear()


@pytest.mark.parametrize(
    "content", [np.random.default_rng(0).bytes(100), b""], ids=["garbled", "empty"]
)
@pytest.mark.parametrize("name", ["func_code.py", "metadata.json"])
def test_other_files_of_a_memory_may_be_damaged(name, content, tmp_path, undisturbed):
    forget_functions()
    model = quick_search(memory=str(tmp_path)).fit(X, y)
    paths = list(tmp_path.rglob(name))
    assert paths
    for path in paths:
        path.write_bytes(content)
    forget_functions()
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        model.fit(X, y)
    assert_same(model, undisturbed)


def test_a_second_memory_of_a_process_is_read_by_another_process(tmp_path, trained):
    """Apart from one network: joblib writes func_code.py for the first memory of a process only."""
    for name in ("one", "two"):
        quick_search(memory=str(tmp_path / name)).fit(X, y)
    trained.clear()
    for name in ("one", "two"):
        forget_functions()
        quick_search(memory=str(tmp_path / name)).fit(X, y)
    assert len(trained) <= 1


# -- a full disk -------------------------------------------------------------------------------

FULL_DISK = """
    import json, resource, sys, warnings
    import numpy as np
    from helpers import CANCER, quick_search

    warnings.simplefilter("always")
    expected = quick_search().fit(*CANCER)
    model = quick_search(memory=sys.argv[1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
    outcome = "fitted"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(*CANCER)
        except OSError as error:
            outcome = str(error)
            caught = [*caught, error]
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    again = model.fit(*CANCER)
    print(json.dumps({
        "outcome": outcome,
        "messages": sorted({str(getattr(w, "message", w)) for w in caught}),
        "same": bool((again.scores_ == expected.scores_).all()),
        "same predictions": bool(
            (again.predict_proba(CANCER[0]) == expected.predict_proba(CANCER[0])).all()
        ),
    }))
    """


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
@pytest.mark.parametrize(
    "n_bytes", [0, *(pytest.param(n, marks=pytest.mark.full) for n in (200, 2000))]
)
def test_a_full_disk_is_told_and_leaves_the_search_usable(n_bytes, tmp_path):
    """Files can be created but not be longer: first none, then the small ones, then parts."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path), str(n_bytes)],
        cwd=TESTS,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert any("too large" in m or "disk" in m or "memory" in m for m in report["messages"]), report
    assert report["same"]
    assert report["same predictions"]
