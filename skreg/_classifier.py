"""RegularizedMLPClassifier: labels in, probabilities out.

Owns what is particular to classes: labels and codes, class weights, the head, probabilities.
Does not own parameters, checks, training or logits: `_base` does.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from skreg._base import BaseRegularizedMLP
from skreg._compat import StrOptions, fit_context
from skreg._heads import HEADS
from skreg._rows import MergedRows, merge_rows


class RegularizedMLPClassifier(ClassifierMixin, BaseRegularizedMLP):
    r"""Multilayer perceptron for classification, regularised by dropout and L2.

    With its defaults it is the network ``Dense(128, relu, L2 0.001), Dropout 0.5,
    Dense(64, relu, L2 0.001), Dropout 0.5, Dense(classes)``, trained by Adam.

    PARAMETERS_PLACEHOLDER
    """

    _parameter_constraints: dict = {
        **BaseRegularizedMLP._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        activation="relu",
        dropout=0.5,
        input_dropout=0.0,
        l2=1e-3,
        weight_decay=0.0,
        solver="adam",
        learning_rate_init=1e-3,
        learning_rate="constant",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter=100,
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            dropout=dropout,
            input_dropout=input_dropout,
            l2=l2,
            weight_decay=weight_decay,
            solver=solver,
            learning_rate_init=learning_rate_init,
            learning_rate=learning_rate,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            batch_size=batch_size,
            max_iter=max_iter,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            standardize=standardize,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers. float32 and float64 tables are read in place.
        y : array-like of shape (n_samples,)
            Class labels of any kind that scikit-learn accepts.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: a row of weight 2 is the same as the row twice, one of weight 0 the same
            as none. None is 1 for every row.

        Returns
        -------
        self : RegularizedMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not what is expected; before any training.
        """
        X, y = self._validated(X, y, reset=True)
        check_classification_targets(y)
        weight = self._validated_weight(sample_weight, X)
        encoder = LabelEncoder()
        codes = encoder.fit_transform(y)
        self.classes_ = encoder.classes_
        rows = self._class_weighted(merge_rows(X, codes, weight), codes)
        binary = len(self.classes_) == 2
        self.out_activation_ = "logistic" if binary else "softmax"
        n_outputs = 1 if binary else len(self.classes_)
        self._train(X, codes, rows, n_outputs, self._head)
        return self

    def predict(self, X):
        """Predict the likeliest class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Entries of `classes_`.
        """
        logits = self._logits(X)
        codes = (logits[:, 0] > 0).astype(int) if self._binary else logits.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Estimate the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; float32 for a float32 table, float64 for any other.
        """
        logits = self._logits(X)
        return HEADS[self._head].probabilities(logits)

    def predict_log_proba(self, X):
        """Estimate the logarithm of the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Finite also where `predict_proba` rounds to 0.
        """
        logits = self._logits(X)
        return HEADS[self._head].log_probabilities(logits)

    def decision_function(self, X):
        """Compute the logits, the inputs of the last activation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One a row for two classes, above zero for ``classes_[1]``; else one a class.
        """
        logits = self._logits(X)
        return logits[:, 0] if self._binary else logits

    @property
    def _binary(self) -> bool:
        return self.out_activation_ == "logistic"

    @property
    def _head(self) -> str:
        return "sigmoid" if self._binary else "softmax"

    def _class_weighted(self, rows: MergedRows, codes) -> MergedRows:
        """Multiply the weights with those of the classes; classes of weight zero drop out."""
        if self.class_weight is None:
            return rows
        labels = self.classes_[codes[rows.first]]
        present = np.unique(labels)
        weights = compute_class_weight(
            self.class_weight, classes=present, y=labels, sample_weight=rows.weight
        )
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise ValueError(
                "class_weight: expected finite weights >= 0, not all of them 0; "
                f"received {self.class_weight!r}."
            )
        weight = rows.weight * weights[np.searchsorted(present, labels)]
        return MergedRows(rows.first[weight > 0], weight[weight > 0])
