"""Monte-Carlo dropout: the moments that theory gives, and what the measures mean."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import NotFittedError

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor, predictive_uncertainty

DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def classifier(**changes):
    values = {"hidden_layer_sizes": (32,), "max_iter": 10, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes}).fit(*DIGITS)


def test_samples_of_a_linear_layer_have_the_moments_of_inverted_dropout():
    """With input dropout p, a sum of w x has the mean w x and the variance p / (1 - p) (w x)^2."""
    X, y = DIABETES
    model = RegularizedMLPRegressor(
        (), input_dropout=0.3, standardize=False, max_iter=50, random_state=0
    ).fit(X, y)
    samples = model.mc_dropout(X, n_samples=4000, random_state=1)
    assert samples.shape == (4000, len(X))
    terms = X * model.coefs_[0][:, 0]
    deviation = np.sqrt(0.3 / 0.7 * (terms**2).sum(axis=1))
    error = (samples.mean(axis=0) - model.predict(X)) / (deviation / np.sqrt(4000))
    assert np.abs(error).max() < 5
    np.testing.assert_allclose(samples.std(axis=0), deviation, rtol=0.1)


def test_each_row_and_sample_has_masks_of_its_own():
    model = classifier(dropout=0.5, activation="tanh")  # no unit is dead
    same = np.repeat(DIGITS[0][:1], 50, axis=0)
    samples = model.mc_dropout(same, n_samples=40, random_state=0)
    assert samples.shape == (40, 50, 10)
    assert len(np.unique(samples[..., 0])) == 40 * 50
    np.testing.assert_allclose(samples.sum(axis=2), 1)


def test_a_seed_gives_the_same_samples_and_none_gives_others():
    model, X = classifier(), DIGITS[0][:20]
    first = model.mc_dropout(X, 5, random_state=3)
    np.testing.assert_array_equal(model.mc_dropout(X, 5, random_state=3), first)
    assert (model.mc_dropout(X, 5, random_state=4) != first).any()
    assert model.mc_dropout(X.astype(np.float32), 5).dtype == np.float32


def test_small_rates_give_the_network_without_dropout():
    model, X = classifier(), DIGITS[0]
    model.set_params(dropout=1e-7)
    np.testing.assert_allclose(model.mc_dropout(X, 1, 0)[0], model.predict_proba(X), atol=1e-5)


def test_sparse_rows_and_several_labels_and_outputs():
    X, y = DIGITS
    model = RegularizedMLPClassifier((8,), max_iter=2, random_state=0)
    labels = np.c_[y > 4, y % 2 == 0].astype(int)
    assert model.fit(X, labels).mc_dropout(X, 3).shape == (3, len(X), 2)
    thin = sparse.csr_array(X)
    model.set_params(input_dropout=0.2).fit(thin, y)
    assert model.mc_dropout(thin, 3).shape == (3, len(X), 10)
    numbers = RegularizedMLPRegressor((8,), max_iter=2).fit(X, np.c_[y, -y])
    assert numbers.mc_dropout(X, 3).shape == (3, len(X), 2)


def test_sparse_rows_of_a_centred_network_are_dropped_as_dense_ones():
    """Also their zeros, which centring makes other numbers: moments as of the dense table."""
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


def test_uncertainty_rises_on_what_was_not_learned():
    X, y = DIGITS
    model = RegularizedMLPClassifier(random_state=0).fit(X[y < 5], y[y < 5])
    known, new = (
        predictive_uncertainty(model.mc_dropout(part, 100, 0)) for part in (X[y < 5], X[y >= 5])
    )
    assert np.median(new.entropy) > 5 * np.median(known.entropy)
    assert np.median(new.mutual_information) > 5 * np.median(known.mutual_information)


def test_the_measures_of_samples_that_agree_and_that_do_not():
    unsure = np.full((3, 1, 4), 0.25)
    measures = predictive_uncertainty(unsure)
    np.testing.assert_allclose(measures.entropy, np.log(4))
    np.testing.assert_allclose(measures.mutual_information, 0, atol=1e-12)
    torn = np.eye(4)[:, None]
    measures = predictive_uncertainty(torn)
    np.testing.assert_allclose(measures.mean, 0.25)
    np.testing.assert_allclose(measures.mutual_information, np.log(4))


def test_sums_that_rounding_takes_beyond_one_have_no_entropy_below_zero():
    found = predictive_uncertainty([[[1.0009, 0.0]]])
    assert found.entropy == found.mutual_information == 0


def test_bad_input_is_refused():
    with pytest.raises(NotFittedError):
        RegularizedMLPClassifier().mc_dropout(DIGITS[0])
    model = classifier(dropout=0.0)
    with pytest.raises(ValueError, match=r"dropout=0\.5 for 0 hidden layers and input_dropout=0"):
        classifier(hidden_layer_sizes=(), dropout=0.5).mc_dropout(DIGITS[0])
    with pytest.raises(ValueError, match=r"dropout: expected a rate above 0 .*dropout=0\.0"):
        model.mc_dropout(DIGITS[0])
    for n_samples in (0, 2.5, None, True):
        with pytest.raises(ValueError, match="n_samples: expected an integer >= 1"):
            classifier().mc_dropout(DIGITS[0], n_samples)
    with pytest.raises(ValueError, match=r"dropout: expected one number .*received None"):
        classifier().set_params(dropout=None).mc_dropout(DIGITS[0])
    for samples in ([[["0.5", "0.5"]]], np.full((1, 1, 2), 0.5 + 0j), np.full((1, 1, 2), None)):
        with pytest.raises(ValueError, match="samples: expected real numbers; received "):
            predictive_uncertainty(samples)
    for samples in (np.ones((3, 2)), np.ones((0, 3, 2))):
        with pytest.raises(ValueError, match="samples: expected probabilities of shape"):
            predictive_uncertainty(samples)
    for row in ([1.0, 1.0], [-1.0, 2.0], [np.nan, 1.0]):
        with pytest.raises(ValueError, match=r"none below 0, that sum to 1 .* received "):
            predictive_uncertainty([[[0.5, 0.5], row]])
