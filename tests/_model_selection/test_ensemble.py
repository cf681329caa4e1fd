"""Greedy ensembles of the networks of a search."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import CANCER, make_classifier, quick_regression_search, quick_search
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_pinball_loss, roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from skreg._model_selection import members
from skreg._model_selection.ensemble import _StoredClassifier, select_greedily
from skreg._nn.links import LINKS

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
FLOWERS, SPECIES = load_iris(return_X_y=True)
GRID = {"l2s": [1e-4, 1e-2, 1e-1], "refit": "ensemble", "candidates": [{}]}
# Of these labels an ensemble of several candidates is better than any of them.
NOISY = np.where(np.random.default_rng(0).random(len(y)) < 0.2, 1 - y, y)
MIXED = {**GRID, "max_iter": 40}

# -- the selection -----------------------------------------------------------------------------


def test_each_pick_improves_the_ensemble_most():
    values = np.array([0.0, 1.0, 10.0])

    def score(counts):
        return -abs(counts @ values / counts.sum() - 3.25)

    selection = select_greedily(score, 3, 1, order=[0, 1, 2])
    # By hand: 1; (1 + 1) / 2, as good as (1 + 10) / 2; (1 + 1 + 10) / 3; (1 + 1 + 10 + 1) / 4.
    assert_allclose(selection.scores[:4], [-2.25, -2.25, -0.75, 0])
    assert_allclose(selection.scores[-1], score(selection.weights * 25))
    assert len(selection.scores) == 25
    assert selection.weights.sum() == pytest.approx(1)


def test_of_equal_candidates_the_first_in_the_order_is_picked():
    selection = select_greedily(lambda counts: -float(counts[0]), 4, 0, order=[2, 3, 1, 0])
    assert_allclose(selection.weights, [1 / 25, 0, 24 / 25, 0])


def test_a_score_that_is_nan_is_the_worst():
    selection = select_greedily(lambda n: np.nan if n[1] else -n[2], 3, 0, order=[1, 2, 0])
    assert_array_equal(selection.weights, [1, 0, 0])


# -- the ensemble ------------------------------------------------------------------------------


def average_held_out_predictions(model, X, splits):
    """Mean predictions of the held-out rows of each fold, from the networks and their weights."""
    splits = list(splits)
    rows, parts = np.concatenate([test for _, test in splits]), []
    networks = np.array(model.estimators_, dtype=object).reshape(-1, len(splits))
    weights = model.estimator_weights_.reshape(-1, len(splits))
    for fold, (_, test) in enumerate(splits):
        predict = "predict_proba" if hasattr(model, "predict_proba") else "predict"
        of_members = [getattr(network, predict)(X[test]) for network in networks[:, fold]]
        shares = weights[:, fold] / weights[:, fold].sum()
        parts.append(sum(p * share for p, share in zip(of_members, shares, strict=True)))
    return rows, np.concatenate(parts)


def assert_mixes(model):
    """Several candidates predict, with unequal weights."""
    weights = model.ensemble_weights_[model.ensemble_weights_ > 0]
    assert len(np.unique(weights)) > 1


@pytest.fixture(scope="module")
def classifier():
    model = quick_search(**MIXED, cv=StratifiedKFold(3)).fit(X, NOISY)
    assert_mixes(model)
    return model


def test_predictions_are_the_weighted_mean_of_the_networks(classifier):
    probabilities = [network.predict_proba(X) for network in classifier.estimators_]
    expected = np.average(probabilities, axis=0, weights=classifier.estimator_weights_)
    assert_allclose(classifier.predict_proba(X), expected, rtol=1e-9)
    assert classifier.estimator_weights_.sum() == pytest.approx(1)
    n_picked = np.count_nonzero(classifier.ensemble_weights_)
    assert classifier.n_members_ == len(classifier.estimators_) == 3 * n_picked
    assert_array_equal(classifier.cv_results_["ensemble_weight"], classifier.ensemble_weights_)
    assert len(classifier.ensemble_weights_) == 6


def test_the_score_is_that_of_all_held_out_rows(classifier):
    rows, probabilities = average_held_out_predictions(
        classifier, X, StratifiedKFold(3).split(X, NOISY)
    )
    assert_allclose(classifier.ensemble_scores_[-1], -log_loss(NOISY[rows], probabilities))
    best = clone(classifier).set_params(
        refit="folds", dropouts=[classifier.dropout_], l2s=[classifier.l2_]
    )
    best.fit(X, NOISY)
    best.estimator_weights_ = np.full(3, 1 / 3)
    rows, probabilities = average_held_out_predictions(best, X, StratifiedKFold(3).split(X, NOISY))
    assert_allclose(classifier.ensemble_scores_[0], -log_loss(NOISY[rows], probabilities))
    assert classifier.ensemble_scores_[-1] > classifier.ensemble_scores_[0]


def test_a_pickle_predicts_the_same(classifier):
    loaded = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


def test_weights_count_in_the_selection():
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    splits = list(KFold(3).split(X))
    model = quick_search(**MIXED, cv=splits).fit(X, NOISY, sample_weight=weight)
    rows, probabilities = average_held_out_predictions(model, X, splits)
    loss = log_loss(NOISY[rows], probabilities, sample_weight=weight[rows])
    assert_allclose(model.ensemble_scores_[-1], -loss)
    # As with each row repeated by its weight, in the same folds.
    copies = np.repeat(np.arange(len(y)), weight)
    parts = [[np.flatnonzero(np.isin(copies, part)) for part in split] for split in splits]
    repeated = quick_search(**MIXED, cv=parts).fit(X[copies], NOISY[copies])
    assert_mixes(model)
    assert_allclose(model.ensemble_weights_, repeated.ensemble_weights_)


def test_rows_count_as_often_as_they_are_held_out():
    splits = list(ShuffleSplit(3, test_size=0.4, random_state=0).split(X))
    model = quick_search(**GRID, cv=splits, scoring="roc_auc").fit(X, y)
    rows, probabilities = average_held_out_predictions(model, X, splits)
    assert len(rows) == 3 * len(splits[0][1])
    assert_allclose(model.ensemble_scores_[-1], roc_auc_score(y[rows], probabilities[:, 1]))


def test_halving_selects_from_the_candidates_that_reached_the_end():
    model = quick_search(**GRID, dropouts=[0.0, 0.3, 0.5], search="halving").fit(X, y)
    dropped = model.cv_results_["n_epochs"] < 9
    # One rung: 0.72 of the 9 epochs, and half of the 9 candidates. For a winner it would be three.
    assert_array_equal(model.cv_results_["n_epochs"][dropped], 6)
    assert (~dropped).sum() == 4
    assert not model.ensemble_weights_[dropped].any()


def test_several_labels_have_an_ensemble():
    labels = np.c_[SPECIES == 0, SPECIES == 2].astype(int)
    labels[np.random.default_rng(0).random(150) < 0.2] = 1
    model = quick_search(**MIXED, cv=KFold(3, shuffle=True, random_state=0)).fit(FLOWERS, labels)
    assert_mixes(model)
    probabilities = [network.predict_proba(FLOWERS) for network in model.estimators_]
    expected = np.average(probabilities, axis=0, weights=model.estimator_weights_)
    assert_allclose(model.predict_proba(FLOWERS), expected, rtol=1e-9)


@pytest.mark.parametrize("scoring", ["loss", "r2"])
def test_numbers_have_the_weighted_mean(scoring):
    target = FLOWERS[:, :2] @ [[1.0, -2.0], [0.5, 3.0]]
    model = quick_regression_search(**GRID, scoring=scoring).fit(FLOWERS[:, 2:], target)
    predictions = [network.predict(FLOWERS[:, 2:]) for network in model.estimators_]
    expected = np.average(predictions, axis=0, weights=model.estimator_weights_)
    assert_allclose(model.predict(FLOWERS[:, 2:]), expected, rtol=1e-9)
    assert model.ensemble_scores_[-1] >= model.ensemble_scores_[0]


def test_the_selection_is_that_of_the_article():
    """Caruana et al. 2004 with 25 picks, starting from one model, from the networks themselves."""
    folds = list(StratifiedKFold(2).split(X, NOISY))
    model = quick_search(**MIXED, cv=folds).fit(X, NOISY)
    held_out = []
    for params in model.cv_results_["params"]:
        values = {"dropouts": [params["dropout"]], "l2s": [params["l2"]]}
        single = clone(model).set_params(refit="folds", **values).fit(X, NOISY)
        networks = zip(single.estimators_, folds, strict=True)
        held_out.append(np.concatenate([n.predict_proba(X[test]) for n, (_, test) in networks]))
    held_out, truth = np.array(held_out), np.concatenate([NOISY[test] for _, test in folds])
    picks = [int(np.argmax(model.cv_results_["mean_test_score"]))]
    while len(picks) < 25:
        means = [held_out[[*picks, k]].mean(axis=0) for k in range(len(held_out))]
        picks.append(int(np.argmin([log_loss(truth, mean) for mean in means])))
    counts = np.bincount(picks, minlength=len(held_out))
    assert np.count_nonzero(counts) > 1
    assert_allclose(model.ensemble_weights_, counts / 25)


def test_of_equal_candidates_the_most_regularised_one_predicts():
    """Strengths that are nothing in float32 make equal networks."""
    options = {"dropouts": [0.0], "l2s": [1e-30, 3e-30, 2e-30], "max_iter": 2, "cv": 2}
    model = quick_search(**{**GRID, **options}).fit(X, y)
    assert model.best_index_ == 0  # as in GridSearchCV
    assert_array_equal(model.ensemble_weights_, [0, 1, 0])


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_selection_does_not_depend_on_the_cores(classifier, monkeypatch, n_threads):
    monkeypatch.setattr(members, "count_threads", lambda: n_threads)
    monkeypatch.setattr("skreg._nn.members._SINGLE_THREAD_MULTIPLICATIONS", 0)
    again = clone(classifier).fit(X, NOISY)
    assert_array_equal(again.ensemble_scores_, classifier.ensemble_scores_)


def test_an_ensemble_is_stored_as_its_networks(classifier):
    others = clone(classifier)
    for name, value in vars(classifier).items():
        if name not in ("estimators_", "cv_results_"):
            setattr(others, name, value)
    # Neither networks that were not picked nor held-out predictions are stored.
    assert len(pickle.dumps(others)) < len(pickle.dumps(classifier.estimators_[0]))


@pytest.mark.parametrize("early_stopping", [False, "fold"])
def test_groups_are_held_out_together(early_stopping):
    groups = np.arange(len(y)) % 7
    options = {"early_stopping": early_stopping, "n_iter_no_change": 2}
    model = quick_search(**MIXED, **options, cv=GroupKFold(3)).fit(X, NOISY, groups=groups)
    assert_mixes(model)
    rows, probabilities = average_held_out_predictions(model, X, GroupKFold(3).split(X, y, groups))
    assert_array_equal(np.sort(rows), np.arange(len(y)))
    assert_allclose(model.ensemble_scores_[-1], -log_loss(NOISY[rows], probabilities))


@pytest.mark.parametrize("early_stopping", [False, "fold"])
def test_rows_before_the_first_split_of_time_do_not_count(early_stopping):
    splitter = TimeSeriesSplit(3)
    options = {"early_stopping": early_stopping, "n_iter_no_change": 2}
    model = quick_search(**MIXED, **options, cv=splitter).fit(X, NOISY)
    assert_mixes(model)
    rows, probabilities = average_held_out_predictions(model, X, splitter.split(X))
    assert rows.min() > 100
    assert_allclose(model.ensemble_scores_[-1], -log_loss(NOISY[rows], probabilities))


def test_several_quantiles_are_averaged_each():
    levels, target = (0.1, 0.5, 0.9), FLOWERS[:, 0]
    options = {"loss": "quantile", "quantile": levels, "cv": KFold(3)}
    model = quick_regression_search(**GRID, **options).fit(FLOWERS[:, 1:], target)
    predictions = [network.predict(FLOWERS[:, 1:]) for network in model.estimators_]
    mean = np.average(predictions, axis=0, weights=model.estimator_weights_)
    assert_allclose(model.predict(FLOWERS[:, 1:]), mean, rtol=1e-9)
    rows, held_out = average_held_out_predictions(model, FLOWERS[:, 1:], KFold(3).split(FLOWERS))
    scale = max(network.target_scale_[0] for network in model.estimators_)
    losses = [
        mean_pinball_loss(target[rows], held_out[:, k], alpha=level)
        for k, level in enumerate(levels)
    ]
    assert_allclose(model.ensemble_scores_[-1], -np.mean(losses) / scale, rtol=1e-6)


def test_stored_networks_make_the_same_ensemble(tmp_path, trained):
    options = {**GRID, "memory": str(tmp_path)}
    first = quick_search(**options).fit(X, y)
    assert trained
    trained.clear()
    second = quick_search(**options).fit(X, y)
    assert not trained
    assert_array_equal(second.ensemble_weights_, first.ensemble_weights_)
    assert_array_equal(second.predict_proba(X), first.predict_proba(X))


def test_networks_that_all_diverged_are_averaged_with_finite_weights():
    model = quick_search(**GRID, learning_rate_init=1e30)
    with pytest.warns(ConvergenceWarning, match="^18 of 18 networks diverged"):
        model.fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_candidate_without_the_score_of_a_fold_is_not_picked():
    calls = []

    def score(model, X, y):
        calls.append(1)
        return np.nan if len(calls) == 3 else model.score(X, y)

    model = quick_search(**GRID, scoring=score).fit(X, y)
    (failed,) = np.flatnonzero(np.isnan(model.cv_results_["mean_test_score"]))
    assert model.ensemble_weights_[failed] == 0


@pytest.mark.parametrize("outputs", [1, 2])
def test_all_ensembles_are_scored_on_one_scale(outputs):
    """The target is constant in the training rows of the first fold, and has no scale there."""
    target = np.where(np.arange(150) < 50, 100 * FLOWERS[:, 0], 3.0)
    target = target if outputs == 1 else np.c_[target, FLOWERS[:, 0]]
    splits = list(KFold(3).split(FLOWERS))
    model = quick_regression_search(**GRID, cv=splits).fit(FLOWERS, target)
    scale = np.max([network.target_scale_ for network in model.estimators_], axis=0)
    assert 0 in [network.target_scale_[0] for network in model.estimators_]
    rows, predictions = average_held_out_predictions(model, FLOWERS, splits)
    errors = (predictions - target[rows]).reshape(150, -1) / scale
    assert_allclose(model.ensemble_scores_[-1], -np.mean(errors**2), rtol=1e-6)


def test_logits_of_two_classes_keep_their_digits_in_float32():
    table = X[:9].astype(np.float32)
    network = make_classifier(hidden_layer_sizes=(), max_iter=1).fit(table, y[12:21])
    network.coefs_, network.intercepts_ = [np.zeros((30, 1))], [np.full(1, 17.5)]
    stored = _StoredClassifier().imitate([network], table)
    stored.store(stored.predict_member(network, network._compute_logits(table)))
    assert_allclose(stored.decision_function(table), 17.5, rtol=1e-6)


# -- scorers of all held-out rows ----------------------------------------------------------------

SPLITS = list(StratifiedKFold(3).split(X, y))


def score_part(model, X, y):
    return float(model.predict_proba(X[: len(X) // 2]).mean())


def fail_on_all_rows(model, X, y):
    if len(X) == len(CANCER[1]):
        raise RuntimeError("too many rows")
    return model.score(X, y)


def read_weights(model, X, y):
    return float(model.coefs_[0].sum())


def be_nan_on_all_rows(model, X, y):
    return np.nan if len(X) == len(CANCER[1]) else model.score(X, y)


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (score_part, r"expected a scorer that predicts the table it receives.* shape \(284, 30\)"),
        (fail_on_all_rows, "(?s)of all folds together.* received NaN.*too many rows"),
        (read_weights, "(?s)of all folds together.* received NaN.*no attribute 'coefs_'"),
        (be_nan_on_all_rows, "of all folds together.* received NaN"),
    ],
)
def test_a_scorer_that_fails_on_all_rows_keeps_the_scores_of_the_folds(scorer, message):
    options = {"l2s": [1e-4, 1e-2], "dropouts": [0.0], "candidates": [{}], "cv": SPLITS}
    model = quick_search(**options, refit="ensemble", scoring=scorer)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    expected = quick_search(**options, scoring=scorer, refit=False).fit(X, y)
    assert_array_equal(model.scores_, expected.scores_)
    assert not hasattr(model, "estimators_")


def test_a_scorer_may_copy_the_table_and_return_an_array():
    def score(model, X, y):
        return np.array([model.score(X.copy(), y)])

    options = {"l2s": [1e-4, 1e-2], "dropouts": [0.0], "candidates": [{}], "refit": "ensemble"}
    model = quick_search(**options, scoring=score).fit(X, y)
    expected = quick_search(**options, scoring=None).fit(X, y)
    assert_array_equal(model.ensemble_scores_, expected.ensemble_scores_)
    assert model.ensemble_scores_.shape == (25,)


def test_an_ensemble_needs_one_metric():
    with pytest.raises(ValueError, match="refit: expected the name of a metric"):
        quick_search(**GRID, scoring=["roc_auc", "accuracy"]).fit(X, y)


@pytest.mark.parametrize("name", ["softmax", "logistic"])
def test_logits_of_probabilities_give_them_back(name):
    logits = np.random.default_rng(0).normal(scale=5, size=(2, 9, 3))
    link, shares = LINKS[name], np.array([0.2, 0.8])
    probabilities = link.predict(logits[0])
    assert_allclose(link.predict(link.invert(probabilities, 1e-15)), probabilities, rtol=1e-9)
    mean = 0.2 * probabilities + 0.8 * link.predict(logits[1])
    assert_allclose(link.predict(link.average(logits, shares)), mean, rtol=1e-9)
    assert np.isfinite(link.invert(expit([[-1e9, 1e9]]), 1e-15)).all()


@pytest.mark.parametrize("name", ["softmax", "logistic"])
def test_the_mean_of_probabilities_that_round_to_zero_has_finite_logits(name):
    logits = np.array([[[-900.0, 0.0, 800.0]], [[-1000.0, 0.0, 900.0]]])
    link = LINKS[name]
    log_mean = link.log_predict(link.average(logits, np.array([0.25, 0.75])))
    assert_allclose(log_mean[0, 0], link.log_predict(logits[0])[0, 0] + np.log(0.25), rtol=1e-12)
    assert np.isfinite(log_mean).all()


# -- how they predict ---------------------------------------------------------------------------


def make_table(n_rows, seed=0):
    """A table whose folds have other levels, medians and columns with missing values."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_rows)
    size[rng.random(n_rows) < 0.1] = np.nan
    age = np.where(np.arange(n_rows) == 3, np.nan, rng.normal(size=n_rows))
    colour = rng.choice(["red", "blue", "green"], n_rows).astype(object)
    colour[:2] = "", None
    return pd.DataFrame(
        {"size": size, "age": age, "colour": colour, "on": rng.random(n_rows) < 0.5}
    )


