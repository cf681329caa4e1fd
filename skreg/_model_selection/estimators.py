"""RegularizedMLPClassifierCV and RegularizedMLPRegressorCV: dropout and l2 tuned inside `fit`.

Owns their parameters and documentation, and what is predicted by one network or by the average of
several. Does not own the search (`_base_cv`, `_search`), nor a network (`_classifier`,
`_regressor`).
"""

from __future__ import annotations

import re

import numpy as np
from scipy.special import logsumexp

from skreg._compat import fit_context
from skreg._estimators.classifier import ClassPredictions, RegularizedMLPClassifier
from skreg._estimators.regressor import NumberPredictions, RegularizedMLPRegressor
from skreg._model_selection.base import BaseSearch
from skreg._model_selection.scoring import SearchScore
from skreg._nn.losses import LINKS


def _documented_as(*others):
    """Fill `<entries: a, b, ...>` in a class's docstring with those of the first that has each."""

    def entry(name: str) -> str:
        pattern = rf"^    {name} : .*\n(?:(?:     .*)?\n)*"
        matches = (re.search(pattern, other.__doc__, re.MULTILINE) for other in others)
        found = next((match for match in matches if match), None)
        assert found is not None, name
        return found[0].rstrip()

    def entries(match: re.Match) -> str:
        return "\n".join(entry(name) for name in re.split(r",\s+", match[1]))

    def decorate(cls):
        if cls.__doc__:  # there is none with python -OO
            cls.__doc__ = re.sub(r"    <entries: ([^>]*)>", entries, cls.__doc__)
        return cls

    return decorate


