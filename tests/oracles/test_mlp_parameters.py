"""What the parameters of scikit-learn's MLPs do here: each row of README's table, both compared."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from oracles.mlp_pairs import (
    COUNTS,
    LABELS,
    MLP_PARAMETERS,
    NUMBERS,
    PAIRS,
    TESTED,
    TWO_COLUMNS,
    X_LABELS,
    N,
    X,
    Y,
    arrays,
    assert_close,
    assert_same_bits,
    full_batch,
    give,
    quietly,
    row,
    small,
    trained_alike,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

# -- the same networks ------------------------------------------------------------------------


@row("activation")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_an_activation_is_the_same_function(activation):
    assert_close(*trained_alike(X, Y, 1, activation=activation))


@row("learning_rate_init", "momentum", "nesterovs_momentum", "solver")
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("momentum", "rate"), [(0.0, 0.2), (0.5, 0.1), (0.9, 0.05)])
def test_sgd_makes_the_same_steps(momentum, rate, nesterov):
    changes = {"momentum": momentum, "nesterovs_momentum": nesterov, "learning_rate_init": rate}
    assert_close(*trained_alike(X, Y, 1, **changes))


@row("beta_1", "beta_2", "epsilon", "solver")
@pytest.mark.parametrize("epsilon", [1e-8, 1e-7, 1e-2])
@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.5, 0.8), (0.0, 0.0)])
def test_adam_makes_the_same_steps_with_epsilon_at_the_same_place(beta_1, beta_2, epsilon):
    """At 1e-2 Kingma and Ba's place, beside the corrected moment, would be far off."""
    changes = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "learning_rate_init": 0.02}
    # Where a gradient is near zero, adam makes whole steps of its rounding.
    assert_close(*trained_alike(X, Y, 1, solver="adam", **changes), atol=1e-4)


@row("alpha", "loss")
@pytest.mark.parametrize(
    ("X", "y", "factor", "changes"),
    [
        (X, (Y > 0).astype(int), 1, {"learning_rate_init": 0.1}),
        (X_LABELS, LABELS, 1 / 5, {"learning_rate_init": 0.1}),
        (X_LABELS, LABELS, 1 / 5, {"solver": "adam", "epsilon": 1e-5}),
        (X, NUMBERS - 7, 2, {"learning_rate_init": 0.01}),
        (X, TWO_COLUMNS - 7, 2 / 2, {"learning_rate_init": 0.01}),
        (X, COUNTS, 1, {"learning_rate_init": 0.01, "loss": "poisson"}),
    ],
    ids=["two classes", "five labels", "the same, adam", "one number", "two numbers", "counts"],
)
def test_alpha_is_this_l2_for_every_loss(X, y, factor, changes):
    """MLPClassifier and MLPRegressor sum over labels and outputs, and halve squared errors."""
    assert_close(*trained_alike(X, y, factor, **changes))


@row("alpha")
def test_another_l2_than_alphas_trains_another_network():
    mlp, model = trained_alike(X, Y, 1, alpha=15.0, l2=15.0 / N)
    assert np.abs(mlp.coefs_[0] - model.coefs_[0]).max() > 0.01


@row("alpha")
def test_alpha_is_divided_by_the_sum_of_the_weights():
    weight = np.random.default_rng(0).uniform(0.2, 1.0, size=N)
    assert_close(*trained_alike(X, Y, 1, weight=weight))


