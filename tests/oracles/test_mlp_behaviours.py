"""What scikit-learn's MLPs do beyond their parameters, here: behaviours of its own tests."""

import joblib
import numpy as np
import pandas as pd
import pytest
from oracles.mlp_pairs import (
    COUNTS,
    LABELS,
    NUMBERS,
    PAIRS,
    TWO_COLUMNS,
    X_LABELS,
    N,
    X,
    Y,
    arrays,
    assert_same_bits,
    full_batch,
    quietly,
    small,
)
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor

# -- behaviours -------------------------------------------------------------------------------


def test_inputs_are_standardised_inside():
    model = full_batch(standardize=True).fit(X, Y)
    far = full_batch(standardize=True).fit(1024 * X + 77, Y)
    np.testing.assert_allclose(far.predict_proba(1024 * X + 77), model.predict_proba(X), atol=1e-5)
    scaler = StandardScaler().fit(1024 * X + 77)
    np.testing.assert_allclose(far.mean_, scaler.mean_)
    np.testing.assert_allclose(far.scale_, scaler.scale_)
    assert full_batch(standardize=False).fit(X, Y).mean_ is None


def test_targets_are_standardised_inside_and_predicted_in_their_units():
    changes = {"standardize": True, "max_iter": 100}
    model = full_batch(RegularizedMLPRegressor, **changes).fit(X, NUMBERS)
    np.testing.assert_allclose(model.target_center_, NUMBERS.mean())
    np.testing.assert_allclose(model.target_scale_, NUMBERS.std())
    assert model.score(X, NUMBERS) > 0.9
    far = full_batch(RegularizedMLPRegressor, **changes).fit(X, 1024 * NUMBERS + 77)
    np.testing.assert_allclose(far.predict(X), 1024 * model.predict(X) + 77, rtol=1e-4)


def test_weights_are_frequencies_here_and_factors_of_the_loss_in_mlp():
    counts = np.random.default_rng(0).integers(0, 3, size=N)
    changes = {"batch_size": 32, "dropout": 0.3}
    repeated = X.repeat(counts, axis=0), Y.repeat(counts)
    weighted = small(**changes).fit(X, Y, sample_weight=counts)
    assert_same_bits(weighted, small(**changes).fit(*repeated))
    mlp = MLPClassifier((6,), batch_size=32, max_iter=3, random_state=0)
    by_weight = quietly(mlp.fit, X, Y, sample_weight=np.maximum(counts, 0.1)).coefs_[0]
    assert np.abs(by_weight - quietly(mlp.fit, *repeated).coefs_[0]).max() > 1e-6


def test_attributes_are_those_of_mlp_but_for_those_of_the_table():
    for kind, y in (("classifier", Y), ("regressor", NUMBERS)):
        theirs, ours = PAIRS[kind]
        mlp = quietly(theirs(max_iter=1).fit, X, y)
        model = small(ours, max_iter=1).fit(X, y)
        fitted = [
            {name for name in vars(one) if name.endswith("_") and not name.startswith("_")}
            for one in (mlp, model)
        ]
        assert fitted[0] - fitted[1] == {"t_", "best_validation_score_"}
        scale = {"target_center_", "target_scale_"} if kind == "regressor" else set()
        assert fitted[1] - fitted[0] == {
            *("mean_", "scale_", "best_iter_", "validation_loss_curve_"),
            *scale,
        }
        assert (mlp.best_loss_, model.best_loss_) == (mlp.loss_, model.loss_)
        stopped = quietly(theirs(early_stopping=True, max_iter=1).fit, X, y)
        assert stopped.best_loss_ is None
        assert small(ours, early_stopping=True, max_iter=1).fit(X, y).best_loss_ > 0


def test_names_of_the_last_activation_are_those_of_mlp_but_for_poisson():
    cases = [("classifier", Y, {}), ("classifier", Y > 0, {}), ("regressor", COUNTS, {})]
    for kind, y, changes in cases:
        theirs, ours = PAIRS[kind]
        mlp = quietly(theirs(max_iter=1, **changes).fit, X, y)
        assert full_batch(ours, max_iter=1).fit(X, y).out_activation_ == mlp.out_activation_
    mlp = quietly(MLPRegressor(loss="poisson", max_iter=1).fit, X, COUNTS)
    model = full_batch(RegularizedMLPRegressor, loss="poisson").fit(X, COUNTS)
    assert (mlp.out_activation_, model.out_activation_) == ("exp", "exp")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_weights_are_float32_and_predictions_have_the_type_of_the_table(kind, y, dtype):
    model = small(PAIRS[kind][1]).fit(X.astype(dtype), y)
    assert {array.dtype.name for array in arrays(model)} == {"float32"}
    for asked in (np.float32, np.float64):
        predict = model.predict_proba if kind == "classifier" else model.predict
        predicted = predict(X.astype(asked))
        assert predicted.dtype == asked
        np.testing.assert_allclose(predicted, predict(X), rtol=1e-4, atol=1e-6)