@_documented_as(RegularizedMLPClassifier)
class RegularizedMLPClassifierCV(SearchScore, ClassPredictions, BaseSearch):
    """Classifier whose `dropout` and `l2` are tuned by cross-validation inside `fit`.

    What `GridSearchCV` over a RegularizedMLPClassifier does, with the same scores and the same
    winner for the same `random_state`, at less cost: candidates share their folds, tables, orders
    of rows and one compiled program, and train in threads.

    Parameters
    ----------
    dropouts : array-like or int, default=(0.0, 0.2, 0.4, 0.6)
        Rates to try, each a number in [0, 1) or a sequence of one a hidden layer. An integer
        tries that many from 0 to 0.8.
    l2s : array-like or int, default=(0.0001, 0.001, 0.01, 0.03)
        Strengths to try, each a number >= 0 or a sequence of one a kernel. An integer tries that
        many from 1e-5 to 0.1, evenly spaced in their logarithm.
    cv : int, cross-validation generator or iterable, default=None
        Splits, as everywhere in scikit-learn; None is five, stratified.
    scoring : str, callable, list, tuple, dict or None, default="loss"
        What is best: "loss", minus the mean loss of a fold's held-out rows; or anything that
        `GridSearchCV` takes, of which None is the `score` of RegularizedMLPClassifier; "loss" may
        also be one of several metrics. `score` scores by it too; but for "loss" alone it is that
        of RegularizedMLPClassifier.
    refit : bool, "folds", str or callable, default=True
        True trains the winner on all rows. "folds" keeps its networks of the folds, which are
        trained already, as `estimators_` and averages their probabilities. False has scores only.
        A callable gets `cv_results_` and returns the index of the winner, as
        :func:`skreg.one_standard_error` does, of one metric. With several metrics the name of the
        one that decides, a callable or False.
    search : {"grid", "halving"}, default="grid"
        "grid" trains every candidate to its end. "halving" starts all of them on as many folds as
        score 150 rows, keeps the best 40 % after 0.32 of `max_iter` epochs, trains these on three
        fifths of the folds at least, keeps the best 16 % of all after 0.72 of the epochs, and
        trains those to the end on all folds; three stay at least. That is about a third of the cost
        with five folds and sixteen candidates or more, and half of it on fewer than 200 rows.
    n_jobs : int or None, default=None
        Networks that are trained at once, in threads unless `joblib.parallel_config` names
        another backend. None is 1, unless in such a context.
    memory : str, joblib.Memory or None, default=None
        Folder in which trained networks are remembered, so that a search that was interrupted, or
        one of other scorers or more candidates, takes them up again. They are known by the rows,
        the weights, the parameters, the versions and the kind of processor; with
        `random_state=None` no two are the same, and a warning says so.
    store_curves : bool, default=False
        Whether to keep the loss curves of all networks.
    <entries: hidden_layer_sizes, activation, input_dropout, l1, weight_decay, solver,
        learning_rate_init, learning_rate, momentum, nesterovs_momentum, beta_1, beta_2,
        epsilon, batch_size, max_iter, early_stopping, validation_fraction, validation_scoring,
        tol, n_iter_no_change, standardize, class_weight, random_state>
    verbose : int, default=0
        Above 0, show a progress bar of the whole search in a terminal, or print a line a network;
        above 1, also the training of the winner.

    Attributes
    ----------
    dropout_ : float or tuple of float
        The best rate.
    l2_ : float or tuple of float
        The best strength.
    best_params_ : dict
        Both.
    best_index_ : int
        Of the winner in `cv_results_`. Not there with several metrics and `refit=False`, as the
        three before.
    best_score_ : float
        Its mean score over folds. Not there when `refit` is a callable, nor with several metrics
        and `refit=False`.
    best_estimator_ : RegularizedMLPClassifier
        The winner, trained on all rows; all its fitted attributes are also this estimator's. Not
        there with `refit` "folds" or False.
    estimators_ : list of RegularizedMLPClassifier
        The winner's networks of the folds, with `refit="folds"` only; of the attributes of a
        network there are then only `classes_`, `n_outputs_`, `n_layers_`, `out_activation_` and
        `n_iter_`, an array.
    cv_results_ : dict of ndarrays
        As that of `GridSearchCV`, and `n_epochs`, the epoch at which a candidate was dropped; for
        those that were not, which rank before the others, the last epoch of the search. Scores of
        folds that a dropped candidate had not begun are NaN, and its means are over the others.
    scores_ : ndarray of shape (n_dropouts, n_l2s, n_folds), or dict of such
        Scores of the held-out rows; by metric if there are several.
    loss_curves_ : ndarray of object of shape (n_dropouts, n_l2s, n_folds)
        `loss_curve_` of each network; with `store_curves` only.
    validation_loss_curves_ : ndarray of object of shape (n_dropouts, n_l2s, n_folds)
        Likewise; None without `early_stopping`.
    scorer_ : callable
        What scored.
    multimetric_ : bool
        Whether there are several metrics.
    n_splits_ : int
        Folds.
    refit_time_ : float
        Seconds of training the winner on all rows.
    <entries: classes_, coefs_, intercepts_, mean_, scale_, n_iter_, loss_, loss_curve_,
        validation_loss_curve_, validation_scores_, best_iter_, best_loss_, n_layers_,
        n_outputs_, out_activation_, n_features_in_, feature_names_in_>

    See Also
    --------
    RegularizedMLPClassifier : The network, for given `dropout` and `l2`.
    one_standard_error : A rule for `refit`.
    sklearn.linear_model.LogisticRegressionCV : The same idea for linear models.

    Notes
    -----
    A candidate whose score is NaN ranks last. Networks that diverge are scored with the weights
    from before, as RegularizedMLPClassifier keeps them. Ctrl-C ends the search and leaves what is
    known so far: means are then over the folds that all candidates have, or if there is none over
    those that most have, and halving goes back to the last rung that all had come to.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33, 2010.
    .. [2] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
       Optimization", AISTATS 2016.

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

    _parameter_constraints: dict = {
        **BaseSearch._parameter_constraints,
        "class_weight": RegularizedMLPClassifier._parameter_constraints["class_weight"],
    }

    def __init__(
        self,
        dropouts=(0.0, 0.2, 0.4, 0.6),
        l2s=(1e-4, 1e-3, 1e-2, 3e-2),
        *,
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
        learning_rate_init=5e-3,
        learning_rate="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter=50,
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        class_weight=None,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Tune `dropout` and `l2`, and train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies, in training and in scoring. None is 1 for every row.
        **params : dict
            `groups` for the splitter; with metadata routing, what the splitter and the scorer ask
            for.

        Returns
        -------
        self : RegularizedMLPClassifierCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not what is expected, before any training; or if no
            candidate has a finite score, or `validation_scoring` of one network has none.
        """
        return self._fit(X, y, sample_weight, params)

    def _plain(self):
        return self._plain_of(RegularizedMLPClassifier)

    def _logits(self, X):
        """Of the one network; of several, those whose probabilities are the mean of theirs."""
        networks = self._networks()
        if len(networks) == 1:
            return networks[0]._logits(X)
        if self.out_activation_ == "softmax":
            logs = np.stack([network.predict_log_proba(X) for network in networks])
            return logsumexp(logs, axis=0).astype(logs.dtype) - np.log(logs.dtype.type(len(logs)))
        logits = np.stack([network._logits(X) for network in networks])
        yes, no = (
            logsumexp(LINKS["logistic"].log_predict(sign * logits), axis=0) for sign in (1, -1)
        )
        return (yes - no).astype(logits.dtype)


