"""Values that are "auto": what they stand for, and that nothing else changes."""

import numpy as np
import pytest
from helpers import assert_same_network
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skreg import (
    RegularizationPathDisplay,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    one_standard_error,
)
from skreg._data.rows import MergedRows
from skreg._estimators.automatic import choose_encoding
from skreg._estimators.class_targets import ClassTargets
from skreg._estimators.numerical_encoding import allows_encoding, initialize_encoding

rng = np.random.default_rng(0)
N_ROWS = 240  # enough for numbers below the largest one
X = rng.normal(size=(N_ROWS, 3))
y = (X[:, 0] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


@pytest.mark.parametrize(
    ("kind", "strength"),
    [
        (RegularizedMLPClassifier, 6),
        pytest.param(RegularizedMLPRegressor, 3, marks=pytest.mark.full),
    ],
)
def test_automatic_l2_is_a_number_over_the_rows(kind, strength):
    model = kind(**SMALL, l2="auto").fit(X, y)
    assert model.l2_ == pytest.approx(strength / N_ROWS)
    assert_same_network(kind(**SMALL, l2=model.l2_).fit(X, y), model)
    weight = rng.uniform(1, 3, size=N_ROWS)
    model.fit(X, y, sample_weight=weight)
    assert model.l2_ == pytest.approx(strength / N_ROWS)
    model.fit(X, y, sample_weight=np.where(np.arange(N_ROWS) < 20, 0, 0.5))
    assert model.l2_ == pytest.approx(strength / 220)
    model.fit(X, y, sample_weight=np.where(np.arange(N_ROWS) < 60, 4, 1))
    assert model.l2_ == pytest.approx(strength / 420)
    assert kind(**SMALL, l2=(0.1, 0.2)).fit(X, y).l2_ == (0.1, 0.2)


@pytest.mark.filterwarnings("ignore:The best l2")
@pytest.mark.parametrize("hidden", [(), (4,)])
def test_automatic_l2_of_logistic_units_is_a_sixteenth(hidden):
    options = {**SMALL, "hidden_layer_sizes": hidden, "activation": "logistic"}
    model = RegularizedMLPClassifier(**options).fit(X, y)
    assert model.l2_ == pytest.approx(6 / N_ROWS / (16 if hidden else 1))
    search = RegularizedMLPClassifierCV(dropouts=[0.0], cv=2, refit=False, **options).fit(X, y)
    assert search.cv_results_["param_l2"][2] == pytest.approx(model.l2_)


def test_logistic_units_learn_few_rows():
    few, labels = X[:150], y[:150]
    model = RegularizedMLPClassifier((16,), activation="logistic", random_state=0)
    assert model.fit(few, labels).score(few, labels) > 0.9


def test_automatic_l2_of_several_classes_is_smaller():
    three = RegularizedMLPClassifier(**SMALL, l2="auto").fit(X, np.arange(N_ROWS) % 3)
    assert three.l2_ == pytest.approx(2 / N_ROWS)


@pytest.mark.parametrize(
    ("parameters", "strength"),
    [
        ({"loss": "absolute_error"}, 3),
        ({"loss": "huber"}, 1.5),
        ({"loss": "log_cosh"}, 1.5),
        ({"loss": "quantile"}, 1.5),
        ({"loss": "quantile", "quantile": (0.1, 0.9)}, 0.75),
    ],
    ids=str,
)
def test_automatic_l2_of_smaller_losses_is_smaller(parameters, strength):
    model = RegularizedMLPRegressor(**SMALL, **parameters).fit(X, X[:, 0])
    assert model.l2_ == pytest.approx(strength / N_ROWS)


def test_automatic_l2_does_not_depend_on_the_unit_of_the_weights():
    model = RegularizedMLPClassifier(**SMALL, l2="auto").fit(X, y)
    repeated = RegularizedMLPClassifier(**SMALL, l2="auto").fit(np.tile(X, (5, 1)), np.tile(y, 5))
    assert repeated.l2_ == model.l2_
    assert_same_network(repeated, model)


def test_automatic_l2_is_that_of_the_training_rows():
    model = RegularizedMLPClassifier(**SMALL, l2="auto", early_stopping=True).fit(X, y)
    assert model.l2_ == pytest.approx(6 / 216)


def test_automatic_l2_is_at_most_a_constant():
    few = X[:60], y[:60]
    assert RegularizedMLPClassifier(**SMALL).fit(*few).l2_ == 0.03
    assert RegularizedMLPRegressor(**SMALL).fit(*few).l2_ == 0.03


def test_a_stream_counts_all_its_rows():
    model = RegularizedMLPRegressor(**SMALL)
    for n_batches in (1, 2, 3):
        assert model.partial_fit(X, y).l2_ == pytest.approx(3 / (N_ROWS * n_batches))
    assert model.fit(X, y).l2_ == pytest.approx(3 / N_ROWS)


def test_a_stream_and_keras_take_the_automatic_l2():
    model = RegularizedMLPClassifier(**SMALL, l2="auto", dropout=0.1)
    model.partial_fit(X, y, classes=[0, 1])
    assert model.mc_dropout(X, 2, random_state=0).shape == (2, N_ROWS, 2)
    layer = model.to_keras().get_layer("hidden_1")
    assert float(layer.kernel_regularizer.l2) == pytest.approx(6 / N_ROWS)


def test_a_search_takes_auto_among_its_values(capsys):
    """Each fold has its own number, as in GridSearchCV."""
    values = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    search = RegularizedMLPClassifierCV(
        dropouts=[0.0], l2s=["auto", 0.3], cv=4, scoring=None, **values
    )
    search.fit(X, y)
    model = RegularizedMLPClassifier(**values, dropout=0.0)
    grid = GridSearchCV(model, {"l2": ["auto", 0.3]}, cv=4).fit(X, y)
    for k in range(4):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], grid.cv_results_[name])
    assert search.best_params_["l2"] in ("auto", 0.3)
    assert search.l2_ == search.best_estimator_.l2_
    figure = RegularizationPathDisplay.from_estimator(search).figure_
    assert "auto" in [text.get_text() for text in figure.axes[0].get_xticklabels()]
    search.set_params(verbose=1).fit(X, y)
    assert "auto" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"expected numbers of l2.* received 'auto'"):
        one_standard_error(search.cv_results_)


