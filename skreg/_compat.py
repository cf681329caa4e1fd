"""Every private or versioned import from scikit-learn, with the version at which it can go.

The oldest supported scikit-learn is 1.7.
"""

from __future__ import annotations

# Private, yet what scikit-learn's own project template builds on; can go when public.
from sklearn.base import _fit_context as fit_context

# A scorer that is not made of predictions alone; can go when public.
from sklearn.metrics._scorer import _BaseScorer as BaseScorer

# What check_cv makes of an iterable of splits; can go when public.
from sklearn.model_selection._split import _CVIterableWrapper as CVIterableWrapper

# Rows of anything table-like, as scikit-learn's splits take them; can go when public.
from sklearn.utils import _safe_indexing as safe_indexing

# How many threads OpenMP may use here, after the limits of joblib and threadpoolctl; can go when
# public.
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as count_threads

# Constraints of parameters; can go when public.
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

# What every meta-estimator routes metadata with; the names without underscore are public.
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metadata_routing import (
    _raise_for_params as raise_for_params,
)
from sklearn.utils.metadata_routing import (
    _routing_enabled as routing_enabled,
)

# Metadata of the rows of a split; can go when public.
from sklearn.utils.validation import _check_method_params as check_method_params

# Private until scikit-learn offers a public check of weights; can go then.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9; can go with 1.8

    class _NoCallbacks:
        """The callback context of a fit, for a scikit-learn without callbacks."""

        def call_on_fit_task_begin(self, **arguments):
            """Do nothing."""

        call_on_fit_task_end = call_on_fit_task_begin

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """The part of the mixin of scikit-learn 1.9 that the estimators use."""

        def _init_callback_context(self, **arguments):
            return _NoCallbacks()


# The following read private attributes, and can go when there are public ones.


def get_scorers(scorer) -> dict:
    """Return the scorers of several metrics by their names."""
    return dict(scorer._scorers)


def is_scorer(scorer) -> bool:
    """Whether a callable is a scorer of scikit-learn, and no plain function."""
    return hasattr(scorer, "_accept_sample_weight")


def accepts_weights(scorer) -> bool:
    """Whether a scorer of scikit-learn takes `sample_weight`."""
    return scorer._accept_sample_weight()


def has_callbacks(estimator) -> bool:
    """Whether callbacks were set."""
    return bool(getattr(estimator, "_skl_callbacks", None))


__all__ = [
    "BaseScorer",
    "CVIterableWrapper",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "MetadataRouter",
    "MethodMapping",
    "Options",
    "StrOptions",
    "accepts_weights",
    "check_method_params",
    "check_sample_weight",
    "count_threads",
    "fit_context",
    "get_scorers",
    "has_callbacks",
    "is_scorer",
    "process_routing",
    "raise_for_params",
    "routing_enabled",
    "safe_indexing",
]