@_documented_as(RegularizedMLPRegressor, RegularizedMLPClassifierCV)
class RegularizedMLPRegressorCV(SearchScore, NumberPredictions, BaseSearch):
    """Regressor whose `dropout` and `l2` are tuned by cross-validation inside `fit`.

    What `GridSearchCV` over a RegularizedMLPRegressor does, with the same scores and the same
    winner for the same `random_state`, at less cost: candidates share their folds, tables, orders
    of rows and one compiled program, and train in threads.

    Parameters
    ----------
    <entries: dropouts, l2s>
    cv : int, cross-validation generator or iterable, default=None
        Splits, as everywhere in scikit-learn; None is five.
    scoring : str, callable, list, tuple, dict or None, default="loss"
        What is best: "loss", minus the mean loss of a fold's held-out rows; or anything that
        `GridSearchCV` takes, of which None is the `score` of RegularizedMLPRegressor; "loss" may
        also be one of several metrics. `score` scores by it too; but for "loss" alone it is that
        of RegularizedMLPRegressor.
    refit : bool, "folds", str or callable, default=True
        True trains the winner on all rows. "folds" keeps its networks of the folds, which are
        trained already, as `estimators_` and averages their predictions. False has scores only.
        A callable gets `cv_results_` and returns the index of the winner, as
        :func:`skreg.one_standard_error` does, of one metric. With several metrics the name of the
        one that decides, a callable or False.
    <entries: search, n_jobs, memory, store_curves>
    <entries: hidden_layer_sizes, loss, quantile, activation, input_dropout, l1, weight_decay,
        solver, learning_rate_init, learning_rate, momentum, nesterovs_momentum, beta_1, beta_2,
        epsilon, batch_size, max_iter, early_stopping, validation_fraction, validation_scoring,
        tol, n_iter_no_change, standardize, random_state>
    verbose : int, default=0
        Above 0, show a progress bar of the whole search in a terminal, or print a line a network;
        above 1, also the training of the winner.

    Attributes
    ----------
    <entries: dropout_, l2_, best_params_, best_index_, best_score_>
    best_estimator_ : RegularizedMLPRegressor
        The winner, trained on all rows; all its fitted attributes are also this estimator's. Not
        there with `refit` "folds" or False.
    estimators_ : list of RegularizedMLPRegressor
        The winner's networks of the folds, with `refit="folds"` only; of the attributes of a
        network there are then only `n_outputs_`, `n_layers_`, `out_activation_` and `n_iter_`, an
        array.
    <entries: cv_results_, scores_, loss_curves_, validation_loss_curves_, scorer_, multimetric_,
        n_splits_, refit_time_>
    <entries: coefs_, intercepts_, mean_, scale_, n_iter_, loss_, loss_curve_,
        validation_loss_curve_, validation_scores_, best_iter_, best_loss_, n_layers_,
        n_outputs_, out_activation_, target_center_, target_scale_, n_features_in_,
        feature_names_in_>

    See Also
    --------
    RegularizedMLPRegressor : The network, for given `dropout` and `l2`.
    one_standard_error : A rule for `refit`.
    sklearn.linear_model.RidgeCV : The same idea for linear models.

    Notes
    -----
    A candidate whose score is NaN ranks last. Networks that diverge are scored with the weights
    from before, as RegularizedMLPRegressor keeps them. Ctrl-C ends the search and leaves what is
    known so far: means are then over the folds that all candidates have, or if there is none over
    those that most have, and halving goes back to the last rung that all had come to.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
       Models via Coordinate Descent", Journal of Statistical Software 33, 2010.
    .. [2] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
       Optimization", AISTATS 2016.

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
    """

    _parameter_constraints: dict = {
        **BaseSearch._parameter_constraints,
        "loss": RegularizedMLPRegressor._parameter_constraints["loss"],
        "quantile": RegularizedMLPRegressor._parameter_constraints["quantile"],
    }

    def __init__(
        self,
        dropouts=(0.0, 0.2, 0.4, 0.6),
        l2s=(1e-4, 1e-3, 1e-2, 3e-2),
        *,
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
        learning_rate_init=5e-3,
        learning_rate="cosine",
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        batch_size="auto",
        max_iter=200,
        early_stopping=False,
        validation_fraction=0.1,
        validation_scoring="loss",
        tol=None,
        n_iter_no_change=10,
        standardize=True,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Tune `dropout` and `l2`, and train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Finite numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Frequencies, in training and in scoring. None is 1 for every row.
        **params : dict
            `groups` for the splitter; with metadata routing, what the splitter and the scorer ask
            for.

        Returns
        -------
        self : RegularizedMLPRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not what is expected, before any training; or if no
            candidate has a finite score, or `validation_scoring` of one network has none.
        """
        return self._fit(X, y, sample_weight, params)

    def _plain(self):
        return self._plain_of(RegularizedMLPRegressor)

    def _predict(self, X):
        predictions = [network.predict(X) for network in self._networks()]
        # Divided first: the sum of the largest floats is none.
        return sum(prediction / len(predictions) for prediction in predictions)
