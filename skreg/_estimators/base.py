"""What the estimators share: parameters, the shell of a fit, and prediction.

Owns the shared parameters with their constraints, that a fit sets its attributes at its end or not
at all, the warnings, pickles, and logits in NumPy. Does not own the way from a table to a trained
network (`_fitting`), nor targets and scores (the classifier's and the regressor's).
"""

from __future__ import annotations

import contextlib
import warnings
from abc import ABCMeta, abstractmethod
from importlib.metadata import PackageNotFoundError, metadata
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skreg._compat import CallbackSupportMixin, Interval, Options, StrOptions
from skreg._data.scaling import Statistics, blocks, standardised, standardised_csr
from skreg._engine.hyperparameters import checked_hyperparameters
from skreg._engine.spec import Status
from skreg._estimators.fit import Fit
from skreg._estimators.validation import checked_table
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.network import Network
from skreg._nn.predict import NumpyMasks, are_few, numpy_logits
from skreg.keras._export import keras_model

# Raised by one when fitted attributes change in a way that older pickles do not have.
_PICKLE_FORMAT = 2


class BaseNetwork(CallbackSupportMixin, BaseEstimator):
    """What scikit-learn asks of an estimator of ours: no half a fit, tags, pickles, links."""

    @contextlib.contextmanager
    def _unchanged_on_failure(self):
        """Leave what a failed fit has found out of its table as it was before."""
        names = ("n_features_in_", "feature_names_in_")
        before = {name: vars(self)[name] for name in names if name in vars(self)}
        try:
            yield
        except BaseException:
            for name in names:
                vars(self).pop(name, None)
            vars(self).update(before)
            raise

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self):
        return {**super().__getstate__(), "_pickle_format": _PICKLE_FORMAT}

    def __setstate__(self, state):
        state = dict(state)
        found = state.pop("_pickle_format", None)
        if found != _PICKLE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was pickled by another version of skreg: expected "
                f"format {_PICKLE_FORMAT}, received {found}. Load it with the version that wrote "
                "it, or fit it again."
            )
        super().__setstate__(state)

    @property
    def _doc_link_module(self):
        return "skreg"

    @property
    def _doc_link_template(self):
        """Of the HTML representation: the documentation that the package's metadata names."""
        try:
            urls = metadata("skreg").get_all("Project-URL") or []
        except PackageNotFoundError:
            urls = []
        for url in urls:
            label, _, address = url.partition(", ")
            if label == "Documentation":
                return f"{address}#{{estimator_name}}"
        return ""


