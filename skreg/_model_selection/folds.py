"""The folds of a search: their rows, and how a candidate is trained and scored on them."""

from __future__ import annotations

import copy
import threading

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skreg._compat import CVIterableWrapper, safe_indexing
from skreg._data.epochs import choose_batch_size, choose_epochs
from skreg._engine.hyperparameters import check_rates
from skreg._engine.job import Checkpoint, TrainingInterrupted
from skreg._engine.status import Status
from skreg._engine.trainer import Trainer
from skreg._estimators.attributes import collapse_equal, make_attributes
from skreg._estimators.automatic import is_auto
from skreg._estimators.callbacks import FitCallback
from skreg._estimators.fit import (
    encode_rows,
    make_job,
    make_tables,
    make_validation_scorer,
    make_validation_scoring,
    prepare_fit,
    read_settings,
)
from skreg._estimators.fit_records import EncodedRows, PreparedFit, TrainingTables, ValidationSet
from skreg._estimators.training_warnings import judge_training
from skreg._estimators.validation import copy_shallow
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.halving import count_epochs
from skreg._model_selection.kinds import Kind
from skreg._model_selection.scoring import call_scorer

# Values of a fold's table above which the fold is prepared again in each rung: 16 MiB.
_LARGE_FOLD = 1 << 22


class Fold:
    """One split of the rows, and what all candidates share on it.

    The fold is prepared once for each kind of network, by the first job that needs it. The kinds
    share the encoded rows and, if they scale and hold out alike, the padded tables. What it
    prepared is not pickled: a worker process prepares it again.

    Parameters
    ----------
    estimator : estimator
        Not fitted. Candidates differ from it in their searched parameters only.
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    scored_y : array-like
        The `y` that the scorer receives.
    train, test : ndarray of int
        Indices of the training rows and of the test rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights in training.
    scorer : callable
    score_params : dict
        Metadata of the test rows for the scorer.
    stops_on_test : bool, default=False
        Whether early stopping uses the test rows, instead of a fraction of the training rows.
    classes : ndarray of shape (n_classes,), default=None
        Labels of all rows, if networks are averaged.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,), or None
        Labels of all rows, if the training rows lack one.
    knows_class : ndarray of bool, shape (n_classes,), or None
        Which classes the training rows have.
    """

    def __init__(
        self,
        estimator,
        X,
        y,
        scored_y,
        train,
        test,
        sample_weight,
        scorer,
        score_params,
        stops_on_test=False,
        classes=None,
    ):
        self.estimator = clone(estimator)
        if self.estimator.random_state is None:  # all candidates share one seed
            seed = check_random_state(None).randint(np.iinfo(np.int32).max)
            self.estimator.set_params(random_state=seed)
        self.X, self.y, self.scored_y = X, y, scored_y
        self.train, self.test = train, test
        self.sample_weight, self.scorer, self.score_params = sample_weight, scorer, score_params
        self.stops_on_test = stops_on_test
        self.knows_class = None
        if classes is not None:
            self.knows_class = _find_known_classes(y, train, sample_weight, classes)
        lacks_class = y.ndim == 1 and self.knows_class is not None and not self.knows_class.all()
        self.classes = classes if lacks_class else None
        self.stop: threading.Event | None = None
        self.forget()

    def forget(self) -> None:
        """Free the memory of what was prepared."""
        self._prepared: dict[Kind, tuple[PreparedFit, Trainer]] = {}
        self._encoded: EncodedRows | None = None
        self._tables: dict[tuple, TrainingTables] = {}
        self._test_rows: tuple = ()
        self._lock = threading.Lock()

    def is_large(self) -> bool:
        """Whether the prepared fold is too large to be held from rung to rung."""
        n_features = max((t.job.n_features for _, t in self._prepared.values()), default=0)
        return len(self.train) * n_features > _LARGE_FOLD

    def __getstate__(self):
        transient = ("_prepared", "_encoded", "_tables", "_test_rows", "_lock", "stop")
        return {name: value for name, value in vars(self).items() if name not in transient}

    def __setstate__(self, state):
        vars(self).update(state)
        self.stop = None
        self.forget()

    def take_training_rows(self) -> tuple:
        """Return X, y and the weights of the training rows, in the types of the user."""
        return self._take(self.train)

    def take_validation_rows(self) -> ValidationSet | None:
        """Return the test rows if early stopping uses them, else None."""
        return ValidationSet(*self._take(self.test)) if self.stops_on_test else None

    def _take(self, rows) -> tuple:
        weight = self.sample_weight
        return (
            safe_indexing(self.X, rows),
            safe_indexing(self.y, rows),
            None if weight is None else weight[rows],
        )

    def prepare(self, kind: Kind = ()) -> tuple[PreparedFit, Trainer]:
        """Return the prepared fit and the trainer of the networks of a kind."""
        found = self._prepared.get(kind)  # without the lock, while another kind is prepared
        if found is not None:
            return found
        with self._lock:
            if kind not in self._prepared:
                self._prepared[kind] = self._prepare(kind)
            return self._prepared[kind]

    def _prepare(self, kind: Kind) -> tuple[PreparedFit, Trainer]:
        # A copy, since the fit draws its seed from the state that all folds start with.
        state = copy.deepcopy(self.estimator.random_state)
        estimator = copy_shallow(self.estimator, **dict(kind), random_state=state)
        validation = self.take_validation_rows() if estimator.early_stopping else None
        request = estimator._make_request(
            *self.take_training_rows(), validation, classes=self.classes
        )
        settings = read_settings(estimator)
        if self._encoded is None:
            self._encoded = encode_rows(estimator, request, settings)
            self._test_rows = tuple(
                safe_indexing(part, self.test) for part in (self.X, self.scored_y)
            )
            for part in self._test_rows:  # shared by the scorers of all candidates
                if isinstance(part, np.ndarray):
                    part.flags.writeable = False
        fit = prepare_fit(estimator, request, settings, self._encoded)
        # A fraction of the training rows, unless the test rows are held out.
        held_out = estimator.early_stopping and (
            self.stops_on_test or estimator.validation_fraction
        )
        key = estimator.standardize, held_out, fit.chunk  # what the tables depend on
        if key not in self._tables:
            self._tables[key] = make_tables(fit)
        return fit, Trainer(make_job(fit, self._tables[key]))

    def train_network(self, candidate: Candidate, checkpoint: Checkpoint | None, share: float):
        """Train the network of a candidate for a share of its epochs.

        Returns
        -------
        attributes : dict
            Fitted attributes of the network.
        status : Status
        checkpoint : Checkpoint or None
            Where to continue. None if training has ended.
        """
        fit, trainer = self.prepare(candidate.kind)
        n_hidden = len(fit.settings.hidden_layer_sizes)
        strengths = fit.read_l2(candidate.l2)
        scoring = None
        if fit.validation is not None:
            network = self.make_network(candidate)
            scoring = make_validation_scoring(fit, network, make_validation_scorer(fit, network))
        if scoring is not None and checkpoint is not None:
            scoring.restore(checkpoint.callback_state)
        try:
            result = trainer.train(
                None if scoring is None else FitCallback(scoring=scoring),
                dropout=check_rates("dropout", candidate.dropout, n_hidden),
                strengths={"l2": strengths},
                until=count_epochs(share, fit.settings.hyper.max_iter),
                checkpoint=checkpoint,
                stop=self.stop,
            )
        except TrainingInterrupted:  # a search has no use for a network before its rung
            raise KeyboardInterrupt from None
        attributes = make_attributes(fit, trainer.job, result, scoring)
        attributes["l2_"] = collapse_equal(strengths)
        checkpoint = result.get_checkpoint() if result.status is Status.RUNNING else None
        return attributes, judge_training(fit, attributes, result.status), checkpoint

    def estimate_visits(self, candidate: Candidate) -> int:
        """Return about how many rows the network of a candidate visits in all its epochs."""
        n_rows, network = len(self.train), self.make_network(candidate)
        batch_size, max_iter = network.batch_size, network.max_iter
        if is_auto(max_iter):
            batch_size = choose_batch_size(n_rows) if is_auto(batch_size) else batch_size
            max_iter = choose_epochs(n_rows, min(batch_size, n_rows))
        return n_rows * max_iter

    def make_network(self, candidate: Candidate, attributes: dict | None = None):
        """Make an estimator with the values of a candidate, fitted if attributes are given."""
        return copy_shallow(self.estimator, **candidate.get_params(), **(attributes or {}))

    def score_network(self, estimator) -> tuple[dict[str, float], str | None]:
        """Return the scores of the test rows by name, and the traceback if scoring failed."""
        X, y = self._test_rows
        return call_scorer(self.scorer, estimator, X, y, self.score_params)


