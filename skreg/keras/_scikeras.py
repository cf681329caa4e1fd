"""The wrappers of scikeras, corrected for current versions of scikit-learn and Keras.

Each correction has a test in ``tests/keras/test_scikeras.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from skreg.keras._export import import_keras


@contextlib.contextmanager
def _preserve_keras():
    """Put back the methods that scikeras replaces. Keras pickles and copies its own objects."""
    keras = import_keras()
    kinds = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
    before = [(kind, dict(vars(kind))) for kind in kinds]
    try:
        yield
    finally:
        for kind, methods in before:
            for name in ("__reduce__", "__deepcopy__"):
                if name in methods:
                    setattr(kind, name, methods[name])
                elif name in vars(kind):
                    delattr(kind, name)


if importlib.util.find_spec("scikeras") is None:
    raise ModuleNotFoundError(
        "Expected the package 'scikeras', which has the wrapper; it is not installed. "
        "Run `pip install scikeras`.",
        name="scikeras",
    )


# A user who imported scikeras before expects what it does.
with contextlib.nullcontext() if "scikeras" in sys.modules else _preserve_keras():
    from scikeras import wrappers


class _Classifier(ClassifierMixin, BaseEstimator):
    """For the tags of a classifier."""


class _Regressor(RegressorMixin, BaseEstimator):
    """For the tags of a regressor."""


class _Checked:
    """Checks that both wrappers of scikeras lack."""

    def _validate_data(self, X=None, y=None, reset=False, y_numeric=False):
        if reset and y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        if X is not None:
            # scikeras accepts sparse rows, which Keras cannot use, and does not compare columns.
            check_array(X, accept_sparse=False, allow_nd=True, dtype=None, ensure_all_finite=False)
            validate_data(self, X, reset=reset, skip_check_array=True)
        shape = () if y is None else np.asarray(y).shape
        if len(shape) == 2 and shape[1] == 1:
            y = column_or_1d(y, warn=True)  # scikeras does not warn
        return super()._validate_data(X, y, reset=reset, y_numeric=y_numeric)


class KerasClassifier(_Checked, wrappers.KerasClassifier):
    """KerasClassifier of scikeras that works with current versions of scikit-learn.

    The parameters are those of ``scikeras.wrappers.KerasClassifier``, and those of the function
    that builds the model.

    Parameters
    ----------
    model : callable or keras.Model
        For example :func:`skreg.keras.build_classifier`.
    **parameters : dict
        Parameters of scikeras (`epochs`, `batch_size`, `random_state`, ...) and of `model`. A
        parameter of `model` can only be tuned if it is given here.

    Notes
    -----
    Differences from scikeras 0.13:

    - It is recognised as a classifier, so folds are stratified.
    - Importing it does not change Keras' classes, unless scikeras was imported before.
    - Sparse rows are refused.
    - Number and names of columns are compared with those of `fit`.
    - A column `y` warns.
    - `class_weight` does not change the array that was passed as `sample_weight`.
    - `predict_proba` of one row has two dimensions.

    Examples
    --------
    >>> from skreg.keras import KerasClassifier, build_classifier
    >>> model = KerasClassifier(build_classifier, dropout=0.3, epochs=50)
    >>> model.get_params()["dropout"]
    0.3
    """

    def __sklearn_tags__(self):
        # The class of scikeras comes before ClassifierMixin and does not call its tags.
        tags = _Classifier().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.non_deterministic = True
        return tags

    def fit(self, X, y, sample_weight=None, **kwargs):
        """Fit the model, as scikeras does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator for several labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. None means 1.
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : KerasClassifier
            The fitted estimator.
        """
        return super().fit(X, y, sample_weight=_copy_weight(sample_weight), **kwargs)

    def partial_fit(self, X, y, classes=None, sample_weight=None, **kwargs):
        """Train for one epoch, as scikeras does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. None means 1.
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : KerasClassifier
            The fitted estimator.
        """
        weight = _copy_weight(sample_weight)
        return super().partial_fit(X, y, classes=classes, sample_weight=weight, **kwargs)

    def predict_proba(self, X, **kwargs):
        """Estimate the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers.
        **kwargs : dict
            For `keras.Model.predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of `classes_`.
        """
        probabilities = super().predict_proba(X, **kwargs)
        # scikeras drops every axis of length one, also that of a single row.
        if probabilities.ndim < 2:
            probabilities = probabilities.reshape(len(X), -1)
        return probabilities


def _copy_weight(sample_weight):
    """Return a copy, which scikeras multiplies by the class weights in place."""
    return None if sample_weight is None else np.array(sample_weight, dtype=float)


class KerasRegressor(_Checked, wrappers.KerasRegressor):
    """KerasRegressor of scikeras that works with current versions of scikit-learn.

    The parameters are those of ``scikeras.wrappers.KerasRegressor``, and those of the function
    that builds the model.

    Parameters
    ----------
    model : callable or keras.Model
        For example :func:`skreg.keras.build_regressor`.
    **parameters : dict
        Parameters of scikeras (`epochs`, `batch_size`, `random_state`, ...) and of `model`. A
        parameter of `model` can only be tuned if it is given here.

    Notes
    -----
    The differences from scikeras 0.13 are those of :class:`skreg.keras.KerasClassifier`, apart from
    the ones about classes.

    Examples
    --------
    >>> from skreg.keras import KerasRegressor, build_regressor
    >>> model = KerasRegressor(build_regressor, dropout=0.1, epochs=50)
    >>> model.get_params()["epochs"]
    50
    """

    def __sklearn_tags__(self):
        tags = _Regressor().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.non_deterministic = True
        return tags
