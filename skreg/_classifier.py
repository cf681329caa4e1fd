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
    Dense(64, relu, L2 0.001), Dropout 0.5, Dense(classes)`` trained by Adam, on inputs standardised
    inside. `dropout` and `l2` are plain numbers, so that `GridSearchCV` and pipelines tune them.

    With sample weights :math:`w_i` of sum :math:`W`, logits :math:`f(x)` and kernels :math:`W_k`
    it minimises

    .. math:: \frac{1}{W} \sum_i w_i \, \ell(f(x_i), y_i) + \sum_k \lambda_k \lVert W_k \rVert^2

    in expectation over the dropout masks, where :math:`\ell` is the cross-entropy and
    :math:`\lambda_k` is `l2`. Biases are free. The penalty is Keras' ``kernel_regularizer=L2``: no
    1/2 and no 1/n (see Notes for conversions).

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Units of each hidden layer; ``()`` has none, which is logistic regression.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Function of the hidden units.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.5
        Share of a hidden layer's units, in [0, 1), set to zero in each training step, after the
        activation; the others are multiplied by ``1 / (1 - dropout)``. Off when predicting.
    input_dropout : float, default=0.0
        The same for the standardised inputs.
    l2 : float or array-like of shape (n_hidden_layers + 1,), default=0.001
        Strength >= 0 of the penalty on the squared weights of every kernel, or of each one.
    weight_decay : float, default=0.0
        Decoupled weight decay, as in AdamW: each step multiplies the kernels by
        ``1 - learning_rate * weight_decay``, outside the loss and whatever the solver.
    solver : {"adam", "sgd"}, default="adam"
        Update rule.
    learning_rate_init : float, default=0.005
        Learning rate of the first step.
    learning_rate : {"constant", "cosine"}, default="cosine"
        Whether it stays or falls to zero along half a cosine over all `max_iter` epochs.
    momentum : float, default=0.9
        In [0, 1]; for sgd only.
    nesterovs_momentum : bool, default=True
        Whether the momentum is Nesterov's; for sgd only.
    beta_1 : float, default=0.9
        Decay, in [0, 1), of the first moment; for adam only.
    beta_2 : float, default=0.999
        Decay, in [0, 1), of the second moment; for adam only.
    epsilon : float, default=1e-7
        Added to the root of the second moment; for adam only.
    batch_size : int or "auto", default="auto"
        Most rows of a step. "auto" is the power of two nearest to the square root of the visits of
        an epoch (the rows, when there are no weights), at least 32 and at most 256. The steps of an
        epoch differ in size by at most one row.
    max_iter : int, default=50
        Epochs.
    tol : float or None, default=None
        Training stops when the smoothed training loss has not improved by more than `tol` for
        `n_iter_no_change` epochs in a row. None always trains `max_iter` epochs. The smoothed loss
        of an epoch is 0.8 of the one before plus 0.2 of the epoch's, since dropout makes it noisy.
    n_iter_no_change : int, default=10
        Epochs without improvement that stop training, when `tol` is a number.
    standardize : bool, default=True
        Whether to subtract the (weighted) mean of each column and divide by its standard deviation:
        one penalty for all weights means nothing otherwise.
    class_weight : dict, "balanced" or None, default=None
        Factors on the sample weights by class, as everywhere in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the first weights, the order of the rows and the dropout masks. The same integer
        gives the same bits on the same machine with the same versions, on any number of threads.
    verbose : int, default=0
        Above 0, print the loss of each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Every label in `y`, sorted; also one whose rows have no weight.
    coefs_ : list of ndarray of float32
        Kernel of each layer, of shape (n_inputs, n_outputs), for standardised inputs.
    intercepts_ : list of ndarray of float32
        Bias of each layer, of shape (n_outputs,).
    mean_ : ndarray of float64 of shape (n_features,), or None
        Subtracted from the columns; None without `standardize`.
    scale_ : ndarray of float64 of shape (n_features,), or None
        The columns are divided by it; 1 for constant ones; None without `standardize`.
    n_iter_ : int
        Epochs run.
    loss_ : float
        Last entry of `loss_curve_`.
    loss_curve_ : list of float of length n_iter_
        The objective in each epoch: the mean loss over its steps, dropout on, plus the penalty at
        its end. The last entry is not finite if training diverged.
    n_layers_ : int
        Hidden layers plus 2.
    n_outputs_ : int
        Logits of a row: 1 for two classes, else one a class.
    out_activation_ : {"logistic", "softmax"}
        From logits to probabilities: "logistic" for two classes.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, when all of them are strings.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : A network without dropout and class weights.
    sklearn.linear_model.LogisticRegression : What this is without a hidden layer.

    Notes
    -----
    Strengths of others that give the same penalty, for `n` rows of weight 1 and batches of `b`:

    - ``LogisticRegression(C=C)``: ``l2 = 1 / (2 * C * n)``.
    - ``Ridge(alpha=alpha)`` on the mean squared error: ``l2 = alpha / n``.
    - ``MLPClassifier(alpha=alpha)``: ``l2 = alpha / (2 * b)``; it divides by the batch size.
    - Keras' ``regularizers.L2(l2)``: the same number.
    - `weight_decay` with sgd and no momentum: ``l2 = weight_decay / 2``. With adam there is no
      conversion, since it rescales the gradient of the penalty.

    Weights are frequencies: a row of weight 2 is the row twice, bit for bit, through batches and
    dropout. Row *i* is visited ``ceil(w_i)`` times an epoch, each visit carrying
    ``w_i / ceil(w_i)``; weights of a sum over ``max(4 * m, 4096)`` for `m` distinct rows are scaled
    down to it. Equal rows are merged first, and the order of the rows does not matter.

    One class only: a network with one output is trained and predicts that class.

    References
    ----------
    .. [1] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A
       Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.
    .. [2] A. Krogh, J. Hertz, "A Simple Weight Decay Can Improve Generalization", NIPS 4, 1991.
    .. [3] I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    .. [4] D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    .. [5] X. Glorot, Y. Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural
       Networks", AISTATS 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import cross_val_score
    >>> from skreg import RegularizedMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifier(dropout=0.5, l2=1e-3, random_state=0)
    >>> float(cross_val_score(model, X, y).mean()) > 0.96
    True
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
        learning_rate_init=5e-3,
        learning_rate="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter=50,
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
        parameters = self._checked_parameters()
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
        self._train(X, codes, rows, n_outputs, self._head, parameters)
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
