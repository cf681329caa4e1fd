"""Warnings at the line of the user."""

from __future__ import annotations

import sys
import warnings

# What may stand between a line of the user and a warning.
_PACKAGES = ("skreg", "sklearn", "joblib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the call of the user: the innermost one from outside of the packages above.

    The other threads of a search have no such call. There it is the one that started their work.
    """
    # Python 3.12 has warnings.warn(skip_file_prefixes=...) for this.
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_of_packages(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_of_packages(frame) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _PACKAGES
