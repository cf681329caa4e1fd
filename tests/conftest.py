"""What every test runs under."""

import os
import sys

import pytest

# scikit-learn's array-API checks run, instead of being skipped, only with this; SciPy reads it when
# it is imported, so it is set before any test module is.
os.environ["SCIPY_ARRAY_API"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep the tests of a file in one process, which compiles their programs once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


WITH_KERAS = {"test_scikeras", "test_keras", "test_migration", "test_export", "test_model_files"}


@pytest.fixture(autouse=True)
def _no_models_of_keras_are_kept(request):
    """Keras keeps what each of its models compiled until it is told otherwise: gigabytes a run."""
    yield
    if request.node.path.stem in WITH_KERAS and "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=True)
