"""Which candidate wins, and when the grid was too narrow."""

import numpy as np
import pytest

from skreg import one_standard_error
from skreg._model_selection.candidates import Candidate
from skreg._model_selection.refit import choose_winner, grid_edge_warnings

GRID = [Candidate(dropout, l2) for dropout in (0.0, 0.25, 0.5) for l2 in (0.0, 1e-3, 1e-2)]


def results(mean, std=0.1, n_folds=5, **others):
    mean = np.asarray(mean, dtype=float)
    order = np.argsort(-mean)
    rank = np.empty(len(mean), dtype=int)
    rank[order] = np.arange(1, len(mean) + 1)
    splits = {f"split{fold}_test_score": mean for fold in range(n_folds)}
    grid = GRID[: len(mean)]
    return {
        "mean_test_score": mean,
        "std_test_score": np.full(len(mean), std),
        "rank_test_score": rank,
        "params": [candidate._asdict() for candidate in grid],
        "param_dropout": [candidate.dropout for candidate in grid],
        "param_l2": [candidate.l2 for candidate in grid],
        **splits,
        **others,
    }


def test_one_standard_error_takes_the_most_regularised_of_those_as_good_as_the_best():
    # 0.1 / sqrt(5 - 1) is 0.05: those of 0.95 and more are as good as the best.
    assert one_standard_error(results([1.0, 0.951, 0.9])) == 1
    assert one_standard_error(results([1.0, 0.951, 0.951])) == 2
    assert one_standard_error(results([1.0, 0.9, 0.949])) == 0
    # The largest l2 first, then the largest dropout.
    assert one_standard_error(results([1.0, 1.0, 0.96, 1.0, 1.0, 0.97, 1.0, 1.0, 0.9])) == 5


def test_one_standard_error_leaves_out_what_halving_dropped():
    n_epochs = np.array([10, 3, 3])
    assert one_standard_error(results([1.0, 0.99, 0.99], n_epochs=n_epochs)) == 0


def test_one_standard_error_weighs_sequences_by_their_mean():
    found = results([1.0, 1.0], param_dropout=[0.1, 0.5], param_l2=[(0.0, 0.02), 0.009])
    assert one_standard_error(found) == 0


def test_one_standard_error_of_a_step_and_of_one_parameter_alone():
    found = results([1.0, 1.0, 1.0])
    del found["param_dropout"]
    found["param_mlp__l2"] = np.ma.MaskedArray([0.0, 0.1, 0.01])
    del found["param_l2"]
    assert one_standard_error(found) == 1
    del found["param_mlp__l2"]
    with pytest.raises(ValueError, match=r"received one over \[\]"):
        one_standard_error(found)


def test_one_standard_error_needs_a_finite_score():
    with pytest.raises(ValueError, match="expected a finite score of one candidate at least"):
        one_standard_error(results([np.nan, np.nan]))


def test_one_standard_error_refuses_several_metrics():
    found = results([1.0, 1.0])
    found["mean_test_loss"] = found.pop("mean_test_score")
    with pytest.raises(ValueError, match=r"of one metric; received those of \['loss'\]"):
        one_standard_error(found)


def test_one_standard_error_counts_the_folds_that_the_means_are_over():
    # Interrupted: the third fold scored the first candidate only. 0.1 / sqrt(2 - 1) is 0.1.
    third = {"split2_test_score": np.array([1.0, np.nan])}
    assert one_standard_error(results([1.0, 0.92], n_folds=2) | third) == 1
    assert one_standard_error(results([1.0, 0.92], n_folds=3)) == 0


def test_callable_has_to_return_an_index():
    assert choose_winner(True, results([0.0, 1.0]), "score") == 1
    assert choose_winner(lambda found: np.int64(0), results([0.0, 1.0]), "score") == 0
    with pytest.raises(
        TypeError, match=r"expected a callable that returns an integer; received 0\.5"
    ):
        choose_winner(lambda found: 0.5, results([0.0, 1.0]), "score")
    with pytest.raises(IndexError, match="expected an index below 2; received 2"):
        choose_winner(lambda found: 2, results([0.0, 1.0]), "score")


def test_edges_of_the_grid():
    assert grid_edge_warnings(GRID, GRID.index(Candidate(0.25, 1e-3))) == []
    (sentence,) = grid_edge_warnings(GRID, GRID.index(Candidate(0.5, 1e-3)))
    assert "best dropout, 0.5, lies on the upper edge of dropouts" in sentence
    assert len(grid_edge_warnings(GRID, GRID.index(Candidate(0.5, 1e-2)))) == 2
    # Nothing lies below zero; an axis of two values or of sequences has no edge to speak of.
    assert grid_edge_warnings(GRID, GRID.index(Candidate(0.0, 0.0))) == []
    assert grid_edge_warnings([Candidate(0.1, 1e-3), Candidate(0.2, 1e-3)], 0) == []
    assert grid_edge_warnings([Candidate((0.1, 0.2), 1e-3), Candidate(0.2, 1e-3), Candidate(0.3, 1e-3)], 2) == []
