"""Every private or versioned import from scikit-learn, each with the version at which it can go.

Owns nothing else. The oldest supported scikit-learn is 1.7.
"""

from __future__ import annotations

# Private, yet what scikit-learn's own project template builds on; can go when public.
from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, StrOptions

# Private until scikit-learn offers a public check of weights; can go then.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = ["Interval", "StrOptions", "check_sample_weight", "fit_context"]
