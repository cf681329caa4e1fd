"""Settings and fixtures of all tests."""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

# Without it, scikit-learn skips its checks of the array API. SciPy reads it when it is imported, so
# it is set before any test module is imported.
os.environ["SCIPY_ARRAY_API"] = "1"


# Files whose tests start processes, of about a gigabyte each.
STARTS_PROCESSES = (
    "test_ecosystem.py",
    "test_faults.py",
    "test_fuzz.py",
    "test_memory_faults.py",
    "test_search.py",
    "test_tensorflow.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Run the tests of a file in one process, which compiles their programs once.

    Programs are never freed. So tests that start processes come first, while memory is left.
    """
    items.sort(key=lambda item: item.path.name not in STARTS_PROCESSES)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(TESTS))))


@pytest.fixture(autouse=True)
def _seed_and_clear_keras(request):
    """Seed Keras before a test and free the memory of its models after it.

    Keras draws from global seeds. It keeps the programs of its models, which are gigabytes a run.
    """
    path = request.node.path
    if path.parent.name != "keras" and path.stem != "test_migration":
        yield
        return
    import keras

    keras.utils.set_random_seed(0)
    yield
    keras.utils.clear_session(free_memory=True)


@pytest.fixture
def trained(monkeypatch):
    """A list that grows by one for each network that a search trains."""
    from skreg._model_selection.folds import Fold

    calls = []
    train_network = Fold.train_network

    def record_and_train(self, *arguments):
        calls.append(arguments)
        return train_network(self, *arguments)

    monkeypatch.setattr("skreg._model_selection.folds.Fold.train_network", record_and_train)
    return calls
