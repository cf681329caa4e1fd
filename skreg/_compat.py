"""Every private or versioned import from scikit-learn, each with the version at which it can go.

Owns nothing else. The oldest supported scikit-learn is 1.7.
"""

from __future__ import annotations

# Private, yet what scikit-learn's own project template builds on; can go when public.
from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions

# Private until scikit-learn offers a public check of weights; can go then.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9; can go with 1.8

    class _NoCallbacks:
        """The context of a fit for a scikit-learn without callbacks."""

        def call_on_fit_task_begin(self, **arguments):
            """There is nobody to tell."""

        call_on_fit_task_end = call_on_fit_task_begin

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """What scikit-learn 1.9 calls so, as far as an estimator uses it."""

        def _init_callback_context(self, **arguments):
            return _NoCallbacks()


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "Options",
    "StrOptions",
    "check_sample_weight",
    "fit_context",
]
