"""The networks of a search that predict together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skreg._compat import count_threads
from skreg._data.columns import MixedTable, TableEncoder
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.user_warnings import collect_warnings, warn
from skreg._estimators.validation import (
    check_table,
    choose_precision,
    copy_shallow,
    encode_new_rows,
)
from skreg._nn.members import Member, predict_members
from skreg.keras._average import make_average_model
from skreg.keras._inputs import merge_encoders


def check_new_rows(estimator, network: BaseRegularizedMLP, X) -> MixedTable:
    """Return the table as it is checked for a network of a searching estimator.

    Errors and warnings name the searching estimator.
    """
    return check_table(copy_shallow(estimator, _encoder=network._encoder), X)[0]


def predict_together(
    estimator,
    networks: Sequence[BaseRegularizedMLP],
    X,
    combine: Callable[[list[np.ndarray]], np.ndarray],
    n_threads: int | None = None,
) -> np.ndarray:
    """Return the predictions of several networks for a table that is checked and encoded once.

    Networks of one fold have the same columns, so that a table is encoded once for each fold.

    Parameters
    ----------
    estimator : estimator
        As in `check_new_rows`.
    networks : sequence of estimators
        Fitted.
    X : array-like of shape (n_samples, n_features)
    combine : callable
        From the logits of each network, of shape (b, q), to an array whose first axis has the rows.
    n_threads : int or None, default=None
        Maximum number of threads. None means as many as there are cores. The last bits of float64
        depend on it.
    """
    tables: dict[bytes, MixedTable] = {}
    encoded: dict[tuple, Any] = {}
    members = []
    with collect_warnings() as found:
        for network in networks:
            encoder = network._encoder
            # What is a category is found in the rows of each fold.
            mask = encoder.is_category.tobytes()
            if mask not in tables:
                tables[mask] = check_new_rows(estimator, network, X)
            if encoder.key not in encoded:
                encoded[encoder.key] = encode_new_rows(encoder, tables[mask])
            members.append(Member(network._network, encoded[encoder.key]))
    for message, category in found.items():
        warn(message, category)
    precision = choose_precision(next(iter(tables.values())))
    return predict_members(members, precision, combine, n_threads or count_threads())


class MembersMixin:
    """The networks of a searching estimator, and what each of them predicts."""

    _base_estimator_class: type[BaseRegularizedMLP]

    def member_predictions(self, X):
        """Predict with each network on its own.

        `predict` and `predict_proba` average these predictions. A class that some folds lack has
        the average of the networks whose training rows have it. Where the networks disagree, more
        data would help: for classes :func:`skreg.predictive_uncertainty` measures it, for numbers
        the standard deviation does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.

        Returns
        -------
        predictions : ndarray of shape (n_members, n_samples, ...)
            In the order of `estimators_`; one member for a refitted winner. For classes the
            probabilities, of shape (n_members, n_samples, n_classes) or
            (n_members, n_samples, n_labels). For numbers of shape (n_members, n_samples) or
            (n_members, n_samples, n_outputs).

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError
            If `X` is not valid, as in `predict`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifierCV, predictive_uncertainty
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifierCV(
        ...     dropouts=[0.3], l2s=[1e-3], cv=3, refit="folds", max_iter=20, random_state=0
        ... ).fit(X, y)
        >>> probabilities = model.member_predictions(X)
        >>> probabilities.shape
        (3, 150, 3)
        >>> predictive_uncertainty(probabilities).mutual_information.shape
        (150,)
        """
        networks = self._get_networks()

        def stack(logits: list[np.ndarray]) -> np.ndarray:
            pairs = zip(networks, logits, strict=True)
            return np.stack([network._predict_from_logits(z) for network, z in pairs], axis=1)

        return np.ascontiguousarray(np.swapaxes(predict_together(self, networks, X, stack), 0, 1))

    def mc_dropout(self, X, n_samples=100, random_state=None):
        """Sample predictions of the winner with dropout on.

        The same as `mc_dropout` of `best_estimator_`. If several networks predict, there is none,
        and `member_predictions` tells how much they disagree.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Columns as in training.
        n_samples : int, default=100
            Number of samples. Each has its own masks for every row.
        random_state : int, RandomState instance or None, default=None
            Determines the masks.

        Returns
        -------
        samples : ndarray of shape (n_samples, n_rows, ...)
            For classes the probabilities, for numbers the predictions.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If several networks predict, if the winner has no dropout, if `n_samples` is not an
            integer >= 1, or if `X` is not valid.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifierCV
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifierCV(
        ...     dropouts=[0.3], l2s=[1e-3], cv=3, max_iter=20, refit=True, random_state=0
        ... ).fit(X, y)
        >>> model.mc_dropout(X, n_samples=10, random_state=0).shape
        (10, 150, 3)
        """
        networks = self._get_networks()
        if not hasattr(self, "best_estimator_"):
            raise ValueError(
                "mc_dropout: expected the one network of a refitted winner; received an average of "
                f"{len(networks)} networks. member_predictions(X) tells how much they disagree."
            )
        return self.best_estimator_.mc_dropout(X, n_samples, random_state)

    def to_keras(self):
        """Return the networks that predict as one Keras model.

        The model of a refitted winner is that of `best_estimator_`. Several networks become one
        functional model: each network is a `keras.Sequential` called "network_1" and so on, and the
        model is the mean of their outputs with the weights `estimator_weights_`. If folds lack
        classes, the networks end with logits, and a model "average" averages by class.

        Returns
        -------
        model : keras.Sequential or keras.Model
            In float32. It predicts what `predict_proba` returns, for two classes the probability of
            the second one; for a regressor what `predict` returns. The model of several networks is
            not compiled, since each was trained on rows of its own.

        Raises
        ------
        ImportError
            If Keras is not installed.
        NotFittedError
            If there is no fitted network.
        ValueError
            As in `to_keras` of the estimator that is tuned, or if a column is a category in some
            folds only.

        Notes
        -----
        If the rows of any fold had categories or missing values, the model has an input for each
        column, which :func:`skreg.keras.make_inputs` makes of a table. It has a layer "encoder_1"
        and so on for each way to encode the columns, which is one for each fold. If they had none,
        the input is one table of numbers, in which NaN remains NaN.

        `from_keras` does not read a model of several networks.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifierCV
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifierCV(
        ...     dropouts=[0.3], l2s=[1e-3], cv=3, refit="folds", max_iter=20, random_state=0
        ... ).fit(X, y)
        >>> exported = model.to_keras()
        >>> bool(abs(exported.predict(X, verbose=0) - model.predict_proba(X)).max() < 1e-5)
        True
        """
        networks = self._get_networks()
        if len(networks) == 1:
            return networks[0].to_keras()
        return make_average_model(
            [network._make_export()[0] for network in networks],
            [network._encoder for network in networks],
            self._get_network_weights(),
            networks[0]._column_names,
        )

    def _check_inputs(self, X) -> tuple[TableEncoder | None, MixedTable, Sequence[str]]:
        """Return what the inputs of the Keras model are made of, as that of one network."""
        first, *others = self._get_networks()
        if not others:
            return first._check_inputs(X)
        encoder = merge_encoders([network._encoder for network in (first, *others)])
        return None if encoder.is_plain else encoder, check_table(first, X)[0], first._column_names

    def _get_network_weights(self) -> np.ndarray:
        """Return the weight of each network that predicts, of shape (n_networks,).

        If a fold lacks a class, each class has weights of its own, of shape
        (n_networks, n_classes).
        """
        if hasattr(self, "estimator_class_weights_"):
            return self.estimator_class_weights_
        n_networks = len(self._get_networks())
        return getattr(self, "estimator_weights_", np.full(n_networks, 1 / n_networks))

    def _get_networks(self) -> list:
        """Return the networks that predict: one, or those of the folds."""
        check_is_fitted(self)
        if hasattr(self, "estimators_"):
            return self.estimators_
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                f"This {type(self).__name__} has no network to predict with: it was fitted with "
                "refit=False, or the fit was interrupted. Set refit=True, or fit a "
                f"{self._base_estimator_class.__name__} with best_params_."
            )
        return [self.best_estimator_]