def test_tables_of_float32_and_float64_train_networks_that_predict_alike():
    for kind, y in (("classifier", Y), ("regressor", NUMBERS)):
        double = small(PAIRS[kind][1], max_iter=20).fit(X, y)
        single = small(PAIRS[kind][1], max_iter=20).fit(X.astype(np.float32), y)
        # Rounded rows are other rows to the order of visits, so that steps are other ones too.
        agreement = np.corrcoef(single.predict(X), double.predict(X))[0, 1]
        assert agreement > 0.95


def test_divergence_under_early_stopping_is_a_warning_and_predictions_stay_finite():
    changes = {"solver": "sgd", "learning_rate_init": 1e4, "activation": "identity"}
    model = small(RegularizedMLPRegressor, early_stopping=True, max_iter=20, **changes)
    with pytest.warns(ConvergenceWarning, match="Training diverged"):
        model.fit(X, NUMBERS)
    assert np.isfinite(model.predict(X)).all()
    mlp = MLPRegressor(solver="sgd", learning_rate_init=1e4, activation="identity")
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite"):
        quietly(mlp.fit, X, NUMBERS)


# -- classes, labels and outputs --------------------------------------------------------------


def labels_model(**changes):
    return full_batch(batch_size=50, learning_rate_init=0.5, activation="relu", **changes)


def test_several_labels_a_row_are_learned_by_fit_and_by_partial_fit():
    assert labels_model(max_iter=300).fit(X_LABELS, LABELS).score(X_LABELS, LABELS) > 0.97
    stream = labels_model()
    for _ in range(200):
        stream.partial_fit(X_LABELS, LABELS, classes=np.arange(5))
    assert stream.score(X_LABELS, LABELS) > 0.9


def test_several_labels_a_row_stop_early():
    model = labels_model(early_stopping=True).fit(X_LABELS, LABELS)
    assert model.predict(X_LABELS).shape == LABELS.shape


def test_probabilities_of_labels_are_each_on_its_own():
    model = labels_model(max_iter=300).fit(X_LABELS, LABELS)
    probabilities = model.predict_proba(X_LABELS)
    assert probabilities.shape == LABELS.shape
    np.testing.assert_array_equal(probabilities > 0.5, model.predict(X_LABELS))
    assert np.abs(probabilities.sum(axis=1) - 1).max() > 0.5
    logarithms = model.predict_log_proba(X_LABELS)
    np.testing.assert_allclose(logarithms, np.log(probabilities), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_of_classes_sum_to_one(n_classes):
    y = np.minimum(Y, n_classes - 1)
    model = full_batch(max_iter=50).fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (N, n_classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities), rtol=1e-6)


def test_several_numbers_a_row_are_learned():
    model = full_batch(RegularizedMLPRegressor, max_iter=500, standardize=True)
    model.fit(X, TWO_COLUMNS)
    assert model.predict(X).shape == (N, 2)
    assert model.score(X, TWO_COLUMNS) > 0.9


def test_poisson_without_a_hidden_layer_is_poisson_regression_and_squared_error_is_not():
    alpha = 0.1
    expected = PoissonRegressor(alpha=alpha, tol=1e-8, max_iter=1000).fit(X, COUNTS).predict(X)
    changes = {"hidden_layer_sizes": (), "l2": alpha / (2 * COUNTS.mean()), "max_iter": 500}
    changes |= {"solver": "adam", "learning_rate": "cosine", "standardize": True}
    model = full_batch(RegularizedMLPRegressor, loss="poisson", **changes).fit(X, COUNTS)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-3)
    other = full_batch(RegularizedMLPRegressor, hidden_layer_sizes=(), max_iter=100, l2=0.0)
    assert not np.allclose(other.fit(X, COUNTS).predict(X), expected, rtol=1e-2)


# -- streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS - 7)])
def test_partial_fit_on_the_same_rows_is_fit_at_a_constant_rate(kind, y):
    changes = {"standardize": False, "learning_rate": "constant", "dropout": 0.2}
    whole = small(PAIRS[kind][1], max_iter=4, **changes).fit(X, y)
    stream = small(PAIRS[kind][1], **changes)
    for _ in range(4):
        stream.partial_fit(X, y, **({"classes": [0, 1, 2]} if kind == "classifier" else {}))
    assert_same_bits(whole, stream)
    assert stream.n_iter_ == len(stream.loss_curve_) == 4


@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_partial_fit_learns(kind, y):
    stream = small(PAIRS[kind][1], learning_rate_init=0.01)
    for _ in range(60):
        stream.partial_fit(X, y, **({"classes": [0, 1, 2]} if kind == "classifier" else {}))
    assert stream.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (Y, None, "classes must be passed on the first call"),
        (Y, [0, 1], "among the classes"),
        (Y, [7], "among the classes"),
    ],
    ids=["none", "one is missing", "all are"],
)
def test_partial_fit_has_to_know_all_classes_at_first(y, classes, message):
    with pytest.raises(ValueError, match=message):
        small().partial_fit(X, y, classes=classes)


