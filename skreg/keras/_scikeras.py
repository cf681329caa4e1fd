"""scikeras' wrappers, mended: what of them does not get on with today's scikit-learn and Keras.

Owns the subclasses and the import of scikeras, which replaces methods of Keras' classes: they are
put back. Does not own the builders (`keras`, which hands out these classes when asked for them).

Each mending is named by what scikeras 0.13 does, and has a test in `tests/test_scikeras.py`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from skreg.keras._export import keras_module


@contextlib.contextmanager
def _keras_as_it_was():
    """Put back the methods that scikeras replaces: Keras pickles and copies its objects itself."""
    keras = keras_module()
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
        "Expected the package 'scikeras', whose wrapper this is; it is missing. "
        "`pip install scikeras` brings it.",
        name="scikeras",
    )


# Who has imported it before has asked for what it does.
with contextlib.nullcontext() if "scikeras" in sys.modules else _keras_as_it_was():
    from scikeras import wrappers


class _Classifier(ClassifierMixin, BaseEstimator):
    """Has the tags of a classifier."""


class _Regressor(RegressorMixin, BaseEstimator):
    """Has the tags of a regressor."""


class _Checked:
    """What both wrappers lack."""

    def _validate_data(self, X=None, y=None, reset=False, y_numeric=False):
        if reset and y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        if X is not None:
            # scikeras takes sparse rows, on which Keras then fails; it does not compare columns.
            check_array(X, accept_sparse=False, allow_nd=True, dtype=None, ensure_all_finite=False)
            validate_data(self, X, reset=reset, skip_check_array=True)
        shape = () if y is None else np.asarray(y).shape
        if len(shape) == 2 and shape[1] == 1:
            y = column_or_1d(y, warn=True)  # scikeras takes a column without a word
        return super()._validate_data(X, y, reset=reset, y_numeric=y_numeric)


class KerasClassifier(_Checked, wrappers.KerasClassifier):
    """KerasClassifier of scikeras, as scikit-learn today expects a classifier.

    Parameters are those of ``scikeras.wrappers.KerasClassifier``, and those of the function that
    builds the model.

    Parameters
    ----------
    model : callable or keras.Model
        For example :func:`skreg.keras.build_classifier`.
    **parameters : dict
        Of scikeras (`epochs`, `batch_size`, `random_state`, ...) and of `model`. scikeras knows
        those of `model` that are given: what is to be tuned has to be named here.

    Notes
    -----
    What differs from scikeras 0.13: it is recognised as a classifier, so that folds are stratified;
    importing it leaves Keras' classes as they are (if scikeras was not imported before; a later
    import changes them no more); sparse rows are refused; number and names of
    columns are compared with those of `fit`; a column `y` warns; `class_weight` does not change the
    array of `sample_weight` that was handed in.

    Examples
    --------
    >>> from skreg.keras import KerasClassifier, build_classifier
    >>> model = KerasClassifier(build_classifier, dropout=0.3, epochs=50)
    >>> model.get_params()["dropout"]
    0.3
    """

    def __sklearn_tags__(self):
        # scikeras' class comes before ClassifierMixin, whose tags are then not asked for.
        tags = _Classifier().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.non_deterministic = True
        return tags

    def fit(self, X, y, sample_weight=None, **kwargs):
        """Fit the model, as scikeras does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), default=None
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : KerasClassifier
        """
        return super().fit(X, y, sample_weight=_copied(sample_weight), **kwargs)

    def partial_fit(self, X, y, classes=None, sample_weight=None, **kwargs):
        """Train for one epoch, as scikeras does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
        sample_weight : array-like of shape (n_samples,), default=None
        **kwargs : dict
            For `keras.Model.fit`.

        Returns
        -------
        self : KerasClassifier
        """
        weight = _copied(sample_weight)
        return super().partial_fit(X, y, classes=classes, sample_weight=weight, **kwargs)


def _copied(sample_weight):
    """A copy, which scikeras multiplies by the weights of the classes."""
    return None if sample_weight is None else np.array(sample_weight, dtype=float)


class KerasRegressor(_Checked, wrappers.KerasRegressor):
    """KerasRegressor of scikeras, as scikit-learn today expects a regressor.

    Parameters are those of ``scikeras.wrappers.KerasRegressor``, and those of the function that
    builds the model.

    Parameters
    ----------
    model : callable or keras.Model
        For example :func:`skreg.keras.build_regressor`.
    **parameters : dict
        Of scikeras (`epochs`, `batch_size`, `random_state`, ...) and of `model`. scikeras knows
        those of `model` that are given: what is to be tuned has to be named here.

    Notes
    -----
    What differs from scikeras 0.13 is what differs in :class:`skreg.keras.KerasClassifier`, but for
    classes.

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