@row("alpha")
@pytest.mark.parametrize("hidden", [(), (6,)], ids=["no hidden layer", "one"])
def test_alpha_is_another_l2_for_the_last_kernel_when_the_target_is_standardised(hidden):
    """In the target's units the last kernel is s times ours, and the squared error s^2 times."""
    alpha, s = 20.0, NUMBERS.std()
    l2 = [*(alpha / (N * s**2) for _ in hidden), alpha / N]
    changes = {"hidden_layer_sizes": hidden, "l2": l2, "standardize": True, "warm_start": True}
    model = full_batch(RegularizedMLPRegressor, max_iter=20, **changes).fit(X, NUMBERS)
    mlp = MLPRegressor(hidden_layer_sizes=hidden, alpha=alpha, batch_size=N, solver="sgd")
    give(mlp, model, X, NUMBERS)
    mlp.coefs_[-1] *= s
    mlp.intercepts_[-1] = s * mlp.intercepts_[-1] + NUMBERS.mean()
    # At a rate of nothing, the loss of an epoch is the objective at these weights.
    nothing = {"learning_rate_init": 1e-30, "max_iter": 1}
    quietly(mlp.set_params(**nothing).fit, X, NUMBERS)
    model.set_params(**nothing).fit(X, NUMBERS)
    assert model.loss_ == pytest.approx(2 / s**2 * mlp.loss_, rel=1e-5)
    np.testing.assert_allclose(model.predict(X), mlp.predict(X), rtol=1e-5)


@row("alpha")
def test_alpha_is_divided_by_the_mean_of_standardised_counts():
    """Of counts only the last bias knows the scale, and the whole objective is divided by it."""
    alpha, mean = 15.0, COUNTS.mean()
    model = full_batch(
        RegularizedMLPRegressor,
        **{"loss": "poisson", "standardize": True, "warm_start": True, "max_iter": 1},
        **{"l2": alpha / (2 * N * mean), "learning_rate_init": 0.01 * mean},
    ).fit(X, COUNTS)
    mlp = MLPRegressor("poisson", (6,), solver="sgd", learning_rate_init=0.01, alpha=alpha)
    give(mlp.set_params(batch_size=N, n_iter_no_change=np.inf), model, X, COUNTS)
    mlp.intercepts_[-1] += np.log(mean)
    quietly(mlp.set_params(max_iter=8).fit, X, COUNTS)
    model.set_params(max_iter=8).fit(X, COUNTS)
    mlp.intercepts_[-1] -= np.log(mean)
    assert_close(mlp, model)


def test_first_weights_are_of_another_draw_and_biases_begin_at_zero():
    model = full_batch(learning_rate_init=1e-30, max_iter=1).fit(X, Y)
    mlp = quietly(MLPClassifier((6,), learning_rate_init=1e-30, max_iter=1).fit, X, Y)
    np.testing.assert_allclose(np.concatenate(model.intercepts_), 0, atol=1e-20)
    assert np.abs(np.concatenate(mlp.intercepts_)).min() > 0
    for theirs, ours in zip(mlp.coefs_, model.coefs_, strict=True):  # of one distribution
        assert np.abs(ours).max() <= np.sqrt(6 / sum(theirs.shape))


# -- parameters -------------------------------------------------------------------------------


