"""Behaviours that tests of scikit-learn check for MLPClassifier and MLPRegressor."""

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
    assert_same_bits,
    call_quietly,
    get_arrays,
    make_full_batch,
    make_small,
)
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPRegressor

# -- scales and weights ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scaled():
    """A model of a table that is shifted and multiplied, and that table."""
    far = 1024 * X + 77
    return make_full_batch(standardize=True).fit(far, Y), far


def test_scales_of_inputs_do_not_change_probabilities(scaled):
    model, far = scaled
    expected = make_full_batch(standardize=True).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(far), expected, atol=1e-5)


def test_mean_and_scale_are_those_of_standard_scaler(scaled):
    model, far = scaled
    scaler = StandardScaler().fit(far)
    np.testing.assert_allclose(model.center_, scaler.mean_)
    np.testing.assert_allclose(model.scale_, scaler.scale_)


def test_without_standardising_there_is_no_mean():
    assert make_full_batch(standardize=False).fit(X, Y).center_ is None


@pytest.fixture(scope="module")
def of_numbers():
    changes = {"standardize": True, "max_iter": 100}
    return make_full_batch(RegularizedMLPRegressor, **changes).fit(X, NUMBERS)


def test_center_and_scale_of_the_target_are_its_mean_and_deviation(of_numbers):
    np.testing.assert_allclose(of_numbers.target_center_, NUMBERS.mean())
    np.testing.assert_allclose(of_numbers.target_scale_, NUMBERS.std())


def test_targets_are_predicted_in_their_unit(of_numbers):
    assert of_numbers.score(X, NUMBERS) > 0.9
    far = make_full_batch(RegularizedMLPRegressor, standardize=True, max_iter=100)
    far.fit(X, 1024 * NUMBERS + 77)
    np.testing.assert_allclose(far.predict(X), 1024 * of_numbers.predict(X) + 77, rtol=1e-4)


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(0).integers(0, 3, size=N)


def test_weights_are_frequencies(counts):
    changes = {"batch_size": 32, "dropout": 0.3}
    weighted = make_small(**changes).fit(X, Y, sample_weight=counts)
    repeated = make_small(**changes).fit(X.repeat(counts, axis=0), Y.repeat(counts))
    assert_same_bits(weighted, repeated)


def test_weights_are_factors_of_the_loss_in_mlp(counts):
    mlp = MLPClassifier((6,), batch_size=32, max_iter=3, random_state=0)
    weight = np.maximum(counts, 0.1)
    by_weight = call_quietly(mlp.fit, X, Y, sample_weight=weight).coefs_[0]
    repeated = X.repeat(counts, axis=0), Y.repeat(counts)
    assert np.abs(by_weight - call_quietly(mlp.fit, *repeated).coefs_[0]).max() > 1e-6


# -- attributes --------------------------------------------------------------------------------

TARGETS = [("classifier", Y), ("regressor", NUMBERS)]


@pytest.fixture(scope="module", params=TARGETS, ids=PAIRS.keys())
def pair(request):
    """The type of the estimators, an MLP and an estimator of skreg after one epoch."""
    estimator_type, y = request.param
    MLP, SkregMLP = PAIRS[estimator_type]
    mlp = call_quietly(MLP(max_iter=1).fit, X, y)
    return estimator_type, mlp, make_small(SkregMLP, max_iter=1).fit(X, y)


def get_fitted_attributes(model):
    return {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}


def test_attributes_of_mlp_that_skreg_lacks(pair):
    _, mlp, model = pair
    missing = get_fitted_attributes(mlp) - get_fitted_attributes(model)
    assert missing == {"t_", "best_validation_score_"}


def test_attributes_of_skreg_that_mlp_lacks(pair):
    estimator_type, mlp, model = pair
    of_targets = {"target_center_", "target_scale_"} if estimator_type == "regressor" else set()
    assert get_fitted_attributes(model) - get_fitted_attributes(mlp) == {
        *("center_", "scale_", "l2_", "best_iter_", "validation_loss_curve_", "encoding_"),
        *of_targets,
    }


def test_best_loss_without_early_stopping_is_that_of_the_training(pair):
    _, mlp, model = pair
    assert (mlp.best_loss_, model.best_loss_) == (mlp.loss_, model.loss_)


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS, ids=PAIRS.keys())
def test_best_loss_with_early_stopping_is_a_number_where_that_of_mlp_is_none(estimator_type, y):
    MLP, SkregMLP = PAIRS[estimator_type]
    mlp = call_quietly(MLP(early_stopping=True, max_iter=1).fit, X, y)
    assert mlp.best_loss_ is None
    assert make_small(SkregMLP, early_stopping=True, max_iter=1).fit(X, y).best_loss_ > 0


