"""What the estimators share: parameters, one fit, Keras, pickles, and logits in NumPy."""

from __future__ import annotations

import functools
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, metadata
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skreg._compat import CallbackSupportMixin, Interval, Options, StrOptions
from skreg._data.columns import MixedTable, TableEncoder
from skreg._data.statistics import ColumnStatistics
from skreg._engine.hyperparameters import Hyperparameters, read_hyperparameters
from skreg._engine.status import Status
from skreg._estimators.attributes import collapse_equal
from skreg._estimators.automatic import is_auto, make_placeholders
from skreg._estimators.fit import prepare_fit, read_settings, run_fit
from skreg._estimators.fit_records import FitRequest
from skreg._estimators.pickling import from_builtins, to_builtins
from skreg._estimators.targets import Targets
from skreg._estimators.training_warnings import warn_about_training
from skreg._estimators.user_warnings import warn_in_worker_process
from skreg._estimators.validation import (
    check_table,
    choose_precision,
    encode_new_rows,
    get_names,
)
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.encodings import ENCODINGS
from skreg._nn.losses import Loss
from skreg._nn.network import Network, Scaling
from skreg._nn.penalties import PENALTIES
from skreg._nn.predict import DropoutSampler, predict_logits, sample_logits
from skreg._nn.solvers import SCHEDULES, SOLVERS
from skreg.keras._export import make_keras_model, round_constant_columns

# Raised by one when parameters or fitted attributes change, so that older pickles are refused.
_PICKLE_FORMAT = 8


