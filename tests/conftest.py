"""What every test runs under."""

import os

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
