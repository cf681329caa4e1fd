"""What the two searching estimators share: their `fit`, routing, the winner and its attributes.

Owns the parameters of a search with their checks, which metadata each fold gets, how the winner is
chosen and refitted, and what the user is warned of. Does not own the values of the grid (`_grid`),
the rows of folds (`_splits`), how members are run and booked (`_search`), the scores (`_scoring`),
nor what is predicted and scored afterwards (`_cv`, `_search_score`).
"""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from abc import ABCMeta, abstractmethod
from inspect import signature
from numbers import Integral

import joblib
import numpy as np
import sklearn
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, indexable
from sklearn.utils.validation import check_is_fitted, check_memory

from skreg._compat import (
    HasMethods,
    Interval,
    MetadataRouter,
    MethodMapping,
    StrOptions,
    check_method_params,
    process_routing,
    raise_for_params,
    routing_enabled,
)
from skreg._engine.hyperparameters import check_hidden_layer_sizes, read_hyperparameters
from skreg._engine.spec import Status
from skreg._estimators.base import BaseNetwork, BaseRegularizedMLP
from skreg._estimators.progress import SearchProgress
from skreg._estimators.targets import ravel_column
from skreg._estimators.validation import check_rows, check_weight
from skreg._model_selection.candidates import Candidate, candidates_of
from skreg._model_selection.folds import Fold, refuse_without_class, refuse_without_rows, splits_of
from skreg._model_selection.halving import HALVING, n_epochs_of, n_members_of, rungs_of
from skreg._model_selection.memory import forgets
from skreg._model_selection.refit import best_index, edges, one_standard_error
from skreg._model_selection.results import cv_results
from skreg._model_selection.scoring import Scoring, negative_loss
from skreg._model_selection.search import Result, Search


class _StoppedByCallback(Exception):
    """A callback wants no more members."""