class BaseNetwork(CallbackSupportMixin, BaseEstimator):
    """Tags, pickles, callbacks and documentation links of every estimator of skreg."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Columns are encoded of dense tables only.
        tags.input_tags.sparse = getattr(self, "numerical_encoding", None) in (None, "auto")
        tags.input_tags.allow_nan = True
        return tags

    def __getstate__(self):
        return {**to_builtins(super().__getstate__()), "_pickle_format": _PICKLE_FORMAT}

    def __setstate__(self, state):
        state = dict(state)
        found = state.pop("_pickle_format", None)
        if found != _PICKLE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was pickled by another version of skreg: expected "
                f"format {_PICKLE_FORMAT}, received {found}. Load it with the version that wrote "
                "it, or fit it again."
            )
        super().__setstate__(from_builtins(state))

    def _store_parameters(self, arguments: dict) -> None:
        """Store the `locals()` of the constructor."""
        for name, value in arguments.items():  # in order, so that `vars` does not vary
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _make_callback_arguments(self, X, y, sample_weight) -> dict:
        """Return what every hook of a callback receives."""
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return {"estimator": self, "X": X, "y": y, "metadata": metadata}

    @property
    def _doc_link_module(self):
        return "skreg"

    @property
    def _doc_link_template(self):
        """Link of the HTML representation: the documentation in the package's metadata."""
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
        **{name: ["array-like", Interval(Real, 0, None, closed="left")] for name in PENALTIES},
        "l2": [StrOptions({"auto"}), "array-like", Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS))],
        "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "standardize": ["boolean"],
        "numerical_encoding": [StrOptions({"auto", *ENCODINGS}), None],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # -- fitting --------------------------------------------------------------------------------

    _y_numeric: ClassVar[bool]

    @abstractmethod
    def _make_targets(self, y, classes=None) -> Targets:
        """Return the targets of a checked y, with the labels `classes` if they are given."""

    def _make_request(
        self, X, y, sample_weight=None, validation=None, *, classes=None, partial=False
    ) -> FitRequest:
        """Return what a call of `fit` or `partial_fit` asks for."""
        return FitRequest(
            X=X,
            y=y,
            sample_weight=sample_weight,
            make_targets=functools.partial(self._make_targets, classes=classes),
            y_numeric=self._y_numeric,
            validation=validation,
            partial=partial,
            stream=getattr(self, "_stream", None) if partial else None,
        )

    def _fit(self, request: FitRequest):
        """Train the network, then set all fitted attributes at once."""
        warn_in_worker_process()
        if request.partial:
            self._validate_params()  # scikit-learn does so in the first call only
        settings = read_settings(self, request.partial)
        arguments = self._make_callback_arguments(request.X, request.y, request.sample_weight)
        n_epochs = None if is_auto(self.max_iter) else settings.hyper.max_iter
        context = self._init_callback_context(max_subtasks=n_epochs)
        context.call_on_fit_task_begin(**arguments)
        fit = prepare_fit(self, request, settings)
        attributes, status = run_fit(fit, context, arguments)
        if status is not Status.INTERRUPTED:
            context.call_on_fit_task_end(**arguments, reconstruction_attributes=lambda: attributes)
        # Before the attributes are set, since a warning may be an error.
        warn_about_training(status, fit, attributes)
        for name in ("_stream", "feature_names_in_"):
            self.__dict__.pop(name, None)
        self.__dict__.update(attributes)
        if status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        return self

    # -- Keras ----------------------------------------------------------------------------------

    @abstractmethod
    def _get_loss_and_outputs(self):
        """Return the loss of the parameters, and the scaling of the outputs or None."""

    def to_keras(self):
        """Return the trained network as a compiled Keras model.

        The layers are those of the parameters, after two Rescaling layers: one centres the columns,
        one divides them by their scale. The optimiser has the parameters of the solver, at the
        constant rate `learning_rate_init`. Labels become their positions in `classes_`.

        If the table of training had categories or missing values, the model has an input for each
        column. :func:`skreg.keras.make_inputs` makes them of a table.

        Returns
        -------
        model : keras.Sequential or keras.Model
            A Sequential model for a table of numbers, else a functional one; built, in float32. It
            predicts what `predict_proba` returns (for two classes, the probability of the second)
            or what `predict` returns. Several quantiles are sorted by a last layer whose name holds
            the levels. It is not compiled if Keras lacks the loss: for loss="quantile", for
            loss="log_cosh" on a scaled target, and for targets of several scales.

        Raises
        ------
        ImportError
            If Keras is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If a parameter was set after the fit to a value that is invalid or does not match this
            network, if Keras lacks a penalty, if float32 cannot hold the scales of columns or
            targets or tell the levels of a category apart, or if a category has strings and Keras
            does not run on TensorFlow.

        Notes
        -----
        A `keras.Sequential` does not replace missing values as `predict` does: NaN remains NaN.

        Means of counts that float32 cannot hold, above exp(88), are infinite. `predict` returns the
        mean or the largest number of its type.

        The functional model has the layers "encoder" and "network". The encoder replaces missing
        numbers and encodes categories, with layers and operations of Keras alone. The network is
        the `keras.Sequential` for the encoded columns, which are the first names in
        `encoded_feature_names_`.

        The input of the functional model is a dict from the names of the columns to tensors of
        shape (n_samples, 1). In a name "/" becomes "_". Columns without names are "x0", "x1" and so
        on. A number, or a category of numbers or booleans, is in float32, and NaN if it is missing.
        A category of strings is a string tensor of TensorFlow. A missing string is "", or
        "[MISSING]" if "" is a level.

        With `numerical_encoding`, a layer of that name stands before the Dense layers. It appends
        the encoded inputs, applies the dropout of the inputs, and is trainable if the encoding is
        trained.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skreg import RegularizedMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> exported = model.to_keras()
        >>> bool(abs(exported.predict(X, verbose=0) - model.predict_proba(X)).max() < 1e-5)
        True
        """
        network, hyper, loss = self._make_export()
        return make_keras_model(
            network, self.solver, hyper, loss, self._encoder, self._column_names
        )

    def _make_export(self) -> tuple[Network, Hyperparameters, Loss]:
        """Return the network with all that its layers in Keras need, and what it is compiled for.

        Raises as `to_keras`.
        """
        check_is_fitted(self)
        self._validate_params()
        hyper = self._read_hyperparameters()
        loss, outputs = self._get_loss_and_outputs()
        network = replace(
            self._network,
            output_scaling=outputs,
            input_dropout=hyper.input_dropout,
            dropout=hyper.dropout,
            penalties=hyper.penalties,
            levels=loss.get_levels(hyper.loss_parameters),
        )
        if network.input_scaling is not None:
            inputs = round_constant_columns(network.input_scaling, self._statistics.constant)
            network = replace(network, input_scaling=inputs)
        return network, hyper, loss

    @classmethod
    def _from_network(cls, network: Network, solver: dict, attributes: dict, **parameters):
        """Return an estimator fitted with a network that was read from Keras.

        Parameters
        ----------
        network : Network
        solver : dict
            Parameters of the solver. They are left out if their numbers are not valid here.
        attributes : dict
            Other fitted attributes.
        **parameters : dict
            Other parameters.
        """
        parameters |= {
            "hidden_layer_sizes": tuple(len(bias) for bias in network.biases[:-1]),
            "activation": network.activation,
            "dropout": collapse_equal(network.dropout),
            "input_dropout": network.input_dropout,
            "standardize": network.input_scaling is not None,
            "numerical_encoding": None if network.encoding is None else network.encoding.name,
        }
        parameters |= {name: collapse_equal(value) for name, value in network.penalties.items()}
        estimator = cls(**parameters, **solver)
        try:
            estimator._validate_params()
        except ValueError:
            estimator = cls(**parameters)
        inputs = network.input_scaling
        center, scale = (None, None) if inputs is None else inputs
        statistics = None if inputs is None else ColumnStatistics.from_scaling(*inputs)
        estimator.__dict__.update(
            coefs_=network.kernels,
            intercepts_=network.biases,
            center_=center,
            scale_=scale,
            n_layers_=len(network.kernels) + 1,
            n_outputs_=len(network.biases[-1]),
            n_features_in_=network.n_columns,
            encoding_=network.encoding,
            _activation=network.activation,
            # Of no rows, so that the statistics of a stream begin with its first batch.
            _statistics=statistics,
            _encoder=None,
            _is_sparse=False,
            _from_keras=True,
            **attributes,
        )
        return estimator

    # -- prediction -----------------------------------------------------------------------------

    @property
    def encoded_feature_names_(self) -> np.ndarray:
        """Names of the inputs of the network, which are the rows of ``coefs_[0]``."""
        check_is_fitted(self)
        encoder, encoding = self._encoder, self.encoding_
        names = list(self._column_names if encoder is None else encoder.column_names)
        encoded = [] if encoding is None else encoding.name_outputs(names)
        return np.array([*names, *encoded], dtype=object)

    @property
    def _network(self) -> Network:
        """The fitted network."""
        return Network(
            kernels=self.coefs_,
            biases=self.intercepts_,
            activation=self._activation,
            link=self.out_activation_,
            input_scaling=None if self.scale_ is None else Scaling(self.center_, self.scale_),
            encoding=self.encoding_,
            is_sparse=self._is_sparse,
            rounds_inputs=self._from_keras,
        )

    def _compute_logits(self, X) -> np.ndarray:
        """Return logits of shape (n, q), in float32 for a float32 table, else in float64."""
        check_is_fitted(self)
        return self._compute_table_logits(check_table(self, X)[0])

    def _compute_table_logits(self, table: MixedTable) -> np.ndarray:
        """Return the logits of a checked table, as `_compute_logits`."""
        X, dtype = self._encode_table(table)
        return predict_logits(self._network, X, dtype)

    def _sample_logits(self, X, n_samples, random_state) -> np.ndarray:
        """Return logits with dropout on, of shape (n_samples, n, q)."""
        check_is_fitted(self)
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
            raise ValueError(f"n_samples: expected an integer >= 1; received {n_samples!r}.")
        self._validate_params()
        hyper = self._read_hyperparameters()
        if not any(hyper.rates):
            raise ValueError(
                "dropout: expected a rate above 0 to sample with, of a hidden layer or of the "
                f"inputs; received dropout={self.dropout!r} for {len(hyper.dropout)} hidden layers "
                f"and input_dropout={self.input_dropout!r}."
            )
        generator = np.random.default_rng(check_random_state(random_state).randint(2**31, size=4))
        sampler = DropoutSampler(hyper.rates, generator)
        X, dtype = self._encode_table(check_table(self, X)[0])
        return sample_logits(self._network, X, dtype, sampler, int(n_samples))

    def _read_hyperparameters(self) -> Hyperparameters:
        """Return the parameters of a fitted estimator as numbers."""
        replaced = make_placeholders(self)
        if "l2" in replaced:
            replaced["l2"] = getattr(self, "l2_", "auto")  # a network from Keras has none
        return read_hyperparameters(self, self.n_layers_ - 2, **replaced)

    def _get_networks(self) -> list:
        """Return the networks that predict, as of a searching estimator."""
        check_is_fitted(self)
        return [self]

    def _get_network_weights(self) -> np.ndarray:
        """Return the weights of the networks that predict, of sum 1."""
        return np.ones(1)

    @property
    def _column_names(self):
        """Names of the columns of the table."""
        return get_names(vars(self))

    def _check_inputs(self, X) -> tuple[TableEncoder | None, MixedTable, Sequence[str]]:
        """Return what the inputs of the Keras model are made of.

        They are the encoder, the checked table, and the names of its columns. The encoder is None
        for a table of numbers, whose missing values are refused.
        """
        encoder, table = self._encoder, check_table(self, X)[0]
        if encoder is None or encoder.is_plain:
            return None, MixedTable(self._encode_table(table)[0]), self._column_names
        return encoder, table, self._column_names

    def _encode_table(self, table: MixedTable):
        """Return a checked table as the network takes it, and the precision to predict in.

        It is an array or CSR. A table of numbers is not copied.
        """
        dtype = choose_precision(table)
        # A network from Keras has no encoder.
        X = table.numbers if self._encoder is None else encode_new_rows(self._encoder, table)
        if self._from_keras and self.scale_ is not None:
            with np.errstate(over="ignore"):  # which is an error below
                X = check_array(X, accept_sparse="csr", dtype=np.float32, estimator=self)
        return X, dtype
