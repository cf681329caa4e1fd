"""The bridge to Keras: builders for wrappers, the wrappers of scikeras, and model files.

A trained network goes to Keras and comes back by the estimators' `to_keras` and `from_keras`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skreg.keras._builders import build_classifier, build_regressor
from skreg.keras._files import save_model
from skreg.keras._inputs import make_inputs

if TYPE_CHECKING:
    from skreg.keras._scikeras import KerasClassifier, KerasRegressor

__all__ = [
    "KerasClassifier",
    "KerasRegressor",
    "build_classifier",
    "build_regressor",
    "make_inputs",
    "save_model",
]


def __getattr__(name: str):
    # scikeras is imported only when one of its wrappers is used.
    if name in ("KerasClassifier", "KerasRegressor"):
        from skreg.keras import _scikeras

        return getattr(_scikeras, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
