"""Searches over several kinds of networks: the parameter `candidates`."""

import numpy as np
import pandas as pd
import pytest
from helpers import CANCER, grid_search, quick_regression_search, quick_search
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from skreg import RegularizationPathDisplay, RegularizedMLPClassifier, one_standard_error
from skreg._data.statistics import measure_columns
from skreg._engine.program import count_programs
from skreg._estimators.numerical_encoding import allows_encoding
from skreg._estimators.validation import check_rows
from skreg._model_selection.candidates import Candidate, make_candidates
from skreg._model_selection.data import merge_all_rows
from skreg._model_selection.ensemble import _measure_complexity
from skreg._model_selection.folds import Fold
from skreg._model_selection.kinds import make_kinds
from skreg._model_selection.refit import grid_edge_warnings
from skreg._model_selection.results import find_dropped
from skreg._model_selection.scoring import negative_loss

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER[0][::3, :4], CANCER[1][::3]
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "cv": 2}
LINEAR = {"hidden_layer_sizes": [()]}
ENCODED = {"numerical_encoding": ["piecewise", "periodic"]}
THREE = [LINEAR, ENCODED]


def small_search(**changes):
    return quick_search(**{**SMALL, "candidates": THREE, **changes})


def read_scores(search):
    """The scores of each candidate, by its parameters."""
    results = search.cv_results_
    return {
        tuple(sorted(params.items())): [results[f"split{fold}_test_score"][k] for fold in range(2)]
        for k, params in enumerate(results["params"])
    }


# -- equality with GridSearchCV ----------------------------------------------------------------

GRIDS = {
    "linear and encoded": THREE,
    "rates and steps": [{"learning_rate_init": [1e-2, 0.1], "batch_size": [32, "auto"]}],
    "epochs": [{"max_iter": [1, 2]}],
    "scales and held-out rows": [{"standardize": [True, False], "early_stopping": [False, True]}],
    "penalties": [{"l1": [0.0, 1e-3], "weight_decay": [0.0, 0.1]}],
}


IN_FULL = "rates and steps", "penalties", "epochs"  # for their programs, which stay in memory


@pytest.mark.filterwarnings("ignore:.* networks led nowhere", "ignore:Training led nowhere")
@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.full if x in IN_FULL else ()) for x in GRIDS]
)
def test_scores_and_winner_are_those_of_grid_search(name):
    search = small_search(candidates=GRIDS[name])
    crossed = [
        {**grid, "l2": search.l2s, "dropout": [0.0] if grid is LINEAR else search.dropouts}
        for grid in GRIDS[name]
    ]
    expected = grid_search(search, crossed).fit(X, y)
    search.fit(X, y)
    assert read_scores(search) == read_scores(expected)
    assert len(np.unique(search.cv_results_["mean_test_score"])) > 1
    assert search.best_params_ == expected.best_params_
    assert_array_equal(search.predict_proba(X), expected.predict_proba(X))
    columns = {name for name in search.cv_results_ if name.startswith("param_")}
    assert columns == {name for name in expected.cv_results_ if name.startswith("param_")}


@pytest.mark.full
def test_scores_of_a_regressor_are_those_of_grid_search():
    search = quick_regression_search(**SMALL, candidates=[{"activation": ["relu", "tanh"]}])
    grid = {"activation": ["relu", "tanh"], "dropout": search.dropouts, "l2": search.l2s}
    expected = grid_search(search, grid).fit(X[:, 1:], X[:, 0])
    assert read_scores(search.fit(X[:, 1:], X[:, 0])) == read_scores(expected)


# -- candidates --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def search():
    return small_search(store_curves=True).fit(X, y)


def test_kinds_vary_slowest_and_l2_fastest(search):
    params = search.cv_results_["params"]
    linear = [{"hidden_layer_sizes": (), "dropout": 0.0, "l2": l2} for l2 in (1e-3, 1e-2)]
    encoded = [
        {"numerical_encoding": name, "dropout": dropout, "l2": l2}
        for name in ("piecewise", "periodic")
        for dropout in (0.0, 0.5)
        for l2 in (1e-3, 1e-2)
    ]
    assert params == linear + encoded
    assert search.scores_.shape == search.loss_curves_.shape == (10, 2)


def test_parameters_that_a_kind_does_not_name_are_masked(search):
    results = search.cv_results_
    is_linear = np.arange(10) < 2
    assert_array_equal(results["param_hidden_layer_sizes"].mask, ~is_linear)
    assert_array_equal(results["param_numerical_encoding"].mask, is_linear)
    assert not results["param_dropout"].mask.any()
    assert results["param_numerical_encoding"][9] == "periodic"
    assert results["param_l2"].dtype == float


