"""The memory of a search: where trained networks are stored, and under which key."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from inspect import signature

import joblib
from sklearn.utils.validation import check_memory
from threadpoolctl import threadpool_info

from skreg._model_selection.folds import Fold


def open_memory(memory, validation_scoring) -> joblib.Memory:
    """Make the memory of the parameter `memory`, and check that networks can be stored in it."""
    if memory is not None and callable(validation_scoring):
        raise ValueError(
            "validation_scoring: expected the name of a scorer with memory, which cannot tell "
            f"functions apart; received {validation_scoring!r}."
        )
    message = f"memory: expected a writable folder; received {memory!r}"
    try:
        opened = check_memory(memory)
    except OSError as error:
        raise ValueError(f"{message} ({error}).") from error
    folder = getattr(opened, "location", None)
    if isinstance(folder, (str, os.PathLike)) and not os.access(folder, os.W_OK):
        raise ValueError(f"{message}.")
    try:
        signature(opened.cache).bind(None, ignore=[])
    except (TypeError, ValueError) as error:
        raise ValueError(
            "memory: expected a joblib.Memory, or an object with its method "
            f"cache(func, ignore=[...]); received {memory!r}."
        ) from error
    return opened


def is_disabled(memory) -> bool:
    """Whether nothing is stored."""
    return memory is None or (isinstance(memory, joblib.Memory) and memory.location is None)


def _find_versions(package: str) -> list[str]:
    """Return the version of a package, also if its distribution has another name.

    Such as tensorflow-cpu. A copy of the sources that is not installed has none.
    """
    try:
        return [metadata.version(package)]
    except metadata.PackageNotFoundError:
        names = set(metadata.packages_distributions().get(package, []))
        return sorted(metadata.version(name) for name in names)


def make_fold_key(fold: Fold) -> str:
    """Hash what decides on a network except its candidate and its epoch.

    XLA compiles for the processor. OpenBLAS reports the kind of processor. The number of threads
    and the sizes of caches, by which XLA splits the sums of wide products, are not part of the key:
    they decide on last bits only, and a stored network is as good on another number of cores.
    """
    processor = {info["architecture"] for info in threadpool_info() if "architecture" in info}
    platform_key = platform.machine(), sorted(processor), os.environ.get("XLA_FLAGS")
    parameters = {
        name: value
        for name, value in fold.estimator.get_params().items()
        if name not in ("dropout", "l2", "verbose")
    }
    packages = "skreg", "tensorflow", "numpy", "scikit-learn"
    versions = [_find_versions(name) for name in packages]
    rows = fold.take_training_rows(), fold.take_validation_rows()
    kind = type(fold.estimator).__name__
    return joblib.hash((kind, parameters, rows, fold.classes, versions, platform_key))
