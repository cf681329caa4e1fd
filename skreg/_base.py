"""What the estimators share: parameters, their checks, the way from a table to a trained network.

Owns the translation of scikit-learn's words into members of the engine, the checks of parameters
and tables, the fitted attributes, and prediction in NumPy. Does not own targets and scores (the
classifier's and the regressor's), nor anything of how a network is trained.
"""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._compat import Interval, StrOptions, check_sample_weight
from skreg._network import ACTIVATIONS, numpy_logits
from skreg._rows import (
    LARGEST_INPUT,
    MergedRows,
    automatic_batch_size,
    blocks,
    column_statistics,
    standardised,
    training_rows,
)
from skreg._spec import Hyperparameters, Status
from skreg._training import Member, train

_STRINGS_HINT = (
    "Expected numbers in X, received strings, categories or dates. Encode them first, for example "
    "with skrub.tabular_pipeline(estimator), or with sklearn.preprocessing.OneHotEncoder in a "
    "sklearn.compose.ColumnTransformer."
)


class BaseRegularizedMLP(BaseEstimator, metaclass=ABCMeta):
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
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "standardize": ["boolean"],
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
        tol,
        n_iter_no_change,
        standardize,
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
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.standardize = standardize
        self.random_state = random_state
        self.verbose = verbose

    # -- parameters -----------------------------------------------------------------------------

    def _hidden_layer_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
        for size in sizes:
            if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    "hidden_layer_sizes: expected integers >= 1, one a hidden layer; "
                    f"received {self.hidden_layer_sizes!r}."
                )
        return tuple(int(size) for size in sizes)

    def _one_each(self, name: str, count: int, each: str, upper: float) -> tuple[float, ...]:
        """The parameter `name` as `count` numbers in [0, upper), one `each`."""
        value = getattr(self, name)
        if isinstance(value, Real):
            numbers = (value,) * count
        else:
            numbers = tuple(value)
            if len(numbers) != count:
                raise ValueError(
                    f"{name}: expected one number or a sequence of {count}, one {each}; "
                    f"received {len(numbers)}: {value!r}."
                )
        for number in numbers:
            if not isinstance(number, Real) or not 0 <= float(number) < upper:
                raise ValueError(
                    f"{name}: expected finite numbers in [0, {upper:g}); received {value!r}."
                )
        return tuple(float(number) for number in numbers)

    def _hyperparameters(self, n_hidden: int) -> Hyperparameters:
        return Hyperparameters(
            dropout=self._one_each("dropout", n_hidden, "a hidden layer", 1.0),
            input_dropout=float(self.input_dropout),
            l2=self._one_each("l2", n_hidden + 1, "a kernel", np.inf),
            weight_decay=float(self.weight_decay),
            learning_rate_init=float(self.learning_rate_init),
            cosine=self.learning_rate == "cosine",
            momentum=float(self.momentum),
            nesterovs_momentum=bool(self.nesterovs_momentum),
            beta_1=float(self.beta_1),
            beta_2=float(self.beta_2),
            epsilon=float(self.epsilon),
            max_iter=int(self.max_iter),
            tol=None if self.tol is None else float(self.tol),
            n_iter_no_change=int(self.n_iter_no_change),
        )

    # -- tables ---------------------------------------------------------------------------------

    def _validated(self, X, y="no_validation", *, reset: bool):
        """X (and y, when it is given) as arrays, after scikit-learn's checks, without a copy.

        Integers and booleans stay what they are: they are converted block by block.
        """
        arguments = {} if isinstance(y, str) and y == "no_validation" else {"y": y}
        try:
            # scikit-learn first tries the sum, which a finite table can have infinite.
            with np.errstate(over="ignore", invalid="ignore"):
                checked = validate_data(self, X, reset=reset, dtype="numeric", **arguments)
            table = checked[0] if arguments else checked
            if table.dtype == object:  # of a data frame whose columns have no common type
                table = check_array(table, dtype=np.float64, estimator=self, input_name="X")
        except (ValueError, TypeError) as error:
            if "could not convert string" in str(error) or "DType" in str(error):
                raise type(error)(f"{error}\n{_STRINGS_HINT}") from error
            raise
        return (table, checked[1]) if arguments else table

    def _validated_weight(self, sample_weight, X):
        if sample_weight is None:
            return None
        weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        with np.errstate(over="ignore"):
            total = weight.sum()
        if not 0 < total < np.inf:
            raise ValueError(
                "sample_weight: expected at least one positive weight and a finite sum; "
                f"received weights from {weight.min():g} to {weight.max():g}."
            )
        return weight

    # -- training -------------------------------------------------------------------------------

    def _checked_parameters(self) -> tuple[tuple[int, ...], Hyperparameters]:
        """Hidden layers and hyperparameters, after the checks that constraints cannot express."""
        hidden = self._hidden_layer_sizes()
        return hidden, self._hyperparameters(len(hidden))

    def _train(self, X, targets, rows: MergedRows, n_outputs: int, head: str, parameters):
        """Train one member on the merged rows, with the checked parameters; store the result."""
        hidden, hyper = parameters
        self.mean_: np.ndarray | None = None
        self.scale_: np.ndarray | None = None
        if self.standardize:
            self.mean_, self.scale_ = column_statistics(X, rows)
        else:
            largest = max(float(X.min()), float(X.max()), key=abs)
            if abs(largest) > LARGEST_INPUT:
                raise ValueError(
                    f"X: expected values within +-{LARGEST_INPUT:g} with standardize=False; "
                    f"received {largest:g}. Use standardize=True."
                )
        table = training_rows(X, targets, rows, self.mean_, self.scale_)
        n_visits = len(table.visits)
        batch_size = (
            automatic_batch_size(n_visits) if self.batch_size == "auto" else self.batch_size
        )
        seed = check_random_state(self.random_state).randint(0, 2**32, size=2, dtype=np.uint32)
        member = Member(
            rows=table,
            n_features=X.shape[1],
            hidden_layer_sizes=hidden,
            n_outputs=n_outputs,
            activation=self.activation,
            head=head,
            solver=self.solver,
            batch_size=min(int(batch_size), n_visits),
            hyper=hyper,
            seed=(int(seed[0]), int(seed[1])),
        )
        (outcome,) = train([member], on_epochs=_print_epochs if self.verbose else None)
        self.coefs_ = outcome.kernels
        self.intercepts_ = outcome.biases
        self.loss_curve_ = outcome.losses
        self.loss_ = outcome.losses[-1]
        self.n_iter_ = len(outcome.losses)
        self.n_layers_ = len(hidden) + 2
        self.n_outputs_ = n_outputs
        self._activation = self.activation  # of the network, whatever set_params does afterwards
        self._warn_of(outcome.status, hyper)

    def _warn_of(self, status: Status, hyper: Hyperparameters) -> None:
        if status in (Status.DIVERGED, Status.NOT_CONVERGED):
            sentence = status.value.format(**vars(hyper), n_iter=self.n_iter_)
            warnings.warn(sentence, ConvergenceWarning, stacklevel=5)

    # -- prediction -----------------------------------------------------------------------------

    def _logits(self, X) -> np.ndarray:
        """Logits of shape (n, q), in float32 for a float32 table and in float64 for any other."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        logits = np.empty((X.shape[0], self.n_outputs_), dtype=dtype)
        widest = max(kernel.shape[1] for kernel in self.coefs_)
        for block in blocks(X.shape[0], max(X.shape[1], widest)):
            values = standardised(X[block], self.mean_, self.scale_)
            values = values.astype(dtype, copy=False)
            logits[block] = numpy_logits(values, self.coefs_, self.intercepts_, self._activation)
        return logits


def _print_epochs(member: int, first_epoch: int, losses: list[float]) -> None:
    for epoch, loss in enumerate(losses, first_epoch + 1):
        print(f"Iteration {epoch}, loss = {loss:.8f}")
