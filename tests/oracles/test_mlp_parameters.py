"""Parameters of MLPClassifier and MLPRegressor, compared with those of skreg.

The migration page has a row for each of them.
"""

import ast
import inspect
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from oracles.mlp_pairs import (
    MLP_PARAMETERS,
    NUMBERS,
    PAIRS,
    N,
    X,
    Y,
    assert_same_bits,
    call_quietly,
    covers,
    get_arrays,
    make_full_batch,
    make_small,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

# -- defaults and names ------------------------------------------------------------------------

SKREG = [SkregMLP for _, SkregMLP in PAIRS.values()]

# Those of MLPClassifier and MLPRegressor, and those of skreg.
OTHER_DEFAULTS = {
    "hidden_layer_sizes": ((100,), (128, 64)),
    "learning_rate": ("constant", "cosine"),
    "learning_rate_init": (0.001, "auto"),
    "max_iter": (200, "auto"),
    "tol": (1e-4, None),
    "epsilon": (1e-8, 1e-7),
}


@pytest.mark.parametrize("estimator_type", PAIRS)
def test_other_defaults_are_the_same(estimator_type):
    mlp, model = (estimator().get_params() for estimator in PAIRS[estimator_type])
    shared = mlp.keys() & model.keys()
    found = {name: (mlp[name], model[name]) for name in shared if mlp[name] != model[name]}
    assert found == OTHER_DEFAULTS


MISSING = ["alpha", "power_t", "shuffle", "max_fun"]


@covers("alpha", "power_t", "shuffle", "max_fun")
@pytest.mark.parametrize("estimator_type", PAIRS)
def test_all_parameters_but_four_are_there(estimator_type):
    MLP, SkregMLP = PAIRS[estimator_type]
    missing = MLP().get_params().keys() - SkregMLP().get_params().keys()
    assert missing - {"loss"} == set(MISSING)


@covers("alpha", "power_t", "shuffle", "max_fun")
@pytest.mark.parametrize(
    ("estimator_type", "name"),
    [
        *itertools.product(PAIRS, MISSING),
        ("classifier", "loss"),
    ],
)
def test_a_missing_parameter_is_refused(estimator_type, name):
    _, SkregMLP = PAIRS[estimator_type]
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        SkregMLP(**{name: 1})


@covers("loss")
def test_loss_is_a_parameter_of_the_regressor_only():
    assert "loss" not in RegularizedMLPClassifier().get_params()
    assert RegularizedMLPRegressor().loss == MLPRegressor().loss


@pytest.mark.parametrize("SkregMLP", SKREG)
def test_hidden_layer_sizes_is_the_only_positional_argument(SkregMLP):
    assert SkregMLP((3,)).hidden_layer_sizes == (3,)
    with pytest.raises(TypeError, match="positional argument"):
        SkregMLP((3,), "relu")


def test_the_first_argument_of_mlp_regressor_is_the_loss():
    assert next(iter(inspect.signature(MLPRegressor).parameters)) == "loss"


@covers("hidden_layer_sizes")
@pytest.mark.parametrize("sizes", [6, (6,), [6], np.array([6]), ()], ids=str)
def test_hidden_layer_sizes_make_the_same_shapes(sizes):
    mlp = call_quietly(MLPClassifier(sizes, max_iter=1).fit, X, Y)
    model = make_full_batch(hidden_layer_sizes=sizes, max_iter=1, solver="adam").fit(X, Y)
    assert [array.shape for array in get_arrays(model)] == [
        array.shape for array in get_arrays(mlp)
    ]
    assert (model.n_layers_, model.n_outputs_) == (mlp.n_layers_, mlp.n_outputs_)


@covers("solver")
@pytest.mark.parametrize("SkregMLP", SKREG)
def test_lbfgs_is_refused(SkregMLP):
    with pytest.raises(ValueError, match="The 'solver' parameter"):
        SkregMLP(solver="lbfgs").fit(X, Y)


@covers("solver", "max_fun")
def test_adam_on_the_whole_table_with_a_cosine_ends_where_lbfgs_does():
    """Without a hidden layer there is one optimum."""
    mlp = MLPClassifier((), solver="lbfgs", alpha=1.0, tol=1e-8, max_iter=5000).fit(X, Y)
    changes = {"solver": "adam", "learning_rate": "cosine", "max_iter": 1000}
    model = make_full_batch(hidden_layer_sizes=(), l2=1.0 / (2 * N), **changes).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(X), mlp.predict_proba(X), atol=1e-3)
    assert model.loss_ == pytest.approx(mlp.loss_, rel=1e-4)


@covers("batch_size")
def test_steps_of_an_epoch_have_one_size_where_the_last_one_of_mlp_is_smaller():
    """At a tiny rate an epoch changes a weight by its mean gradient times the number of steps."""
    updates = {}
    for size in (100, N):
        changes = {"batch_size": size, "momentum": 0.0, "learning_rate_init": 1e-5}
        model = make_full_batch(max_iter=1, **changes).fit(X, Y)
        updates[size] = np.concatenate(model.intercepts_)
    np.testing.assert_allclose(updates[100], 2 * updates[N], rtol=1e-3, atol=1e-9)


