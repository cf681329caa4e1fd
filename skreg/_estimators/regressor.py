"""RegularizedMLPRegressor: numbers in, numbers out."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.utils.validation import check_is_fitted

from skreg._compat import Interval, StrOptions, fit_context
from skreg._engine.hyperparameters import read_loss_parameters
from skreg._estimators.base import BaseRegularizedMLP
from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.docstrings import copy_entries
from skreg._estimators.fit_records import ValidationSet
from skreg._estimators.regression_targets import RegressionTargets
from skreg._estimators.targets import ravel_column
from skreg._nn.links import LINKS
from skreg._nn.losses import REGRESSION_LOSSES, RegressionLoss
from skreg._nn.network import Scaling
from skreg.keras._files import load_model
from skreg.keras._import import read_network, read_regression_network
from skreg.keras._optimizer import read_solver


class RegressionPredictions(MultiOutputMixin, RegressorMixin):
    """Predictions and tags of an estimator that has a `loss` and `_predict`."""

    def predict(self, X):
        """Predict the target of each row, in the units of the `y` of `fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Columns as in training.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In float32 for a float32 table, else in float64. With several quantiles a column for
            each, in the order of `quantile`: no value is below the one before it in its row.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X` is not valid, or does not have the columns of training.
        """
        return self._predict(X)

    def score(self, X, y, sample_weight=None):
        """Compute R², or D² of the pinball loss for several quantiles.

        D² of a quantile is 1 minus the pinball loss divided by that of the best constant, as
        :func:`sklearn.metrics.d2_pinball_score` computes it. The score is the mean over the
        quantiles. A single quantile has R², as other losses.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            As for `predict`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. If None, all rows have weight 1.

        Returns
        -------
        score : float
            Greater is better, and 1 is the best.

        Raises
        ------
        NotFittedError
            If there is no fitted network.
        ValueError, TypeError
            If `X`, `y` or `sample_weight` is not valid, or if `loss` and `quantile` were set to
            other outputs than the network has.
        """
        check_is_fitted(self)  # before the parameters are read
        levels = self._get_levels()
        if not levels:
            return super().score(X, y, sample_weight)
        scores = [
            d2_pinball_score(y, column, sample_weight=sample_weight, alpha=level)
            for level, column in zip(levels, self.predict(X).T, strict=True)
        ]
        return float(np.mean(scores))

    def _get_levels(self) -> tuple[float, ...]:
        """Return the levels of several quantiles, else nothing.

        Raises a ValueError if they are not those of a fitted network.
        """
        levels = _get_form(self).get_levels(read_loss_parameters(self))
        link = LINKS.get(getattr(self, "out_activation_", ""))
        n_fitted = self.n_outputs_ if link is not None and link.sorts else 0
        if link is not None and len(levels) != n_fitted:
            expected = f"{n_fitted} levels of quantiles" if n_fitted else "one output a column"
            raise ValueError(
                f"loss and quantile: expected {expected}, as the fitted network has; received "
                f"loss={self.loss!r} and quantile={self.quantile!r}."
            )
        return levels

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Tags are read before parameters are validated.
        try:
            loss = _get_form(self)
        except ValueError:
            return tags
        counts = loss.min_target == 0
        tags.target_tags.positive_only = counts
        # Several columns of counts can be learned, but scikit-learn's check of several columns
        # ignores positive_only.
        tags.target_tags.multi_output = loss.takes_several_columns and not counts
        return tags


def _get_form(estimator) -> RegressionLoss:
    """Return the loss for the parameters of an estimator."""
    if not isinstance(estimator.loss, str) or estimator.loss not in REGRESSION_LOSSES:
        raise ValueError(
            f"loss: expected one of {sorted(REGRESSION_LOSSES)}; received {estimator.loss!r}."
        )
    return REGRESSION_LOSSES[estimator.loss].choose_form(read_loss_parameters(estimator))


@copy_entries(RegularizedMLPClassifier)
class RegularizedMLPRegressor(RegressionPredictions, BaseRegularizedMLP):
    r"""Multilayer perceptron for regression, regularised by dropout and L2.

    The default network has hidden layers of 128 and 64 relu units, each followed by dropout of 0.1,
    and an L2 penalty on all kernels that depends on the number of rows. It is trained with Adam for
    2,000 steps or more on standardised inputs and targets. `dropout` and `l2` are plain numbers, so
    `GridSearchCV` and pipelines can tune them.

    With sample weights :math:`w_i` of sum :math:`W`, outputs :math:`f(x)` of :math:`q` columns and
    kernels :math:`K_k` it minimises

    .. math:: \frac{1}{W q} \sum_i w_i \sum_j \ell(f_j(x_i), y_{ij})
              + \sum_k \lambda_k \lVert K_k \rVert^2

    in expectation over the dropout masks, where :math:`\ell` is the loss on standardised targets
    and :math:`\lambda_k` is `l2`; `l1` adds the sum of absolute weights likewise. Biases are not
    penalised. The penalty is that of Keras' ``kernel_regularizer=L2``, without 1/2 and without 1/n.
    The Notes have conversions.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Number of units in each hidden layer. ``()`` means no hidden layer: the model is linear.
    loss : str, default="squared_error"
        Loss, as a mean over rows and outputs:

        - "squared_error", without 1/2, predicts the mean.
        - "absolute_error" predicts the median.
        - "huber" is half the squared error up to one standardised unit, and linear beyond.
        - "log_cosh" is ``log(cosh(error))``, a smooth form of "huber".
        - "quantile" is the pinball loss, and predicts the quantile of level `quantile`. With
          several levels it is the mean of their pinball losses.
        - "poisson" is ``exp(f) - y * f`` for counts and rates >= 0, predicted as ``exp(f)``.
    quantile : float or array-like of shape (n_levels,), default=0.5
        Level in (0, 1), or several levels, strictly ascending. Several levels are several outputs
        of one network for a single column `y`: `predict` returns a column for each, sorted in each
        row, so that quantiles do not cross. A sequence of one level is the same as the number.
        Only used with loss="quantile"; other losses refuse several levels.
    <entries: activation>
    dropout : float or array-like of shape (n_hidden_layers,), default=0.1
        Rate in [0, 1) of each hidden layer: the fraction of its units that each training step sets
        to zero after the activation. The others are multiplied by ``1 / (1 - dropout)``.
        Predictions do not use dropout.
    <entries: input_dropout>
    l2 : float, array-like of shape (n_hidden_layers + 1,) or "auto", default="auto"
        Strength >= 0 of the penalty ``l2 * sum(kernel ** 2)``, for all kernels or one for each.
        "auto" is 3 divided by the number of training rows. For ``loss="huber"``, "log_cosh" and
        "quantile" it is 1.5, and for several quantiles 0.75 divided by this number, since these
        losses are smaller. It is at most 0.03. If all sample weights are multiples of the smallest
        one, they count repeated rows: 0.1 and 1 stand for one row and ten rows. Up to 100 distinct
        rows they may be multiples of any number. Otherwise, and above 100,000 rows for each
        distinct one, each distinct row counts once. In a stream, all rows so far count. With
        ``activation="logistic"`` and hidden layers, "auto" is a sixteenth of that.
    <entries: l1, weight_decay, solver, learning_rate_init, learning_rate, momentum,
        nesterovs_momentum, beta_1, beta_2, epsilon, batch_size, max_iter, early_stopping>
    validation_fraction : float, default=0.1
        Fraction in (0, 1) of the rows, by weight, that `early_stopping` holds out at random. Equal
        rows are never on both sides.
    <entries: validation_scoring, tol, n_iter_no_change, standardize>
    standardize_target : bool, default=True
        Whether the targets are centred and scaled in training, whatever `standardize` is; see
        `target_center_` and `target_scale_`.
        Predictions are in the units of `y` in both cases. The penalties and the learning rate of
        an unscaled target depend on its unit.
    <entries: numerical_encoding, categorical_features>
    warm_start : bool, default=False
        Whether `fit` begins with the weights of the last fit, which needs the same layers. Dropout
        masks and orders of the rows continue where that fit ended. If the scale of columns or
        targets changes, the weights are rewritten so that the network predicts the same.
    <entries: random_state, verbose>

    Attributes
    ----------
    <entries: coefs_, intercepts_, center_, scale_, encoding_, encoded_feature_names_, l2_, n_iter_,
        loss_, loss_curve_, validation_loss_curve_, validation_scores_, best_iter_, best_loss_,
        n_layers_>
    n_outputs_ : int
        Number of columns of `y`, or of levels with several quantiles.
    out_activation_ : {"identity", "sorted", "exp"}
        Activation of the output: "exp" for loss="poisson". "sorted" for several quantiles: the
        outputs of each row in ascending order.
    target_center_ : ndarray of float64 of shape (n_outputs_,)
        Center of the targets: the mean for "squared_error", 0 for "poisson" and without
        `standardize_target`, else the median; the value of a constant target. Predictions are
        ``target_center_ + target_scale_ * output``, with ``exp(output)`` for "poisson".
    target_scale_ : ndarray of float64 of shape (n_outputs_,)
        Scale of the targets: the standard deviation for "squared_error", the mean for "poisson", 1
        without `standardize_target`, else 1.4826 times the median absolute deviation, or the mean
        absolute deviation if the median is 0. 0 for a constant target, which is predicted exactly.
    <entries: n_features_in_, feature_names_in_>

    See Also
    --------
    sklearn.neural_network.MLPRegressor : A network without dropout.
    sklearn.linear_model.Ridge : The same model without hidden layers.

    Notes
    -----
    The same penalty in other libraries, for `n` rows of weight 1, batches of `b` rows and a target
    of scale `s` (`target_scale_`; 1 without `standardize_target`):

    - ``Ridge(alpha=alpha)``: ``l2 = alpha / n`` for any `s`, since the one kernel is scaled with
      the target.
    - ``PoissonRegressor(alpha=alpha)``: ``l2 = alpha / (2 * s)``.
    - ``MLPRegressor(alpha=alpha)``, which halves the squared error, divides by the batch size and
      sums over outputs. For one output ``l2 = alpha / b`` for the last kernel and
      ``alpha / (b * s ** 2)`` for the others; for `q` outputs ``alpha / (b * q)`` without
      `standardize_target`.
    - ``regularizers.L2(l2)`` of Keras, with ``loss="mse"`` on the scaled target: the same number.

    Weights are frequencies, as in `RegularizedMLPClassifier`: a row of weight 2 gives the same bits
    as the row twice.

    The network sees an encoded table, as in `RegularizedMLPClassifier`: medians and indicators for
    missing numbers, and a column for each frequent level of a category. `numerical_encoding` adds
    inputs for its numeric columns, as there.

    References
    ----------
    .. [1] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A
       Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.
    .. [2] P. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics
       35, 1964.
    .. [3] R. Koenker, G. Bassett, "Regression Quantiles", Econometrica 46, 1978.
    .. [4] Y. Gal, Z. Ghahramani, "Dropout as a Bayesian Approximation: Representing Model
       Uncertainty in Deep Learning", ICML 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from skreg import RegularizedMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressor(random_state=0)
    >>> float(cross_val_score(model, X, y).mean()) > 0.4
    True

    Three quantiles of one target, which do not cross:

    >>> model = RegularizedMLPRegressor(
    ...     loss="quantile", quantile=(0.05, 0.5, 0.95), random_state=0
    ... )
    >>> low, median, high = model.fit(X, y).predict(X).T
    >>> bool((low <= median).all() and (median <= high).all())
    True
    >>> bool(((low <= y) & (y <= high)).mean() > 0.75)
    True
    """

    _parameter_constraints: dict = {
        **BaseRegularizedMLP._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
        "standardize_target": ["boolean"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        loss="squared_error",
        quantile=0.5,
        activation="relu",
        dropout=0.1,
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
        standardize_target=True,
        numerical_encoding="auto",
        categorical_features="from_dtype",
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
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Finite numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: a row of weight 2 is the same as the row twice, and a row of weight 0 is
            ignored. If None, all rows have weight 1.
        X_val : array-like of shape (n_val, n_features), default=None
            Validation rows for `early_stopping`, instead of a fraction of `X`.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation rows.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows. If None, all rows have weight 1.

        Returns
        -------
        self : RegularizedMLPRegressor
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
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on the next rows of a stream, at a constant learning rate.

        Training continues where the last call ended, with the moments of the solver, or with the
        weights of `fit`. Columns and targets are standardised by the statistics of all rows so far;
        medians are those of the first call whose targets are not constant. After `fit`, the weights
        are rewritten when statistics change, so that the network predicts the same.
        `early_stopping` has no effect.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers and categories, some of which may be missing; no infinities.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Finite numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies, as in `fit`. If None, all rows have weight 1. In the steps of one call
            only the ratios of its weights matter. The statistics of columns and targets take the
            weights as they are.

        Returns
        -------
        self : RegularizedMLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            As in `fit`.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skreg import RegularizedMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = RegularizedMLPRegressor(batch_size=32, random_state=0)
        >>> for start in range(0, len(X), 100):
        ...     model = model.partial_fit(X[start : start + 100], y[start : start + 100])
        >>> model.n_iter_
        5
        """
        return self._fit(self._make_request(X, y, sample_weight, partial=True))

    def _predict(self, X):
        return self._predict_from_logits(self._compute_logits(X))

    def _predict_from_logits(self, logits):
        """Return predictions in the units of the targets, given logits of shape (..., q)."""
        largest = np.finfo(logits.dtype).max
        with np.errstate(over="ignore"):  # a value that is too large becomes the largest float
            values = np.minimum(LINKS[self.out_activation_].predict(logits), largest)
            values = self.target_center_ + self.target_scale_ * values
        values = np.clip(values, -largest, largest).astype(logits.dtype, copy=False)
        return values[..., 0] if self.n_outputs_ == 1 else values

    def mc_dropout(self, X, n_samples=100, random_state=None):
        """Sample predictions with dropout on, as Monte-Carlo dropout does [4]_.

        The standard deviation of the samples tells how uncertain the network is, apart from the
        noise of the targets. `predict` has no dropout.

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
        samples : ndarray of shape (n_samples, n_rows) or (n_samples, n_rows, n_outputs)
            In the units of the `y` of `fit`. float32 for a float32 table, else float64.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If neither `dropout` nor `input_dropout` is above 0, if `n_samples` is not an integer
            >= 1, or if `X` is not valid.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skreg import RegularizedMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = RegularizedMLPRegressor(max_iter=5, random_state=0).fit(X, y)
        >>> model.mc_dropout(X, n_samples=10, random_state=0).shape
        (10, 442)
        """
        return self._predict_from_logits(self._sample_logits(X, n_samples, random_state))

    @classmethod
    def from_keras(cls, model):
        """Return a fitted regressor that predicts what a Keras model predicts.

        Parameters
        ----------
        model : keras.Model, str or os.PathLike
            Sequential or functional model, or a `.keras` file of one. It has Dense layers with
            Dropout between them, and Rescaling or Normalization layers before them. The last layer
            is linear, or exponential for counts. A Rescaling after it is the scale of the targets.
            Between the two may be the layer of `to_keras` that sorts several quantiles.

        Returns
        -------
        estimator : RegularizedMLPRegressor
            It predicts without TensorFlow. Its parameters are those of the layers and of the
            optimiser at a constant rate. If skreg does not have the optimiser, the parameters of
            the solver keep their defaults.
            `loss` is "poisson" after an exponential, "quantile" with a layer that sorts, else that
            of the compiled model if skreg has it, else "squared_error". Attributes that describe a
            training, such as `loss_curve_`, are not set.
            It computes in float32 whatever the dtype policy of the model. Until it is trained, it
            rounds inputs to float32 before it scales them, as Keras does.

        Raises
        ------
        TypeError
            If `model` is neither a Keras model nor a path.
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file cannot be read, or if skreg cannot express a layer, which is named.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skreg import RegularizedMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = RegularizedMLPRegressor(max_iter=5, random_state=0).fit(X, y)
        >>> read = RegularizedMLPRegressor.from_keras(model.to_keras())
        >>> bool(abs(read.predict(X) - model.predict(X)).max() < 1e-2)
        True
        """
        model, _ = load_model(model)
        network = read_network(model)
        loss, attributes = read_regression_network(network, model)
        parameters = {"loss": loss, "standardize_target": network.output_scaling is not None}
        if network.levels:
            parameters["quantile"] = network.levels
        return cls._from_network(network, read_solver(model), attributes, **parameters)

    def _get_loss_and_outputs(self):
        self._get_levels()  # raises for other levels than those of the network
        loss = _get_form(self)
        if loss.link.name != self.out_activation_:
            raise ValueError(
                "loss: expected a loss with the link of the fitted network, "
                f"{self.out_activation_!r}; received {self.loss!r}."
            )
        is_scaled = self.target_center_.any() or (self.target_scale_ != 1).any()
        return loss, Scaling(self.target_center_, self.target_scale_) if is_scaled else None

    _y_numeric = True

    def _make_targets(self, y, classes=None) -> RegressionTargets:
        return RegressionTargets.from_numbers(
            ravel_column(y), self.loss, self.standardize_target, read_loss_parameters(self)
        )
