"""RegularizedMLPClassifier: labels in, probabilities out.

Owns the classifier's parameters and their documentation, and what is made of logits: classes and
probabilities. Does not own the way from labels to the head (`_targets`), nor parameters, training
and logits (`_base`).
"""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import unique_labels

from skreg._compat import StrOptions, fit_context
from skreg._estimators.base import BaseRegularizedMLP, validation_of
from skreg._estimators.targets import ClassTargets, column_as_vector
from skreg._nn.losses import CLASS_HEADS, expit, log_expit
from skreg.keras._files import opened
from skreg.keras._import import read_keras, solver_parameters, with_classes


class ClassPredictions(ClassifierMixin):
    """Classes and probabilities, from the logits of whoever has them."""

    def predict(self, X):
        """Predict the likeliest class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Entries of `classes_`; after an indicator `y` another one.
        """
        logits = self._logits(X)
        if self._multilabel:
            return (logits > 0).astype(int)
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
        probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of `classes_`; float32 for a float32 table, float64 for any other.
        """
        return self._probabilities(self._logits(X))

    def _probabilities(self, logits):
        return expit(logits) if self._multilabel else self._head.probabilities(logits)

    def predict_log_proba(self, X):
        """Estimate the logarithm of the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Finite also where `predict_proba` rounds to 0.
        """
        logits = self._logits(X)
        return log_expit(logits) if self._multilabel else self._head.log_probabilities(logits)

    def decision_function(self, X):
        """Compute the logits, the inputs of the last activation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One a row for two classes, above zero for ``classes_[1]``; else one a class or label.
        """
        logits = self._logits(X)
        return logits[:, 0] if self._binary else logits

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @property
    def _binary(self) -> bool:
        return self.out_activation_ == "logistic" and self.n_outputs_ == 1

    @property
    def _multilabel(self) -> bool:
        return self.out_activation_ == "logistic" and self.n_outputs_ > 1

    @property
    def _head(self):
        return CLASS_HEADS["sigmoid" if self.out_activation_ == "logistic" else "softmax"]


class RegularizedMLPClassifier(ClassPredictions, BaseRegularizedMLP):
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
        Share of the standardised inputs, in [0, 1), set to zero likewise.
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
        Most epochs.
    early_stopping : bool, default=False
        Whether to hold out rows, to keep the weights of the epoch that is best on them, and to stop
        when `n_iter_no_change` epochs in a row were not better by more than `tol`.
    validation_fraction : float, default=0.1
        Share, in (0, 1), of the weight of the distinct rows that `early_stopping` holds out, in
        each class alike; equal rows are never on both sides, and a class with one distinct row
        stays in training.
    validation_scoring : str, callable or None, default="loss"
        What is best on the held-out rows: "loss", their mean loss without penalty and dropout; or
        any scikit-learn scorer, None for `score`.
    tol : float or None, default=None
        Improvement that counts. Without `early_stopping`, training stops when the smoothed training
        loss has not improved by more than `tol` for `n_iter_no_change` epochs in a row; None always
        trains `max_iter` epochs. The smoothed loss of an epoch is 0.8 of the one before plus 0.2 of
        the epoch's, since dropout makes it noisy. With `early_stopping`, None is 0.
    n_iter_no_change : int, default=10
        Epochs without improvement that stop training; numpy.inf for never.
    standardize : bool, default=True
        Whether to subtract the (weighted) mean of each column and divide by its standard deviation:
        one penalty for all weights means nothing otherwise.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Factors on the sample weights by class, as everywhere in scikit-learn; for several labels a
        row one dict a label, whose factors are multiplied.
    warm_start : bool, default=False
        Whether `fit` begins with the weights of the last fit, of the same layers and classes. The
        network's function is the same on the new table's scale.
    random_state : int, RandomState instance or None, default=None
        Decides the first weights, the order of the rows and the dropout masks. The same integer
        gives the same bits on the same machine with the same versions, on any number of threads
        of a process.
    verbose : int, default=0
        Above 0, show a progress bar with the losses in a terminal, or print a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Every label in `y`, sorted; also one whose rows have no weight. For an indicator `y` the
        numbers of its columns.
    coefs_ : list of ndarray of float32
        Kernel of each layer, of shape (n_inputs, n_outputs), for standardised inputs.
    intercepts_ : list of ndarray of float32
        Bias of each layer, of shape (n_outputs,).
    mean_ : ndarray of float64 of shape (n_features,), or None
        Subtracted from the columns; None without `standardize`.
    scale_ : ndarray of float64 of shape (n_features,), or None
        The columns are divided by it; 1 for constant ones (more for huge ones, where rounding alone
        moves them by more); None without `standardize`.
    n_iter_ : int
        Epochs run.
    loss_ : float
        Last entry of `loss_curve_`.
    loss_curve_ : list of float of length n_iter_
        The objective in each epoch: the mean loss over its steps, dropout on, plus the penalty at
        its end. The last entry is not finite if training diverged.
    validation_loss_curve_ : list of float of length n_iter_, or None
        The mean loss of the held-out rows after each epoch, without penalty and dropout; None
        without `early_stopping`.
    validation_scores_ : list of float of length n_iter_, or None
        Their scores; None when `validation_scoring` is "loss".
    best_iter_ : int
        The epoch, from 1 on, whose weights were kept; without `early_stopping` the one of the
        lowest `loss_curve_`, while the last weights are kept.
    best_loss_ : float
        The validation loss at `best_iter_`; without `early_stopping` the lowest training loss.
    n_layers_ : int
        Hidden layers plus 2.
    n_outputs_ : int
        Logits of a row: 1 for two classes, else one a class or label.
    out_activation_ : {"logistic", "softmax"}
        From logits to probabilities: "logistic" for two classes and for several labels a row.
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
    - ``MLPClassifier(alpha=alpha)``: ``l2 = alpha / (2 * b)``; it divides by the batch size. For
      `q` labels a row ``alpha / (2 * b * q)``; it sums over labels.
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
    .. [6] Y. Gal, Z. Ghahramani, "Dropout as a Bayesian Approximation: Representing Model
       Uncertainty in Deep Learning", ICML 2016.

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
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    _predicts_numbers = False

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
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        class_weight=None,
        warm_start=False,
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
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            validation_scoring=validation_scoring,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            standardize=standardize,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers. float32 and float64 tables are read in place.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any kind that scikit-learn accepts; or an indicator of zeros and ones,
            for several labels a row.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: a row of weight 2 is the same as the row twice, one of weight 0 the same
            as none. None is 1 for every row.
        X_val : array-like of shape (n_validation_samples, n_features), default=None
            Rows for `early_stopping`, instead of a share of `X`.
        y_val : array-like, default=None
            Their labels, among those of `y`.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Their weights. None is 1 for every row.

        Returns
        -------
        self : RegularizedMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not what is expected; before any training.
        """
        return self._fit(X, y, sample_weight, validation_of(X_val, y_val, sample_weight_val))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train one epoch on a batch of rows of a stream, at a constant learning rate.

        Goes on where the last call ended, with the solver's moments, or with the weights of `fit`.
        The statistics that the inputs are standardised by are those of all rows so far; when they
        move, the weights are rewritten so that the network's function does not. "balanced" class
        weights balance all rows so far. `early_stopping` has no effect on one epoch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies. None is 1 for every row.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls; needed in the first call.

        Returns
        -------
        self : RegularizedMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If `classes` is missing at first or another one later, or as `fit` does.
        """
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        classes = known if classes is None else unique_labels(classes)
        if known is not None and not np.array_equal(known, classes):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{known!r}"
            )
        return self._fit(X, y, sample_weight, None, classes, getattr(self, "_stream", {}))

    def mc_dropout(self, X, n_samples=100, random_state=None):
        """Sample probabilities with dropout on, as Monte-Carlo dropout does [6]_.

        `predict_proba` is the network without dropout; how far samples are apart tells what it is
        not sure of. :func:`skreg.predictive_uncertainty` sums them up.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        n_samples : int, default=100
            Passes, each with masks of its own for every row.
        random_state : int, RandomState instance or None, default=None
            Decides the masks.

        Returns
        -------
        samples : ndarray of shape (n_samples, n_rows, n_classes) or (n_samples, n_rows, n_labels)
            In the order of `classes_`; float32 for a float32 table, float64 for any other.

        Raises
        ------
        ValueError
            If neither `dropout` nor `input_dropout` is above 0, or `n_samples` is no integer >= 1.
        """
        logits = self._sampled_logits(X, n_samples, random_state)
        probabilities = self._probabilities(logits.reshape(-1, self.n_outputs_))
        return probabilities.reshape(*logits.shape[:2], -1)

    @classmethod
    def from_keras(cls, model, classes=None):
        """Return a fitted classifier that predicts as a Keras model does, without TensorFlow.

        Parameters
        ----------
        model : keras.Model, str or os.PathLike
            Sequential or functional, or a `.keras` file of one: Dense layers with Dropout between
            them, behind Rescalings or a Normalization if any. The last activation is softmax, or
            sigmoid for two classes and for several labels a row; or linear, for a loss of logits.
        classes : array-like of shape (n_classes,), default=None
            Labels in the order of the model's outputs, for one sigmoid output the label of 0 and
            that of 1. None is those that :func:`skreg.keras.save_model` has written into the file,
            else 0, 1, ...

        Returns
        -------
        estimator : RegularizedMLPClassifier
            Its parameters are those of the layers and of the optimiser at a constant rate, but the
            defaults for one that is not known here; it has no attributes that tell of a training.
            It computes in float32, whatever the model's policy, and until it is trained on rows it
            rounds inputs that it scales to float32, as Keras does.

        Raises
        ------
        TypeError
            If `model` is neither a Keras model nor a path, or `classes` are of several kinds.
        FileNotFoundError
            If there is no file.
        ValueError
            If the file cannot be read; if a network of ours cannot say what a layer does, which is
            named; or if `classes` are not as many as the outputs.
        """
        model, labels = opened(model)
        network = read_keras(model)
        classes = labels if classes is None else classes
        network, attributes = with_classes(network, model, classes)
        return cls._of_network(network, solver_parameters(model), attributes)

    def _loss_and_outputs(self):
        return "cross_entropy", None

    def _make_targets(self, y, classes):
        return ClassTargets.from_labels(column_as_vector(y), self.class_weight, classes)