# -- epochs ------------------------------------------------------------------------------------

FEW_STEPS = {"hidden_layer_sizes": (4,), "batch_size": 1, "random_state": 0}  # 60 an epoch
FEW, few_y = X[:60], y[:60]


def test_automatic_epochs_are_a_number_of_epochs():
    model = RegularizedMLPClassifier(**FEW_STEPS).fit(FEW, few_y)
    assert model.n_iter_ == 17  # 1,000 steps
    assert_same_network(RegularizedMLPClassifier(**FEW_STEPS, max_iter=17).fit(FEW, few_y), model)


def test_more_classes_numbers_and_linear_models_have_more_steps():
    assert RegularizedMLPRegressor(**FEW_STEPS).fit(FEW, few_y).n_iter_ == 34
    assert RegularizedMLPClassifier(**FEW_STEPS).fit(FEW, np.arange(60) % 3).n_iter_ == 34
    linear = RegularizedMLPClassifier(**{**FEW_STEPS, "hidden_layer_sizes": ()})
    assert linear.fit(FEW, few_y).n_iter_ == 34


def test_automatic_epochs_are_those_of_the_distinct_rows():
    model = RegularizedMLPClassifier(**FEW_STEPS).fit(FEW, few_y)
    repeated = RegularizedMLPClassifier(**FEW_STEPS).fit(np.tile(FEW, (5, 1)), np.tile(few_y, 5))
    weighted = RegularizedMLPClassifier(**FEW_STEPS).fit(FEW, few_y, sample_weight=np.full(60, 7.0))
    assert_same_network(repeated, model)
    assert_same_network(weighted, model)


def test_a_step_of_a_stream_is_one_epoch_and_warm_start_as_many_as_a_fit():
    model = RegularizedMLPClassifier(**FEW_STEPS, warm_start=True).partial_fit(
        FEW, few_y, classes=[0, 1]
    )
    assert model.n_iter_ == 1
    assert model.fit(FEW, few_y).n_iter_ == 17
    assert model.to_keras().layers


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_folds_of_a_search_have_their_own_epochs(search, capsys):
    """With folds of 45 and 50 rows, that is 23 and 20 epochs."""
    cv = [(np.arange(45), np.arange(45, 60)), (np.arange(50), np.arange(50, 60))]
    values = {**FEW_STEPS, "dropouts": [0.0], "l2s": [0.01, 0.3], "cv": cv, "scoring": None}
    model = RegularizedMLPClassifierCV(**values, search=search, verbose=1).fit(FEW, few_y)
    assert "[100%]" in capsys.readouterr().out
    grid = GridSearchCV(
        RegularizedMLPClassifier(**FEW_STEPS, dropout=0.0), {"l2": [0.01, 0.3]}, cv=cv
    )
    grid.fit(FEW, few_y)
    for k in range(2):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(model.cv_results_[name], grid.cv_results_[name])
    assert model.cv_results_["n_epochs"].tolist() == [23, 23]
    assert model.best_estimator_.n_iter_ == 17


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({}, 0.005),
        ({"hidden_layer_sizes": ()}, 0.03),
        ({"hidden_layer_sizes": (), "solver": "sgd"}, 0.005),
        ({"hidden_layer_sizes": (), "learning_rate": "constant"}, 0.005),
    ],
)
def test_automatic_rate_is_larger_for_linear_models(changes, rate):
    model = RegularizedMLPClassifier(**{**SMALL, **changes}).fit(X, y)
    assert_same_network(clone(model).set_params(learning_rate_init=rate).fit(X, y), model)


