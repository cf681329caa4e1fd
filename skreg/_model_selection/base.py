"""The base of the searching estimators: parameters, `fit`, metadata routing and warnings."""

from __future__ import annotations

import contextlib
from abc import ABCMeta
from collections.abc import Sequence
from numbers import Integral

import joblib
import numpy as np
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch

from skreg._compat import (
    HasMethods,
    Interval,
    MetadataRouter,
    MethodMapping,
    StrOptions,
    check_method_params,
    has_callbacks,
    process_routing,
    raise_for_params,
    routing_enabled,
)
from skreg._estimators.base import BaseNetwork, BaseRegularizedMLP
from skreg._estimators.progress import SearchProgress
from skreg._estimators.scorers import describe_ignored_weights, ignores_weights, is_loss
from skreg._estimators.user_warnings import (
    collect_warnings,
    warn,
    warn_in_worker_process,
)
from skreg._model_selection.candidates import Candidate, make_candidates
from skreg._model_selection.data import SearchData, check_data
from skreg._model_selection.ensemble import make_ensemble
from skreg._model_selection.folds import Fold, check_fold, make_splits
from skreg._model_selection.halving import (
    HALVING,
    HALVING_OF_ENSEMBLE,
    RungShares,
    count_least_epochs,
    count_trainings,
    plan_rungs,
)
from skreg._model_selection.kinds import set_kind
from skreg._model_selection.members import MembersMixin
from skreg._model_selection.memory import is_disabled, open_memory
from skreg._model_selection.refit import (
    average_networks,
    check_strengths_are_numbers,
    copy_attributes,
    list_fitted_attributes,
    one_standard_error,
    summarise_winner,
    train_winner,
)
from skreg._model_selection.results import summarise_results
from skreg._model_selection.scoring import (
    AVERAGES,
    Scoring,
    makes_ensemble,
    negative_loss,
    pack_scorer,
    unpack_scorer,
)
from skreg._model_selection.search import CandidateResult, Search
from skreg._model_selection.search_warnings import warn_about_search


class _StoppedByCallback(Exception):
    """A callback stopped the search."""