@pytest.mark.parametrize(
    ("estimator_type", "y"),
    [("classifier", Y), ("classifier", Y > 0), ("regressor", COUNTS)],
    ids=["three classes", "two classes", "numbers"],
)
def test_the_name_of_the_last_activation_is_that_of_mlp(estimator_type, y):
    MLP, SkregMLP = PAIRS[estimator_type]
    mlp = call_quietly(MLP(max_iter=1).fit, X, y)
    model = make_full_batch(SkregMLP, max_iter=1).fit(X, y)
    assert model.out_activation_ == mlp.out_activation_


def test_the_name_of_the_last_activation_of_poisson_is_exp():
    mlp = call_quietly(MLPRegressor(loss="poisson", max_iter=1).fit, X, COUNTS)
    model = make_full_batch(RegularizedMLPRegressor, loss="poisson").fit(X, COUNTS)
    assert (mlp.out_activation_, model.out_activation_) == ("exp", "exp")


# -- types and divergence ----------------------------------------------------------------------


@pytest.fixture(
    scope="module",
    params=[(*target, dtype) for target in TARGETS for dtype in (np.float32, np.float64)],
    ids=lambda param: f"{param[0]}-{param[2].__name__}",
)
def of_dtype(request):
    """A model of a float32 or a float64 table, and its method that predicts floats."""
    estimator_type, y, dtype = request.param
    model = make_small(PAIRS[estimator_type][1]).fit(X.astype(dtype), y)
    return model, model.predict_proba if estimator_type == "classifier" else model.predict