@covers("batch_size")
def test_a_batch_size_above_the_number_of_rows_is_the_whole_table():
    assert_same_bits(make_full_batch(batch_size=10 * N).fit(X, Y), make_full_batch().fit(X, Y))


@covers("batch_size")
def test_a_batch_size_above_the_number_of_rows_warns_in_mlp():
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        call_quietly(MLPClassifier(batch_size=10 * N, max_iter=1).fit, X, Y)


@covers("batch_size")
def test_the_automatic_batch_size_of_150_rows_is_32():
    assert_same_bits(make_small(batch_size=32).fit(X, Y), make_small(batch_size="auto").fit(X, Y))


@covers("learning_rate", "power_t")
@pytest.mark.parametrize("schedule", ["invscaling", "adaptive"])
@pytest.mark.parametrize("SkregMLP", SKREG)
def test_schedules_of_mlp_but_constant_are_refused(SkregMLP, schedule):
    with pytest.raises(ValueError, match=r"'learning_rate' parameter.*'co"):
        SkregMLP(learning_rate=schedule).fit(X, Y)


@covers("learning_rate", "power_t")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_cosine_is_half_a_cosine_over_all_epochs(solver):
    """At a tiny rate and without moments, only the rates of the steps differ."""
    changes = {"momentum": 0.0, "beta_1": 0.0, "beta_2": 0.0, "learning_rate_init": 1e-5}
    updates = {}
    for schedule in ("constant", "cosine"):
        model = make_full_batch(solver=solver, learning_rate=schedule, max_iter=4, **changes).fit(
            X, Y
        )
        updates[schedule] = np.concatenate(model.intercepts_)
    share = np.mean([(1 + np.cos(np.pi * step / 4)) / 2 for step in range(4)])
    np.testing.assert_allclose(updates["cosine"], share * updates["constant"], rtol=1e-3, atol=1e-9)


@covers("max_iter")
@pytest.mark.parametrize("max_iter", [1, 3])
def test_max_iter_is_the_number_of_epochs_and_does_not_warn(max_iter):
    model = make_small(max_iter=max_iter).fit(X, Y)  # a warning would be an error
    assert model.n_iter_ == len(model.loss_curve_) == max_iter


@covers("max_iter")
@pytest.mark.parametrize("max_iter", [1, 3])
def test_max_iter_is_the_number_of_epochs_and_warns_in_mlp(max_iter):
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        mlp = MLPClassifier(max_iter=max_iter).fit(X, Y)
    assert mlp.n_iter_ == max_iter


@covers("shuffle")
@pytest.mark.parametrize(
    ("SkregMLP", "y"), [(PAIRS["classifier"][1], Y), (PAIRS["regressor"][1], NUMBERS)]
)
def test_order_of_the_rows_does_not_matter_but_rows_are_shuffled(SkregMLP, y):
    order = np.argsort(X[:, 0])
    changes = {"batch_size": 32, "dropout": 0.3}
    model = make_small(SkregMLP, **changes).fit(X, y)
    assert_same_bits(model, make_small(SkregMLP, **changes).fit(X[order], y[order]))
    other = make_small(SkregMLP, random_state=1, **changes).fit(X, y)
    assert other.loss_curve_ != model.loss_curve_


@covers("shuffle")
def test_order_of_the_rows_matters_to_mlp():
    order = np.argsort(X[:, 0])
    changes = {"max_iter": 3, "batch_size": 32, "random_state": 0}
    one = call_quietly(MLPClassifier((6,), **changes).fit, X, Y)
    other = call_quietly(MLPClassifier((6,), **changes).fit, X[order], Y[order])
    assert np.abs(one.coefs_[0] - other.coefs_[0]).max() > 1e-6


@pytest.fixture(scope="module")
def seeded():
    return make_small(random_state=0).fit(X, Y)


@covers("random_state")
@pytest.mark.parametrize("make_state", [int, np.random.RandomState], ids=["integer", "object"])
def test_a_random_state_of_the_same_seed_gives_the_same_network(seeded, make_state):
    assert_same_bits(seeded, make_small(random_state=make_state(0)).fit(X, Y))


@covers("random_state")
@pytest.mark.parametrize("random_state", [1, None])
def test_another_random_state_gives_another_network(seeded, random_state):
    model = make_small(random_state=random_state).fit(X, Y)
    assert model.loss_curve_ != seeded.loss_curve_


@covers("tol")
def test_tol_stops_by_the_smoothed_loss():
    curve = make_small(max_iter=200).fit(X, Y).loss_curve_
    assert len(curve) == 200
    smoothed, best, n_stalled, n_epochs = curve[0], np.inf, 0, 0
    while n_stalled < 3:
        smoothed = 0.8 * smoothed + 0.2 * curve[n_epochs]
        n_stalled = 0 if smoothed < best - 0.002 else n_stalled + 1
        best = min(best, smoothed)
        n_epochs += 1
    model = make_small(max_iter=200, tol=0.002, n_iter_no_change=3).fit(X, Y)
    assert model.n_iter_ == n_epochs < 200
    assert model.loss_curve_ == curve[:n_epochs]