DEFAULTS = {
    "hidden_layer_sizes": ((100,), (128, 64)),
    "learning_rate": ("constant", "cosine"),
    "learning_rate_init": (0.001, 0.005),
    "tol": (1e-4, None),
    "epsilon": (1e-8, 1e-7),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_defaults_are_the_same_but_for_those_of_the_table(kind):
    theirs, ours = (estimator().get_params() for estimator in PAIRS[kind])
    shared = theirs.keys() & ours.keys()
    found = {name: (theirs[name], ours[name]) for name in shared if theirs[name] != ours[name]}
    # The regressor trains 200 epochs, as MLPRegressor at most does.
    epochs = {"max_iter": (200, 50)} if kind == "classifier" else {}
    assert found == {**DEFAULTS, **epochs}


@row("alpha", "power_t", "shuffle", "max_fun")
@pytest.mark.parametrize("kind", PAIRS)
def test_parameters_that_are_not_there_are_refused_and_all_others_are_there(kind):
    theirs, ours = PAIRS[kind]
    missing = theirs().get_params().keys() - ours().get_params().keys()
    assert missing - {"loss"} == {"alpha", "power_t", "shuffle", "max_fun"}
    for name in missing:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            ours(**{name: 1})


@row("loss")
def test_loss_is_a_parameter_of_the_regressor_only():
    assert "loss" not in RegularizedMLPClassifier().get_params()
    assert RegularizedMLPRegressor().loss == MLPRegressor().loss


def test_hidden_layer_sizes_is_the_first_argument_and_the_only_one_without_a_name():
    for _, ours in PAIRS.values():
        assert ours((3,)).hidden_layer_sizes == (3,)
        with pytest.raises(TypeError, match="positional argument"):
            ours((3,), "relu")
    assert next(iter(inspect.signature(MLPRegressor).parameters)) == "loss"


@row("hidden_layer_sizes")
@pytest.mark.parametrize("sizes", [6, (6,), [6], np.array([6]), ()], ids=str)
def test_hidden_layer_sizes_make_the_same_shapes(sizes):
    mlp = quietly(MLPClassifier(sizes, max_iter=1).fit, X, Y)
    model = full_batch(hidden_layer_sizes=sizes, max_iter=1, solver="adam").fit(X, Y)
    assert [array.shape for array in arrays(model)] == [array.shape for array in arrays(mlp)]
    assert (model.n_layers_, model.n_outputs_) == (mlp.n_layers_, mlp.n_outputs_)


@row("solver")
def test_lbfgs_is_refused():
    for _, ours in PAIRS.values():
        with pytest.raises(ValueError, match="The 'solver' parameter"):
            ours(solver="lbfgs").fit(X, Y)


@row("solver", "max_fun")
def test_adam_on_the_whole_table_with_a_cosine_ends_where_lbfgs_does():
    """Without a hidden layer there is one optimum, so that both can be asked for it."""
    mlp = MLPClassifier((), solver="lbfgs", alpha=1.0, tol=1e-8, max_iter=5000).fit(X, Y)
    changes = {"solver": "adam", "learning_rate": "cosine", "max_iter": 1000}
    model = full_batch(hidden_layer_sizes=(), l2=1.0 / (2 * N), **changes).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(X), mlp.predict_proba(X), atol=1e-3)
    assert model.loss_ == pytest.approx(mlp.loss_, rel=1e-4)


@row("batch_size")
def test_steps_of_an_epoch_are_of_one_size_where_mlps_last_one_is_a_rest():
    """At a tiny rate an epoch moves by its mean gradient times its steps, if all are alike."""
    moves = {}
    for size in (100, N):
        changes = {"batch_size": size, "momentum": 0.0, "learning_rate_init": 1e-5}
        model = full_batch(max_iter=1, **changes).fit(X, Y)
        moves[size] = np.concatenate(model.intercepts_)
    np.testing.assert_allclose(moves[100], 2 * moves[N], rtol=1e-3, atol=1e-9)


@row("batch_size")
def test_a_batch_larger_than_the_table_is_the_table_without_a_warning():
    assert_same_bits(full_batch(batch_size=10 * N).fit(X, Y), full_batch().fit(X, Y))
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        quietly(MLPClassifier(batch_size=10 * N, max_iter=1).fit, X, Y)


@row("batch_size")
def test_the_automatic_batch_is_32_rows_of_150_where_mlps_is_all_of_them():
    assert_same_bits(small(batch_size=32).fit(X, Y), small(batch_size="auto").fit(X, Y))


@row("learning_rate", "power_t")
@pytest.mark.parametrize("schedule", ["invscaling", "adaptive"])
def test_schedules_of_mlp_but_constant_are_refused(schedule):
    for _, ours in PAIRS.values():
        with pytest.raises(ValueError, match=r"'learning_rate' parameter.*'co"):
            ours(learning_rate=schedule).fit(X, Y)


