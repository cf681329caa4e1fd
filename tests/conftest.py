"""What every test runs under."""

import os
from pathlib import Path

import pytest

# scikit-learn's array-API checks run, instead of being skipped, only with this; SciPy reads it when
# it is imported, so it is set before any test module is.
TESTS = Path(__file__).parent

os.environ["SCIPY_ARRAY_API"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep the tests of a file in one process, which compiles their programs once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(TESTS))))


@pytest.fixture(autouse=True)
def _keras_draws_the_same_and_keeps_nothing(request):
    """Keras draws from global seeds, and keeps what its models compiled: gigabytes a run."""
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
    """A list that grows by one for each network of a search that is trained, and not read."""
    from skreg._model_selection.folds import Fold

    count = []
    original = Fold.train_network

    def counted(self, *arguments):
        count.append(arguments)
        return original(self, *arguments)

    monkeypatch.setattr(Fold, "train_network", counted)
    return count