class BaseSearch(BaseNetwork, metaclass=ABCMeta):
    """A regularised network whose dropout and l2 are tuned by cross-validation."""

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in BaseRegularizedMLP._parameter_constraints.items()
            if name not in ("dropout", "l2", "warm_start")
        },
        "dropouts": ["array-like", Interval(Integral, 1, None, closed="left")],
        "l2s": ["array-like", Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "scoring": [
            StrOptions({"loss", *get_scorer_names()}),
            callable,
            list,
            tuple,
            dict,
            None,
        ],
        "refit": ["boolean", str, callable],
        "search": [StrOptions({"grid", "halving"})],
        "n_jobs": [Integral, None],
        "memory": [str, HasMethods("cache"), None],
        "store_curves": ["boolean"],
    }

    def _store(self, arguments: dict) -> None:
        """Store the constructor's arguments, by its `locals()`: there are some forty."""
        for name in arguments.keys() - {"self", "__class__"}:
            setattr(self, name, arguments[name])

    @abstractmethod
    def _plain(self):
        """The estimator that is tuned, unfitted and of this one's parameters."""

    def _plain_of(self, kind):
        # A subclass may have fewer parameters than it stores.
        names = set(kind._get_param_names()) & vars(self).keys()
        return clone(kind(**{name: getattr(self, name) for name in names} | {"verbose": 0}))

    # -- fitting --------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, params):
        self._refuse_validation_rows(params)
        raise_for_params(params, self, "fit", allow=["groups"])
        if True:
            plain = self._plain()
            candidates, shape = self._candidates(plain)
            scoring = Scoring(self.scoring, plain, self.refit, self.search == "halving")
            if self.refit is one_standard_error and scoring.several:
                raise ValueError(
                    "refit: expected one metric with one_standard_error; received "
                    f"scoring={self.scoring!r}."
                )
            memory = self._checked_memory()
            X, given_y, y, sample_weight, found = self._checked_data(X, y, sample_weight, plain)
            folds = self._folds(X, given_y, y, sample_weight, params, plain, scoring)
            search, status = self._searched(X, y, sample_weight, folds, candidates, scoring, memory)
            attributes = self._attributes(search, scoring, shape)
            if scoring.refit is not False:
                attributes |= self._refitted(search, plain, X, y, sample_weight, attributes)
        for name in _fitted(self):  # of an earlier fit
            delattr(self, name)
        vars(self).update(found | attributes, scorer_=scoring.scorer, n_splits_=len(folds))
        self._warn_of(search, scoring, status)
        return self

    def _refuse_validation_rows(self, params: dict) -> None:
        given = [name for name in ("X_val", "y_val", "sample_weight_val") if name in params]
        if given:
            raise TypeError(
                f"{given[0]}: expected no validation rows in a search, whose networks each "
                "hold out a validation_fraction of their fold with early_stopping; received some."
            )

    def _checked_data(self, X, y, sample_weight, plain) -> tuple:
        X, y = indexable(X, y)
        request = plain._make_request(X, y)
        checked = check_rows(self, X, y, reset=True, y_numeric=request.y_numeric)
        targets = ravel_column(checked.y)
        targets = targets.toarray() if sparse.issparse(targets) else targets
        sample_weight = check_weight(sample_weight, X)
        request.make_targets(targets)  # which it refuses if it cannot train on them
        given_y = y if hasattr(y, "iloc") else targets
        return X, given_y, targets, sample_weight, checked.attributes

    def _folds(self, X, given_y, y, sample_weight, params, plain, scoring) -> list[Fold]:
        """The folds; splitter and scorers of others get y with its index, if it has one."""
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        routed = self._routed(scoring, sample_weight, params)
        scored_y = y if scoring.scorer is negative_loss else given_y
        folds = []
        splits = splits_of(splitter, X, given_y, routed.splitter.split)
        for k, (train, test) in enumerate(splits):
            score_params = check_method_params(X, params=routed.scorer.score, indices=test)
            refuse_without_rows(k, train, test, sample_weight, score_params.get("sample_weight"))
            if self.refit == "folds" and is_classifier(self):
                refuse_without_class(k, y, train)
            score = scoring.scorer, score_params
            folds.append(Fold(plain, X, y, scored_y, train, test, sample_weight, *score))
        return folds

    def _checked_memory(self) -> joblib.Memory:
        if self.memory is not None and callable(self.validation_scoring):
            raise ValueError(
                "validation_scoring: expected the name of a scorer with memory, which cannot see "
                f"what a function does; received {self.validation_scoring!r}."
            )
        if not forgets(self.memory) and self.random_state is None:
            self._say(
                UserWarning,
                "memory: with random_state=None no two networks are the same (but after the same "
                "np.random.seed), so that none is read back. Give a random_state.",
            )
        refusal = f"memory: expected a folder that can be written; received {self.memory!r}"
        try:
            memory = check_memory(self.memory)
        except OSError as error:
            raise ValueError(f"{refusal} ({error}).") from error
        folder = getattr(memory, "location", None)
        if isinstance(folder, (str, os.PathLike)) and not os.access(folder, os.W_OK):
            raise ValueError(f"{refusal}.")
        try:
            signature(memory.cache).bind(None, ignore=[])
        except (TypeError, ValueError) as error:
            raise ValueError(
                "memory: expected a joblib.Memory, or what has its cache(func, ignore=[...]); "
                f"received {self.memory!r}."
            ) from error
        return memory

    def _candidates(self, plain) -> tuple[list[Candidate], tuple[int, int]]:
        """All candidates, l2 fastest, and the shape of the grid; every value is checked."""
        n_hidden = len(check_hidden_layer_sizes(self.hidden_layer_sizes))
        candidates, shape = candidates_of(self.dropouts, self.l2s, n_hidden)
        read_hyperparameters(clone(plain).set_params(**candidates[0]._asdict()), n_hidden)
        return candidates, shape

    def _routed(self, scoring: Scoring, sample_weight, params: dict) -> Bunch:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if routing_enabled():
            routed = process_routing(self, "fit", **weights, **params)
            if scoring.several:  # else refused by the first network only
                process_routing(scoring.scorer, "score", **routed.scorer.score)
            if self._scores_itself():
                routed.scorer = Bunch(score=weights)
            return routed
        if weights and not scoring.takes_weights():
            warnings.warn(
                f"scoring: {self.scoring!r} does not take sample_weight, so the networks are "
                "trained with the weights and scored without.",
                stacklevel=6,
            )
            weights = {}
        groups = params.get("groups")
        return Bunch(
            splitter=Bunch(split={} if groups is None else {"groups": groups}),
            scorer=Bunch(score=weights),
        )

    def _searched(
        self, X, y, sample_weight, folds, candidates, scoring, memory
    ) -> tuple[Search, Status]:
        """The search as far as it came, and how it ended."""
        n_rows = [len(fold.rows_out) for fold in folds]
        stages = HALVING if self.search == "halving" else ()
        rungs = rungs_of(len(candidates), n_rows, self.max_iter, stages)
        arguments = self._seen_by_callbacks(X, y, sample_weight)
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(**arguments)
        display = None
        if self.verbose:
            display = SearchProgress(n_epochs_of(rungs, len(candidates)))

        def told(fold: int, candidate: int, result: Result) -> None:
            if display is not None:
                score, done = scoring.decisive(result.scores), search.n_epochs_done()
                display.update(candidates[candidate]._asdict(), fold, result.n_epochs, done, score)
            if not getattr(self, "_skl_callbacks", None):
                return
            task = context.subcontext(task_name="candidate-fold")
            trained_on = self._seen_by_callbacks(*folds[fold].training_rows())
            task.call_on_fit_task_begin(**trained_on)
            network = folds[fold].with_values(candidates[candidate], result.attributes)
            if task.call_on_fit_task_end(
                **trained_on, reconstruction_attributes=lambda: _of_network(network)
            ):
                raise _StoppedByCallback

        search = Search(
            folds,
            candidates,
            rungs,
            scoring.decisive,
            keep=self.refit == "folds",
            n_jobs=self.n_jobs,
            memory=memory,
            config=sklearn.get_config(),
            told=told,
        )
        status = Status.FINISHED
        try:
            with display.open() if display else contextlib.nullcontext():
                search.run()
        except _StoppedByCallback:
            status = Status.STOPPED
        except KeyboardInterrupt:
            if not search.results:
                raise
            status = Status.INTERRUPTED
        context.call_on_fit_task_end(**arguments)
        return search, status

    def _seen_by_callbacks(self, X, y, sample_weight) -> dict:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return {"estimator": self, "X": X, "y": y, "metadata": metadata}

    # -- the winner -----------------------------------------------------------------------------

    def _attributes(self, search: Search, scoring: Scoring, shape: tuple[int, int]) -> dict:
        results = cv_results(search)
        metrics = [name for name in results if name.startswith("mean_test_")]
        self._refuse_if_nothing_scored(search, scoring, results)
        n_folds = len(search.folds)
        scores = {
            name.removeprefix("mean_test_"): np.stack(
                [results[f"split{f}_{name.removeprefix('mean_')}"] for f in range(n_folds)], axis=1
            ).reshape(*shape, n_folds)
            for name in metrics
        }
        several = set(scores) != {"score"}
        attributes: dict = {"cv_results_": results, "multimetric_": several}
        attributes["scores_"] = scores if several else scores["score"]
        if self.store_curves:
            attributes["loss_curves_"] = self._curves(search, shape, "losses")
            attributes["validation_loss_curves_"] = self._curves(search, shape, "validation_losses")
        if scoring.refit is False and several:
            return attributes  # nobody said which metric decides
        index = best_index(self.refit, results, scoring.metric)
        winner = search.candidates[index]
        attributes |= {"best_index_": index, "best_params_": winner._asdict()}
        attributes |= {"dropout_": winner.dropout, "l2_": winner.l2}
        if not callable(self.refit):
            attributes["best_score_"] = float(results[f"mean_test_{scoring.metric}"][index])
        return attributes

    def _refuse_if_nothing_scored(self, search, scoring, results) -> None:
        scored = {
            fold
            for (_, fold), result in search.results.items()
            if any(score > -np.inf for score in result.scores.values())
        }
        if scoring.refit is False and scored:  # no winner is asked for
            return
        means = [values for name, values in results.items() if name.startswith("mean_test_")]
        if scoring.refit is not False and not callable(self.refit):
            means = [results[f"mean_test_{scoring.metric}"]] if means else []
        lasted = results["n_epochs"] == results["n_epochs"].max()  # not dropped by halving
        if any((mean[lasted] > -np.inf).any() for mean in means):
            return
        error = next((r.error for r in search.results.values() if r.error), None)
        without = sorted(set(range(len(search.folds))) - scored)
        where = f" in the folds {without}" if scored and without else ""
        raise ValueError(
            "scoring: expected a finite score of at least one candidate in every fold; received "
            f"none{where} with scoring={self.scoring!r}."
            + (" refit=False keeps the scores of the others." if where else "")
            + ("" if error is None else f" The first one failed with:\n{error}")
        )

    def _curves(self, search: Search, shape: tuple[int, int], name: str) -> np.ndarray:
        curves = np.empty((len(search.candidates), len(search.folds)), dtype=object)
        for place, result in search.results.items():
            curves[place] = getattr(result, name)
        return curves.reshape(*shape, -1)

    def _refitted(self, search: Search, plain, X, y, sample_weight, found: dict) -> dict:
        """The attributes of the network, or networks, that predict; none after Ctrl-C."""
        if self.refit == "folds":
            return _of_networks(search.networks(found["best_index_"]))
        start = time.perf_counter()
        network = clone(plain).set_params(
            verbose=max(0, int(self.verbose) - 1), **found["best_params_"]
        )
        try:
            network.fit(X, y, sample_weight)
        except KeyboardInterrupt:
            self._say(
                UserWarning,
                "Interrupted before the winner was trained on all rows: there are the results of "
                "the search, and no network to predict with.",
            )
            return {}
        return {**_of_network(network), "refit_time_": time.perf_counter() - start}

    def _warn_of(self, search: Search, scoring: Scoring, status: Status) -> None:
        results = search.results.values()
        if status in (Status.INTERRUPTED, Status.STOPPED):
            how = "interrupted" if status is Status.INTERRUPTED else "stopped by a callback"
            self._say(
                UserWarning,
                f"The search was {how} after {len(results)} of "
                f"{n_members_of(search.rungs, len(search.candidates))} networks; scores "
                "that are missing are NaN, and the best of the others is used.",
            )
        failed = [result.error for result in results if result.error]
        if failed:
            self._say(
                UserWarning,
                f"Scoring failed for {len(failed)} of {len(results)} networks; their scores are "
                f"NaN. The first failed with:\n{failed[0]}",
            )
        n_diverged = sum(result.status is Status.DIVERGED for result in results)
        if n_diverged:
            self._say(
                ConvergenceWarning,
                f"{n_diverged} of {len(results)} networks diverged, and are scored with the "
                "weights from before. Try a smaller learning_rate_init "
                f"(now {self.learning_rate_init:g}) or a smaller l2.",
            )
        ranks = self.cv_results_.get(f"rank_test_{scoring.metric}", [])
        # Of a search that says nothing the winner is the first one.
        tells = status is Status.FINISHED and n_diverged < len(results) and len(set(ranks)) != 1
        if "best_index_" in vars(self) and tells:
            for sentence in edges(search.candidates, self.best_index_):
                self._say(UserWarning, sentence)

    def _say(self, category, sentence: str) -> None:
        warnings.warn(sentence, category, stacklevel=6)

    # -- use ------------------------------------------------------------------------------------

    def get_metadata_routing(self):
        """Get the metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Of `sample_weight` to the networks, and of what the splitter and the scorer ask for.
        """
        fit_split = MethodMapping().add(caller="fit", callee="split")
        scores = MethodMapping().add(caller="score", callee="score")
        scores.add(caller="fit", callee="score")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=fit_split)
        if self._scores_itself():
            return router
        scorer = Scoring(self.scoring, self._plain(), self.refit).scorer
        return router.add(scorer=scorer, method_mapping=scores)

    def _scores_itself(self) -> bool:
        """Whether the score is the loss or the plain estimator's own, which need no request."""
        return self.scoring is None or (isinstance(self.scoring, str) and self.scoring == "loss")

    def __sklearn_is_fitted__(self) -> bool:
        # As a callback sees it, the search has not ended, and one network predicts.
        return hasattr(self, "cv_results_") or hasattr(self, "best_estimator_")

    def _networks(self) -> list:
        """The networks that predict: one, or those of the folds."""
        check_is_fitted(self)
        if hasattr(self, "estimators_"):
            return self.estimators_
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                f"This {type(self).__name__} was fitted with refit=False, or interrupted, so that "
                "there is no network to predict with. Set refit=True, or fit a plain estimator "
                "with best_params_."
            )
        return [self.best_estimator_]


def _of_network(network) -> dict:
    """The attributes of an estimator that predicts as the network does."""
    return {**_fitted(network), "best_estimator_": network}


def _fitted(estimator) -> dict:
    """Its public fitted attributes."""
    names = [name for name in vars(estimator) if name.endswith("_") and name[0] != "_"]
    return {name: getattr(estimator, name) for name in names}


def _of_networks(networks: list) -> dict:
    """The attributes of an estimator that averages the networks."""
    names = "classes_", "n_outputs_", "n_layers_", "out_activation_"
    first = vars(networks[0])
    attributes = {name: first[name] for name in names if name in first}
    n_iter = np.array([network.n_iter_ for network in networks])
    return {**attributes, "n_iter_": n_iter, "estimators_": networks}
