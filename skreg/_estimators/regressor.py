"""RegularizedMLPRegressor: numbers in, numbers out.

Owns the regressor's parameters and their documentation, and what is made of logits: predictions in
the user's units. Does not own the scale of the targets (`_targets`), nor parameters, training and
logits (`_base`).
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from skreg._compat import Interval, StrOptions, fit_context
from skreg._estimators.base import BaseRegularizedMLP, validation_of
from skreg._estimators.targets import NumberTargets, column_as_vector
from skreg._nn.losses import REGRESSION_HEADS
from skreg.keras._files import opened
from skreg.keras._import import read_keras, solver_parameters, with_numbers


class NumberPredictions(MultiOutputMixin, RegressorMixin):
    """`predict` and the tags of whoever has a `loss` and `_predictions`."""

    def predict(self, X):
        """Predict the target of each row, in the units of the `y` of `fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of float32 for a float32 table, of float64 for any other.
        """
        return self._predictions(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        counts = self.loss == "poisson"
        tags.target_tags.positive_only = counts
        # Several columns of counts are learned, but scikit-learn's check of several columns takes
        # no notice of positive_only.
        tags.target_tags.multi_output = not counts
        return tags


class RegularizedMLPRegressor(NumberPredictions, BaseRegularizedMLP):
    r"""Multilayer perceptron for regression, regularised by dropout and L2.

    With its defaults it is the network ``Dense(128, relu, L2 0.001), Dropout 0.1,
    Dense(64, relu, L2 0.001), Dropout 0.1, Dense(outputs)`` trained by Adam, on inputs and targets
    standardised inside. `dropout` and `l2` are plain numbers, so that `GridSearchCV` and pipelines
    tune them.

    With sample weights :math:`w_i` of sum :math:`W`, outputs :math:`f(x)` of :math:`q` columns and
    kernels :math:`W_k` it minimises

    .. math:: \frac{1}{W q} \sum_i w_i \sum_j \ell(f_j(x_i), y_{ij})
              + \sum_k \lambda_k \lVert W_k \rVert^2

    in expectation over the dropout masks, where :math:`\ell` is the loss, of targets on their
    standardised scale, and :math:`\lambda_k` is `l2`. Biases are free. The penalty is Keras'
    ``kernel_regularizer=L2``: no 1/2 and no 1/n (see Notes for conversions).

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(128, 64)
        Units of each hidden layer; ``()`` has none, which is a linear model.
    loss : str, default="squared_error"
        The mean over rows and outputs of: "squared_error", without a 1/2; "absolute_error", for
        the median; "huber", half the squared error up to one (standardised) unit and the absolute
        error beyond; "quantile", the pinball loss; or "poisson", ``exp(f) - y * f``, for counts and
        rates >= 0, which are predicted as ``exp(f)``.
    quantile : float, default=0.5
        Level in (0, 1) of loss="quantile".
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Function of the hidden units.
    dropout : float or array-like of shape (n_hidden_layers,), default=0.1
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
    max_iter : int, default=200
        Most epochs.
    early_stopping : bool, default=False
        Whether to hold out rows, to keep the weights of the epoch that is best on them, and to stop
        when `n_iter_no_change` epochs in a row were not better by more than `tol`.
    validation_fraction : float, default=0.1
        Share, in (0, 1), of the weight of the distinct rows that `early_stopping` holds out, drawn
        at random; equal rows are never on both sides.
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
    warm_start : bool, default=False
        Whether `fit` begins with the weights of the last fit, of the same layers. The
        network's function is the same on the new table's scale.
    random_state : int, RandomState instance or None, default=None
        Decides the first weights, the order of the rows and the dropout masks. The same integer
        gives the same bits on the same machine with the same versions, on any number of threads
        of a process.
    verbose : int, default=0
        Above 0, show a progress bar with the losses in a terminal, or print a line an epoch.

    Attributes
    ----------
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
        Columns of `y`.
    out_activation_ : {"identity", "exp"}
        From the network's outputs to predictions: "exp" for loss="poisson".
    target_center_ : ndarray of float64 of shape (n_outputs_,)
        Predictions are ``target_center_ + target_scale_ * output``, for loss="poisson"
        ``target_scale_ * exp(output)``. The mean for "squared_error", 0 for "poisson" and without
        `standardize`, else the median.
    target_scale_ : ndarray of float64 of shape (n_outputs_,)
        The standard deviation for "squared_error", the mean for "poisson", 1 without `standardize`,
        else 1.4826 times the median absolute deviation; 1 for a constant target.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, when all of them are strings.

    See Also
    --------
    sklearn.neural_network.MLPRegressor : A network without dropout.
    sklearn.linear_model.Ridge : What this is without a hidden layer.

    Notes
    -----
    Strengths of others that give the same penalty, for `n` rows of weight 1, batches of `b` and a
    target of scale `s` (`target_scale_`; 1 without `standardize`):

    - ``Ridge(alpha=alpha)``: ``l2 = alpha / n``, whatever `s` is, since the one kernel is scaled
      with the target.
    - ``PoissonRegressor(alpha=alpha)``: ``l2 = alpha / (2 * s)``.
    - ``MLPRegressor(alpha=alpha)``, which halves the squared error, divides by the batch size and
      sums over outputs: for one ``l2 = alpha / b`` for the last kernel and ``alpha / (b * s ** 2)``
      for the others; for `q` outputs ``alpha / (b * q)`` without `standardize`.
    - Keras' ``regularizers.L2(l2)`` with ``loss="mse"`` on the scaled target: the same number.

    Weights are frequencies, as in `RegularizedMLPClassifier`: a row of weight 2 is the row twice,
    bit for bit.

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
    >>> model = RegularizedMLPRegressor(dropout=0.5, l2=1e-2, random_state=0)
    >>> float(cross_val_score(model, X, y).mean()) > 0.45
    True
    """

    _parameter_constraints: dict = {
        **BaseRegularizedMLP._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_HEADS))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _predicts_numbers = True

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        loss="squared_error",
        quantile=0.5,
        activation="relu",
        dropout=0.1,
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
        max_iter=200,
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
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
        self.loss = loss
        self.quantile = quantile

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers. float32 and float64 tables are read in place.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Finite numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies: a row of weight 2 is the same as the row twice, one of weight 0 the same
            as none. None is 1 for every row.
        X_val : array-like of shape (n_validation_samples, n_features), default=None
            Rows for `early_stopping`, instead of a share of `X`.
        y_val : array-like, default=None
            Their targets.
        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Their weights. None is 1 for every row.

        Returns
        -------
        self : RegularizedMLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not what is expected; before any training.
        """
        return self._fit(X, y, sample_weight, validation_of(X_val, y_val, sample_weight_val))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train one epoch on a batch of rows of a stream, at a constant learning rate.

        Goes on where the last call ended, with the solver's moments, or with the weights of `fit`.
        The statistics that inputs and targets are standardised by are those of all rows so far
        (medians stay those of the first call); when they move, the weights are rewritten so that
        the network's function does not. `early_stopping` has no effect on one epoch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Finite numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies. None is 1 for every row.

        Returns
        -------
        self : RegularizedMLPRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit` does.
        """
        return self._fit(X, y, sample_weight, stream=getattr(self, "_stream", {}))

    def _predictions(self, X):
        return self._in_units(self._logits(X))

    def _in_units(self, logits):
        largest = np.finfo(logits.dtype).max
        with np.errstate(over="ignore"):  # what no float can hold becomes the largest that one can
            values = np.exp(logits) if self.out_activation_ == "exp" else logits
            values = self.target_center_ + self.target_scale_ * values
        values = np.clip(values, -largest, largest).astype(logits.dtype, copy=False)
        return values[..., 0] if self.n_outputs_ == 1 else values

    def mc_dropout(self, X, n_samples=100, random_state=None):
        """Sample predictions with dropout on, as Monte-Carlo dropout does [4]_.

        `predict` is the network without dropout; the samples' standard deviation tells what it is
        not sure of, apart from the noise of the targets.

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
        samples : ndarray of shape (n_samples, n_rows) or (n_samples, n_rows, n_outputs)
            In the units of the `y` of `fit`; float32 for a float32 table, float64 for any other.

        Raises
        ------
        ValueError
            If neither `dropout` nor `input_dropout` is above 0, or `n_samples` is no integer >= 1.
        """
        return self._in_units(self._sampled_logits(X, n_samples, random_state))

    @classmethod
    def from_keras(cls, model):
        """Return a fitted regressor that predicts as a Keras model does, without TensorFlow.

        Parameters
        ----------
        model : keras.Model, str or os.PathLike
            Sequential or functional, or a `.keras` file of one: Dense layers with Dropout between
            them, behind Rescalings or a Normalization if any. The last layer is linear, or
            exponential for counts; a Rescaling may follow, which is taken for the targets' scale.

        Returns
        -------
        estimator : RegularizedMLPRegressor
            Its parameters are those of the layers and of the optimiser at a constant rate, but the
            defaults for one that is not known here; `loss` is "poisson" after an exponential, else
            that of the compiled model where it is one of ours, else "squared_error". It has no
            attributes that tell of a training.
            It computes in float32, whatever the model's policy, and until it is trained on rows it
            rounds inputs that it scales to float32, as Keras does.

        Raises
        ------
        TypeError
            If `model` is neither a Keras model nor a path.
        FileNotFoundError
            If there is no file.
        ValueError
            If the file cannot be read; or if a network of ours cannot say what a layer does, which
            is named.
        """
        model, _ = opened(model)
        network = read_keras(model)
        loss, attributes = with_numbers(network, model)
        return cls._of_network(network, solver_parameters(model), attributes, loss=loss)

    def _loss_and_outputs(self):
        if (self.loss == "poisson") != (self.out_activation_ == "exp"):
            raise ValueError(
                f"loss: expected that of the fit, whose output is {self.out_activation_!r}; "
                f"received {self.loss!r}."
            )
        scaled = self.target_center_.any() or (self.target_scale_ != 1).any()
        return self.loss, (self.target_center_, self.target_scale_) if scaled else None

    def _make_targets(self, y, classes):
        return NumberTargets(column_as_vector(y), self.loss, self.standardize)
