"""Warnings at the line of the user."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import re
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

# What may stand between a line of the user and a warning.
_PACKAGES = ("skreg", "sklearn", "joblib")
# Names of processes of joblib's loky and of multiprocessing.Pool. Those of a cluster have others.
_WORKERS = re.compile(r"Loky|\w*PoolWorker")

# Category by message.
Warnings = dict[str, type[Warning]]
_collected: ContextVar[Warnings | None] = ContextVar("_collected", default=None)


@contextlib.contextmanager
def collect_warnings() -> Iterator[Warnings]:
    """Collect the warnings of this thread instead of showing them, those that are equal once.

    The networks of a search would repeat them, in threads that have no line of the user.
    """
    found: Warnings = {}
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the call of the user: the innermost one from outside of the packages above."""
    collected = _collected.get()
    if collected is not None:
        collected.setdefault(message, category)
        return
    # Python 3.12 has warnings.warn(skip_file_prefixes=...) for this.
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_of_packages(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


@functools.cache  # scikit-learn forgets in each task what has been shown
def warn_once(message: str) -> None:
    """Warn at the call of the user, the first time in this process."""
    warn(message)


def warn_in_worker_process() -> None:
    """Warn of a fit in a worker process of joblib or multiprocessing on this machine."""
    if _WORKERS.match(multiprocessing.current_process().name):
        warn_once(
            "This worker process imports TensorFlow and compiles the network anew. Training "
            "releases the GIL, so threads are faster and take less memory. Use them with "
            "joblib.parallel_config(backend='threading')."
        )


def _is_of_packages(frame) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _PACKAGES
