"""The training of candidates x folds over the cores, rung by rung."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from sklearn import config_context

from skreg._engine.job import Checkpoint
from skreg._engine.status import Status
from skreg._estimators.user_warnings import Warnings, collect_warnings, warn
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.folds import Fold
from skreg._model_selection.halving import Rung, count_epochs
from skreg._model_selection.memory import is_disabled, make_fold_key

# Visits of rows in a group of jobs of one thread: 50 ms for small networks. joblib takes 0.2 ms
# for each group.
_GROUP_VISITS = 1 << 16


class CandidateResult(NamedTuple):
    """A network at the end of a rung.

    Attributes
    ----------
    scores : dict of float
        Scores of the test rows by metric. NaN if scoring failed.
    error : str or None
        Traceback of the scorer that failed.
    n_epochs : int
        Epochs trained.
    n_planned : int
        Epochs that it was to train for.
    share : float
        Their share of all its epochs.
    status : Status
        RUNNING if training has not ended.
    fit_seconds, score_seconds : float
        Time taken, over all rungs so far.
    losses, validation_losses : list of float or None
        Loss of each epoch.
    attributes : dict or None
        Fitted attributes of the network. None if they are no longer needed.
    checkpoint : Checkpoint or None
        Where training continues. None if it has ended.
    warnings : dict of type
        Category of each warning by its message.
    """

    scores: dict[str, float]
    error: str | None
    n_epochs: int
    n_planned: int
    share: float
    status: Status
    fit_seconds: float
    score_seconds: float
    losses: list[float]
    validation_losses: list[float] | None
    attributes: dict | None
    checkpoint: Checkpoint | None
    warnings: Warnings


class CandidateJob(NamedTuple):
    """One network to train, from a checkpoint or from the beginning."""

    candidate_index: int
    candidate: Candidate
    checkpoint: Checkpoint | None


class JobGroup(NamedTuple):
    """Jobs of one fold that one worker runs one after the other.

    Attributes
    ----------
    fold_index : int
    fold : Fold
    key : str
        Key of the fold in the memory.
    jobs : list of CandidateJob
    share : float
        Of their epochs to train for.
    memory : joblib.Memory
    config : dict
        Configuration of scikit-learn, which is local to a thread.
    results : list of (int, CandidateResult)
        Filled job by job, so that an interrupt finds the results of a group that has not ended.
    """

    fold_index: int
    fold: Fold
    key: str
    jobs: list[CandidateJob]
    share: float
    memory: joblib.Memory
    config: dict
    results: list[tuple[int, CandidateResult]]


class StoredNetwork(NamedTuple):
    """What the memory stores of a network: what `Fold.train_network` returns, and its label.

    A replaced file has another label, or none.
    """

    label: str
    attributes: dict
    status: Status
    checkpoint: Checkpoint | None


def _make_label(key: str, candidate: Candidate, share: float) -> str:
    return f"{key}, {tuple(candidate)}, {share} of the epochs"


def _train_network(key: str, fold: Fold, candidate: Candidate, checkpoint, share: float):
    """Call `Fold.train_network`. The memory stores the result by key, candidate and share."""
    label = _make_label(key, candidate, share)
    return StoredNetwork(label, *fold.train_network(candidate, checkpoint, share))


def _read_or_train(job: CandidateJob, group: JobGroup, train_network: Any) -> StoredNetwork:
    """Return the network of a job from the memory, or train it."""
    arguments = group.key, group.fold, job.candidate, job.checkpoint, group.share
    folder = getattr(group.memory, "location", None) or group.memory
    try:
        network = train_network(*arguments)
    except UnicodeDecodeError:  # joblib's own file, which tells whether the function has changed
        warn(
            f"memory: expected joblib's func_code.py; {folder!r} has something else in its place. "
            "All networks are trained again."
        )
        train_network.clear(warn=False)
        network = train_network(*arguments)
    label = _make_label(group.key, job.candidate, group.share)
    if isinstance(network, StoredNetwork) and network.label == label:
        return network
    warn(
        f"memory: expected a network of this search; {folder!r} has something else in its place. "
        "It is trained again."
    )
    if not hasattr(train_network, "call_and_shelve"):  # not of joblib
        return _train_network(*arguments)
    train_network.call_and_shelve(*arguments).clear()
    return train_network(*arguments)


def run_group(group: JobGroup) -> tuple[int, list[tuple[int, CandidateResult]]]:
    """Train and score the networks of a group, and return them with the index of their fold."""
    with config_context(**group.config):
        train_network = group.memory.cache(_train_network, ignore=["fold", "checkpoint"])
        for job in group.jobs:
            try:
                with collect_warnings() as found:
                    fit, _ = group.fold.prepare(job.candidate.kind)  # not part of fit_seconds
                    n_planned = count_epochs(group.share, fit.settings.hyper.max_iter)
                    result = _run_job(job, group, train_network, n_planned, found)
            except Exception as error:
                params = job.candidate.get_params()
                error.add_note(f"In fold {group.fold_index} of the search, with {params}.")
                raise
            group.results.append((job.candidate_index, result))
    return group.fold_index, group.results


def _run_job(
    job: CandidateJob, group: JobGroup, train_network: Callable, n_planned: int, found: Warnings
) -> CandidateResult:
    start = time.perf_counter()
    _, attributes, status, checkpoint = _read_or_train(job, group, train_network)
    trained = time.perf_counter()
    network = group.fold.make_network(job.candidate, attributes)
    scores, error = group.fold.score_network(network)
    return CandidateResult(
        scores=scores,
        error=error,
        n_epochs=attributes["n_iter_"],
        n_planned=n_planned,
        share=group.share,
        status=status,
        fit_seconds=trained - start,
        score_seconds=time.perf_counter() - trained,
        losses=attributes["loss_curve_"],
        validation_losses=attributes["validation_loss_curve_"],
        attributes=attributes,
        checkpoint=checkpoint,
        warnings=found,
    )


class Search:
    """Trains and scores candidates x folds, and holds the results so far.

    Parameters
    ----------
    folds : sequence of Fold
    candidates : sequence of Candidate
    rungs : sequence of Rung
    refit_score : callable
        From the scores of a network to the score that compares candidates.
    keep_networks : bool
        Whether to keep the fitted attributes of all networks.
    n_jobs : int or None
    memory : joblib.Memory
    config : dict
        Configuration of scikit-learn for the workers.

    Attributes
    ----------
    results : dict
        From (candidate, fold) to the last CandidateResult.
    dropped : dict
        From a dropped candidate to the index of its last rung.
    reached : int
        Index of the last rung of the other candidates.
    """

    def __init__(
        self,
        folds: Sequence[Fold],
        candidates: Sequence[Candidate],
        rungs: Sequence[Rung],
        refit_score: Callable[[dict[str, float]], float],
        *,
        keep_networks: bool,
        n_jobs: int | None,
        memory: joblib.Memory,
        config: dict,
    ):
        self.folds, self.candidates, self.rungs = folds, candidates, rungs
        self.refit_score, self.keep_networks, self.n_jobs = refit_score, keep_networks, n_jobs
        self.memory, self.config = memory, config
        self.stop = threading.Event()
        self.reached = 0
        self.results: dict[tuple[int, int], CandidateResult] = {}
        self.dropped: dict[int, int] = {}

    def run(self, on_result: Callable[[int, int, CandidateResult], None]) -> None:
        """Run all rungs. After an error or an interrupt `results` has the results so far.

        `on_result` is called with (fold, candidate, result) when a network reaches the end of a
        rung.
        """
        no_keys = is_disabled(self.memory)
        keys = ["" if no_keys else make_fold_key(fold) for fold in self.folds]
        for fold in self.folds:
            fold.stop = self.stop
        remaining = list(range(len(self.candidates)))
        try:
            for index, rung in enumerate(self.rungs):
                before, self.reached = self.results.copy(), index
                try:
                    self._run_rung(rung, remaining, keys, on_result)
                except BaseException:
                    if index and not self._is_complete(rung, remaining):
                        self._return_to(before, rung, remaining)
                    raise
                remaining = self._drop_worst(rung, remaining)
        finally:
            self.stop.set()

    def _is_complete(self, rung: Rung, remaining: list[int]) -> bool:
        results = [self.results.get((k, fold)) for k in remaining for fold in rung.folds]
        return all(
            result and (result.status is not Status.RUNNING or result.share == rung.share)
            for result in results
        )

    def _drop_worst(self, rung: Rung, remaining: list[int]) -> list[int]:
        """Drop all but the best candidates of the rung, and return the others.

        The best one of each kind survives.
        """
        scores = [self.average_score(k, rung.folds) for k in remaining]
        ranked = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
        order = [remaining[index] for index in ranked]
        # Reversed, so that the best candidate of a kind is the one that stays.
        best_of_kinds = {self.candidates[k].kind: k for k in reversed(order)}
        order = list(dict.fromkeys([*best_of_kinds.values(), *order]))
        worst = order[rung.n_survivors :]
        for candidate in worst:
            self._drop(candidate, self.reached)
        return sorted(set(remaining) - set(worst))

    def _drop(self, candidate: int, rung: int) -> None:
        self.dropped[candidate] = rung
        for fold in range(len(self.folds)):
            result = self.results.get((candidate, fold))
            if result is not None:
                result = result._replace(checkpoint=None, attributes=None)
                self.results[candidate, fold] = result

    def _return_to(self, before: dict, rung: Rung, remaining: list[int]) -> None:
        """Return to the results before a rung that was stopped.

        Results after different numbers of epochs cannot be compared. But if networks are kept, the
        candidates that have reached the end predict, and the others count as dropped.
        """
        complete = []
        if self.keep_networks and rung is self.rungs[-1]:
            complete = [k for k in remaining if self._is_complete(rung, [k])]
        ended = {key: self.results[key] for key in self.results if key[0] in complete}
        self.results = {**before, **ended}
        if not complete:
            self.reached -= 1
            return
        for candidate in set(remaining) - set(complete):
            self._drop(candidate, self.reached - 1)

    def _run_rung(
        self, rung: Rung, remaining: list[int], keys: list[str], on_result: Callable
    ) -> None:
        """Train the remaining candidates up to the end of the rung."""
        n_waiting = [0] * len(self.folds)
        groups = list(self._make_groups(rung, remaining, keys))
        for group in groups:
            n_waiting[group.fold_index] += len(group.jobs)
        tasks = (joblib.delayed(run_group)(group) for group in groups)
        outputs = self._make_parallel()(tasks)
        try:
            for fold, results in outputs:
                n_waiting[fold] -= len(results)
                # Popped, so that an interrupt records only what is left in a group.
                while results:
                    candidate, result = results.pop(0)
                    result = self._record(fold, candidate, result)
                    on_result(fold, candidate, result)
                is_last = rung is self.rungs[-1]
                if not n_waiting[fold] and (is_last or self.folds[fold].is_large()):
                    self.folds[fold].forget()
        except BaseException as error:
            self.stop.set()
            with warnings.catch_warnings():  # joblib warns of the jobs that it cancels
                warnings.filterwarnings("ignore", ".*(have been cancelled|not used)")
                if hasattr(outputs, "close"):
                    outputs.close()
            if isinstance(error, KeyboardInterrupt):
                self._record_unfinished(groups)
            raise

    def _record(self, fold: int, candidate: int, result: CandidateResult) -> CandidateResult:
        """Store a result, without its network if none is kept. Return it with the network."""
        self.refit_score(result.scores)  # raises now, not at the end, if there is none
        before = self.results.get((candidate, fold))
        if before is not None:
            result = result._replace(
                fit_seconds=before.fit_seconds + result.fit_seconds,
                score_seconds=before.score_seconds + result.score_seconds,
                warnings=before.warnings | result.warnings,
            )
        stored = result if self.keep_networks else result._replace(attributes=None)
        self.results[candidate, fold] = stored
        return result

    def _record_unfinished(self, groups: list[JobGroup]) -> None:
        """Record the results that are left in groups, most of which have not ended."""
        for group in groups:
            for candidate, result in group.results:
                self._record(group.fold_index, candidate, result)

    def _make_parallel(self) -> joblib.Parallel:
        backend, _ = get_active_backend(prefer="threads")
        streams = getattr(backend, "supports_return_generator", False)
        return_as = "generator_unordered" if streams else "list"
        return joblib.Parallel(n_jobs=self.n_jobs, prefer="threads", return_as=return_as)

    def _make_groups(self, rung: Rung, remaining: list[int], keys: list[str]) -> Iterator[JobGroup]:
        """Group the jobs of a rung: small groups for threads, a few per worker for processes."""
        backend, _ = get_active_backend(prefer="threads")
        n_workers = joblib.effective_n_jobs(self.n_jobs)
        threads = getattr(backend, "supports_sharedmem", False)
        waiting = {fold: self._list_jobs(fold, remaining) for fold in rung.folds}
        n_left = sum(len(jobs) for jobs in waiting.values())
        # Folds that start here come first, and groups get smaller, so that workers end together.
        for index in sorted(waiting, key=self._find_share):
            fold, jobs = self.folds[index], waiting[index]
            kinds = {job.candidate.kind: job.candidate for job in jobs}
            most = max((fold.estimate_visits(candidate) for candidate in kinds.values()), default=0)
            visits = most * (rung.share - self._find_share(index))
            size = max(1, -(-len(remaining) * len(rung.folds) // (4 * n_workers)))
            while jobs:
                if threads:
                    size = max(
                        1, min(int(_GROUP_VISITS / max(visits, 1)), n_left // (4 * n_workers))
                    )
                some, jobs = jobs[:size], jobs[size:]
                n_left -= len(some)
                yield JobGroup(
                    index, fold, keys[index], some, rung.share, self.memory, self.config, []
                )

    def _list_jobs(self, fold: int, remaining: list[int]) -> list[CandidateJob]:
        """Return the jobs of a fold whose training has not ended."""
        results = [(k, self.results.get((k, fold))) for k in remaining]
        return [
            CandidateJob(k, self.candidates[k], result.checkpoint if result else None)
            for k, result in results
            if result is None or result.status is Status.RUNNING
        ]

    def _find_share(self, fold: int) -> float:
        """Return the share of its epochs that the longest training of a fold has had."""
        return max(
            (result.share for (_, f), result in self.results.items() if f == fold), default=0.0
        )

    def count_trainings_done(self) -> float:
        """Sum the shares of all networks so far. One that ended early counts to its rung's end."""
        n_trainings = 0.0
        for (candidate, _), result in self.results.items():
            rung = self.rungs[self.dropped.get(candidate, self.reached)]
            n_trainings += result.share if result.status is Status.RUNNING else rung.share
        return n_trainings

    def list_complete(self) -> list[int]:
        """Return the candidates that have a network of every fold."""
        n_folds = len(self.folds)
        candidates = range(len(self.candidates))
        return [k for k in candidates if len(self.collect_networks(k)) == n_folds]

    def list_scored(self) -> list[int]:
        """Return the candidates that have a network of every fold, all of them with a score."""
        return [k for k in self.list_complete() if not np.isnan(self.average_score(k))]

    def average_score(self, candidate: int, folds: Sequence[int] | None = None) -> float:
        """Return the mean score of a candidate over some folds, by default over all."""
        folds = range(len(self.folds)) if folds is None else folds
        return float(np.mean([self.refit_score(self.results[candidate, f].scores) for f in folds]))

    def collect_networks(self, candidate: int) -> list:
        """Return the networks of a candidate that are trained, in the order of the folds."""
        found = [self.results.get((candidate, fold)) for fold in range(len(self.folds))]
        return [
            fold.make_network(self.candidates[candidate], result.attributes)
            for fold, result in zip(self.folds, found, strict=True)
            if result is not None and result.attributes is not None
        ]
