"""A search: candidates x folds as members over the cores, trained in rungs or to their end.

Owns the folds with what candidates share of them, how members are handed to joblib, which of them
go on at a rung, and what is remembered between processes. Does not own what rungs there are
(`_rungs`), the training of a member (`_training`), the schema of the results (`_results`), nor
parameters, scorers, splits and the winner, which the estimators decide on (`_base_cv`).
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from sklearn import config_context

from skreg._engine.job import Checkpoint
from skreg._engine.spec import Status
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.folds import Fold
from skreg._model_selection.halving import Rung
from skreg._model_selection.memory import forgets, key_of

# A task of one thread is of so many visits of rows, some 50 ms for the smaller networks, if there
# are members enough: joblib takes 0.2 ms a task.
_BATCH_VISITS = 1 << 16


@dataclass
class Result:
    """What a member has come to at the end of a rung.

    Attributes
    ----------
    scores : dict of float
        By the name of the metric; NaN where scoring failed.
    error : str or None
        Traceback of the scoring that failed.
    n_epochs : int
    status : Status
    fit_seconds, score_seconds : float
        So far.
    losses, validation_losses : list of float or None
        Of every epoch.
    attributes : dict or None
        Fitted attributes of the fold's network, where they are wanted.
    paused : Checkpoint or None
        What it goes on from.
    """

    scores: dict[str, float]
    error: str | None
    n_epochs: int
    status: Status
    fit_seconds: float
    score_seconds: float
    losses: list[float]
    validation_losses: list[float] | None
    attributes: dict | None
    paused: Checkpoint | None


def _trained(key: str, fold: Fold, candidate: Candidate, paused: Checkpoint | None, until: int):
    """`Fold.trained`, as a function of its key, candidate and epoch, to be remembered by them."""
    return fold.trained(candidate, paused, until)


class Work(NamedTuple):
    """Members of one fold, to be run one after the other by the same worker."""

    fold: Fold
    key: str
    members: list[tuple[int, Candidate, Checkpoint | None]]  # with the candidate's index
    until: int
    memory: joblib.Memory
    config: dict  # of scikit-learn, which belongs to a thread
    done: list[tuple[int, Result]]  # of threads, to be seen before all are


def run(index: int, work: Work) -> tuple[int, list[tuple[int, Result]]]:
    """Train and score the members, of the fold of this index."""
    with config_context(**work.config):
        return index, _run(work)


def _run(work: Work) -> list[tuple[int, Result]]:
    work.fold.made()
    trained = work.memory.cache(_trained, ignore=["fold", "paused"])
    for k, candidate, paused in work.members:
        start = time.perf_counter()
        attributes, status, left = trained(work.key, work.fold, candidate, paused, work.until)
        ended = time.perf_counter()
        scores, error = work.fold.scored(work.fold.with_values(candidate, attributes))
        result = Result(
            scores=scores,
            error=error,
            n_epochs=attributes["n_iter_"],
            status=status,
            fit_seconds=ended - start,
            score_seconds=time.perf_counter() - ended,
            losses=attributes["loss_curve_"],
            validation_losses=attributes["validation_loss_curve_"],
            attributes=attributes,
            paused=left,
        )
        work.done.append((k, result))
    return work.done


class Search:
    """Runs the members of candidates x folds, rung by rung, and holds what is known so far.

    Parameters
    ----------
    folds : sequence of Fold
    candidates : sequence of Candidate
    rungs : sequence of Rung
    decisive : callable
        From the results of one candidate to the score that decides at a rung.
    keep : bool
        Whether the fitted attributes of all members are kept.
    n_jobs : int or None
    memory : joblib.Memory
    config : dict
        scikit-learn's, for the workers.
    told : callable
        Called with (fold, candidate, result) whenever a member has come to the end of a rung.

    Attributes
    ----------
    results : dict
        From (candidate, fold) to the last Result.
    dropped : dict
        From a candidate to the rung at which it was dropped, by its place in `rungs`.
    reached : int
        The place of the rung whose results those are of who were not dropped.
    """

    def __init__(
        self,
        folds: Sequence[Fold],
        candidates: Sequence[Candidate],
        rungs: Sequence[Rung],
        decisive: Callable[[dict[str, float]], float],
        *,
        keep: bool,
        n_jobs: int | None,
        memory: joblib.Memory,
        config: dict,
        told: Callable[[int, int, Result], None],
    ):
        self.folds, self.candidates, self.rungs = folds, candidates, rungs
        self.decisive, self.keep, self.n_jobs = decisive, keep, n_jobs
        self.memory, self.config, self.told = memory, config, told
        self.stop = threading.Event()
        self.reached = 0
        self.results: dict[tuple[int, int], Result] = {}
        self.dropped: dict[int, int] = {}

    def run(self) -> None:
        """Run all rungs; after an error or an interrupt `results` has what is known so far."""
        nothing = forgets(self.memory)
        keys = ["" if nothing else key_of(fold) for fold in self.folds]
        for fold in self.folds:
            fold.stop = self.stop
        alive = list(range(len(self.candidates)))
        try:
            for place, rung in enumerate(self.rungs):
                before, self.reached = self.results.copy(), place
                try:
                    self._climb(rung, alive, keys)
                except BaseException:
                    # Results of different epochs are not to be compared.
                    if place and not self._has_climbed(rung, alive):
                        self.results, self.reached = before, place - 1
                    raise
                scores = [self._mean_score(k, rung.folds) for k in alive]
                order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
                out = [alive[k] for k in order[rung.n_left :]]
                for candidate in out:
                    self._drop(candidate, rung)
                alive = sorted(set(alive) - set(out))
        finally:
            self.stop.set()

    def _has_climbed(self, rung: Rung, alive: list[int]) -> bool:
        results = [self.results.get((k, fold)) for k in alive for fold in rung.folds]
        return all(
            result and (result.status is not Status.RUNNING or result.n_epochs == rung.epoch)
            for result in results
        )

    def _mean_score(self, candidate: int, folds: Sequence[int]) -> float:
        return float(np.mean([self.decisive(self.results[candidate, f].scores) for f in folds]))

    def _drop(self, candidate: int, rung: Rung) -> None:
        self.dropped[candidate] = self.reached
        for fold in rung.folds:
            result = self.results[candidate, fold]
            result.paused = result.attributes = None

    def _climb(self, rung: Rung, alive: list[int], keys: list[str]) -> None:
        """Train all who are alive to the rung's epoch."""
        waiting = [0] * len(self.folds)
        work = list(self._work(rung, alive, keys))
        for index, batch in work:
            waiting[index] += len(batch.members)
        outputs = self._parallel()(joblib.delayed(run)(index, batch) for index, batch in work)
        try:
            for index, results in outputs:
                for candidate, result in results:
                    self._book(index, candidate, result)
                    self.told(index, candidate, result)
                    self._let_go(result)
                waiting[index] -= len(results)
                if not waiting[index] and (rung is self.rungs[-1] or self.folds[index].is_large()):
                    self.folds[index].forget()
        except BaseException as error:
            self.stop.set()
            with warnings.catch_warnings():  # that members in flight are not waited for
                warnings.filterwarnings("ignore", ".*(have been cancelled|not used)")
                if hasattr(outputs, "close"):
                    outputs.close()
            if isinstance(error, KeyboardInterrupt):
                self._book_unfinished(work)
            raise

    def _book_unfinished(self, work: list[tuple[int, Work]]) -> None:
        """Book what batches had finished that did not come to their own end."""
        for index, batch in work:
            for candidate, result in batch.done:
                if self.results.get((candidate, index)) is not result:
                    self._book(index, candidate, result)
                    self._let_go(result)

    def _parallel(self) -> joblib.Parallel:
        backend, _ = get_active_backend(prefer="threads")
        streams = getattr(backend, "supports_return_generator", False)
        return_as = "generator_unordered" if streams else "list"
        return joblib.Parallel(n_jobs=self.n_jobs, prefer="threads", return_as=return_as)

    def _book(self, fold: int, candidate: int, result: Result) -> None:
        before = self.results.get((candidate, fold))
        if before is not None:
            result.fit_seconds += before.fit_seconds
            result.score_seconds += before.score_seconds
        self.decisive(result.scores)  # refused now, and not at the end, if there is none
        self.results[candidate, fold] = result

    def _let_go(self, result: Result) -> None:
        if not self.keep:
            result.attributes = None

    def n_epochs_done(self) -> int:
        """Epochs of all members so far; those that ended early count to the end of their rung."""
        epochs = 0
        for (candidate, _), result in self.results.items():
            rung = self.rungs[self.dropped.get(candidate, self.reached)]
            epochs += result.n_epochs if result.status is Status.RUNNING else rung.epoch
        return epochs

    def networks(self, candidate: int) -> list:
        """The fitted networks of the folds, of a candidate that was kept."""
        found = [self.results.get((candidate, fold)) for fold in range(len(self.folds))]
        return [
            fold.with_values(self.candidates[candidate], result.attributes)
            for fold, result in zip(self.folds, found, strict=True)
            if result is not None and result.attributes is not None
        ]

    def _work(self, rung: Rung, alive: list[int], keys: list[str]) -> Iterator[tuple[int, Work]]:
        """Batches of members that have not ended: small in threads, else a few for each worker."""
        backend, _ = get_active_backend(prefer="threads")
        n_workers = joblib.effective_n_jobs(self.n_jobs)
        threads = getattr(backend, "supports_sharedmem", False)
        waiting = {fold: self._waiting(fold, alive) for fold in rung.folds}
        n_left = sum(len(members) for members in waiting.values())
        # Folds that begin here first, and ever smaller batches, so that workers end together.
        for index in sorted(waiting, key=self._n_epochs):
            fold, members = self.folds[index], waiting[index]
            visits = len(fold.rows_in) * (rung.epoch - self._n_epochs(index))
            size = max(1, -(-len(alive) * len(rung.folds) // (4 * n_workers)))
            while members:
                if threads:
                    size = max(1, min(_BATCH_VISITS // max(visits, 1), n_left // (4 * n_workers)))
                batch, members = members[:size], members[size:]
                n_left -= len(batch)
                yield (
                    index,
                    Work(fold, keys[index], batch, rung.epoch, self.memory, self.config, []),
                )

    def _waiting(
        self, fold: int, alive: list[int]
    ) -> list[tuple[int, Candidate, Checkpoint | None]]:
        """The members of a fold that have not ended."""
        results = [(k, self.results.get((k, fold))) for k in alive]
        return [
            (k, self.candidates[k], result.paused if result else None)
            for k, result in results
            if result is None or result.status is Status.RUNNING
        ]

    def _n_epochs(self, fold: int) -> int:
        """Epochs that the members of a fold have run, if none has ended."""
        return max(
            (result.n_epochs for (_, f), result in self.results.items() if f == fold), default=0
        )