class BaseSearch(MembersMixin, BaseNetwork, metaclass=ABCMeta):
    """A regularised network whose `dropout` and `l2` are tuned by cross-validation."""

    _base_estimator_class: type[BaseRegularizedMLP]

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in BaseRegularizedMLP._parameter_constraints.items()
            if name not in ("dropout", "l2", "warm_start", "early_stopping")
        },
        "early_stopping": ["boolean", StrOptions({"fold"})],
        "dropouts": ["array-like", Interval(Integral, 1, None, closed="left")],
        "l2s": [StrOptions({"auto"}), "array-like", Interval(Integral, 1, None, closed="left")],
        "candidates": [StrOptions({"auto"}), list, tuple],
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

    def _make_base_estimator(self):
        """Make the estimator that is tuned: not fitted, with the parameters of this one."""
        # A subclass may have fewer parameters than attributes.
        names = set(self._base_estimator_class._get_param_names()) & vars(self).keys()
        parameters = {name: getattr(self, name) for name in names}
        changes = {"verbose": 0, "early_stopping": bool(self.early_stopping)}
        return clone(self._base_estimator_class(**{**parameters, **changes}))

    # -- fit --------------------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, params):
        warn_in_worker_process()
        self._check_fit_params(params)
        self._check_early_stopping()
        base_estimator = self._make_base_estimator()
        scoring = self._make_scoring(base_estimator)
        memory = open_memory(self.memory, self.validation_scoring)
        self._warn_about_memory()
        data = check_data(self, base_estimator, X, y, sample_weight)
        grid = make_candidates(
            self.dropouts, self.l2s, base_estimator, data.list_strengths, data.kinds
        )
        if self.refit is one_standard_error:
            check_strengths_are_numbers(candidate.l2 for candidate in grid.candidates)
        trains_winner = scoring.refit is not False and not self._averages  # which warns itself
        if not trains_winner and any(
            ignores_weights(set_kind(base_estimator, kind), data.sample_weight)
            for kind in data.kinds
        ):
            warn(describe_ignored_weights(base_estimator))
        routed = self._route_metadata(scoring, data.sample_weight, params)
        folds = self._make_folds(data, routed, scoring, base_estimator)
        search = self._make_search(folds, grid.candidates, scoring, memory)
        try:
            stopped = self._run_search(search, data)
            attributes = self._summarise(search, scoring, grid.shape, data, stopped)
        except KeyboardInterrupt as interrupt:
            if not search.results:
                raise
            try:
                self._store_interrupted(search, scoring, grid.shape, data)
            except Exception as error:  # the user should see the interrupt
                interrupt.add_note(f"The results so far are not stored: {error}")
            raise
        try:
            with collect_warnings() as of_refit:
                attributes |= self._refit(search, scoring, base_estimator, data, attributes)
        except BaseException as error:
            # A scorer may fail on all held-out rows together, after hours of training.
            if isinstance(error, KeyboardInterrupt) or self._averages:
                self._store_attributes(attributes)
            raise
        # Before the attributes are set, since a warning may be an error.
        warn_about_search(search, scoring, stopped, attributes, of_refit)
        self._store_attributes(attributes)
        return self

    def _check_early_stopping(self) -> None:
        if self.early_stopping == "fold" and not self._averages:
            raise ValueError(
                "early_stopping: expected refit='ensemble' or refit='folds' with 'fold', since a "
                f"network of all rows has no fold to stop on; received refit={self.refit!r}."
            )

    def _check_fit_params(self, params: dict) -> None:
        given = [name for name in ("X_val", "y_val", "sample_weight_val") if name in params]
        if given:
            raise TypeError(
                f"{given[0]}: expected no validation rows in a search; received some. With "
                "early_stopping=True each network holds out a validation_fraction of its training "
                "rows."
            )
        raise_for_params(params, self, "fit", allow=["groups"])

    def _make_scoring(self, base_estimator) -> Scoring:
        scoring = Scoring(self.scoring, base_estimator, self.refit, self.search == "halving")
        if self.refit is one_standard_error and scoring.is_multimetric:
            raise ValueError(
                "refit: expected one metric with one_standard_error; received "
                f"scoring={self.scoring!r}."
            )
        return scoring

    def _make_folds(self, data: SearchData, routed, scoring, base_estimator) -> list[Fold]:
        X, y, weight = data.X, data.y, data.sample_weight
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        splits = make_splits(splitter, X, data.indexed_y, routed.splitter.split)
        scored_y = y if scoring.scorer is negative_loss else data.indexed_y
        folds = []
        for k, (train, test) in enumerate(splits):
            score_params = check_method_params(X, params=routed.scorer.score, indices=test)
            test_weight = score_params.get("sample_weight")
            if test_weight is None and weight is not None and self.early_stopping == "fold":
                test_weight = weight[test]
            check_fold(k, train, test, weight, test_weight)
            fold = Fold(
                base_estimator,
                X,
                y,
                scored_y,
                train,
                test,
                weight,
                scoring.scorer,
                score_params,
                stops_on_test=self.early_stopping == "fold",
                # Networks with other outputs cannot be averaged.
                classes=data.classes if self._averages else None,
            )
            folds.append(fold)
        return folds

    def _make_search(
        self, folds: list[Fold], candidates: list[Candidate], scoring, memory: joblib.Memory
    ) -> Search:
        n_rows = [len(fold.test) for fold in folds]
        shares: Sequence[RungShares] = ()
        if self.search == "halving":
            shares = HALVING_OF_ENSEMBLE if makes_ensemble(self.refit) else HALVING
        by_kind = {candidate.kind: candidate for candidate in candidates}
        max_iters = [folds[0].make_network(candidate).max_iter for candidate in by_kind.values()]
        least_epochs = min(map(count_least_epochs, max_iters))
        return Search(
            folds,
            candidates,
            plan_rungs(len(candidates), n_rows, least_epochs, shares, len(by_kind)),
            scoring.refit_score,
            keep_networks=self._averages,
            n_jobs=self.n_jobs,
            memory=memory,
            config=sklearn.get_config(),
        )

    def _run_search(self, search: Search, data: SearchData) -> bool:
        """Run the search with its display and callbacks. Return whether a callback stopped it."""
        arguments = self._make_callback_arguments(data.X, data.y, data.sample_weight)
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(**arguments)
        progress = None
        if self.verbose:
            progress = SearchProgress(count_trainings(search.rungs, len(search.candidates)))

        def on_result(fold: int, candidate: int, result: CandidateResult) -> None:
            if progress is not None:
                tried = search.candidates[candidate]
                values = {"dropout": tried.dropout, "l2": tried.l2}
                score, n_done = search.refit_score(result.scores), search.count_trainings_done()
                progress.update(dict(tried.kind), values, fold, result.n_epochs, n_done, score)
            if has_callbacks(self):
                self._call_callbacks(context, search, fold, candidate, result)

        stopped = False
        try:
            with progress.open() if progress else contextlib.nullcontext():
                search.run(on_result)
        except _StoppedByCallback:
            stopped = True
        context.call_on_fit_task_end(**arguments)
        return stopped

    def _call_callbacks(self, context, search: Search, fold: int, candidate: int, result) -> None:
        task = context.subcontext(task_name="candidate-fold")
        arguments = self._make_callback_arguments(*search.folds[fold].take_training_rows())
        task.call_on_fit_task_begin(**arguments)
        network = search.folds[fold].make_network(search.candidates[candidate], result.attributes)
        if task.call_on_fit_task_end(
            **arguments, reconstruction_attributes=lambda: copy_attributes(network)
        ):
            raise _StoppedByCallback

    def _summarise(self, search: Search, scoring, shape, data: SearchData, stopped=False) -> dict:
        """Return the fitted attributes of the search, but not of the networks that predict."""
        attributes = summarise_results(search, scoring, shape, self.store_curves)
        # A search that was stopped should predict, which only a complete candidate does.
        eligible = search.list_complete() if stopped and self._averages else None
        attributes |= summarise_winner(search, scoring, attributes["cv_results_"], eligible)
        return attributes | data.columns

    def _refit(self, search: Search, scoring, base_estimator, data: SearchData, found) -> dict:
        """Return the fitted attributes of the networks that predict."""
        if scoring.refit is False:
            return {}
        if self._averages:
            return self._average(search, found)
        verbose = max(0, int(self.verbose) - 1)
        return train_winner(
            base_estimator, found["best_params_"], data.X, data.y, data.sample_weight, verbose
        )

    @property
    def _averages(self) -> bool:
        """Whether networks of the folds predict."""
        return isinstance(self.refit, str) and self.refit in AVERAGES

    def _average(self, search: Search, found: dict) -> dict:
        """Return the fitted attributes of networks of the folds; none if the winner lacks some."""
        best = found["best_index_"]
        if makes_ensemble(self.refit):
            attributes = make_ensemble(search, best)
            if not attributes:
                return {}
            results = {**found["cv_results_"], "ensemble_weight": attributes["ensemble_weights_"]}
            return {**attributes, "cv_results_": results}
        networks = search.collect_networks(best)
        if len(networks) < len(search.folds):
            return {}
        return average_networks(networks, search.folds)

    def _store_interrupted(self, search: Search, scoring, shape, data: SearchData) -> None:
        """Store the results so far. Raise if they have no winner and `refit` needs one."""
        attributes = self._summarise(search, scoring, shape, data, stopped=True)
        self._store_attributes(attributes)  # first, since another interrupt may come
        if self._averages:
            self._store_attributes(attributes | self._average(search, attributes))

    def _store_attributes(self, attributes: dict) -> None:
        """Replace all fitted attributes."""
        for name in list_fitted_attributes(self):
            delattr(self, name)
        for name, value in attributes.items():
            setattr(self, name, value)

    # -- warnings ---------------------------------------------------------------------------------

    def _warn_about_memory(self) -> None:
        if not is_disabled(self.memory) and self.random_state is None:
            warn(
                "memory: with random_state=None every fit draws another seed, so stored networks "
                "are not found again. Set random_state."
            )

    # -- metadata and fitted networks -------------------------------------------------------------

    def get_metadata_routing(self):
        """Get the metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Routes `sample_weight` to the networks, and to the splitter and the scorer what they
            request.
        """
        fit_split = MethodMapping().add(caller="fit", callee="split")
        scores = MethodMapping().add(caller="score", callee="score")
        scores.add(caller="fit", callee="score")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=fit_split)
        if self._uses_own_score():
            return router
        scorer = Scoring(self.scoring, self._make_base_estimator(), self.refit).scorer
        return router.add(scorer=scorer, method_mapping=scores)

    def _route_metadata(self, scoring: Scoring, sample_weight, params: dict) -> Bunch:
        """Return the metadata for `splitter.split` and `scorer.score`."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if routing_enabled():
            routed = process_routing(self, "fit", **weights, **params)
            if scoring.is_multimetric:  # else only the first network would raise
                process_routing(scoring.scorer, "score", **routed.scorer.score)
            if self._uses_own_score():
                routed.scorer = Bunch(score=weights)
            elif weights and scoring.has_functions():
                warn(
                    f"scoring: {self.scoring!r} has functions, which do not request sample_weight. "
                    "The networks are trained with the weights and scored without them. "
                    "sklearn.metrics.make_scorer makes a scorer that can request them."
                )
            return routed
        if weights and not scoring.takes_weights():
            warn(
                f"scoring: {self.scoring!r} does not take sample_weight. The networks are trained "
                "with the weights and scored without them."
            )
            weights = {}
        groups = params.get("groups")
        return Bunch(
            splitter=Bunch(split={} if groups is None else {"groups": groups}),
            scorer=Bunch(score=weights),
        )

    @property
    def encoded_feature_names_(self) -> np.ndarray:
        """Names of the columns that the network of the winner sees."""
        self._get_networks()  # raises if there are none
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "encoded_feature_names_: expected one fitted network; the networks of "
                "refit='folds' and 'ensemble' have columns of their own, see estimators_."
            )
        return self.best_estimator_.encoded_feature_names_

    def _uses_own_score(self) -> bool:
        """Whether the score is the loss or that of the base estimator, without requests."""
        return self.scoring is None or is_loss(self.scoring)

    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "scorer_": pack_scorer(state["scorer_"])} if "scorer_" in state else state

    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "scorer_"):
            self.scorer_ = unpack_scorer(self.scorer_)

    def __sklearn_is_fitted__(self) -> bool:
        # During the search, callbacks see an estimator that predicts with one network.
        return hasattr(self, "cv_results_") or hasattr(self, "best_estimator_")