class BaseRegularizedMLP(BaseNetwork, metaclass=ABCMeta):
    """Parameters, training and logits of a regularised multilayer perceptron."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": ["array-like", Interval(Real, 0, 1, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "l2": ["array-like", Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"adam", "sgd"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions({"constant", "cosine"})],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "standardize": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def __init__(
        self,
        hidden_layer_sizes,
        *,
        activation,
        dropout,
        input_dropout,
        l2,
        weight_decay,
        solver,
        learning_rate_init,
        learning_rate,
        momentum,
        nesterovs_momentum,
        beta_1,
        beta_2,
        epsilon,
        batch_size,
        max_iter,
        early_stopping,
        validation_fraction,
        validation_scoring,
        tol,
        n_iter_no_change,
        standardize,
        warm_start,
        random_state,
        verbose,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.l2 = l2
        self.weight_decay = weight_decay
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_scoring = validation_scoring
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.standardize = standardize
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- what the classifier and the regressor fill in ------------------------------------------

    @abstractmethod
    def _make_targets(self, y, classes):
        """Targets of a checked `y`, an instance of a class of `_targets`."""

    # -- fitting --------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, validation=None, classes=None, stream=None):
        """Fit, or take one step of a stream, of which `stream` is what is known so far."""
        with self._unchanged_on_failure():
            fit = Fit(self, stream)
            metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
            arguments = {"estimator": self, "X": X, "y": y, "metadata": metadata}
            context = self._init_callback_context(max_subtasks=fit.hyper.max_iter)
            context.call_on_fit_task_begin(**arguments)
            fit.prepare(X, y, sample_weight, validation, classes)
            attributes, status = fit.train(context, arguments)
            context.call_on_fit_task_end(**arguments, reconstruction_attributes=lambda: attributes)
        vars(self).pop("_stream", None)
        vars(self).update(attributes)
        self._warn_of(status, fit.hyper)
        return self

    def _warn_of(self, status: Status, hyper) -> None:
        if status in (Status.DIVERGED, Status.NOT_CONVERGED, Status.INTERRUPTED):
            measure = "smoothed training loss"
            if self.validation_loss_curve_ is not None:
                measure = "validation loss" if self.validation_scores_ is None else "score"
            sentence = status.value.format(**vars(hyper), n_iter=self.n_iter_, measure=measure)
            category = UserWarning if status is Status.INTERRUPTED else ConvergenceWarning
            warnings.warn(sentence, category, stacklevel=5)

    # -- Keras ----------------------------------------------------------------------------------

    @abstractmethod
    def _loss_and_outputs(self):
        """The loss as `_to_keras.keras_model` takes it, and center and scale of the outputs."""

    def to_keras(self):
        """Return the trained network as a compiled Keras model.

        The layers are those that the parameters name, behind two Rescalings, one that centres and
        one that divides by the deviations; the optimiser has the parameters' numbers, at the
        constant rate `learning_rate_init`. Labels are codes there, the places in `classes_`.

        Returns
        -------
        model : keras.Sequential
            It predicts the probabilities of `predict_proba`, for two classes that of the second
            one, or what `predict` does; in float32. Built, and compiled but where Keras has no such
            loss: of loss="quantile", and of targets of several scales.

        Raises
        ------
        ImportError
            If Keras is missing.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a parameter was set after the fit to what no fit takes or could not have led to this
            network, or if float32 cannot hold the columns' or targets' scales.
        """
        check_is_fitted(self)
        self._validate_params()
        hyper = checked_hyperparameters(self, self.n_layers_ - 2)
        loss, outputs = self._loss_and_outputs()
        inputs = None
        if self.scale_ is not None:
            center = np.zeros_like(self.scale_) if self.mean_ is None else self.mean_
            # What is left of a constant column is nothing in float32, too.
            with np.errstate(over="ignore"):
                rounded = center.astype(np.float32)
            rounds = self._statistics.constant & np.isfinite(rounded)
            center = np.where(rounds, rounded, center)
            inputs = center, self.scale_
        network = Network(
            self.coefs_,
            self.intercepts_,
            self._activation,
            self.out_activation_,
            hyper.dropout,
            hyper.l2,
            hyper.input_dropout,
            inputs,
            outputs,
        )
        return keras_model(network, self.solver, hyper, loss)

    @classmethod
    def _of_network(cls, network: Network, solver: dict, attributes: dict, **parameters):
        """An estimator that is fitted with the network, of these parameters and attributes.

        Those of a `solver` whose numbers it does not take are left out.
        """
        n_features = len(network.kernels[0])
        parameters |= {
            "hidden_layer_sizes": tuple(len(bias) for bias in network.biases[:-1]),
            "activation": network.activation,
            "dropout": _one_if_equal(network.dropout),
            "input_dropout": network.input_dropout,
            "l2": _one_if_equal(network.l2),
            "standardize": network.inputs is not None,
        }
        estimator = cls(**parameters, **solver)
        try:
            estimator._validate_params()
        except ValueError:
            estimator = cls(**parameters)
        center, scale = network.inputs or (None, None)
        estimator.__dict__.update(
            coefs_=network.kernels,
            intercepts_=network.biases,
            mean_=center,
            scale_=scale,
            n_layers_=len(network.kernels) + 1,
            n_outputs_=len(network.biases[-1]),
            n_features_in_=n_features,
            _activation=network.activation,
            # Of no rows, so that those of a stream begin with its first batch.
            _statistics=None if network.inputs is None else Statistics(0.0, *network.inputs),
            **attributes,
        )
        return estimator

    def _is_of_keras(self) -> bool:
        """Whether the scales of the inputs are those of a Keras model, and of no rows."""
        return self._statistics is not None and not self._statistics.weight

    # -- prediction -----------------------------------------------------------------------------

    def _logits(self, X) -> np.ndarray:
        """Logits of shape (n, q), in float32 for a float32 table and in float64 for any other."""
        return self._passed(X, numpy_logits)

    def _sampled_logits(self, X, n_samples, random_state) -> np.ndarray:
        """Logits of shape (n_samples, n, q), with dropout on."""
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
            raise ValueError(f"n_samples: expected an integer >= 1; received {n_samples!r}.")
        hyper = checked_hyperparameters(self, self.n_layers_ - 2)
        rates = hyper.input_dropout, *hyper.dropout
        if not any(rates):
            raise ValueError(
                "dropout: expected a rate above 0 to sample with, of a hidden layer or of the "
                f"inputs; received dropout={self.dropout!r} for {len(hyper.dropout)} hidden layers "
                f"and input_dropout={self.input_dropout!r}."
            )
        generator = np.random.default_rng(check_random_state(random_state).randint(2**31, size=4))

        masks = NumpyMasks(rates, generator)

        def forward(*network):
            return np.stack([numpy_logits(*network, masks) for _ in range(n_samples)])

        return self._passed(X, forward, (int(n_samples),), drops_inputs=rates[0] > 0)

    def _passed(self, X, forward, leading=(), drops_inputs: bool = False) -> np.ndarray:
        """What `forward` makes of the standardised rows, of shape (*leading, n, q)."""
        check_is_fitted(self)
        X = checked_table(self, X, reset=False)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        of_keras = self._is_of_keras()
        if of_keras:
            # Scales of Keras are those of rounded numbers: behind the 1e-7 that a Normalization has
            # for a constant column, what float32 rounds away would be anything.
            with np.errstate(over="ignore"):  # which is an error below
                X = check_array(X, accept_sparse="csr", dtype=np.float32, estimator=self)
        kernels = [kernel.astype(dtype, copy=False) for kernel in self.coefs_]
        biases = list(self.intercepts_)
        centred = self.mean_ is not None
        # Dropout of centred inputs drops their zeros, too; and scales of 1e-7 need the difference.
        stays_sparse = sparse.issparse(X) and not (centred and (drops_inputs or of_keras))
        if stays_sparse and centred:
            # Centring would fill the zeros: what the mean contributes goes into the bias.
            biases[0] = biases[0] - (self.mean_ / self.scale_) @ self.coefs_[0]
            biases[0] = biases[0].astype(dtype)
        logits = np.empty((*leading, X.shape[0], self.n_outputs_), dtype=dtype)
        few, widest = are_few(X.shape[0], kernels), max(kernel.shape[1] for kernel in kernels)
        for block in blocks(X.shape[0], max(0 if stays_sparse else X.shape[1], widest)):
            rows = X[block]
            if stays_sparse:
                values = standardised_csr(rows, self.scale_)
            else:
                rows = rows.toarray() if sparse.issparse(rows) else rows
                values = standardised(rows, self.mean_, self.scale_)
            values = values.astype(dtype, copy=False)
            logits[..., block, :] = forward(values, kernels, biases, self._activation, few)
        return logits


def _one_if_equal(values: tuple[float, ...]):
    """The one number that all values are, 0 if there are none, else the values."""
    return values if len(set(values)) > 1 else next(iter(values), 0.0)


def validation_of(X_val, y_val, sample_weight_val):
    """The validation rows that were handed in, as one tuple, or None."""
    given = X_val, y_val, sample_weight_val
    return None if all(part is None for part in given) else given
