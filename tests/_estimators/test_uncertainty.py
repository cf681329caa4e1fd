"""Monte-Carlo dropout: mean and deviation of its samples, and measures of uncertainty."""

import copy

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, predictive_uncertainty

DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def fit_classifier(**changes):
    values = {"hidden_layer_sizes": (32,), "max_iter": 10, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes}).fit(*DIGITS)


@pytest.mark.filterwarnings("ignore:Training led nowhere")  # the mean of the target is far
def test_samples_of_a_linear_layer_have_the_moments_of_inverted_dropout():
    """With input dropout p, a sum of w x has the mean w x and the variance p / (1 - p) (w x)^2."""
    X, y = DIABETES
    model = RegularizedMLPRegressor(
        (),
        input_dropout=0.3,
        standardize=False,
        standardize_target=False,
        max_iter=50,
        random_state=0,
    ).fit(X, y)
    samples = model.mc_dropout(X, n_samples=4000, random_state=1)
    assert samples.shape == (4000, len(X))
    terms = X * model.coefs_[0][:, 0]
    deviation = np.sqrt(0.3 / 0.7 * (terms**2).sum(axis=1))
    error = (samples.mean(axis=0) - model.predict(X)) / (deviation / np.sqrt(4000))
    assert np.abs(error).max() < 5
    np.testing.assert_allclose(samples.std(axis=0), deviation, rtol=0.1)


def test_every_row_and_sample_has_its_own_masks():
    model = fit_classifier(dropout=0.5, activation="tanh")  # no unit is zero
    same = np.repeat(DIGITS[0][:1], 50, axis=0)
    samples = model.mc_dropout(same, n_samples=40, random_state=0)
    assert samples.shape == (40, 50, 10)
    assert len(np.unique(samples[..., 0])) == 40 * 50
    np.testing.assert_allclose(samples.sum(axis=2), 1)


@pytest.fixture(scope="module")
def default():
    return fit_classifier()


def test_the_same_seed_gives_the_same_samples(default):
    X = DIGITS[0][:20]
    first = default.mc_dropout(X, 5, random_state=3)
    np.testing.assert_array_equal(default.mc_dropout(X, 5, random_state=3), first)


def test_another_seed_gives_other_samples(default):
    X = DIGITS[0][:20]
    first = default.mc_dropout(X, 5, random_state=3)
    assert (default.mc_dropout(X, 5, random_state=4) != first).any()


def test_samples_of_a_float32_table_are_float32(default):
    assert default.mc_dropout(DIGITS[0][:20].astype(np.float32), 5).dtype == np.float32


def test_a_rate_near_zero_gives_the_network_without_dropout(default):
    model, X = copy.deepcopy(default).set_params(dropout=1e-7), DIGITS[0]
    np.testing.assert_allclose(model.mc_dropout(X, 1, 0)[0], model.predict_proba(X), atol=1e-5)


def test_samples_of_several_labels():
    X, y = DIGITS
    labels = np.c_[y > 4, y % 2 == 0].astype(int)
    model = RegularizedMLPClassifier((8,), max_iter=2, random_state=0).fit(X, labels)
    assert model.mc_dropout(X, 3).shape == (3, len(X), 2)


def test_samples_of_sparse_rows():
    X, y = sparse.csr_array(DIGITS[0]), DIGITS[1]
    model = RegularizedMLPClassifier((8,), max_iter=2, input_dropout=0.2, random_state=0)
    assert model.fit(X, y).mc_dropout(X, 3).shape == (3, X.shape[0], 10)


def test_samples_of_several_outputs():
    X, y = DIGITS
    model = RegularizedMLPRegressor((8,), max_iter=2).fit(X, np.c_[y, -y])
    assert model.mc_dropout(X, 3).shape == (3, len(X), 2)


def test_samples_of_sparse_and_dense_rows_of_a_centred_network_agree():
    """Dropout also drops zeros, which centring makes other numbers."""
    X, y = DIGITS
    thin = np.where(np.random.default_rng(0).random(X.shape) < 0.7, 0, X)
    values = {"input_dropout": 0.3, "dropout": 0.0, "max_iter": 3, "random_state": 0}
    model = RegularizedMLPRegressor((), **values).fit(thin, y)
    dense, sparsely = (
        model.mc_dropout(table, 2000, 0) for table in (thin[:50], sparse.csr_array(thin[:50]))
    )
    np.testing.assert_allclose(sparsely.std(axis=0), dense.std(axis=0), rtol=0.15)
    error = dense.std(axis=0) / np.sqrt(2000)
    assert np.abs((sparsely.mean(axis=0) - dense.mean(axis=0)) / error).max() < 6


