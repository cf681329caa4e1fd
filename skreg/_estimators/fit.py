"""One fit: from a table and targets to fitted attributes.

Owns which rows train and which validate, the statistics they are standardised by, where a network
begins (anew, from the last fit, or in the middle of a stream), and what a fit leaves behind. Does
not own the checks of parameters, tables and targets, how a network is trained, nor who looks on.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state

from skreg._data.rows import MergedRows, merge_rows, split_rows
from skreg._data.scaling import (
    LARGEST_INPUT,
    SparseStatistics,
    Statistics,
    column_statistics,
    sparse_column_statistics,
    with_moved_inputs,
)
from skreg._data.tables import automatic_batch_size, training_rows, validation_rows
from skreg._engine.hyperparameters import checked_hidden_layer_sizes, checked_hyperparameters
from skreg._engine.job import Member, Outcome, Report, Start
from skreg._engine.spec import Monitor, Status
from skreg._engine.trainer import HELD_OUT, generator_of, train
from skreg._estimators.callbacks import Callbacks, FitWatcher, ValidationScoring
from skreg._estimators.progress import Display
from skreg._estimators.validation import checked_table, checked_weight


class HeldOut(NamedTuple):
    """Validation rows: those of `rows` in a checked table X with its y."""

    X: Any
    y: Any
    targets: Any
    rows: MergedRows


class Fit:
    """One fit on its way; the estimator's attributes are read, and none is set.

    Parameters
    ----------
    estimator : estimator
    stream : dict or None
        None for a fit; for a step of a stream what the last step left, empty before the first.
    """

    def __init__(self, estimator, stream: dict | None):
        self.estimator, self.stream = estimator, stream
        self.hidden = checked_hidden_layer_sizes(estimator.hidden_layer_sizes)
        self.hyper = checked_hyperparameters(estimator, len(self.hidden))
        self.goes_on = hasattr(estimator, "coefs_") and (stream is not None or estimator.warm_start)
        if stream is not None:  # one pass over the rows, at a constant rate
            self.hyper = dataclasses.replace(self.hyper, max_iter=1, cosine=False, tol=None)
        self.held_out: HeldOut | None = None

    # -- rows -----------------------------------------------------------------------------------

    def prepare(self, X, y, sample_weight, validation, classes) -> None:
        """Check everything that was handed in, and decide on rows, scales and seed."""
        estimator = self.estimator
        self._check_validation(validation)
        X, y = checked_table(
            estimator, X, y, reset=not self.goes_on, y_numeric=estimator._predicts_numbers
        )
        weight = checked_weight(sample_weight, X)
        targets = estimator._make_targets(y, classes)
        if self.goes_on:
            self._check_same_network(X.shape[1], targets)
        merged = merge_rows(X, targets.values, weight)
        self.class_totals = targets.class_totals(merged) + (self.stream or {}).get("totals", 0.0)
        factors = targets.factors(self.class_totals)
        rows = targets.class_weighted(merged, factors)
        self.seed = self._seed()
        if estimator.early_stopping and validation is None and self.stream is None:
            rows, self.held_out = self._hold_out(X, y, targets, rows)
        self.X, self.targets, self.rows = X, targets, rows
        self._scale(self.earlier if self.stream is not None else (None, None))
        if validation is not None:
            self.held_out = self._given_validation(validation, targets, factors)

    def _check_validation(self, validation) -> None:
        if validation is None:
            return
        for name, value in zip(("X_val", "y_val"), validation, strict=False):
            if value is None:
                raise ValueError(
                    f"{name}: expected X_val and y_val together; received one of them only."
                )
        if not self.estimator.early_stopping:
            raise ValueError(
                "X_val and y_val: expected early_stopping=True with them, since they decide when "
                "training ends; received early_stopping=False."
            )

    def _check_same_network(self, n_features: int, targets) -> None:
        """Refuse to go on with a network of other layers or other classes."""
        targets.check_same(self.estimator)
        sizes = (n_features, *self.hidden, targets.n_outputs)
        fitted = (*(len(kernel) for kernel in self.estimator.coefs_), self.estimator.n_outputs_)
        if sizes != fitted:
            raise ValueError(
                f"Expected the layers of the fitted network, {fitted}, to go on with it; received "
                f"{sizes}. Set warm_start=False and call fit for a new one."
            )

    def _seed(self) -> tuple[int, int]:
        if self.stream:
            return self.stream["seed"]
        state = check_random_state(self.estimator.random_state)
        first, second = state.randint(0, 2**32, size=2, dtype=np.uint32)
        return int(first), int(second)

    def _hold_out(self, X, y, targets, rows: MergedRows) -> tuple[MergedRows, HeldOut]:
        fraction = self.estimator.validation_fraction
        training, held_out = split_rows(
            rows, targets.strata(rows), fraction, generator_of(self.seed, HELD_OUT)
        )
        if not len(held_out.first):
            raise ValueError(
                "The validation set is too small: expected a validation_fraction that holds out at "
                f"least one row; received {fraction} of n_samples={len(rows.first)} distinct rows. "
                "Increase it, hand in X_val and y_val, or use early_stopping=False."
            )
        return training, HeldOut(X, y, targets, held_out)

    def _given_validation(self, validation, targets, factors) -> HeldOut:
        X, y, weight = validation
        X, y = checked_table(
            self.estimator, X, y, reset=False, y_numeric=self.estimator._predicts_numbers
        )
        weight = checked_weight(weight, X, "sample_weight_val")
        weight = np.ones(X.shape[0]) if weight is None else weight
        targets = targets.encoded(y)
        rows = MergedRows(np.flatnonzero(weight), weight[weight > 0])
        return HeldOut(X, y, targets, targets.class_weighted(rows, factors))

    # -- scales ---------------------------------------------------------------------------------

    @property
    def earlier(self) -> tuple[Statistics | None, Statistics | None]:
        """Statistics of inputs and targets of the network that this fit goes on with."""
        if not self.goes_on:
            return None, None
        return self.estimator._statistics, getattr(self.estimator, "_target_statistics", None)

    def _scale(self, seen: tuple[Statistics | None, Statistics | None]) -> None:
        """Decide on the statistics, together with those of the rows `seen` before."""
        of_inputs, of_targets = seen
        self.targets.scale_to(self.rows, of_targets)
        self.statistics: Statistics | None = None
        if self.estimator.standardize:
            of_columns = sparse_column_statistics if sparse.issparse(self.X) else column_statistics
            here = of_columns(self.X, self.rows.first, self.rows.weight)
            # The kind of this table decides whether columns are centred.
            self.statistics = here if of_inputs is None else here.combined(of_inputs)
            return
        largest = max(float(self.X.min()), float(self.X.max()), key=abs)
        if abs(largest) > LARGEST_INPUT:
            raise ValueError(
                f"X: expected values within +-{LARGEST_INPUT:g} with standardize=False; "
                f"received {largest:g}. Use standardize=True."
            )

    @functools.cached_property
    def _mean_and_scale(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.statistics is None:
            return None, None
        centred = not isinstance(self.statistics, SparseStatistics)
        return self.statistics.center if centred else None, self.statistics.scale

    # -- network --------------------------------------------------------------------------------

    def _start(self) -> Start | None:
        """Where the network begins; None to draw its first weights."""
        if not self.goes_on:
            return None
        kernels, biases = list(self.estimator.coefs_), list(self.estimator.intercepts_)
        of_inputs, _ = self.earlier
        if of_inputs is not None or self.statistics is not None:
            plain = Statistics.plain(len(kernels[0]))
            kernels[0], biases[0] = with_moved_inputs(
                kernels[0], biases[0], of_inputs or plain, self.statistics or plain
            )
        kernels[-1], biases[-1] = self.targets.moved(kernels[-1], biases[-1], self.estimator)
        stream = self.stream or {}
        # The solver's slots are of use to the same solver only.
        slots = stream.get("slots") if stream.get("solver") == self.estimator.solver else None
        return Start(kernels, biases, slots, stream.get("n_steps", 0), stream.get("n_epochs", 0))

    def member(self) -> Member:
        """The network to train, after `prepare`."""
        estimator, targets = self.estimator, self.targets
        rows = training_rows(self.X, targets.for_head(), self.rows, *self._mean_and_scale)
        n_visits = len(rows.visits)
        automatic = estimator.batch_size == "auto"
        batch_size = automatic_batch_size(n_visits) if automatic else int(estimator.batch_size)
        return Member(
            rows=rows,
            n_features=self.X.shape[1],
            hidden_layer_sizes=self.hidden,
            n_outputs=targets.n_outputs,
            activation=estimator.activation,
            head=targets.head,
            solver=estimator.solver,
            batch_size=min(batch_size, n_visits),
            hyper=self.hyper,
            seed=self.seed,
            monitor=self._monitor(),
            validation=self._validation_rows(),
            start=self._start(),
        )

    def _monitor(self) -> Monitor:
        if self.held_out is None:
            return Monitor.NOTHING if self.hyper.tol is None else Monitor.TRAINING_LOSS
        by_loss = self.estimator.validation_scoring == "loss"
        return Monitor.VALIDATION_LOSS if by_loss else Monitor.NOTHING

    def _validation_rows(self):
        if self.held_out is None:
            return None
        held_out = self.held_out
        return validation_rows(
            held_out.X, held_out.targets.for_head(), held_out.rows, *self._mean_and_scale
        )

    def train(self, context, arguments: dict) -> tuple[dict, Status]:
        """Train the network; return the fitted attributes and how training ended.

        Callbacks are told of each epoch in the `context` of the fit, with its `arguments`.
        """
        member = self.member()
        scoring, display = self.scoring(self.estimator), None
        if self.estimator.verbose:
            display = Display(self.hyper.max_iter, self.held_out is not None)
        callbacks = None
        if getattr(self.estimator, "_skl_callbacks", None):
            callbacks = Callbacks(context, arguments, self._attributes_so_far)
        watcher = FitWatcher(display, scoring, callbacks)
        with display.shown() if display else contextlib.nullcontext():
            outcome = train(member, watcher)
        return self.attributes(outcome, member, scoring), outcome.status

    def scoring(self, estimator) -> ValidationScoring | None:
        """What scores the held-out rows after each epoch; None where the loss decides.

        The scorer sees the `estimator`, which is this fit's own but for what a search tries.
        """
        held_out = self.held_out
        if held_out is None or estimator.validation_scoring == "loss":
            return None
        scorer = check_scoring(estimator, estimator.validation_scoring)
        X, y = held_out.X[held_out.rows.first], held_out.y[held_out.rows.first]
        weight = held_out.rows.weight
        arguments = {} if (weight == 1).all() else {"sample_weight": weight}

        def score(kernels, biases):
            return scorer(self._copy_of(estimator, kernels, biases), X, y, **arguments)

        return ValidationScoring(score, self.hyper.tol or 0.0, self.hyper.n_iter_no_change)

    def _copy_of(self, estimator, kernels, biases):
        """The estimator as if it had been fitted with these weights."""
        fitted = copy.copy(estimator)
        vars(fitted).pop("feature_names_in_", None)  # it is asked about arrays
        vars(fitted).update(self._network_attributes(kernels, biases))
        return fitted

    # -- what is left behind --------------------------------------------------------------------

    def _network_attributes(self, kernels, biases) -> dict:
        mean, scale = self._mean_and_scale
        return {
            **self.targets.attributes,
            "coefs_": kernels,
            "intercepts_": biases,
            "mean_": mean,
            "scale_": scale,
            "n_layers_": len(self.hidden) + 2,
            "n_outputs_": self.targets.n_outputs,
            "_activation": self.estimator.activation,  # whatever set_params does afterwards
            "_statistics": self.statistics,
        }

    def _attributes_so_far(self, report: Report) -> dict:
        return self._network_attributes(*report.weights())

    def attributes(self, outcome: Outcome, member: Member, scoring) -> dict:
        """Fitted attributes of the estimator."""
        losses, validation_losses, scores = outcome.losses, None, None
        best_loss = min(losses)
        best_iter = losses.index(best_loss) + 1
        if self.held_out is not None:
            validation_losses, best_iter = outcome.validation_losses, outcome.best_epoch
            best_loss = validation_losses[max(best_iter, 1) - 1]
            scores = None if scoring is None else scoring.scores
        attributes = {
            **self._network_attributes(outcome.kernels, outcome.biases),
            "loss_curve_": losses,
            "loss_": losses[-1],
            "best_loss_": best_loss,
            "best_iter_": best_iter,
            "validation_loss_curve_": validation_losses,
            "validation_scores_": scores,
            "n_iter_": len(losses),
        }
        if self.stream is None:
            return attributes
        n_epochs = self.stream.get("n_epochs", 0)
        if n_epochs:
            attributes["loss_curve_"] = self.estimator.loss_curve_ + losses
            attributes["n_iter_"] = self.estimator.n_iter_ + 1
        attributes["_stream"] = {
            "seed": self.seed,
            "totals": self.class_totals,
            "solver": self.estimator.solver,
            "slots": None if outcome.status is Status.DIVERGED else outcome.slots(),
            "n_steps": self.stream.get("n_steps", 0) + member.n_steps,
            "n_epochs": n_epochs + 1,
        }
        return attributes