@row("learning_rate", "power_t")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_cosine_is_half_a_cosine_over_all_epochs_for_adam_too(solver):
    """At a tiny rate, and without memory, all steps are alike but for their rates."""
    changes = {"momentum": 0.0, "beta_1": 0.0, "beta_2": 0.0, "learning_rate_init": 1e-5}
    moves = {}
    for schedule in ("constant", "cosine"):
        model = full_batch(solver=solver, learning_rate=schedule, max_iter=4, **changes).fit(X, Y)
        moves[schedule] = np.concatenate(model.intercepts_)
    share = np.mean([(1 + np.cos(np.pi * step / 4)) / 2 for step in range(4)])
    np.testing.assert_allclose(moves["cosine"], share * moves["constant"], rtol=1e-3, atol=1e-9)


@row("max_iter")
@pytest.mark.parametrize("max_iter", [1, 3])
def test_max_iter_is_the_number_of_epochs_and_no_reason_to_warn(max_iter):
    model = small(max_iter=max_iter).fit(X, Y)  # a warning would be an error
    assert model.n_iter_ == len(model.loss_curve_) == max_iter
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        mlp = MLPClassifier(max_iter=max_iter).fit(X, Y)
    assert mlp.n_iter_ == max_iter


@row("shuffle")
@pytest.mark.parametrize(
    ("ours", "y"), [(PAIRS["classifier"][1], Y), (PAIRS["regressor"][1], NUMBERS)]
)
def test_order_of_the_rows_does_not_matter_but_rows_are_shuffled(ours, y):
    order = np.argsort(X[:, 0])
    changes = {"batch_size": 32, "dropout": 0.3}
    model = small(ours, **changes).fit(X, y)
    assert_same_bits(model, small(ours, **changes).fit(X[order], y[order]))
    other = small(ours, random_state=1, **changes).fit(X, y)
    assert other.loss_curve_ != model.loss_curve_


@row("shuffle")
def test_order_of_the_rows_matters_to_mlp():
    order = np.argsort(X[:, 0])
    changes = {"max_iter": 3, "batch_size": 32, "random_state": 0}
    one = quietly(MLPClassifier((6,), **changes).fit, X, Y)
    other = quietly(MLPClassifier((6,), **changes).fit, X[order], Y[order])
    assert np.abs(one.coefs_[0] - other.coefs_[0]).max() > 1e-6


@row("random_state")
def test_random_state_takes_what_mlp_takes():
    expected = small(random_state=0).fit(X, Y)
    assert_same_bits(expected, small(random_state=0).fit(X, Y))
    assert_same_bits(expected, small(random_state=np.random.RandomState(0)).fit(X, Y))
    for other in (1, None):
        assert small(random_state=other).fit(X, Y).loss_curve_ != expected.loss_curve_


@row("tol")
def test_without_tol_nothing_stops_and_with_it_the_smoothed_loss_does():
    curve = small(max_iter=200).fit(X, Y).loss_curve_
    assert len(curve) == 200
    smoothed, best, waited, n_epochs = curve[0], np.inf, 0, 0
    while waited < 3:
        smoothed = 0.8 * smoothed + 0.2 * curve[n_epochs]
        waited = 0 if smoothed < best - 0.002 else waited + 1
        best = min(best, smoothed)
        n_epochs += 1
    model = small(max_iter=200, tol=0.002, n_iter_no_change=3).fit(X, Y)
    assert model.n_iter_ == n_epochs < 200
    assert model.loss_curve_ == curve[:n_epochs]


@row("tol", "max_iter")
def test_max_iter_before_tol_is_a_warning_as_in_mlp():
    for model in (small(tol=0.0), MLPClassifier(tol=0.0, max_iter=5)):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, Y)


@row("n_iter_no_change")
@pytest.mark.parametrize("count", [1, 4])
def test_n_iter_no_change_stops_one_epoch_before_mlp(count):
    """The first epoch is always the best so far; MLP waits for more than so many after it."""
    changes = {"tol": 1e9, "n_iter_no_change": count, "max_iter": 50}
    assert MLPClassifier(**changes).fit(X, Y).n_iter_ == count + 2
    assert small(**changes).fit(X, Y).n_iter_ == count + 1