def make_splits(splitter, X, y, split_params: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return training and test indices of each fold, also if the splitter yields masks."""
    if isinstance(splitter, bytes):  # which have a method `split`, so scikit-learn takes them
        raise ValueError(
            f"cv: expected a number of folds, a splitter or an iterable; received {splitter!r}."
        )
    # scikit-learn wraps an iterable `cv`, and unpacks its entries without a look at them.
    if isinstance(splitter, CVIterableWrapper):
        splits = splitter.cv
    else:
        splits = list(splitter.split(X, y, **split_params))
    if not splits:
        raise ValueError("cv: expected at least one split; received none.")
    rows = np.arange(len(y))
    checked = []
    for k, split in enumerate(splits):
        try:
            train, test = (rows[part] for part in split)
            if train.ndim != 1 or test.ndim != 1:
                raise TypeError("a number is no list of indices")
            checked.append((train, test))
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(
                f"cv: expected a pair of indices of the {len(y)} rows, or of masks, for each fold; "
                f"received an invalid split for fold {k}: {error}."
            ) from error
    return checked


def check_fold(fold: int, train, test, fit_weight, score_weight) -> None:
    """Raise if a fold has no training or test rows, or if all their weights are zero.

    `fit_weight` has the weights of all rows, `score_weight` those of the test rows. Either may be
    None.
    """
    train_weight = None if fit_weight is None else fit_weight[train]
    for kind, rows, weight in (
        ("training", train, train_weight),
        ("test", test, score_weight),
    ):
        if not len(rows):
            raise ValueError(f"cv: expected {kind} rows in each fold; fold {fold} has none.")
        if weight is not None and not np.any(weight):
            raise ValueError(
                f"sample_weight: expected a weight above zero in the {kind} rows of each fold; "
                f"those of fold {fold} are all zero."
            )


def _find_known_classes(y: np.ndarray, train, weight, classes) -> np.ndarray:
    """Return which classes the training rows that have weight teach.

    Of several labels a row, these are the labels that some of the rows have and some have not.
    """
    known = y[train if weight is None else train[weight[train] > 0]]
    return np.isin(classes, known) if y.ndim == 1 else known.min(axis=0) < known.max(axis=0)