@pytest.fixture(scope="module")
def mixed():
    table = make_table(60)
    labels = np.where(table["on"] ^ (table["size"] > 0), "b", "a")
    grid = {**GRID, "refit": "folds", "numerical_encoding": "piecewise"}
    return quick_search(**grid, cv=3, hidden_layer_sizes=(4,)).fit(table, labels)


def test_folds_with_columns_of_their_own_predict_the_mean(mixed):
    table = make_table(40, seed=1)
    expected = np.mean([network.predict_proba(table) for network in mixed.estimators_], axis=0)
    assert_allclose(mixed.predict_proba(table), expected, rtol=1e-12)
    alone = np.concatenate([mixed.predict_proba(table[k : k + 1]) for k in range(len(table))])
    assert_allclose(alone, mixed.predict_proba(table), rtol=1e-12)


def test_a_table_is_checked_once_and_encoded_once_for_each_fold(classifier, monkeypatch):
    checks, encodings = [], []
    module = "skreg._model_selection.members"
    for name, calls in (("check_table", checks), ("encode_new_rows", encodings)):
        function = getattr(members, name)
        monkeypatch.setattr(
            f"{module}.{name}", lambda *a, f=function, c=calls, **b: c.append(1) or f(*a, **b)
        )
    pickle.loads(pickle.dumps(classifier)).predict_proba(X)
    assert len(checks) == 1
    assert len(encodings) == 3


def test_a_wrong_table_has_the_error_of_one_network(classifier):
    with pytest.raises(ValueError, match="X has 3 features, but RegularizedMLPClassifierCV"):
        classifier.predict(X[:, :3])