@pytest.mark.parametrize("measure", ["entropy", "mutual_information"])
def test_uncertainty_is_higher_for_classes_that_were_not_learned(measure):
    X, y = DIGITS
    model = RegularizedMLPClassifier(random_state=0).fit(X[y < 5], y[y < 5])
    known, unknown = (
        predictive_uncertainty(model.mc_dropout(part, 100, 0)) for part in (X[y < 5], X[y >= 5])
    )
    assert np.median(getattr(unknown, measure)) > 5 * np.median(getattr(known, measure))


def test_equal_samples_have_entropy_and_no_mutual_information():
    measures = predictive_uncertainty(np.full((3, 1, 4), 0.25))
    np.testing.assert_allclose(measures.entropy, np.log(4))
    np.testing.assert_allclose(measures.mutual_information, 0, atol=1e-12)


def test_samples_that_contradict_each_other_have_mutual_information():
    measures = predictive_uncertainty(np.eye(4)[:, None])
    np.testing.assert_allclose(measures.mean, 0.25)
    np.testing.assert_allclose(measures.mutual_information, np.log(4))


def test_entropy_is_not_negative_if_a_sum_is_rounded_above_one():
    measures = predictive_uncertainty([[[1.0009, 0.0]]])
    assert measures.entropy == measures.mutual_information == 0


# -- bad input ---------------------------------------------------------------------------------


def test_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        RegularizedMLPClassifier().mc_dropout(DIGITS[0])


def test_a_network_without_a_layer_with_dropout_is_refused():
    with pytest.raises(ValueError, match=r"dropout=0\.5 for 0 hidden layers and input_dropout=0"):
        fit_classifier(hidden_layer_sizes=(), dropout=0.5).mc_dropout(DIGITS[0])


def test_a_dropout_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"dropout: expected a rate above 0 .*dropout=0\.0"):
        fit_classifier(dropout=0.0).mc_dropout(DIGITS[0])


def test_a_dropout_that_was_set_to_none_is_refused(default):
    model = copy.deepcopy(default).set_params(dropout=None)
    with pytest.raises(ValueError, match=r"The 'dropout' parameter .* Got None"):
        model.mc_dropout(DIGITS[0])


@pytest.mark.parametrize("n_samples", [0, 2.5, None, True])
def test_a_bad_number_of_samples_is_refused(default, n_samples):
    with pytest.raises(ValueError, match="n_samples: expected an integer >= 1"):
        default.mc_dropout(DIGITS[0], n_samples)


BAD_SAMPLES = {
    "strings": ([[["0.5", "0.5"]]], "samples: expected real numbers; received "),
    "complex": (np.full((1, 1, 2), 0.5 + 0j), "samples: expected real numbers; received "),
    "None": (np.full((1, 1, 2), None), "samples: expected real numbers; received "),
    "two axes": (np.ones((3, 2)), "samples: expected probabilities of shape"),
    "no sample": (np.ones((0, 3, 2)), "samples: expected probabilities of shape"),
    **{
        name: ([[[0.5, 0.5], row]], r"none below 0, that sum to 1 .* received ")
        for name, row in {
            "sum of two": [1.0, 1.0],
            "negative": [-1.0, 2.0],
            "NaN": [np.nan, 1.0],
        }.items()
    },
}


@pytest.mark.parametrize(("samples", "message"), BAD_SAMPLES.values(), ids=BAD_SAMPLES.keys())
def test_bad_samples_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        predictive_uncertainty(samples)


def test_weights_count_samples_as_often():
    samples = np.random.default_rng(0).dirichlet([1, 2, 3], size=(3, 5))
    expected = predictive_uncertainty(samples[[0, 1, 1, 1]])
    for found, value in zip(predictive_uncertainty(samples, [2, 6, 0]), expected, strict=True):
        np.testing.assert_allclose(found, value)


@pytest.mark.parametrize("weights", [[1, 2], [1, -1, 1], [0, 0, 0], [1, np.nan, 1], ["a"] * 3])
def test_weights_are_checked(weights):
    samples = np.full((3, 5, 2), 0.5)
    with pytest.raises(ValueError, match="weights: expected 3 finite numbers"):
        predictive_uncertainty(samples, weights)
