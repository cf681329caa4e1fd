"""Regularised multilayer perceptrons on tables, as scikit-learn estimators.

Owns the public names, and that importing them is cheap: neither TensorFlow nor Keras nor matplotlib
is imported before it is needed.
"""

from skreg._classifier import RegularizedMLPClassifier
from skreg._cv import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg._display import RegularizationPathDisplay, TrainingCurveDisplay
from skreg._regressor import RegularizedMLPRegressor
from skreg._selection import one_standard_error
from skreg._uncertainty import predictive_uncertainty

__version__ = "0.1.0"

__all__ = [
    "RegularizationPathDisplay",
    "RegularizedMLPClassifier",
    "RegularizedMLPClassifierCV",
    "RegularizedMLPRegressor",
    "RegularizedMLPRegressorCV",
    "TrainingCurveDisplay",
    "__version__",
    "one_standard_error",
    "predictive_uncertainty",
]