def test_a_step_of_a_stream_has_the_constant_rate():
    model = RegularizedMLPClassifier((), random_state=0).partial_fit(X, y, classes=[0, 1])
    expected = clone(model).set_params(learning_rate_init=0.005)
    assert_same_network(expected.partial_fit(X, y, classes=[0, 1]), model)


@pytest.mark.parametrize("max_iter", ["scale", 0, 1.5, None])
def test_other_epochs_are_refused(max_iter):
    with pytest.raises(ValueError, match="max_iter"):
        RegularizedMLPClassifier(**FEW_STEPS, max_iter=max_iter).fit(FEW, few_y)


@pytest.mark.parametrize("l2", ["scale", "AUTO", ("auto", 0.1)])
def test_another_word_is_refused(l2):
    with pytest.raises(ValueError, match="l2"):
        RegularizedMLPClassifier(**SMALL, l2=l2).fit(FEW, few_y)


# -- numerical_encoding --------------------------------------------------------------------------


def test_classes_are_encoded_by_bins_and_numbers_are_not():
    model = RegularizedMLPClassifier(**SMALL).fit(X, y)
    assert model.encoding_.name == "piecewise"
    named = RegularizedMLPClassifier(**SMALL, numerical_encoding="piecewise").fit(X, y)
    assert_same_network(named, model)
    assert RegularizedMLPRegressor(**SMALL).fit(X, y).encoding_ is None


@pytest.mark.parametrize(("n_hidden", "expected"), [(1, "piecewise"), (0, None)])
def test_networks_that_have_an_automatic_encoding(n_hidden, expected):
    assert choose_encoding(ClassTargets.from_labels(y, None), n_hidden) == expected


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "is_allowed"),
    [(64, 1, True), (63, 1, False), (70, 0, False), (70, 128, True), (70, 129, False)],
)
def test_rows_and_columns_that_have_an_automatic_encoding(n_rows, n_columns, is_allowed):
    table = rng.normal(size=(n_rows, n_columns + 1))
    table[:, -1] = np.arange(n_rows) % 2  # two values are not encoded
    rows = MergedRows(np.arange(n_rows), np.ones(n_rows))
    assert allows_encoding(table, rows, None) == is_allowed
    named = initialize_encoding("piecewise", table, rows, None, (0, 0))
    assert set(named.columns) == set(range(n_columns))


@pytest.mark.parametrize("density", [0.03, 0.5])
def test_automatic_encoding_is_the_same_for_sparse_and_dense_tables(density):
    table = np.where(rng.random((200, 40)) < density, rng.normal(size=(200, 40)), 0)
    labels = np.arange(200) % 2
    dense = RegularizedMLPClassifier(**SMALL).fit(table, labels)
    stored = RegularizedMLPClassifier(**SMALL).fit(csr_matrix(table), labels)
    assert (dense.encoding_ is None) == (density < 1 / 16)
    assert_same_network(stored, dense)
    np.testing.assert_array_equal(
        stored.predict_proba(csr_matrix(table)), dense.predict_proba(table)
    )


def test_automatic_encoding_leaves_streams_alone_and_continues_what_is_there():
    model = RegularizedMLPClassifier(**SMALL).partial_fit(X, y, classes=[0, 1])
    assert model.encoding_ is None
    assert model.partial_fit(X, y).encoding_ is None
    model = RegularizedMLPClassifier(**SMALL, warm_start=True).fit(X, y)
    assert model.fit(X[:40], y[:40]).encoding_.name == "piecewise"
    assert model.partial_fit(X, y).encoding_.name == "piecewise"
