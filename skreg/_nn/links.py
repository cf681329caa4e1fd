"""Links, which lead from logits to predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy import special


class Link(ABC):
    """From logits to predictions.

    Attributes
    ----------
    name : str
        Value of `out_activation_`.
    keras_name : str
        Keras' name of the function.
    sorts : bool
        Whether the outputs of a row are sorted after this function.
    """

    name: str
    keras_name: str
    sorts = False

    @abstractmethod
    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Return the predictions, of the shape of the logits."""

    @abstractmethod
    def add_to_onnx(self, graph, logits: str, n_outputs: int) -> str:
        """Add the function to a `skreg.onnx` graph. Return the name of its tensor."""


class IdentityLink(Link):
    """The logits themselves."""

    name, keras_name = "identity", "linear"

    def predict(self, logits):
        """Return the logits."""
        return logits

    def add_to_onnx(self, graph, logits, n_outputs):
        """Return the logits."""
        return logits


class SortedLink(Link):
    """The logits of each row in ascending order, for quantiles, which must not cross.

    Sorting never raises the pinball loss (Chernozhukov, Fernández-Val and Galichon 2010).
    """

    name, keras_name, sorts = "sorted", "linear", True

    def predict(self, logits):
        """Return the logits of each row in ascending order."""
        return np.sort(logits, axis=-1)

    def add_to_onnx(self, graph, logits, n_outputs):
        """Add a sort, as all of the least values."""
        count = np.array([n_outputs], np.int64)
        return graph.add("TopK", logits, count, axis=-1, largest=0, sorted=1, n_outputs=2)


class ExponentialLink(Link):
    """exp(logits), for positive means."""

    name, keras_name = "exp", "exponential"

    def predict(self, logits):
        """Return exp(logits), which may overflow."""
        return np.exp(logits)

    def add_to_onnx(self, graph, logits, n_outputs):
        """Add exp(logits), in float64, since float32 ends at exp(88)."""
        return graph.add("Exp", graph.cast(logits, np.float64))


class ClassLink(Link):
    """From logits to probabilities.

    Attributes
    ----------
    sums_to_one : bool
        Whether the outputs are classes that exclude each other.
    """

    sums_to_one: bool

    @abstractmethod
    def log_predict(self, logits: np.ndarray) -> np.ndarray:
        """Return the logarithm of `predict`, finite for every finite logit."""

    @abstractmethod
    def average(self, logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return logits of the mean probabilities over the first axis.

        Parameters
        ----------
        logits : ndarray of shape (m, b, q)
        shares : ndarray of shape (m,) or (m, n_classes)
            Of sum 1 over the first axis. With weights of each class, the means of classes that
            exclude each other are divided by their sum.
        """

    @abstractmethod
    def invert(self, probabilities: np.ndarray, least: float) -> np.ndarray:
        """Return logits of probabilities, which are brought to at least `least` from 0 and 1."""

    def add_scores_to_onnx(self, graph, logits: str, n_outputs: int) -> str:
        """Add a score of each class, as `decision_function` has them; of one output for both."""
        if self.sums_to_one or n_outputs > 1:
            return logits
        return graph.concatenate([graph.add("Neg", logits), logits])

    @abstractmethod
    def invert_in_onnx(self, graph, probabilities: str) -> str:
        """Add a score of each class, given the probabilities in float32."""


class LogisticLink(ClassLink):
    """The probability of each output on its own."""

    name, keras_name, sums_to_one = "logistic", "sigmoid", False

    def predict(self, logits):
        """Return 1 / (1 + exp(-logits))."""
        return special.expit(logits)

    def log_predict(self, logits):
        """Return the logarithm of `predict`."""
        return special.log_expit(logits)

    def average(self, logits, shares):
        """Return log(mean p) - log(mean (1 - p))."""
        wide = logits.astype(np.float64, copy=False)
        no_shares = yes_shares = shares
        if shares.ndim == 2 and shares.shape[1] != logits.shape[2]:  # two classes, of one logit
            no_shares, yes_shares = np.split(shares, 2, axis=1)
        functions = special.expit, special.log_expit
        yes = _log_average(*functions, wide, yes_shares)
        no = _log_average(*functions, -wide, no_shares)
        return (yes - no).astype(logits.dtype)

    def invert(self, probabilities, least):
        """Return log(p / (1 - p))."""
        return special.logit(probabilities.clip(least, 1 - least))

    def add_to_onnx(self, graph, logits, n_outputs):
        """Add sigmoids; of one output those of both classes."""
        return graph.add("Sigmoid", self.add_scores_to_onnx(graph, logits, n_outputs))

    def invert_in_onnx(self, graph, probabilities):
        """Add log(p) - log(1 - p)."""
        others = graph.add("Sub", np.float32(1.0), probabilities)
        yes, no = (_add_log_to_onnx(graph, part) for part in (probabilities, others))
        return graph.add("Sub", yes, no)


class SoftmaxLink(ClassLink):
    """The probability of each class, of classes that exclude each other."""

    name, keras_name, sums_to_one = "softmax", "softmax", True

    # scipy.special.softmax and log_softmax give the same bits but take 11 to 20 microseconds more
    # for one row, which is an eighth of `predict`.
    def predict(self, logits):
        """Return the probabilities, which sum to one in each row."""
        exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
        exps /= exps.sum(axis=-1, keepdims=True)
        return exps

    def log_predict(self, logits):
        """Return the logarithm of `predict`."""
        shifted = logits - logits.max(axis=-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    def average(self, logits, shares):
        """Return log(mean p)."""
        wide = logits.astype(np.float64, copy=False)
        average = _log_average(self.predict, self.log_predict, wide, shares)
        if shares.ndim == 2:
            average = self.log_predict(average)
        return average.astype(logits.dtype)

    def invert(self, probabilities, least):
        """Return log(p)."""
        return np.log(probabilities.clip(least))

    def add_to_onnx(self, graph, logits, n_outputs):
        """Add a softmax."""
        return graph.add("Softmax", logits, axis=-1)

    def invert_in_onnx(self, graph, probabilities):
        """Add log(p)."""
        return _add_log_to_onnx(graph, probabilities)


def _add_log_to_onnx(graph, values: str) -> str:
    least = np.finfo(np.float32).tiny
    return graph.add("Log", graph.add("Clip", values, least, np.float32(1.0)))


def log_shares(shares: np.ndarray) -> np.ndarray:
    """Return log(shares), finite for 0, as a constant of an exported model."""
    with np.errstate(divide="ignore"):
        return np.log(shares).clip(-1e30)


# Smaller probabilities have fewer digits in float64.
_MIN_PRECISE = 1e-300


def _log_average(predict, log_predict, logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return log(mean p) over the first axis, given p and log(p) as functions of the logits."""
    if shares.ndim == 1:
        mean = np.tensordot(shares, predict(logits), axes=1)
        if mean.min() >= _MIN_PRECISE:
            return np.log(mean)
    # By logarithms, which takes five times as long.
    weights = shares.reshape(len(shares), 1, -1)
    return special.logsumexp(log_predict(logits), axis=0, b=weights)


LINKS: dict[str, Any] = {
    link.name: link
    for link in (IdentityLink(), SortedLink(), ExponentialLink(), LogisticLink(), SoftmaxLink())
}
