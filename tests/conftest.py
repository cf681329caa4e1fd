"""What every test runs under."""

import os

# scikit-learn's array-API checks run, instead of being skipped, only with this; SciPy reads it when
# it is imported, so it is set before any test module is.
os.environ["SCIPY_ARRAY_API"] = "1"