@row("n_iter_no_change")
def test_infinite_n_iter_no_change_never_stops():
    model = small(tol=1e9, n_iter_no_change=np.inf, max_iter=30)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert model.n_iter_ == 30
    model = small(tol=1e9, n_iter_no_change=np.inf, max_iter=30, early_stopping=True)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert model.n_iter_ == 30


@row("verbose")
def test_verbose_prints_the_lines_of_mlp(capsys):
    quietly(MLPClassifier(max_iter=2, verbose=True).fit, X, Y)
    expected = capsys.readouterr().out
    model = small(max_iter=2, verbose=True).fit(X, Y)
    printed = capsys.readouterr().out
    assert [re.sub(r"\d\.\d{8}$", "_", line) for line in printed.splitlines()] == [
        re.sub(r"\d\.\d{8}$", "_", line) for line in expected.splitlines()
    ]
    model.partial_fit(X, Y)
    assert "Iteration" in capsys.readouterr().out


@row("warm_start")
@pytest.mark.parametrize("kind", PAIRS)
def test_warm_start_goes_on_with_the_weights(kind):
    """Plain gradient descent has no memory, so two and three epochs are five."""
    theirs, ours = PAIRS[kind]
    y = Y if kind == "classifier" else NUMBERS - 7
    plain = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05, "batch_size": N}
    mlp = theirs(hidden_layer_sizes=(6,), random_state=0, **plain)
    for start, atol in ((mlp, 1e-9), (full_batch(ours, **plain), 1e-6)):
        whole = quietly(start.set_params(warm_start=False, max_iter=5).fit, X, y)
        expected = [array.copy() for array in arrays(whole)]
        start = quietly(start.set_params(max_iter=2).fit, X, y)
        quietly(start.set_params(warm_start=True, max_iter=3).fit, X, y)
        assert start.n_iter_ == 3
        for one, other in zip(expected, arrays(start), strict=True):
            np.testing.assert_allclose(one, other, atol=atol)


@row("warm_start")
@pytest.mark.parametrize(
    "y", [Y > 0, np.where(Y == 2, 3, Y), np.arange(N) % 4, Y.astype(str)], ids=lambda y: str(y[:3])
)
def test_warm_start_with_other_classes_is_refused_in_the_words_of_mlp(y):
    model = small(warm_start=True, max_iter=1).fit(X, Y)
    message = f"Previously got [0 1 2], `y` has {np.unique(y)}"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, y)
    model.fit(X, Y)  # which has not spoiled it


@row("warm_start")
def test_warm_start_counts_the_epochs_of_each_fit_and_works_with_early_stopping():
    model = small(warm_start=True, early_stopping=True, n_iter_no_change=np.inf)
    for max_iter in (3, 6):
        model.set_params(max_iter=max_iter).fit(X, Y)
        assert model.n_iter_ == len(model.validation_loss_curve_) == max_iter


class Recorder:
    """A scorer of accuracy that remembers what it was asked about."""

    def __call__(self, estimator, X, y, sample_weight=None):
        self.estimator, self.X, self.y, self.weight = estimator, X, y, sample_weight
        return estimator.score(X, y, sample_weight)


@row("early_stopping")
@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_early_stopping_keeps_the_epoch_of_the_best_loss(kind, y):
    changes = {"max_iter": 300, "learning_rate_init": 0.02, "n_iter_no_change": 5, "tol": 0.01}
    model = small(PAIRS[kind][1], early_stopping=True, **changes).fit(X, y)
    assert model.n_iter_ == len(model.validation_loss_curve_) < 300
    assert model.best_loss_ == min(model.validation_loss_curve_)
    assert model.validation_loss_curve_[model.best_iter_ - 1] == model.best_loss_
    assert model.validation_scores_ is None
    without = small(PAIRS[kind][1]).fit(X, y)
    assert without.validation_loss_curve_ is None
    assert without.best_loss_ == min(without.loss_curve_)


