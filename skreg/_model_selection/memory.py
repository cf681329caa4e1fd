"""TODO."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import joblib
from threadpoolctl import threadpool_info

from skreg._model_selection.folds import Fold


def forgets(memory) -> bool:
    """Whether nothing that is cached there is kept."""
    return memory is None or (isinstance(memory, joblib.Memory) and memory.location is None)


def key_of(fold: Fold) -> str:
    """All that decides a member's bits, but for its candidate and its epoch.

    XLA compiles for the processor, which OpenBLAS tells apart by its own kernels.
    """
    processor = {info["architecture"] for info in threadpool_info() if "architecture" in info}
    compiled_for = platform.machine(), sorted(processor), os.environ.get("XLA_FLAGS")
    parameters = {
        name: value
        for name, value in fold.estimator.get_params().items()
        if name not in ("dropout", "l2", "verbose")
    }
    versions = [version(name) for name in ("skreg", "tensorflow", "numpy", "scikit-learn")]
    decisive = parameters, fold.training_rows(), versions, compiled_for
    return joblib.hash((type(fold.estimator).__name__, *decisive))