def test_kinds_of_one_shape_share_programs():
    kinds = [{"learning_rate_init": [1e-2, 0.1], "max_iter": [2, 3]}]
    small_search(candidates=[{}], hidden_layer_sizes=(5,)).fit(X, y)
    before = count_programs()
    several = small_search(candidates=kinds, hidden_layer_sizes=(5,)).fit(X, y)
    assert len(several.cv_results_["params"]) == 16
    assert count_programs() == before


def test_winner_has_the_parameters_of_its_kind(search):
    best = search.cv_results_["params"][search.best_index_]
    assert search.best_params_ == best
    parameters = search.best_estimator_.get_params()
    assert {name: parameters[name] for name in best} == best


def test_one_kind_that_is_crossed_with_both_has_the_shape_of_the_grid():
    search = small_search(candidates=[{"activation": ["tanh"]}], refit=False).fit(X, y)
    assert search.scores_.shape == (2, 2, 2)
    assert search.best_params_["activation"] == "tanh"


def list_kinds(candidates, refit=True, may_encode=True, **changes):
    return make_kinds(candidates, RegularizedMLPClassifier(**changes), refit, False, may_encode)


def test_kinds_that_are_equal_count_once():
    several = [
        {"hidden_layer_sizes": [(8, 4), [8, 4], np.array([8, 4])]},
        {},
        {"activation": ["relu"]},
    ]
    assert list_kinds(several) == [(("hidden_layer_sizes", (8, 4)),), ()]


def test_one_layer_may_be_written_as_a_number_or_a_series():
    sizes = [8, (8,), np.array([8]), pd.Series([8]), np.int64(8)]
    assert list_kinds([{"hidden_layer_sizes": sizes}]) == [(("hidden_layer_sizes", 8),)]
    several = [{"activation": ["relu", "tanh"]}]
    assert len(list_kinds(several, hidden_layer_sizes=pd.Series([8]))) == 2


LINEAR_KIND = (("hidden_layer_sizes", ()),)


def test_automatic_kinds_of_an_ensemble():
    piecewise, periodic = (
        (("numerical_encoding", name),) for name in ENCODED["numerical_encoding"]
    )
    assert list_kinds("auto", "ensemble") == [LINEAR_KIND, piecewise, periodic]
    for refit in (True, False, "folds", one_standard_error):
        assert list_kinds("auto", refit) == [()]


def test_automatic_kinds_have_no_encoding_that_auto_does_not_allow():
    assert list_kinds("auto", "ensemble", may_encode=False) == [LINEAR_KIND, ()]


