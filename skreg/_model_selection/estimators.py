"""The searching estimators, which tune `dropout` and `l2` by cross-validation inside `fit`."""

from __future__ import annotations

import numpy as np

from skreg._compat import fit_context
from skreg._estimators.classifier import ClassPredictions, RegularizedMLPClassifier
from skreg._estimators.docstrings import copy_entries
from skreg._estimators.regressor import RegressionPredictions, RegularizedMLPRegressor
from skreg._model_selection.base import BaseSearch
from skreg._model_selection.members import check_new_rows, predict_together
from skreg._model_selection.scoring import SearchScoreMixin
from skreg._model_selection.search_warnings import warn_about_class_weight


@copy_entries(RegularizedMLPClassifier)
class RegularizedMLPClassifierCV(SearchScoreMixin, ClassPredictions, BaseSearch):
    """Classifier whose `dropout` and `l2` are tuned by cross-validation inside `fit`.

    The scores and the winner equal those of `GridSearchCV` over a RegularizedMLPClassifier with
    the same `random_state`. The search is faster, since all candidates share the tables of the
    folds, those of one kind share one compiled program, and networks train in threads.

    Parameters
    ----------
    dropouts : array-like or int, default=(0.0, 0.3)
        Dropout rates to try: each is a number in [0, 1), or a sequence of one number per hidden
        layer. An integer is the number of rates, evenly spaced from 0 to 0.8.
    l2s : array-like, int or "auto", default="auto"
        L2 strengths to try: each is a number >= 0, a sequence of one number per kernel, or "auto",
        which is computed on each fold. An integer is the number of strengths, evenly
        spaced from 1e-5 to 0.1 on a logarithmic scale. ``l2s="auto"`` is five strengths, from 0.1
        to 10 times what `l2="auto"` stands for with all rows, for each kind of network. For more
        than two classes and for several labels it is from 1/30 to 3 times.
    candidates : list of dict or "auto", default="auto"
        Kinds of networks to try: dicts from names of further parameters to lists of values, as in
        the `param_grid` of `GridSearchCV`. Each combination of the values of a dict is a kind, and
        is crossed with `dropouts` and `l2s`. A kind without hidden layers has no dropout, and is
        crossed with `l2s` only. The other parameters are those of this estimator; an empty dict is
        its network. A kind that is listed twice counts once. Parameters that are the same for all
        networks, such as `loss`, `class_weight` and `random_state`, are refused.

        "auto" is three kinds with ``refit="ensemble"``: ``hidden_layer_sizes=()``,
        ``numerical_encoding="piecewise"`` and ``numerical_encoding="periodic"``. There are two
        kinds, ``hidden_layer_sizes=()`` and the network of the parameters, if `numerical_encoding`
        is another value than "auto", or if the table has fewer than 64 distinct rows, no numeric
        column with three and more values, more than 128 of them, or so few nonzero cells that it is
        held as sparse rows. With other values
        of `refit`, "auto" is the network of the parameters only.
    cv : int, cross-validation generator or iterable, default=None
        Splitting strategy, as in `GridSearchCV`. None means 5 folds, stratified by class except for
        several labels.
    scoring : str, callable, list, tuple, dict or None, default="loss"
        The score of a candidate on the held-out rows of a fold. "loss" is minus the mean loss.
        None is the method `score` of RegularizedMLPClassifier. Other values are those of
        `GridSearchCV`. "loss" may also be one of several metrics. The method `score` uses the
        same scoring; with "loss" it is that of RegularizedMLPClassifier.
        With ``refit="ensemble"`` a scorer also receives the ensemble. It should use predictions
        only, since other attributes are those of one network.
    refit : bool, "folds", "ensemble", str or callable, default=True
        How to predict. True trains the winner on all rows. "folds" stores its networks of the folds
        as `estimators_` and averages their probabilities. "ensemble" averages the networks of
        several candidates, which are chosen one by one so that the score of the held-out rows
        improves most [3]_; it tries three kinds of networks, see `candidates`. A class that the
        rows of some folds lack has the average of the networks of the other folds; the averages of
        all classes are divided by their sum. False gives scores only. A callable receives
        `cv_results_` and returns the index of the winner, for example
        :func:`skreg.one_standard_error`. With several metrics, the name of the metric that chooses
        the winner, a callable or False.
    search : {"grid", "halving"}, default="grid"
        "grid" trains every candidate to the end on all folds. "halving" drops candidates early:

        1. All candidates train for 0.32 of their epochs, on as many folds as are needed to
           score 150 rows. The best 40 % continue.
        2. They train up to 0.72 of their epochs, on at least three fifths of the folds. The
           best 16 % of all candidates continue.
        3. They train to the end on all folds.

        At least three candidates continue, and the best one of each kind. The cost is about a
        third of the grid, with five folds and sixteen candidates or more, and half of it for fewer
        than 200 rows. It is more if there are few candidates of each kind.

        With ``refit="ensemble"``, which needs many candidates, all train for 0.72 of their epochs
        on at least two fifths of the folds, and the best half continues, at two thirds of the cost.
    n_jobs : int or None, default=None
        Number of networks to train in parallel, in threads unless `joblib.parallel_config` sets
        another backend. None means 1 unless in a `joblib.parallel_config` context.
    memory : str, joblib.Memory or None, default=None
        Folder to store trained networks in. A search that was interrupted, or one with other
        scorers or more candidates, reads them instead of training them again. Networks are found
        by their rows, weights and parameters, the versions of the packages and the kind of
        processor. With ``random_state=None`` none is found, and a warning says so.
    store_curves : bool, default=False
        Whether to store the loss curves of all networks.
    <entries: hidden_layer_sizes, activation, input_dropout, l1, weight_decay, solver,
        learning_rate_init, learning_rate, momentum, nesterovs_momentum, beta_1, beta_2,
        epsilon, batch_size, max_iter>
    early_stopping : bool or "fold", default=False
        Whether each network stops early, and keeps the weights of the epoch that is best on
        validation rows. True holds out a `validation_fraction` of the training rows of each fold.
        "fold" takes the rows that the fold holds out, so none is lost for training. The same rows
        choose the epoch and score it, so the scores are optimistic. It needs `refit` "folds" or
        "ensemble".
    <entries: validation_fraction, validation_scoring, tol, n_iter_no_change, standardize,
        numerical_encoding, categorical_features, class_weight, random_state>
    verbose : int, default=0
        If above 0, show a progress bar of the search in a terminal, or in a notebook with
        ipywidgets, and print one line per network elsewhere. If above 1, also show the training of
        the winner.

    Attributes
    ----------
    dropout_ : float or tuple of float
        Dropout of the winner. Not set with several metrics if `refit` is False.
    l2_ : float, tuple of float or str
        L2 strength of the winner. For "auto" it is the number used; "auto" itself if the winner was
        not trained on all rows. Not set with several metrics if `refit` is False.
    best_params_ : dict
        Values of the winner: `dropout`, `l2` and the parameters of its kind. Not set with several
        metrics if `refit` is False.
    best_index_ : int
        Index of the winner in `cv_results_`. Not set with several metrics if `refit` is False.
    best_score_ : float
        Mean score of the winner over the folds. Not set if `refit` is a callable, or with several
        metrics if `refit` is False.
    best_estimator_ : RegularizedMLPClassifier
        The winner, trained on all rows. Its fitted attributes are also attributes of this
        estimator. Not set if `refit` is "folds", "ensemble" or False.
    estimators_ : list of RegularizedMLPClassifier
        The networks that predict: with "folds" those of the winner, one per fold; with "ensemble"
        those of all chosen candidates. Not set with other values of `refit`. Of the attributes of a
        network, only `classes_`, `n_outputs_`, `n_layers_` if all have as many, `out_activation_`,
        `n_features_in_`, `feature_names_in_` and `n_iter_`, one number per network, are
        then set.
    estimator_weights_ : ndarray of shape (n_members_,)
        Weights of the networks in `estimators_`, of sum 1. Only set if `refit` is "ensemble".
    estimator_class_weights_ : ndarray of shape (n_members_, n_classes)
        Weights of the networks for each class, or label, each of sum 1. A network has no weight for
        a class that its training rows lack, unless those of all folds do. Only set if several
        networks predict and a fold lacks a class.
    ensemble_weights_ : ndarray of shape (n_candidates,)
        Weights of the candidates, of sum 1; also ``cv_results_["ensemble_weight"]``. Only set if
        `refit` is "ensemble".
    ensemble_scores_ : ndarray of shape (25,)
        Score of all held-out rows together after each choice. The first is the score of the best
        candidate, or of the simplest of equally good ones; the last is the score of the ensemble.
        Only set if `refit` is "ensemble".
    n_members_ : int
        Number of networks. Only set if `refit` is "ensemble".
    cv_results_ : dict of ndarrays
        Results as in `GridSearchCV`, and `n_epochs`, the number of epochs after which a candidate
        was dropped by halving or the search ended, and `rung`, the number of that step of halving.
        Dropped candidates rank last. Their scores are NaN for folds that they were not trained on,
        and their means are over the other folds. Candidates are in the order of kinds, then of
        `dropouts`, then of `l2s`.
    scores_ : ndarray of shape (n_dropouts, n_l2s, n_folds) or dict of such ndarrays
        Scores of the held-out rows. With several metrics a dict from metric to scores. Of shape
        (n_candidates, n_folds) if there are several kinds of networks.
    loss_curves_ : ndarray of object of shape (n_dropouts, n_l2s, n_folds)
        `loss_curve_` of each network. Only set if `store_curves` is True. Of the shape of
        `scores_`.
    validation_loss_curves_ : ndarray of object of shape (n_dropouts, n_l2s, n_folds)
        `validation_loss_curve_` of each network, None without `early_stopping`. Only set if
        `store_curves` is True. Of the shape of `scores_`.
    scorer_ : callable or dict
        The scorer of the held-out rows; with several metrics a dict from metric to scorer.
    multimetric_ : bool
        Whether there are several metrics.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds of training the winner on all rows. Only set with `best_estimator_`.
    <entries: classes_, coefs_, intercepts_, center_, scale_, encoding_,
        encoded_feature_names_, n_iter_, loss_, loss_curve_, validation_loss_curve_,
        validation_scores_, best_iter_, best_loss_, n_layers_,
        n_outputs_, out_activation_, n_features_in_, feature_names_in_>

    See Also
    --------
    RegularizedMLPClassifier : The network with fixed `dropout` and `l2`.
    one_standard_error : A callable for `refit`.
    sklearn.linear_model.LogisticRegressionCV : A linear model that tunes its regularisation.

    Notes
    -----
    Scores differ from those of `GridSearchCV` with ``early_stopping="fold"``, which it does not
    have, and on a fold that lacks a class if `refit` is "folds" or "ensemble": its networks then
    have an output for that class, too.

    A candidate whose score is NaN ranks last. A network that diverges is scored with its last
    finite weights, as in RegularizedMLPClassifier.

    Ctrl-C stores the results so far and raises KeyboardInterrupt. There is then no
    `best_estimator_`. Means are over the folds that all candidates have or, if there is none, over
    those that most candidates have. Halving returns to the last complete rung. If nothing was
    scored, the estimator does not change.

    With ``refit="folds"`` or "ensemble", the candidates that have a network of every fold predict
    after Ctrl-C, or after a callback has stopped the search, also those of the last rung of
    halving. The winner is the best of them. If there is none, no network predicts.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33, 2010.
    .. [2] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
       Optimization", AISTATS 2016.
    .. [3] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble Selection from Libraries of
       Models", ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skreg import RegularizedMLPClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifierCV(
    ...     dropouts=[0.0, 0.5], l2s=[1e-3, 1e-2], n_jobs=2, random_state=0
    ... )
    >>> model.fit(X, y).scores_.shape
    (2, 2, 5)
    >>> model.best_score_ > -0.09
    True
    """

    _base_estimator_class = RegularizedMLPClassifier
    _parameter_constraints: dict = {
        **BaseSearch._parameter_constraints,
        "class_weight": RegularizedMLPClassifier._parameter_constraints["class_weight"],
    }

    def __init__(
        self,
        *,
        dropouts=(0.0, 0.3),
        l2s="auto",
        candidates="auto",
        cv=None,
        scoring="loss",
        refit=True,
        search="grid",
        n_jobs=None,
        memory=None,
        store_curves=False,
        hidden_layer_sizes=(128, 64),
        activation="relu",
        input_dropout=0.0,
        l1=0.0,
        weight_decay=0.0,
        solver="adam",
        learning_rate_init="auto",
        learning_rate="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        numerical_encoding="auto",
        categorical_features="from_dtype",
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
        self._store_parameters(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Tune `dropout`, `l2` and the kind of network, and train the winner.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers and categories, some of which may be missing; no infinities.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator matrix of several labels per row.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies of the rows, in training and in scoring. If None, all rows have weight 1.
        **params : dict
            `groups` for the splitter. With metadata routing, all metadata that the splitter and the
            scorer request.

        Returns
        -------
        self : RegularizedMLPClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, before any training. If no candidate has a
            finite score, or if `validation_scoring` returns NaN. If `scoring` fails on the
            held-out rows of all folds together, with ``refit="ensemble"``.
        TypeError
            If `candidates` is not a list of dicts of lists, if `X_val` is passed, or if a callable
            `refit` returns no integer.
        IndexError
            If that integer is not the index of a candidate.
        KeyboardInterrupt
            After Ctrl-C, with the results so far stored.
        """
        warn_about_class_weight(self.class_weight, self.scoring)
        return self._fit(X, y, sample_weight, params)

    def _compute_logits(self, X):
        """Return logits whose probabilities are the average of those of the networks."""
        networks = self._get_networks()
        if len(networks) == 1:
            return networks[0]._compute_table_logits(check_new_rows(self, networks[0], X))
        weights = self._get_network_weights()
        return predict_together(
            self, networks, X, lambda logits: self._link.average(np.stack(logits), weights)
        )


@copy_entries(RegularizedMLPRegressor, RegularizedMLPClassifierCV)
class RegularizedMLPRegressorCV(SearchScoreMixin, RegressionPredictions, BaseSearch):
    """Regressor whose `dropout` and `l2` are tuned by cross-validation inside `fit`.

    The scores and the winner equal those of `GridSearchCV` over a RegularizedMLPRegressor with
    the same `random_state`. The search is faster, since all candidates share the tables of the
    folds, those of one kind share one compiled program, and networks train in threads.

    Parameters
    ----------
    <entries: dropouts, l2s, candidates>
    cv : int, cross-validation generator or iterable, default=None
        Splitting strategy, as in `GridSearchCV`. None means 5 folds.
    scoring : str, callable, list, tuple, dict or None, default="loss"
        The score of a candidate on the held-out rows of a fold. "loss" is minus the mean loss.
        None is the method `score` of RegularizedMLPRegressor. Other values are those of
        `GridSearchCV`. "loss" may also be one of several metrics. The method `score` uses the
        same scoring; with "loss" it is that of RegularizedMLPRegressor.
        With ``refit="ensemble"`` a scorer also receives the ensemble. It should use predictions
        only, since other attributes are those of one network.
    refit : bool, "folds", "ensemble", str or callable, default=True
        How to predict. True trains the winner on all rows. "folds" stores its networks of the folds
        as `estimators_` and averages their predictions. "ensemble" averages the networks of
        several candidates, which are chosen one by one so that the score of the held-out rows
        improves most [3]_; it tries three kinds of networks, see `candidates`. False gives scores
        only. A callable receives `cv_results_` and returns the index of the winner, for example
        :func:`skreg.one_standard_error`. With several metrics, the name of the metric that chooses
        the winner, a callable or False.
    <entries: search, n_jobs, memory, store_curves>
    <entries: hidden_layer_sizes, loss, quantile, activation, input_dropout, l1, weight_decay,
        solver, learning_rate_init, learning_rate, momentum, nesterovs_momentum, beta_1, beta_2,
        epsilon, batch_size, max_iter>
    <entries of RegularizedMLPClassifierCV: early_stopping>
    <entries: validation_fraction, validation_scoring, tol, n_iter_no_change, standardize,
        standardize_target, numerical_encoding, categorical_features, random_state>
    verbose : int, default=0
        If above 0, show a progress bar of the search in a terminal, or in a notebook with
        ipywidgets, and print one line per network elsewhere. If above 1, also show the training of
        the winner.

    Attributes
    ----------
    <entries: dropout_, l2_, best_params_, best_index_, best_score_>
    best_estimator_ : RegularizedMLPRegressor
        The winner, trained on all rows. Its fitted attributes are also attributes of this
        estimator. Not set if `refit` is "folds", "ensemble" or False.
    estimators_ : list of RegularizedMLPRegressor
        The networks that predict: with "folds" those of the winner, one per fold; with "ensemble"
        those of all chosen candidates. Not set with other values of `refit`. Of the attributes of a
        network, only `n_outputs_`, `n_layers_` if all have as many, `out_activation_`,
        `n_features_in_`, `feature_names_in_` and `n_iter_`, one number per network, are
        then set.
    <entries: estimator_weights_, ensemble_weights_, ensemble_scores_, n_members_, cv_results_,
        scores_, loss_curves_, validation_loss_curves_, scorer_, multimetric_,
        n_splits_, refit_time_>
    <entries: coefs_, intercepts_, center_, scale_, encoding_,
        encoded_feature_names_, n_iter_, loss_, loss_curve_, validation_loss_curve_,
        validation_scores_, best_iter_, best_loss_, n_layers_,
        n_outputs_, out_activation_, target_center_, target_scale_, n_features_in_,
        feature_names_in_>

    See Also
    --------
    RegularizedMLPRegressor : The network with fixed `dropout` and `l2`.
    one_standard_error : A callable for `refit`.
    sklearn.linear_model.RidgeCV : A linear model that tunes its regularisation.

    Notes
    -----
    Scores differ from those of `GridSearchCV` with ``early_stopping="fold"``, which it does not
    have.

    A candidate whose score is NaN ranks last. A network that diverges is scored with its last
    finite weights, as in RegularizedMLPRegressor.

    Ctrl-C stores the results so far and raises KeyboardInterrupt. There is then no
    `best_estimator_`. Means are over the folds that all candidates have or, if there is none, over
    those that most candidates have. Halving returns to the last complete rung. If nothing was
    scored, the estimator does not change.

    With ``refit="folds"`` or "ensemble", the candidates that have a network of every fold predict
    after Ctrl-C, or after a callback has stopped the search, also those of the last rung of
    halving. The winner is the best of them. If there is none, no network predicts.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33, 2010.
    .. [2] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
       Optimization", AISTATS 2016.
    .. [3] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble Selection from Libraries of
       Models", ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import RegularizedMLPRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressorCV(
    ...     dropouts=[0.0, 0.5], l2s=[1e-3, 1e-2], n_jobs=2, random_state=0
    ... )
    >>> model.fit(X, y).scores_.shape
    (2, 2, 5)
    >>> model.best_score_ > -0.6
    True

    Three quantiles, scored by the mean of their pinball losses:

    >>> model = RegularizedMLPRegressorCV(
    ...     dropouts=[0.0, 0.5], l2s=[1e-3, 1e-2], loss="quantile", quantile=(0.1, 0.5, 0.9),
    ...     random_state=0,
    ... )
    >>> model.fit(X, y).predict(X[:5]).shape
    (5, 3)
    """

    _base_estimator_class = RegularizedMLPRegressor
    _parameter_constraints: dict = {
        **BaseSearch._parameter_constraints,
        **{
            name: RegularizedMLPRegressor._parameter_constraints[name]
            for name in ("loss", "quantile", "standardize_target")
        },
    }

    def __init__(
        self,
        *,
        dropouts=(0.0, 0.3),
        l2s="auto",
        candidates="auto",
        cv=None,
        scoring="loss",
        refit=True,
        search="grid",
        n_jobs=None,
        memory=None,
        store_curves=False,
        hidden_layer_sizes=(128, 64),
        loss="squared_error",
        quantile=0.5,
        activation="relu",
        input_dropout=0.0,
        l1=0.0,
        weight_decay=0.0,
        solver="adam",
        learning_rate_init="auto",
        learning_rate="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        standardize_target=True,
        numerical_encoding="auto",
        categorical_features="from_dtype",
        random_state=None,
        verbose=0,
    ):
        self._store_parameters(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Tune `dropout`, `l2` and the kind of network, and train the winner.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers and categories, some of which may be missing; no infinities.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Finite numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies of the rows, in training and in scoring. If None, all rows have weight 1.
        **params : dict
            `groups` for the splitter. With metadata routing, all metadata that the splitter and the
            scorer request.

        Returns
        -------
        self : RegularizedMLPRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, before any training. If no candidate has a
            finite score, or if `validation_scoring` returns NaN. If `scoring` fails on the
            held-out rows of all folds together, with ``refit="ensemble"``.
        TypeError
            If `candidates` is not a list of dicts of lists, if `X_val` is passed, or if a callable
            `refit` returns no integer.
        IndexError
            If that integer is not the index of a candidate.
        KeyboardInterrupt
            After Ctrl-C, with the results so far stored.
        """
        return self._fit(X, y, sample_weight, params)

    def _predict(self, X):
        networks = self._get_networks()
        if len(networks) == 1:
            logits = networks[0]._compute_table_logits(check_new_rows(self, networks[0], X))
            return networks[0]._predict_from_logits(logits)
        weights = self._get_network_weights().tolist()

        def average(logits: list[np.ndarray]) -> np.ndarray:
            members = zip(networks, logits, strict=True)
            terms = [network._predict_from_logits(z) for network, z in members]
            # Multiplied before the sum, which could overflow, and does so by rounding at most.
            with np.errstate(over="ignore"):
                mean = sum(term * weight for term, weight in zip(terms, weights, strict=True))
            # A mean lies between its terms. Rounding would move that of equal ones.
            return np.clip(mean, np.minimum.reduce(terms), np.maximum.reduce(terms))

        return predict_together(self, networks, X, average)