@covers("tol", "max_iter")
@pytest.mark.parametrize(
    "make_model",
    [lambda: make_small(tol=0.0), lambda: MLPClassifier(tol=0.0, max_iter=5)],
    ids=["skreg", "MLPClassifier"],
)
def test_max_iter_before_tol_is_reached_warns(make_model):
    with pytest.warns(ConvergenceWarning):
        make_model().fit(X, Y)


@covers("n_iter_no_change")
@pytest.mark.parametrize("count", [1, 4])
def test_n_iter_no_change_stops_one_epoch_before_mlp(count):
    """The first epoch is always the best so far, and MLP waits for one epoch more after it."""
    changes = {"tol": 1e9, "n_iter_no_change": count, "max_iter": 50}
    assert MLPClassifier(**changes).fit(X, Y).n_iter_ == count + 2
    assert make_small(**changes).fit(X, Y).n_iter_ == count + 1


@covers("n_iter_no_change")
@pytest.mark.parametrize("early_stopping", [False, True])
def test_infinite_n_iter_no_change_never_stops(early_stopping):
    model = make_small(tol=1e9, n_iter_no_change=np.inf, max_iter=30, early_stopping=early_stopping)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert model.n_iter_ == 30


@covers("verbose")
def test_verbose_prints_the_lines_of_mlp(capsys):
    call_quietly(MLPClassifier(max_iter=2, verbose=True).fit, X, Y)
    expected = capsys.readouterr().out
    make_small(max_iter=2, verbose=True).fit(X, Y)
    printed = capsys.readouterr().out
    assert [re.sub(r"\d\.\d{8}$", "_", line) for line in printed.splitlines()] == [
        re.sub(r"\d\.\d{8}$", "_", line) for line in expected.splitlines()
    ]


@covers("verbose")
def test_verbose_prints_lines_in_partial_fit(capsys):
    make_small(verbose=True).partial_fit(X, Y, classes=[0, 1, 2])
    assert "Iteration" in capsys.readouterr().out


@covers("warm_start")
@pytest.mark.parametrize("estimator_type", PAIRS)
@pytest.mark.parametrize(("is_mlp", "atol"), [(True, 1e-9), (False, 1e-6)], ids=["MLP", "skreg"])
def test_warm_start_continues_from_the_weights(estimator_type, is_mlp, atol):
    """Plain gradient descent has no moments, so that two and three epochs are five."""
    MLP, SkregMLP = PAIRS[estimator_type]
    y = Y if estimator_type == "classifier" else NUMBERS - 7
    plain = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05, "batch_size": N}
    if is_mlp:
        model = MLP(hidden_layer_sizes=(6,), random_state=0, **plain)
    else:
        model = make_full_batch(SkregMLP, **plain)
    whole = call_quietly(model.set_params(warm_start=False, max_iter=5).fit, X, y)
    expected = [array.copy() for array in get_arrays(whole)]
    call_quietly(model.set_params(max_iter=2).fit, X, y)
    call_quietly(model.set_params(warm_start=True, max_iter=3).fit, X, y)
    assert model.n_iter_ == 3
    for one, other in zip(expected, get_arrays(model), strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@covers("warm_start")
@pytest.mark.parametrize(
    "y", [Y > 0, np.where(Y == 2, 3, Y), np.arange(N) % 4, Y.astype(str)], ids=lambda y: str(y[:3])
)
def test_warm_start_with_other_classes_is_refused_with_the_message_of_mlp(y):
    model = make_small(warm_start=True, max_iter=1).fit(X, Y)
    message = f"Previously got [0 1 2], `y` has {np.unique(y)}"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, y)
    model.fit(X, Y)  # the model is as it was


@covers("warm_start")
def test_n_iter_of_a_warm_start_counts_the_epochs_of_the_last_fit():
    model = make_small(warm_start=True, early_stopping=True, n_iter_no_change=np.inf)
    for max_iter in (3, 6):
        model.set_params(max_iter=max_iter).fit(X, Y)
        assert model.n_iter_ == len(model.validation_loss_curve_) == max_iter


# -- coverage ----------------------------------------------------------------------------------


def read_covered_parameters():
    """The arguments of `covers` in all modules of this folder."""
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_mlp_*.py")]
    calls = [
        node
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "covers"
    ]
    return {argument.value for call in calls for argument in call.args}


def test_every_parameter_of_mlp_has_a_test():
    assert read_covered_parameters() == MLP_PARAMETERS


def test_every_parameter_of_mlp_has_a_row_in_the_migration_page():
    """It fails if scikit-learn adds a parameter, until the page has a row for it."""
    page = (Path(__file__).parents[2] / "docs" / "migration" / "mlp.md").read_text()
    assert MLP_PARAMETERS <= set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