def test_partial_fit_refuses_other_classes_and_labels_later_and_goes_on():
    model = small().partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, Y, classes=[1, 2, 3])
    with pytest.raises(ValueError, match="among the classes"):
        model.partial_fit(X, Y + 1)
    twin = small().partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X, Y)
    assert_same_bits(model.partial_fit(X, Y), twin)


def test_a_class_may_come_later_in_the_stream():
    names = np.array(["a", "b", "c"])[Y]
    late = Y == 2
    model = small(learning_rate_init=0.01)
    model.partial_fit(X, np.where(late, "a", names), classes=["a", "b", "c"])
    for _ in range(20):
        model.partial_fit(X, names)
    assert set(model.predict(X)) == {"a", "b", "c"}


@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_partial_fit_after_early_stopping_is_one_epoch_where_mlp_refuses(kind, y):
    theirs, ours = PAIRS[kind]
    mlp = quietly(theirs(early_stopping=True, max_iter=2).fit, X, y)
    with pytest.raises(ValueError, match="does not support early_stopping"):
        mlp.partial_fit(X, y)
    model = small(ours, early_stopping=True).fit(X, y)
    before = model.coefs_[0].copy()
    model.partial_fit(X, y)
    assert (model.n_iter_, model.validation_loss_curve_) == (1, None)
    assert 0 < np.abs(model.coefs_[0] - before).max() < 0.1


@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
def test_a_stream_goes_on_bit_for_bit_after_joblib(kind, y, tmp_path):
    first = {"classes": [0, 1, 2]} if kind == "classifier" else {}
    model = small(PAIRS[kind][1], dropout=0.2).partial_fit(X, y, **first).partial_fit(X, y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    for _ in range(3):
        model.partial_fit(X, y)
        loaded.partial_fit(X, y)
    assert_same_bits(model, loaded)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(X))


def test_a_loaded_network_is_tuned_to_a_new_target(tmp_path):
    model = small(RegularizedMLPRegressor, max_iter=30).fit(X, NUMBERS)
    joblib.dump(model, tmp_path / "model")
    tuned = joblib.load(tmp_path / "model").set_params(learning_rate_init=0.01)
    for _ in range(100):
        tuned.partial_fit(X, 20 - NUMBERS)
    assert model.score(X, 20 - NUMBERS) < 0 < 0.9 < tuned.score(X, 20 - NUMBERS)


# -- tables -----------------------------------------------------------------------------------

FILLED = np.random.default_rng(0).random((2, N, 40))
DENSE = FILLED[0] * (FILLED[1] < 0.05)  # few enough for the program of sparse rows
SPARSE = {
    kind.__name__: kind
    for name in ("csr", "csc", "coo")
    for kind in (getattr(sparse, f"{name}_array"), getattr(sparse, f"{name}_matrix"))
}


@pytest.fixture(scope="module")
def on_dense():
    y = {"classifier": (DENSE.sum(axis=1) > 1).astype(int), "regressor": DENSE.sum(axis=1)}
    models = {}
    for kind, (_, ours) in PAIRS.items():
        model = full_batch(ours, solver="adam", max_iter=20)
        models[kind] = model.fit(DENSE, y[kind]), y[kind]
    return models


@pytest.mark.parametrize("container", SPARSE.values(), ids=SPARSE.keys())
@pytest.mark.parametrize("kind", PAIRS)
def test_sparse_tables_are_fitted_and_predicted_as_dense_ones(on_dense, kind, container):
    model, y = on_dense[kind]
    on_sparse = full_batch(PAIRS[kind][1], **{"solver": "adam", "max_iter": 20})
    on_sparse.fit(container(DENSE), y)
    name = "predict_proba" if kind == "classifier" else "predict"
    expected = getattr(model, name)(DENSE)
    np.testing.assert_allclose(getattr(model, name)(container(DENSE)), expected, atol=1e-6)
    np.testing.assert_allclose(getattr(on_sparse, name)(container(DENSE)), expected, atol=1e-4)
    np.testing.assert_allclose(getattr(on_sparse, name)(DENSE), expected, atol=1e-4)


def test_sparse_tables_are_scaled_and_not_centred():
    y = (DENSE.sum(axis=1) > 1).astype(int)
    model = full_batch(solver="adam", standardize=True).fit(sparse.csr_array(DENSE), y)
    assert model.mean_ is None
    assert model.scale_.shape == (40,)


@pytest.mark.parametrize(("kind", "y"), [("classifier", Y), ("regressor", NUMBERS)])
@pytest.mark.parametrize("scoring", ["loss", None])
def test_names_of_columns_survive_early_stopping_without_a_warning(kind, y, scoring):
    frame = pd.DataFrame(X, columns=list("abcd"))
    changes = {"early_stopping": True, "validation_scoring": scoring}
    model = small(PAIRS[kind][1], **changes).fit(frame, pd.Series(y, name="target"))
    assert model.feature_names_in_.tolist() == list("abcd")
    model.predict(frame)