def make_numbers(n_rows, n_columns, share=1.0):
    """Numbers, of which some share is not zero."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(n_rows, n_columns))
    return np.where(generator.random((n_rows, n_columns)) < share, numbers, 0.0)


ALLOWED = {
    "numbers": (make_numbers(90, 3), True),
    "two values": ((make_numbers(90, 3) > 0).astype(float), False),
    "many columns": (make_numbers(200, 129), False),
    "few rows": (make_numbers(63, 3), False),
    "mostly zeros": (make_numbers(200, 20, 0.02), False),
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_what_auto_allows_does_not_depend_on_storage(name, container):
    table, allowed = ALLOWED[name]
    codes = np.arange(len(table)) % 2
    options = {"reset": True, "y_numeric": False}
    checked = check_rows(RegularizedMLPClassifier(), container(table), codes, **options)
    for weight in (None, np.arange(len(table)) % 3 + 1.0):
        encoded, rows = merge_all_rows(checked, codes, weight)
        statistics = measure_columns(encoded, rows.indices, rows.weight)
        assert allows_encoding(encoded, rows, statistics) == allowed


@pytest.mark.parametrize("encoding", [None, "periodic"])
def test_automatic_kinds_have_the_encoding_that_was_chosen(encoding):
    assert list_kinds("auto", "ensemble", numerical_encoding=encoding) == [LINEAR_KIND, ()]


def test_rows_without_weight_do_not_decide_on_the_automatic_kinds():
    table, labels = np.tile([[0.0, 1.0], [1.0, 0.0]], (20, 1)), np.arange(40) // 2 % 2
    table[0] = 7.0
    search = small_search(candidates="auto", refit="ensemble", numerical_encoding="auto", cv=2)
    search.fit(table, labels, sample_weight=np.arange(40) > 0)
    assert "param_numerical_encoding" not in search.cv_results_


def test_dropout_of_a_linear_kind_is_zero():
    base = RegularizedMLPClassifier((4,))
    grid = make_candidates([0.1, 0.5], [0.0, 1.0], base, lambda *_: [0.01], [LINEAR_KIND])
    assert [candidate.dropout for candidate in grid.candidates] == [0.0, 0.0]
    assert grid.shape == (1, 2)
    with pytest.raises(ValueError, match="dropouts: expected finite numbers"):
        make_candidates([5.0], [0.0], base, lambda *_: [0.01], [LINEAR_KIND])


# -- what is refused ---------------------------------------------------------------------------

BAD = {
    "an unknown parameter": ([{"alpha": [1.0]}], r"candidates: expected names .*received 'alpha'"),
    "no name": ([{3: [1.0]}], "candidates: expected names .*received 3"),
    "dropout": ([{"dropout": [0.1]}], "received 'dropout'. Use dropouts"),
    "l2": ([{"l2": [0.1]}], "received 'l2'. Use l2s"),
    "dropouts": ([{"dropouts": [[0.1]]}], "received 'dropouts'. It is a parameter of the search"),
    "the seed": ([{"random_state": [0, 1]}], "received 'random_state'. It is the same for all"),
    "class weights": ([{"class_weight": [None]}], "received 'class_weight'. It is the same"),
    "no dict": ([], "candidates: expected at least one dict"),
    "no values": ([{"activation": []}], "candidates: expected at least one value of 'activation'"),
    "no layers, not listed": ([{"hidden_layer_sizes": ()}], r"at least one value.*is \[\(\)\]"),
    "a value, not listed": ([{"activation": "relu"}], "a list of values of 'activation'"),
    "a list of tuples": ([(8, 4), (4,)], r"candidates: expected a list of dicts.*\(8, 4\)"),
    "one dict": ({"activation": ["relu"]}, "candidates"),
    "a word": ("all", "candidates"),
    "a wrong activation": ([{"activation": ["relu", "no"]}], "candidates: .*activation"),
    "wrong layers": ([{"hidden_layer_sizes": [(4, 0)]}], "candidates: hidden_layer_sizes: "),
    "a number that is too large": ([{"learning_rate_init": [1e300]}], "candidates: learning_rate"),
    "too many": ([{"learning_rate_init": [1.0] * 101, "l1": [0.0] * 101}], "at most 10000 comb"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_candidates_are_refused_before_training(name, trained):
    candidates, message = BAD[name]
    with pytest.raises((ValueError, TypeError), match=message):
        small_search(candidates=candidates).fit(X, y)
    assert not trained


@pytest.mark.parametrize("name", ["loss", "quantile", "standardize_target"])
def test_parameters_that_change_the_unit_of_scores_are_refused(name):
    search = quick_regression_search(**SMALL, candidates=[{name: ["huber"]}])
    with pytest.raises(ValueError, match=f"received '{name}'. .* could not be compared"):
        search.fit(X, y)


def test_several_networks_as_hidden_layer_sizes_are_refused():
    search = small_search(candidates="auto", hidden_layer_sizes=[(), (8, 4)])
    with pytest.raises(ValueError, match=r"use candidates=\[{'hidden_layer_sizes': \[\(\), \(8, 4"):
        search.fit(X, y)


def test_encoding_of_a_sparse_table_is_refused(trained):
    with pytest.raises(ValueError, match=r"candidates: .*expected a dense table"):
        small_search().fit(sparse.csr_array(X), y)
    assert not trained


@pytest.mark.parametrize("axis", [{"dropouts": [(0.1, 0.2)]}, {"l2s": [(0.1, 0.2)]}])
def test_values_per_layer_have_to_fit_every_kind(axis, trained):
    search = small_search(candidates=[{"hidden_layer_sizes": [(4,), (4, 4, 4)]}], **axis)
    with pytest.raises(ValueError, match=r"a sequence of [1234]"):
        search.fit(X, y)
    assert not trained


# -- folds, threads, memory --------------------------------------------------------------------


def test_kinds_of_a_fold_share_its_rows():
    train, test = next(StratifiedKFold(2).split(X, y))
    base = RegularizedMLPClassifier((4,), random_state=0)
    fold = Fold(base, X, y, y, train, test, None, negative_loss, {})
    kinds = list_kinds([*THREE, {"batch_size": [8]}, {"standardize": [False]}])
    fits, trainers = zip(*(fold.prepare(kind) for kind in kinds), strict=True)
    assert all(fit.X is fits[0].X for fit in fits)
    tables = [trainer.job.rows.table for trainer in trainers]
    assert [table is tables[0] for table in tables] == [True] * 4 + [False]
    assert fold.prepare(kinds[1])[1] is trainers[1]
    fold.forget()
    assert fold.prepare(kinds[1])[1] is not trainers[1]


@pytest.mark.parametrize("method", ["grid", "halving"])
def test_number_of_jobs_changes_no_bit(method, search):
    together = small_search(n_jobs=2, search=method, refit="ensemble").fit(X, y)
    if method == "grid":
        assert_array_equal(together.scores_, search.scores_)
    alone = small_search(search=method, refit="ensemble").fit(X, y)
    assert_array_equal(alone.scores_, together.scores_)
    assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


def test_stored_networks_are_found_beside_other_kinds(tmp_path, trained, search):
    options = {"memory": str(tmp_path), "refit": False}
    small_search(candidates=[LINEAR], **options).fit(X, y)
    assert len(trained) == 2 * 2
    trained.clear()
    after = small_search(candidates=[ENCODED, LINEAR], **options).fit(X, y)
    assert len(trained) == 8 * 2
    assert_array_equal(after.scores_[-2:], search.scores_[:2])
    trained.clear()
    small_search(**options).fit(X, y)
    assert not trained


# -- halving -----------------------------------------------------------------------------------


def score_layers(model, X, y):
    """The scores of linear models are far below those of the others."""
    return float(model.predict_proba(X)[:, 1].std()) - 9.0 * (model.n_layers_ == 2)


def test_halving_keeps_the_best_of_each_kind():
    candidates = [LINEAR, {"activation": ["relu", "tanh"]}]
    options = {"dropouts": [0.0, 0.2, 0.4, 0.6], "scoring": score_layers, "max_iter": 9}
    search = small_search(candidates=candidates, search="halving", **options).fit(X, y)
    results = search.cv_results_
    remaining = ~find_dropped(results)
    assert remaining.sum() == 5  # three, and one more for each other kind
    kinds = [params.get("activation", "linear") for params in results["params"]]
    assert {kinds[k] for k in np.flatnonzero(remaining)} == {"linear", "relu", "tanh"}
    for kind in set(kinds):
        of_kind = [k for k in np.flatnonzero(results["rung"] == 2) if kinds[k] == kind]
        assert min(of_kind, key=lambda k: results["rank_test_score"][k]) in np.flatnonzero(
            remaining
        )


def test_halving_compares_networks_of_different_epochs():
    options = {"dropouts": [0.0, 0.3, 0.6], "l2s": [1e-3, 1e-2, 1e-1], "search": "halving"}
    search = small_search(candidates=[{"max_iter": [4, 9]}], **options).fit(X, y)
    results = search.cv_results_
    remaining = np.flatnonzero(results["rung"] == results["rung"].max())
    assert len(remaining) == 4
    assert {results["n_epochs"][k] for k in remaining} == {4, 9}
    assert results["n_epochs"][search.best_index_] == search.best_params_["max_iter"]
    assert one_standard_error(results) in remaining


# -- what reads the results --------------------------------------------------------------------


def test_one_standard_error_compares_networks_of_the_best_kind():
    activations = ["relu"] * 3 + ["tanh"] * 2
    results = {
        "params": [{"activation": name} for name in activations],
        "param_l2": np.array([0.1, 0.1, 0.2, 0.2, 0.2]),
        "param_dropout": np.array([0.0, 0.5, 0.5, 0.5, 0.0]),
        "param_activation": np.array(activations),
        "mean_test_score": np.array([1.0, 1.0, 0.96, 0.97, 1.0]),
        "std_test_score": np.full(5, 0.1),
        "rank_test_score": np.array([1, 1, 5, 4, 1]),
        **{f"split{fold}_test_score": np.ones(5) for fold in range(5)},
    }
    assert one_standard_error(results) == 2


def test_edges_are_those_of_the_kind_of_the_winner():
    kinds = LINEAR_KIND, ()
    candidates = [Candidate(0.0, l2, kinds[0]) for l2 in (1e-3, 1e-2, 1e-1)]
    candidates += [Candidate(0.0, l2, kinds[1]) for l2 in (1.0, 2.0, 3.0)]
    (message,) = grid_edge_warnings(candidates, 2)
    assert "The best l2, 0.1, lies on the upper edge" in message
    assert grid_edge_warnings(candidates, 1) == []


@pytest.mark.parametrize("kind", ["heatmap", "curves"])
def test_display_shows_the_best_kind_of_each_pair(kind, search):
    pytest.importorskip("matplotlib").use("Agg")
    display = RegularizationPathDisplay.from_estimator(search, kind=kind)
    mean = search.scores_.mean(axis=1)
    expected = np.max([mean[:2], mean[2:4], mean[6:8]], axis=0)
    np.testing.assert_allclose(display.scores.mean(axis=2)[0], expected)
    title = "best over hidden_layer_sizes, numerical_encoding"
    assert display.ax_.get_title().endswith(title)
    display.figure_.clf()


# -- ensembles ---------------------------------------------------------------------------------


def test_automatic_ensemble_has_all_kinds():
    search = small_search(candidates="auto", refit="ensemble", numerical_encoding="auto").fit(X, y)
    assert len(search.ensemble_weights_) == len(search.cv_results_["params"]) == 10
    assert search.ensemble_scores_[-1] >= search.ensemble_scores_[0]
    chosen = {id(network) for network in search.estimators_}
    assert len(chosen) == search.n_members_ == 2 * np.count_nonzero(search.ensemble_weights_)
    probabilities = [network.predict_proba(X) for network in search.estimators_]
    mean = np.average(probabilities, axis=0, weights=search.estimator_weights_)
    np.testing.assert_allclose(search.predict_proba(X), mean, rtol=1e-9)
    n_layers = {network.n_layers_ for network in search.estimators_}
    assert hasattr(search, "n_layers_") == (len(n_layers) == 1)


def test_an_ensemble_refuses_a_sparse_table_for_a_named_encoding(trained):
    search = small_search(candidates="auto", refit="ensemble", numerical_encoding="piecewise")
    with pytest.raises(ValueError, match="numerical_encoding: expected a dense table"):
        search.fit(sparse.csr_array(X), y)
    assert not trained


def test_automatic_ensemble_of_a_sparse_table():
    search = small_search(candidates="auto", refit="ensemble")
    for table in (X, make_numbers(*X.shape, 0.02)):
        dense = clone(search).fit(table, y)
        assert_array_equal(search.fit(sparse.csr_array(table), y).scores_, dense.scores_)
        assert_array_equal(
            search.predict_proba(sparse.csr_array(table)), dense.predict_proba(table)
        )


def test_of_equal_candidates_the_smaller_network_is_simpler():
    def measure(dropout=0.5, l2=0.1, sizes=(4,), encoding=None):
        network = RegularizedMLPClassifier(
            sizes, dropout=dropout, l2=l2, numerical_encoding=encoding, max_iter=2, random_state=0
        )
        return _measure_complexity([network.fit(X, y)])

    plain = measure()
    n_more = measure(encoding="periodic")[0] - plain[0]
    assert n_more > 4 * 16  # frequencies of four columns, besides larger kernels
    assert measure(sizes=()) < plain
    assert plain < measure(l2=0.01) < measure(l2=0.01, dropout=0.0)
    assert plain < measure(l2="auto")  # 6 / 190
    assert plain < measure(dropout=0.0)


# -- progress and interrupts -------------------------------------------------------------------


def test_progress_names_the_parameters_of_a_kind(capsys):
    small_search(verbose=1, refit=False, candidates=[LINEAR, {"batch_size": [8]}]).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (2 + 4) * 2
    assert "] hidden_layer_sizes=(), dropout=0, l2=0.001, fold 0, 2 epochs, score=" in lines[0]
    assert "] batch_size=8, dropout=0, l2=0.001, fold 0, 2 epochs, score=" in lines[2]
    assert lines[-1].startswith("[100%] ")


class RecordParameters:
    """A callback that records the parameters of each network."""

    max_propagation_depth = 0

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "candidate-fold":
            self.seen.append(fitted_estimator.best_estimator_.hidden_layer_sizes)
            assert fitted_estimator.predict(X).shape == y.shape


def test_callback_sees_the_network_of_each_kind():
    pytest.importorskip("sklearn.callback")
    callback = RecordParameters()
    search = small_search(candidates=[LINEAR, {}], refit=False).set_callbacks(callback)
    search.fit(X, y)
    assert callback.seen == 2 * ([()] * 2 + [(4,)] * 4)


def test_interrupt_keeps_the_results_so_far():
    calls = []

    def score(model, X, y):
        calls.append(model)
        if len(calls) == 14:
            raise KeyboardInterrupt
        return float(model.predict_proba(X)[:, 1].std())

    search = small_search(scoring=score, refit="ensemble")
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert search.scores_.shape == (10, 2)
    assert np.isfinite(search.scores_).sum() == 13
    assert "l2" in search.best_params_
