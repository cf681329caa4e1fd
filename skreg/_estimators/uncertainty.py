"""Measures of uncertainty, from sampled probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import entr


class Uncertainty(NamedTuple):
    """Summary of sampled probabilities, by row.

    Attributes
    ----------
    mean : ndarray of shape (n_rows, n_classes)
        Mean probabilities.
    entropy : ndarray of shape (n_rows,)
        Entropy of the mean, in nats.
    mutual_information : ndarray of shape (n_rows,)
        Mutual information of class and network, in nats.
    """

    mean: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray


def predictive_uncertainty(samples, weights=None):
    """Summarise sampled class probabilities: their mean, its entropy, and their disagreement.

    The entropy of the mean has two parts. The mean entropy of the samples comes from classes that
    overlap. The mutual information of class and network is what more data would reduce: it is near
    zero where all samples agree, even if each of them is uncertain.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_rows, n_classes)
        From `mc_dropout` of a classifier, or from `member_predictions` of a search, whose networks
        disagree without dropout. For several labels per row, pass one label at a time:
        ``np.stack([1 - p, p], axis=-1)``.
    weights : array-like of shape (n_samples,), default=None
        Weights of the samples, for example `estimator_weights_` of an ensemble. If None, all
        samples have the same weight.

    Returns
    -------
    mean : ndarray of shape (n_rows, n_classes)
        Mean probabilities.
    entropy : ndarray of shape (n_rows,)
        Predictive entropy in nats, from 0 to ``log(n_classes)``.
    mutual_information : ndarray of shape (n_rows,)
        In nats, from 0 to the entropy.

    Raises
    ------
    ValueError
        If `samples` are not finite numbers of three axes with at least one sample, or not
        probabilities that sum to 1 over the classes. If `weights` are not numbers >= 0 with a
        positive sum, one for each sample.

    References
    ----------
    .. [1] Y. Gal, Z. Ghahramani, "Dropout as a Bayesian Approximation: Representing Model
       Uncertainty in Deep Learning", ICML 2016.
    .. [2] N. Houlsby, F. Huszar, Z. Ghahramani, M. Lengyel, "Bayesian Active Learning for
       Classification and Preference Learning", arXiv:1112.5745, 2011.

    Examples
    --------
    >>> from skreg import predictive_uncertainty
    >>> sure, torn = [[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
    >>> predictive_uncertainty([sure, sure]).mutual_information.round(3)
    array([0., 0.])
    >>> predictive_uncertainty([sure, torn]).mutual_information.round(3)
    array([0.   , 0.216])
    """
    samples = np.asarray(samples)
    if samples.dtype.kind not in "fiub":
        raise ValueError(f"samples: expected real numbers; received {samples.dtype}.")
    if samples.ndim != 3 or not len(samples):
        raise ValueError(
            "samples: expected probabilities of shape (n_samples, n_rows, n_classes), one sample "
            f"at least; received an array of shape {samples.shape}."
        )
    sums = samples.sum(axis=2)
    wrong = ~(np.isclose(sums, 1, atol=1e-3) & (samples >= 0).all(axis=2))
    if wrong.any():
        raise ValueError(
            "samples: expected probabilities, none below 0, that sum to 1 over the classes; "
            f"received {samples[wrong][0][:5]}, of the sum {sums[wrong][0]:.4g}."
        )
    weights = _check_weights(weights, len(samples))
    mean = np.average(samples, axis=0, weights=weights)
    entropy = entr(mean).sum(axis=1)
    sample_entropy = np.average(entr(samples).sum(axis=2), axis=0, weights=weights)
    # Rounding can make sums exceed 1 by a little, and both measures fall below zero.
    return Uncertainty(mean, np.maximum(entropy, 0), np.maximum(entropy - sample_entropy, 0))


def _check_weights(weights, n_samples: int) -> np.ndarray | None:
    """Return the weights in units of the largest one; None for None."""
    if weights is None:
        return None
    weights = np.asarray(weights)
    is_valid = weights.dtype.kind in "fiub" and weights.shape == (n_samples,)
    if not is_valid or not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
        raise ValueError(
            f"weights: expected {n_samples} finite numbers >= 0, one for each sample, that are not "
            f"all zero; received {weights!r}."
        )
    return weights / weights.max()