def test_weights_are_float32(of_dtype):
    assert {array.dtype.name for array in get_arrays(of_dtype[0])} == {"float32"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_have_the_type_of_the_table(of_dtype, dtype):
    _, predict = of_dtype
    predicted = predict(X.astype(dtype))
    assert predicted.dtype == dtype
    np.testing.assert_allclose(predicted, predict(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS, ids=PAIRS.keys())
def test_tables_of_float32_and_float64_give_similar_predictions(estimator_type, y):
    SkregMLP = PAIRS[estimator_type][1]
    double = make_small(SkregMLP, max_iter=20).fit(X, y)
    single = make_small(SkregMLP, max_iter=20).fit(X.astype(np.float32), y)
    # Rounded rows stand in another order, so that the steps are other ones.
    assert np.corrcoef(single.predict(X), double.predict(X))[0, 1] > 0.95


DIVERGING = {"solver": "sgd", "learning_rate_init": 1e4, "activation": "identity"}


def test_divergence_under_early_stopping_warns_and_predictions_are_finite():
    model = make_small(RegularizedMLPRegressor, early_stopping=True, max_iter=20, **DIVERGING)
    with pytest.warns(ConvergenceWarning, match="Training diverged"):
        model.fit(X, NUMBERS)
    assert np.isfinite(model.predict(X)).all()


def test_divergence_is_an_error_in_mlp():
    mlp = MLPRegressor(**DIVERGING)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite"):
        call_quietly(mlp.fit, X, NUMBERS)


# -- classes, labels and outputs --------------------------------------------------------------


def make_label_model(**changes):
    return make_full_batch(batch_size=50, learning_rate_init=0.5, activation="relu", **changes)


@pytest.fixture(scope="module")
def of_labels():
    return make_label_model(max_iter=300).fit(X_LABELS, LABELS)


def test_several_labels_a_row_are_learned(of_labels):
    assert of_labels.score(X_LABELS, LABELS) > 0.97


def test_several_labels_a_row_are_learned_by_partial_fit():
    model = make_label_model()
    for _ in range(200):
        model.partial_fit(X_LABELS, LABELS, classes=np.arange(5))
    assert model.score(X_LABELS, LABELS) > 0.9


def test_several_labels_a_row_stop_early():
    model = make_label_model(early_stopping=True).fit(X_LABELS, LABELS)
    assert model.predict(X_LABELS).shape == LABELS.shape


def test_a_label_of_more_than_one_half_is_predicted(of_labels):
    probabilities = of_labels.predict_proba(X_LABELS)
    assert probabilities.shape == LABELS.shape
    np.testing.assert_array_equal(probabilities > 0.5, of_labels.predict(X_LABELS))


def test_probabilities_of_labels_do_not_sum_to_one(of_labels):
    assert np.abs(of_labels.predict_proba(X_LABELS).sum(axis=1) - 1).max() > 0.5


def test_log_probabilities_of_labels_are_logarithms(of_labels):
    expected = np.log(of_labels.predict_proba(X_LABELS))
    logarithms = of_labels.predict_log_proba(X_LABELS)
    np.testing.assert_allclose(logarithms, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_of_classes_sum_to_one(n_classes):
    y = np.minimum(Y, n_classes - 1)
    model = make_full_batch(max_iter=50).fit(X, y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (N, n_classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities), rtol=1e-6)


def test_several_numbers_a_row_are_learned():
    model = make_full_batch(RegularizedMLPRegressor, max_iter=500, standardize=True)
    model.fit(X, TWO_COLUMNS)
    assert model.predict(X).shape == (N, 2)
    assert model.score(X, TWO_COLUMNS) > 0.9


ALPHA = 0.1


@pytest.fixture(scope="module")
def poisson_regression():
    """Predictions of PoissonRegressor."""
    return PoissonRegressor(alpha=ALPHA, tol=1e-8, max_iter=1000).fit(X, COUNTS).predict(X)


def test_poisson_without_a_hidden_layer_is_poisson_regression(poisson_regression):
    changes = {"hidden_layer_sizes": (), "l2": ALPHA / (2 * COUNTS.mean()), "max_iter": 500}
    changes |= {"solver": "adam", "learning_rate": "cosine", "standardize": True}
    model = make_full_batch(RegularizedMLPRegressor, loss="poisson", **changes).fit(X, COUNTS)
    np.testing.assert_allclose(model.predict(X), poisson_regression, rtol=1e-3)


def test_squared_error_without_a_hidden_layer_is_no_poisson_regression(poisson_regression):
    changes = {"hidden_layer_sizes": (), "max_iter": 100, "l2": 0.0}
    model = make_full_batch(RegularizedMLPRegressor, **changes).fit(X, COUNTS)
    assert not np.allclose(model.predict(X), poisson_regression, rtol=1e-2)


# -- tables -----------------------------------------------------------------------------------

FILLED = np.random.default_rng(0).random((2, N, 40))
DENSE = FILLED[0] * (FILLED[1] < 0.05)  # so few values that the program of sparse rows runs
SPARSE = {
    container.__name__: container
    for name in ("csr", "csc", "coo")
    for container in (getattr(sparse, f"{name}_array"), getattr(sparse, f"{name}_matrix"))
}


@pytest.fixture(scope="module")
def of_dense():
    """A fitted model and its target for each type of estimator."""
    y = {"classifier": (DENSE.sum(axis=1) > 1).astype(int), "regressor": DENSE.sum(axis=1)}
    models = {}
    for estimator_type, (_, SkregMLP) in PAIRS.items():
        model = make_full_batch(SkregMLP, solver="adam", max_iter=20)
        models[estimator_type] = model.fit(DENSE, y[estimator_type]), y[estimator_type]
    return models


def get_predict(model):
    """The method that predicts floats."""
    return model.predict_proba if hasattr(model, "predict_proba") else model.predict


@pytest.mark.parametrize("container", SPARSE.values(), ids=SPARSE.keys())
@pytest.mark.parametrize("estimator_type", PAIRS)
def test_sparse_tables_are_predicted_as_dense_ones(of_dense, estimator_type, container):
    predict = get_predict(of_dense[estimator_type][0])
    np.testing.assert_allclose(predict(container(DENSE)), predict(DENSE), atol=1e-6)


@pytest.mark.parametrize("container", SPARSE.values(), ids=SPARSE.keys())
@pytest.mark.parametrize("estimator_type", PAIRS)
def test_sparse_tables_are_fitted_as_dense_ones(of_dense, estimator_type, container):
    model, y = of_dense[estimator_type]
    of_sparse = make_full_batch(PAIRS[estimator_type][1], solver="adam", max_iter=20)
    predict = get_predict(of_sparse.fit(container(DENSE), y))
    expected = get_predict(model)(DENSE)
    np.testing.assert_allclose(predict(container(DENSE)), expected, atol=1e-4)
    np.testing.assert_allclose(predict(DENSE), expected, atol=1e-4)


def test_columns_of_mostly_zeros_are_scaled_and_not_centred():
    y = (DENSE.sum(axis=1) > 1).astype(int)
    model = make_full_batch(solver="adam", standardize=True).fit(sparse.csr_array(DENSE), y)
    assert not model.center_.any()
    assert model.scale_.shape == (40,)


@pytest.mark.parametrize(("estimator_type", "y"), TARGETS)
@pytest.mark.parametrize("scoring", ["loss", None])
def test_names_of_columns_are_kept_by_early_stopping_without_a_warning(estimator_type, y, scoring):
    frame = pd.DataFrame(X, columns=list("abcd"))
    changes = {"early_stopping": True, "validation_scoring": scoring}
    model = make_small(PAIRS[estimator_type][1], **changes).fit(frame, pd.Series(y, name="target"))
    assert model.feature_names_in_.tolist() == list("abcd")
    model.predict(frame)
