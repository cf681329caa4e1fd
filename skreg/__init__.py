"""Regularised multilayer perceptrons on tables, as scikit-learn estimators.

Owns the public names, and that importing them is cheap: neither TensorFlow nor Keras nor matplotlib
is imported before it is needed.
"""

from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._estimators.uncertainty import predictive_uncertainty
from skreg._model_selection.estimators import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg._model_selection.refit import one_standard_error
from skreg._plotting.ensemble import EnsembleDisplay
from skreg._plotting.regularization_path import RegularizationPathDisplay
from skreg._plotting.training_curve import TrainingCurveDisplay

__version__ = "0.1.0"

__all__ = [
    "EnsembleDisplay",
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
