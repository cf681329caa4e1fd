"""RegularizedMLPClassifier: labels in, probabilities out."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin

from skreg._compat import StrOptions, fit_context
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.class_targets import ClassTargets
from skreg._estimators.fit_records import ValidationSet
from skreg._estimators.targets import ravel_column
from skreg._estimators.validation import check_classes
from skreg._nn.links import LINKS
from skreg._nn.losses import find_class_loss
from skreg.keras._files import load_model
from skreg.keras._import import read_class_network, read_network
from skreg.keras._optimizer import read_solver


class ClassPredictions(ClassifierMixin):
    """Classes and probabilities of an estimator that has `_compute_logits`."""

    def predict(self, X):
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Entries of `classes_`; an indicator if the estimator was fitted to one.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X` is not valid, or does not have the columns of training.
        """
        logits = self._compute_logits(X)
        if self._is_multilabel:
            return (logits > 0).astype(int)
        codes = (logits[:, 0] > 0).astype(int) if self._is_binary else logits.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Estimate the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of `classes_`. float32 for a float32 table, else float64.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X` is not valid, or does not have the columns of training.
        """
        return self._predict_from_logits(self._compute_logits(X))

    def predict_log_proba(self, X):
        """Estimate the logarithm of the probability of each class for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of `classes_`. Finite even where `predict_proba` rounds to 0.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X` is not valid, or does not have the columns of training.
        """
        logits = self._stack_classes(self._compute_logits(X))
        return self._link.log_predict(logits)

    def decision_function(self, X):
        """Compute the logits, which enter the last activation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one value a row, above zero for ``classes_[1]``. Else one value for
            each class or label.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X` is not valid, or does not have the columns of training.
        """
        logits = self._compute_logits(X)
        return logits[:, 0] if self._is_binary else logits

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @property
    def _is_binary(self) -> bool:
        return not self._link.sums_to_one and self.n_outputs_ == 1

    @property
    def _is_multilabel(self) -> bool:
        return not self._link.sums_to_one and self.n_outputs_ > 1

    @property
    def _link(self):
        return LINKS[self.out_activation_]

    def _predict_from_logits(self, logits):
        """Return probabilities, given logits of shape (..., q)."""
        return self._link.predict(self._stack_classes(logits))

    def _stack_classes(self, logits):
        """Return the logits with a column for each class, also of two classes."""
        return np.concatenate([-logits, logits], axis=-1) if self._is_binary else logits


class RegularizedMLPClassifier(ClassPredictions, BaseRegularizedMLP):
    r"""Multilayer perceptron for classification, regularised by dropout and L2.

    The default network has hidden layers of 128 and 64 relu units, each followed by dropout of 0.3,
    and an L2 penalty on all kernels that depends on the number of rows. It is trained with Adam for
    1,000 steps or more on standardised inputs. `dropout` and `l2` are plain numbers, so
    `GridSearchCV` and pipelines can tune them.

    With sample weights :math:`w_i` of sum :math:`W`, logits :math:`f(x)` and kernels :math:`K_k`
    it minimises

    .. math:: \frac{1}{W} \sum_i w_i \, \ell(f(x_i), y_i) + \sum_k \lambda_k \lVert K_k \rVert^2

    in expectation over the dropout masks, where :math:`\ell` is the cross-entropy and
    :math:`\lambda_k` is `l2`; `l1` adds the sum of absolute weights likewise. Biases are not
    penalised. The penalty is that of Keras' ``kernel_regularizer=L2``, without 1/2 and without 1/n.
    The Notes have conversions.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Number of units in each hidden layer. ``()`` means no hidden layer: the model is a logistic
        regression.
    activation : {"relu", "tanh", "logistic", "identity", "gelu", "silu"}, default="relu"
        Activation of the hidden layers. "gelu" is exact, as Keras with ``approximate=False``.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.3
        Rate in [0, 1) of each hidden layer: the fraction of its units that each training step sets
        to zero after the activation. The others are multiplied by ``1 / (1 - dropout)``.
        Predictions do not use dropout.
    input_dropout : float, default=0.0
        Rate in [0, 1) of the standardised inputs. A column is dropped together with its encoded
        inputs.
    l2 : float, array-like of shape (n_hidden_layers + 1,) or "auto", default="auto"
        Strength >= 0 of the penalty ``l2 * sum(kernel ** 2)``, for all kernels or one for each.
        "auto" is 6 for two classes, or 2 for more classes or labels, divided by the number
        of training rows, and at most 0.03. If all sample weights are multiples of the smallest one,
        they count repeated rows: 0.1 and 1 stand for one row and ten rows. Up to 100 distinct rows
        they may be multiples of any number. Otherwise, and above 100,000 rows for each distinct
        one, each distinct row counts once. In a stream, all rows so far count. With
        ``activation="logistic"`` and hidden layers, "auto" is a sixteenth of that.
    l1 : float or array-like of shape (n_hidden_layers + 1,), default=0.0
        Strength >= 0 of the penalty ``l1 * sum(abs(kernel))``, for all kernels or one for each.
    weight_decay : float, default=0.0
        Decoupled weight decay >= 0, as in AdamW: each step multiplies the kernels by
        ``1 - learning_rate * weight_decay``, with either solver.
    solver : {"adam", "sgd"}, default="adam"
        Update rule.
    learning_rate_init : float or "auto", default="auto"
        Learning rate > 0 of the first step. "auto" is 0.005. Without hidden layers it is
        0.03 for ``solver="adam"`` with a cosine, since a linear model then reaches its optimum.
    learning_rate : {"constant", "cosine"}, default="cosine"
        Schedule of the learning rate. "cosine" lets it fall to zero along half a cosine over
        `max_iter` epochs.
    momentum : float, default=0.9
        Momentum in [0, 1]. Only used with solver="sgd".
    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's momentum. Only used with solver="sgd".
    beta_1 : float, default=0.9
        Decay in [0, 1) of the first moment. Only used with solver="adam".
    beta_2 : float, default=0.999
        Decay in [0, 1) of the second moment. Only used with solver="adam".
    epsilon : float, default=1e-7
        Number > 0 added to the root of the second moment. Only used with solver="adam".
    batch_size : int or "auto", default="auto"
        Maximum number of rows in a batch. "auto" is the power of two nearest, on a logarithmic
        scale, to the square root of the number of rows that an epoch visits, at least 32 and at
        most 256. The batches of an epoch differ in size by at most one row.
    max_iter : int or "auto", default="auto"
        Maximum number of epochs. Each visits every distinct row at least once (see Notes). "auto"
        gives 2,000 * sqrt(n / 2,500) steps of `batch_size` rows for n visits in an epoch, but at
        least 1,000 steps for two classes with hidden layers, 2,000 for other networks, and 16
        epochs.
    early_stopping : bool, default=False
        Whether to hold out validation rows, keep the weights of the epoch that is best on them,
        and stop after `n_iter_no_change` epochs in a row without an improvement of more than
        `tol`.
    validation_fraction : float, default=0.1
        Fraction in (0, 1) of the rows, by weight, that `early_stopping` holds out, stratified by
        class, or at random for several labels. Equal rows are never on both sides. A class with
        one distinct row stays in training.
    validation_scoring : str, callable or None, default="loss"
        Measure on the validation rows. "loss" is their mean loss without penalty and dropout.
        Otherwise a scorer of scikit-learn; None is the `score` method.
    tol : float or None, default=None
        Tolerance >= 0 of an improvement. Without `early_stopping`, training stops after
        `n_iter_no_change` epochs in a row in which the smoothed training loss did not improve by
        more than `tol`, and None trains for `max_iter` epochs. The smoothed loss is 0.8 times the
        previous smoothed loss plus 0.2 times the loss of the epoch, since dropout makes losses
        noisy. With `early_stopping`, None is treated as 0.
    n_iter_no_change : int, default=10
        Number of epochs without improvement after which training stops. With numpy.inf, training
        does not stop early.
    standardize : bool, default=True
        Whether to center and scale the columns, with weighted statistics. A column of two values
        becomes 0 for the more frequent one and 1 or -1 for the other one. A column of mostly zeros
        is divided by its standard deviation, or by a tenth of its largest absolute value if that is
        more. Other columns are centred by their mean and divided by their standard deviation. One
        penalty for all weights assumes columns of about the same scale.
    numerical_encoding : {"auto", "piecewise", "periodic"} or None, default="auto"
        What the network sees of a numeric column of a dense table beside the column itself. Columns
        of two values or one are not encoded. See Notes.

        - "piecewise": the share of each bin that lies below the value, for at most eight bins
          between weighted quantiles. Values are piecewise linear in these inputs.
        - "periodic": three numbers, a linear map of 16 cosines whose frequencies and phases are
          trained with the map, without penalty and decay.
        - "auto": "piecewise" for classifiers; None for regressors, for which no encoding was better
          on the average of many tables. For classifiers it is None, too, in a stream, without
          hidden layers, for fewer than 64 distinct rows, for more than 128 numeric columns of three
          or more values, and for a table that is held as sparse rows.

        With 20 numeric columns a step takes more than twice as long with an encoding. Whole fits
        with "piecewise" took 7 to 17 % longer on public tables.
    categorical_features : array-like or "from_dtype" or None, default="from_dtype"
        Which columns are categories: a mask, indices or names. "from_dtype" selects the columns of
        a data frame of dtype category, enum or string, object columns with strings, and booleans
        with missing values. None selects none, and strings are an error. The Notes of
        :class:`RegularizedMLPClassifier` say how they are encoded.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Factors of the sample weights by class. "balanced" gives every class the same total weight.
        For several labels per row, a list with one dict for each label; the factors of a row are
        multiplied. ``l2="auto"`` ignores them.
    warm_start : bool, default=False
        Whether `fit` begins with the weights of the last fit, which needs the same layers and the
        same classes. Dropout masks and orders of the rows continue where that fit ended. If the
        scale of the columns changes, the weights are rewritten so that the network predicts the
        same.
    random_state : int, RandomState instance or None, default=None
        Determines the first weights, the order of the rows and the dropout masks. The same integer
        gives the same bits on the same machine with the same versions, with any number of threads.
    verbose : int, default=0
        If above 0, show a progress bar with the losses in a terminal, or in a notebook with
        ipywidgets, and print a line per epoch elsewhere.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels of `y`, including those of rows with weight 0. For an indicator `y` the
        numbers of its columns.
    coefs_ : list of ndarray of float32
        Kernels for standardised inputs, each of shape (n_inputs, n_outputs). The rows of columns
        that were constant in training are zero.
    intercepts_ : list of ndarray of float32
        Biases, each of shape (n_outputs,).
    center_ : ndarray of float64 of shape (n_columns,), or None
        Subtracted from each column, after categories and missing values are encoded: its mean; one
        of its values if there are two; 0 for mostly zeros. None if `standardize` is False.
    scale_ : ndarray of float64 of shape (n_columns,), or None
        Divisor of the columns. 1 for constant columns, or more if rounding alone moves a huge
        constant by more than 1. None if `standardize` is False.
    encoding_ : PiecewiseEncoding, PeriodicEncoding or None
        The encoding of the standardised numeric columns, or None if there is none. Its `columns`
        are their indices in `encoded_feature_names_`. With "piecewise" `columns`, `lower` and
        `width` have the shape (n_bins,): column, lower edge and width of each bin. With "periodic"
        `columns` has the shape (n_encoded,), `frequencies` and `phases` (n_encoded, 16), `kernels`
        (n_encoded, 16, 3) and `biases` (n_encoded, 3).
    encoded_feature_names_ : ndarray of object of shape (n_inputs,)
        Names of the inputs, the rows of ``coefs_[0]``: first the columns of `center_`, which are
        numbers, indicators of missing values and levels of categories. Last come the inputs of
        `numerical_encoding`, such as "age_bin_1" or "age_periodic_1".
    l2_ : float or tuple of float
        Strength that was used, for all kernels or for each.
    n_iter_ : int
        Number of epochs run.
    loss_ : float
        Last value of `loss_curve_`.
    loss_curve_ : list of float of length n_iter_
        Objective of each epoch: the mean loss over its steps with dropout, plus the penalties at
        its end. The last value is not finite if training diverged.
    validation_loss_curve_ : list of float of length n_iter_, or None
        Mean loss of the validation rows after each epoch, without penalty and dropout. None if
        `early_stopping` is False.
    validation_scores_ : list of float of length n_iter_, or None
        Score of the validation rows after each epoch. None if `early_stopping` is False or
        `validation_scoring` is "loss".
    best_iter_ : int
        Epoch, from 1 on, whose weights are kept. Without `early_stopping` the last weights are
        kept, and this is the epoch of the lowest training loss.
    best_loss_ : float
        Validation loss at `best_iter_`; without `early_stopping` the lowest training loss.
    n_layers_ : int
        Number of hidden layers plus 2.
    n_outputs_ : int
        Number of logits: 1 for two classes, else one for each class or label.
    out_activation_ : {"logistic", "softmax"}
        Activation of the output: "logistic" for two classes and for several labels per row.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Names of the columns seen in `fit`. Only set if all names are strings.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : A network without dropout and class weights.
    sklearn.linear_model.LogisticRegression : The same model without hidden layers.

    Notes
    -----
    The same penalty in other libraries, for `n` rows of weight 1 and batches of `b` rows:

    - ``LogisticRegression(C=C)``: ``l2 = 1 / (2 * C * n)``.
    - ``Ridge(alpha=alpha)`` on the mean squared error: ``l2 = alpha / n``.
    - ``MLPClassifier(alpha=alpha)``: ``l2 = alpha / (2 * b)``, since it divides by the batch size.
      For `q` labels per row ``l2 = alpha / (2 * b * q)``, since it sums over labels.
    - ``regularizers.L2(l2)`` of Keras: the same number.
    - `weight_decay` with sgd and no momentum: ``l2 = weight_decay / 2``. Adam rescales the gradient
      of the penalty, so there is no conversion.

    Weights are frequencies: a row of weight 2 gives the same bits as the row twice, with dropout
    and minibatches. Equal rows are merged first, and the order of the rows does not matter. Row *i*
    is visited ``ceil(w_i)`` times per epoch, and each visit has the weight ``w_i / ceil(w_i)``,
    where the weights are scaled to the mean 1 over the distinct rows. So only the ratios of weights
    matter, and an epoch has as many visits as distinct rows, or up to twice as many.

    If `y` has one class only, the network predicts that class.

    The network sees an encoded table (`encoded_feature_names_`). A missing number becomes the
    weighted median of its column, and a column with missing numbers in training has an indicator of
    them. A category has a column for each of its at most 40 heaviest levels with at least 0.5 % of
    the weight, one for missing values if there were some in training, and one for all other levels
    if there are any. A category of two levels and nothing else has one column. Levels that were not
    in training count as other levels if there are any, else as none. With two levels in one column,
    unknown and missing levels count as the heavier one. The order of ordered categories is not
    used. All this is learned from the rows of `fit`, also from those that early stopping holds out;
    in a stream from the first batch. The same rows in a sparse or a dense table give the same
    network.

    `numerical_encoding` adds inputs for the numeric columns of dense tables. Columns of one or two
    values, such as levels and indicators, have none. "piecewise" has bins between weighted
    quantiles, of which equal ones are merged; a bin from `e` to `f` is the input
    ``clip((x - e) / (f - e), 0, 1)`` of the standardised column. "periodic" has the inputs
    ``cos(2 * pi * w * x + b) @ M + m`` with 16 frequencies, 16 phases and a map to three numbers
    for each column. The edges are those of the first fit in a warm start and of the first batch in
    a stream, there in units of the running scales. `input_dropout` drops a column together with its
    encoded inputs.

    References
    ----------
    .. [1] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A
       Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.
    .. [2] A. Krogh, J. Hertz, "A Simple Weight Decay Can Improve Generalization", NIPS 4, 1992.
    .. [3] I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    .. [4] D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    .. [5] X. Glorot, Y. Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural
       Networks", AISTATS 2010.
    .. [6] Y. Gal, Z. Ghahramani, "Dropout as a Bayesian Approximation: Representing Model
       Uncertainty in Deep Learning", ICML 2016.
    .. [7] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", NeurIPS 2022.
    .. [8] D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data", NeurIPS 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import cross_val_score
    >>> from skreg import RegularizedMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifier(random_state=0)
    >>> float(cross_val_score(model, X, y).mean()) > 0.96
    True
    """

    _parameter_constraints: dict = {
        **BaseRegularizedMLP._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        activation="relu",
        dropout=0.3,
        input_dropout=0.0,
        l2="auto",
        l1=0.0,
        weight_decay=0.0,
        solver="adam",
        learning_rate_init="auto",
        learning_rate="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        numerical_encoding="auto",
        categorical_features="from_dtype",
        class_weight=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self._store_parameters(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers and categories, some of which may be missing; no infinities. Tables of float32
            and float64 without missing values are not copied.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator of zeros and ones for several labels per row.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: a row of weight 2 is the same as the row twice, and a row of weight 0 is
            ignored. If None, all rows have weight 1.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation rows for `early_stopping`, instead of a fraction of `X`.
        y_val : array-like of shape (n_val,) or (n_val, n_labels), default=None
            Labels of the validation rows, among those of `y`.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows. If None, all rows have weight 1.

        Returns
        -------
        self : RegularizedMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid. It is raised before any training.
        KeyboardInterrupt
            On Ctrl-C. If an epoch has ended, the estimator is fitted with the best weights so far.
        """
        validation = ValidationSet.read(X_val, y_val, sample_weight_val)
        return self._fit(self._make_request(X, y, sample_weight, validation))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch on the next rows of a stream, at a constant learning rate.

        Training continues where the last call ended, with the moments of the solver, or with the
        weights of `fit`. Columns are standardised by the statistics of all rows so far, as behind
        `StandardScaler.partial_fit`. After `fit`, the weights are rewritten when these change, so
        that the network predicts the same. "balanced" class weights balance all rows so far.
        `early_stopping` has no effect.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers and categories, some of which may be missing; no infinities.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies, as in `fit`. If None, all rows have weight 1. In the steps of one call
            only the ratios of its weights matter, and so do those of `class_weight`. The
            statistics of the columns and "balanced" take the weights as they are.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls. Required in the first call.

        Returns
        -------
        self : RegularizedMLPClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If `classes` is missing in the first call or differs later, or as in `fit`.

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from skreg import RegularizedMLPClassifier
        >>> X, y = load_breast_cancer(return_X_y=True)
        >>> model = RegularizedMLPClassifier(batch_size=32, random_state=0)
        >>> for start in range(0, len(X), 100):
        ...     rows = slice(start, start + 100)
        ...     model = model.partial_fit(X[rows], y[rows], classes=[0, 1])
        >>> model.n_iter_
        6
        """
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        classes = known if classes is None else check_classes(classes)
        if known is not None and not np.array_equal(known, classes):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{known!r}"
            )
        classes = classes if known is None else known  # 0 and 1 equal False and True
        request = self._make_request(X, y, sample_weight, classes=classes, partial=True)
        return self._fit(request)

    def mc_dropout(self, X, n_samples=100, random_state=None):
        """Sample probabilities with dropout on, as Monte-Carlo dropout does [6]_.

        The spread of the samples tells how uncertain the network is. `predict_proba` has no
        dropout. :func:`skreg.predictive_uncertainty` summarises the samples.

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
        samples : ndarray of shape (n_samples, n_rows, n_classes) or (n_samples, n_rows, n_labels)
            In the order of `classes_`. float32 for a float32 table, else float64.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If neither `dropout` nor `input_dropout` is above 0, if `n_samples` is not an integer
            >= 1, or if `X` is not valid.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> model.mc_dropout(X, n_samples=10, random_state=0).shape
        (10, 150, 3)
        """
        return self._predict_from_logits(self._sample_logits(X, n_samples, random_state))

    @classmethod
    def from_keras(cls, model, classes=None):
        """Return a fitted classifier that predicts what a Keras model predicts.

        Parameters
        ----------
        model : keras.Model, str or os.PathLike
            Sequential or functional model, or a `.keras` file of one. It has Dense layers with
            Dropout between them, and Rescaling or Normalization layers before them. The last
            activation is softmax, or sigmoid for two classes and for several labels per row, or
            linear if the loss takes logits.
        classes : array-like of shape (n_classes,), default=None
            Labels in the order of the outputs; for one sigmoid output the labels of 0 and of 1.
            None takes the labels that :func:`skreg.keras.save_model` wrote into the file, else
            0, 1, ...

        Returns
        -------
        estimator : RegularizedMLPClassifier
            It predicts without TensorFlow. Its parameters are those of the layers and of the
            optimiser at a constant rate. If skreg does not have the optimiser, the parameters of
            the solver keep their defaults.
            Attributes that describe a training, such as `loss_curve_`, are not set.
            It computes in float32 whatever the dtype policy of the model. Until it is trained, it
            rounds inputs to float32 before it scales them, as Keras does.

        Raises
        ------
        TypeError
            If `model` is neither a Keras model nor a path, or if `classes` have several types.
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file cannot be read, if skreg cannot express a layer, which is named, or if the
            number of `classes` is not that of the outputs.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> read = RegularizedMLPClassifier.from_keras(model.to_keras())
        >>> bool((read.predict(X) == model.predict(X)).all())
        True
        """
        model, labels = load_model(model)
        classes = labels if classes is None else classes
        network, attributes = read_class_network(read_network(model), model, classes)
        return cls._from_network(network, read_solver(model), attributes)

    def _get_loss_and_outputs(self):
        return find_class_loss(self.out_activation_), None

    _y_numeric = False

    def _make_targets(self, y, classes=None) -> ClassTargets:
        return ClassTargets.from_labels(ravel_column(y), self.class_weight, classes)
