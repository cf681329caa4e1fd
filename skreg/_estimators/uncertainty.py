"""What samples of probabilities say about how sure a network is.

Owns the measures. Does not own how samples are drawn: the estimators' `mc_dropout` does that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import entr


class Uncertainty(NamedTuple):
    """Summary of sampled probabilities, by row."""

    mean: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray


def predictive_uncertainty(samples):
    """Sum up sampled class probabilities: their mean, its entropy, and how much they disagree.

    The entropy of the mean has two parts: the mean entropy of the samples, which is what classes
    that overlap leave open, and the mutual information of class and network, which is what more
    data would settle; it is near zero where all samples say the same, however unsure they are.

    Parameters
    ----------
    samples : array-like of shape (n_samples, n_rows, n_classes)
        Of `RegularizedMLPClassifier.mc_dropout`; for several labels a row those of one label,
        ``np.stack([1 - p, p], axis=-1)``.

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
        If `samples` are no finite numbers, not of three axes, not of one sample at least, or no
        probabilities that sum to 1 over the classes.

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
    mean = samples.mean(axis=0)
    entropy = entr(mean).sum(axis=1)
    of_samples = entr(samples).sum(axis=2).mean(axis=0)
    # Of sums that rounding takes a little beyond 1 both may be below zero.
    return Uncertainty(mean, np.maximum(entropy, 0), np.maximum(entropy - of_samples, 0))