@row("early_stopping")
@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_validation_scoring_none_keeps_the_epoch_of_the_best_score_as_mlp_does(kind, y):
    scorer = Recorder()
    changes = {"early_stopping": True, "max_iter": 12, "validation_scoring": scorer}
    recorded = small(PAIRS[kind][1], **changes).fit(X, y)
    model = small(PAIRS[kind][1], **{**changes, "validation_scoring": None}).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    assert recorded.validation_scores_ == model.validation_scores_
    best = max(model.validation_scores_)
    assert model.validation_scores_[model.best_iter_ - 1] == best
    assert model.score(scorer.X, scorer.y) == pytest.approx(best)


@row("validation_fraction")
def test_validation_fraction_is_the_share_of_the_rows_in_each_class_alike():
    scorer = Recorder()
    y = np.repeat([0, 1, 2], [90, 40, 20])
    changes = {"validation_fraction": 0.2, "validation_scoring": scorer, "max_iter": 1}
    small(early_stopping=True, **changes).fit(X, y)
    expected = 0.2 * np.array([90, 40, 20])
    np.testing.assert_allclose(np.bincount(scorer.y), expected, atol=0.5)
    with pytest.raises(ValueError, match="The 'validation_fraction' parameter"):
        small(early_stopping=True, validation_fraction=0.0).fit(X, y)


@row("validation_fraction")
def test_equal_rows_are_held_out_together():
    scorer = Recorder()
    copies = X[:75].repeat(2, axis=0), Y[:75].repeat(2)
    small(early_stopping=True, validation_scoring=scorer, max_iter=1).fit(*copies)
    np.testing.assert_array_equal(scorer.weight, 2)


@row("early_stopping")
def test_a_class_with_one_row_stays_in_training_where_mlp_refuses_it():
    y = np.where(np.arange(N) == 7, 2, Y > 0)
    with pytest.raises(ValueError, match="least populated class"):  # of two classes
        MLPClassifier(early_stopping=True).fit(X, y == 2)
    scorer = Recorder()
    small(early_stopping=True, validation_scoring=scorer, max_iter=1).fit(X, y)
    assert set(scorer.y) == {0, 1}


@row("early_stopping")
def test_early_stopping_takes_string_labels():
    names = np.array(["class_a", "class_b", "class_c"], dtype=object)[Y]
    for scoring in ("loss", None):
        model = small(early_stopping=True, validation_scoring=scoring).fit(X, names)
        assert np.isfinite(model.validation_loss_curve_).all()
        assert set(model.predict(X)) == set(names)


@row("early_stopping")
def test_early_stopping_with_weights_of_one_is_that_without_any():
    model = small(RegularizedMLPRegressor, early_stopping=True)
    unweighted = model.fit(X, NUMBERS).validation_loss_curve_
    assert model.fit(X, NUMBERS, np.ones(N)).validation_loss_curve_ == unweighted
    assert model.fit(X, NUMBERS, np.where(Y > 0, 1.0, 0.5)).validation_loss_curve_ != unweighted


@row("early_stopping")
def test_scores_of_early_stopping_are_weighted():
    scorer = Recorder()
    weight = np.where(Y > 0, 1.0, 0.5)
    small(early_stopping=True, validation_scoring=scorer).fit(X, Y, weight)
    np.testing.assert_array_equal(scorer.weight, np.where(scorer.y > 0, 1.0, 0.5))


@row("early_stopping", "validation_fraction")
def test_a_validation_set_without_a_row_is_refused_in_the_words_of_mlp():
    for estimator, n in ((MLPRegressor(), 2), (small(RegularizedMLPRegressor), 1)):
        with pytest.raises(ValueError, match="The validation set is too small"):
            estimator.set_params(early_stopping=True).fit(X[:n], NUMBERS[:n])


# -- the table --------------------------------------------------------------------------------


def test_every_parameter_of_mlp_has_a_row_and_a_test():
    """A parameter that scikit-learn adds fails here, until the migration page has a row for it."""
    assert MLP_PARAMETERS == TESTED
    page = (Path(__file__).parents[2] / "docs" / "migration" / "mlp.md").read_text()
    assert MLP_PARAMETERS <= set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
