"""Losses.

A loss is one class that says all about itself: its compiled value and derivative, its link, its
NumPy form for scoring, its best constant, its valid targets, how targets are scaled, and its loss
in Keras. To add a regression loss, write the class and add it to `REGRESSION_LOSSES`.

Compiled targets are class codes of shape (b,) for `CategoricalCrossEntropy`, float32 of shape
(b, 1) for `Quantiles`, and float32 of shape (b, q) for every other loss. A loss is a mean over the
q outputs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import optimize, special

from skreg._data.scaling import MAX_RATIO, rescale_outputs
from skreg._data.statistics import (
    Statistics,
    find_weighted_median,
    find_weighted_quantiles,
    measure_numbers,
    measure_robustly,
)
from skreg._nn.links import LINKS
from skreg._tensorflow import tensorflow


class Loss(ABC):
    """Contract of a loss.

    Attributes
    ----------
    name : str
        Of a regression loss, value of the parameter `loss`.
    link : Link
    keras_names : tuple of str
        Classes and functions in ``keras.losses`` that are read as this loss.
    predicts_classes : bool
    defaults : dict of float
        Parameters of the estimator that belong to this loss, with their defaults.
    """

    name: str
    link: Any
    keras_names: tuple[str, ...] = ()
    predicts_classes = False
    defaults: Mapping[str, float] = {}

    @abstractmethod
    def compute(self, logits, targets, parameters: Mapping[str, Any]):
        """Return the loss of each row and its derivative with respect to the logits.

        Parameters
        ----------
        logits : tensor of float32, shape (b, q)
        targets : tensor
        parameters : mapping of str to tensor
            Those of `defaults`, by name; of shape (), or of shape (q,) for `Quantiles`.

        Returns
        -------
        losses : tensor, shape (b,)
        delta : tensor, shape (b, q)
        """

    @abstractmethod
    def to_keras(self, losses: Any, scale: float):
        """Return Keras' loss for unscaled targets, and the factor that converts it to this loss.

        Parameters
        ----------
        losses : module
            ``keras.losses``.
        scale : float
            Scale of the targets.

        Returns
        -------
        loss, weight : keras.losses.Loss and float, or None if Keras has no such loss
        """

    def get_levels(self, parameters: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the quantile level of each output; empty for other losses."""
        return ()

    def is_keras(self, losses: Any, loss: Any) -> bool:
        """Return whether `loss`, an object or a function of Keras, is this loss."""
        known = [getattr(losses, name) for name in self.keras_names]
        return type(loss) in known or loss in known


class ClassLoss(Loss):
    """A loss over classes, whose targets are codes or indicators and have no scale."""

    predicts_classes = True

    @abstractmethod
    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return codes or indicators as the compiled loss takes them."""

    @abstractmethod
    def compute_numpy(self, logits: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the loss of each row, of shape (n,)."""


class BinaryCrossEntropy(ClassLoss):
    """Cross-entropy of outputs that are each true or false: two classes, or several labels."""

    name, link = "binary_cross_entropy", LINKS["logistic"]
    keras_names = (
        "BinaryCrossentropy",
        "BinaryFocalCrossentropy",
        "binary_crossentropy",
        "binary_focal_crossentropy",
    )

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        tf = tensorflow()
        # max(z, 0) - z y + log(1 + exp(-|z|)) is -log sigmoid(+-z) without overflow.
        losses = tf.nn.relu(logits) - logits * targets + tf.math.log1p(tf.exp(-tf.abs(logits)))
        return _average_outputs(losses, tf.sigmoid(logits) - targets)

    def encode(self, values):
        """Return float32 columns of zeros and ones."""
        return values.reshape(len(values), -1).astype(np.float32)

    def compute_numpy(self, logits, values):
        """Return the mean over outputs of -log p, or of -log(1 - p)."""
        values = values.reshape(len(values), -1)
        losses = -special.log_expit(np.where(values, logits, -logits))
        return losses[:, 0] if losses.shape[1] == 1 else losses.mean(axis=1)

    def to_keras(self, losses, scale):
        """Return Keras' loss of probabilities."""
        return losses.BinaryCrossentropy(), 1.0


class CategoricalCrossEntropy(ClassLoss):
    """Cross-entropy of classes that exclude each other, one logit each."""

    name, link = "categorical_cross_entropy", LINKS["softmax"]
    keras_names = (
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "SparseCategoricalCrossentropy",
        "categorical_crossentropy",
        "categorical_focal_crossentropy",
        "sparse_categorical_crossentropy",
    )

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        tf = tensorflow()
        y = tf.one_hot(targets, logits.shape[1], dtype=tf.float32)
        shifted = logits - tf.reduce_max(logits, axis=1, keepdims=True)
        exps = tf.exp(shifted)
        total = tf.reduce_sum(exps, axis=1, keepdims=True)
        losses = tf.math.log(total[:, 0]) - tf.reduce_sum(y * shifted, axis=1)
        return losses, exps / total - y

    def encode(self, values):
        """Return int32 codes."""
        return values.astype(np.int32)

    def compute_numpy(self, logits, values):
        """Return -log p of the class of each row."""
        return -self.link.log_predict(logits)[np.arange(len(values)), values]

    def to_keras(self, losses, scale):
        """Return Keras' loss of probabilities and codes."""
        return losses.SparseCategoricalCrossentropy(), 1.0


class RegressionLoss(Loss):
    """A regression loss, whose targets are learned on a scale of their own.

    Attributes
    ----------
    min_target : float
        Smallest valid target.
    combines : bool
        Whether the statistics of two tables combine to those of all their rows.
    takes_several_columns : bool
        Whether the targets may have several columns.
    l2_of_one_row : float
        ``l2="auto"`` is this number divided by the number of rows, up to a limit; see
        docs/decisions/0030-automatic-strength.md.
    """

    link = LINKS["identity"]
    min_target = -math.inf
    combines = True
    takes_several_columns = True
    l2_of_one_row = 3.0

    def choose_form(self, parameters: Mapping[str, Any]) -> RegressionLoss:
        """Return this loss, or its form for several numbers.

        Raises a ValueError for several numbers that only another loss reads.
        """
        for name, value in parameters.items():
            if isinstance(value, tuple) and name not in self.defaults:
                raise ValueError(
                    f"{name}: expected one number with loss={self.name!r}; received {value!r}. "
                    f"Several numbers need loss={_find_loss_with(name)!r}."
                )
        return self

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Raise a ValueError for parameters that the loss is not defined for."""

    @abstractmethod
    def compute_numpy(self, predictions, targets, **parameters) -> np.ndarray:
        """Return the loss of each row as a mean over outputs, of shape (n,).

        Both arrays are divided by the targets' scale, and of shape (n, q).
        """

    @abstractmethod
    def find_constant(self, targets: np.ndarray, shares: np.ndarray, **parameters) -> np.ndarray:
        """Return the logits of the best constant prediction, of shape (q,).

        Parameters
        ----------
        targets : ndarray of float64, shape (n, q)
            As the loss takes them.
        shares : ndarray of float64, shape (n,)
            Weights of the rows. They sum to 1.
        **parameters : float or tuple of float
            Those of `defaults`.
        """

    def check_targets(self, values: np.ndarray, name: str = "y") -> None:
        """Raise a ValueError for targets that the loss is not defined for."""
        if values.shape[1] > 1 and not self.takes_several_columns:
            raise ValueError(
                f"{name}: expected one column with several quantiles; received "
                f"{values.shape[1]} columns. Fit one model for each column."
            )
        if self.min_target > -math.inf and values.min() < self.min_target:
            raise ValueError(
                f"{name}: expected numbers >= {self.min_target:g} with loss={self.name!r}; "
                f"received {values.min():g} as the smallest one."
            )

    def measure_targets(self, values, indices, weight) -> Statistics:
        """Return location and spread of the targets of merged rows."""
        return measure_numbers(values, indices, weight)

    def get_center_and_scale(self, statistics: Statistics) -> tuple[np.ndarray, np.ndarray]:
        """Return c and s of predictions ``c + s * link(logit)``, each of shape (q,).

        The scale of a constant target is 0, so that it is predicted exactly.
        """
        return statistics.center, np.where(statistics.constant, 0.0, statistics.scale)

    def recover_statistics(self, center, scale) -> Statistics:
        """Return statistics of no rows with this center and scale."""
        return Statistics(0.0, center, scale)

    def rescale_outputs(self, kernel, bias, old, new):
        """Return the last layer for another center and scale, so that it predicts the same.

        `old` and `new` are pairs as `get_center_and_scale` returns them.
        """
        return rescale_outputs(kernel, bias, old, new)


class ErrorLoss(RegressionLoss):
    """A loss that is a function of the error, which is prediction minus target."""

    def compute_numpy(self, predictions, targets, **parameters):
        """Return the loss of each row; see `RegressionLoss.compute_numpy`."""
        return self._compute_numpy(predictions - targets, **parameters).mean(axis=1)

    @abstractmethod
    def _compute_numpy(self, error: np.ndarray, **parameters) -> np.ndarray:
        """Return the loss of each output, of the shape of `error`."""

    def find_constant(self, targets, shares, **parameters):
        """Search the minimum of each output's loss, which is convex in the prediction."""

        def search(column):
            def measure(constant):
                return shares @ self._compute_numpy(constant - column, **parameters)

            bounds = column.min(), column.max()
            return optimize.minimize_scalar(measure, bounds=bounds, method="bounded").x

        return np.array([search(column) for column in targets.T])


class SquaredError(ErrorLoss):
    """(f - y)^2, without the 1/2 of MLPRegressor: the mean squared error as it is reported."""

    name = "squared_error"
    keras_names = ("MeanSquaredError", "mean_squared_error")

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        error = logits - targets
        return _average_outputs(error * error, 2.0 * error)

    def _compute_numpy(self, error):
        return error**2

    def find_constant(self, targets, shares):
        """Return the mean."""
        return shares @ targets

    def to_keras(self, losses, scale):
        """Return the mean squared error, whose unit is the square of the targets'."""
        return losses.MeanSquaredError(), 1 / scale**2


class RobustLoss(ErrorLoss):
    """A loss that outliers hardly move. Its targets are scaled by medians.

    With one target in twenty at 1e7, the mean and the standard deviation would make one value of
    all others. Medians of two tables do not combine, so a stream keeps those of its first batch.
    """

    combines = False

    def measure_targets(self, values, indices, weight):
        """Return median and median absolute deviation."""
        return measure_robustly(values, indices, weight)


class AbsoluteError(RobustLoss):
    """|f - y|, whose best constant is the median."""

    name = "absolute_error"
    keras_names = ("MeanAbsoluteError", "mean_absolute_error")

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        tf = tensorflow()
        error = logits - targets
        return _average_outputs(tf.abs(error), tf.sign(error))

    def _compute_numpy(self, error):
        return np.abs(error)

    def find_constant(self, targets, shares):
        """Return the median."""
        return np.array([find_weighted_median(column, shares) for column in targets.T])

    def to_keras(self, losses, scale):
        """Return the mean absolute error, whose unit is the targets'."""
        return losses.MeanAbsoluteError(), 1 / scale


class Huber(RobustLoss):
    """Half the squared error up to 1, then the absolute error less 1/2 (Keras' Huber(delta=1))."""

    name = "huber"
    # Half of that of the squared error, as the loss near 0 is.
    l2_of_one_row = 1.5
    # Of any delta: Keras 3.15 does not write it into a file. Ours is one standard unit.
    keras_names = ("Huber", "huber")

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        tf = tensorflow()
        error = logits - targets
        slope = tf.clip_by_value(error, -1.0, 1.0)
        # slope (error - slope / 2) is e^2 / 2 inside and |e| - 1/2 outside.
        return _average_outputs(slope * (error - 0.5 * slope), slope)

    def _compute_numpy(self, error):
        slope = error.clip(-1, 1)
        return slope * (error - slope / 2)

    def to_keras(self, losses, scale):
        """Return Huber's loss that bends at one standard unit."""
        return losses.Huber(delta=scale), 1 / scale**2


class LogCosh(RobustLoss):
    """log(cosh(f - y)): about half the squared error near 0, and |f - y| - log(2) far away."""

    name = "log_cosh"
    # Half of that of the squared error, as the loss near 0 is.
    l2_of_one_row = 1.5
    keras_names = ("LogCosh", "log_cosh")

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        tf = tensorflow()
        error = logits - targets
        # |e| + log(1 + exp(-2 |e|)) - log(2) does not overflow.
        size = tf.abs(error)
        losses = size + tf.math.log1p(tf.exp(-2.0 * size)) - math.log(2.0)
        return _average_outputs(losses, tf.tanh(error))

    def _compute_numpy(self, error):
        return np.logaddexp(error, -error) - np.log(2.0)

    def to_keras(self, losses, scale):
        """Return Keras' loss of unscaled targets: it has no parameter for another unit."""
        return (losses.LogCosh(), 1.0) if scale == 1 else None


class Quantile(RobustLoss):
    """The pinball loss, whose best constant is the quantile (Koenker and Bassett 1978)."""

    name = "quantile"
    # Half of that of the absolute error, which is twice the loss of the median.
    l2_of_one_row = 1.5
    defaults = {"quantile": 0.5}

    def choose_form(self, parameters):
        """Return `Quantiles` for several levels."""
        is_one = isinstance(parameters["quantile"], float)
        return self if is_one else LOSSES["quantiles"]

    def check_parameters(self, parameters):
        """Raise a ValueError for levels that are not ascending numbers in (0, 1)."""
        levels = np.atleast_1d(parameters["quantile"])
        # A NaN is not above what comes before it.
        if not len(levels) or not (np.diff([0.0, *levels, 1.0]) > 0).all():
            raise ValueError(
                "quantile: expected one number in (0, 1), or several that are strictly "
                f"ascending; received {parameters['quantile']!r}."
            )

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        tf = tensorflow()
        error, quantile = logits - targets, parameters["quantile"]
        slope = tf.where(error > 0.0, 1.0 - quantile, -quantile)
        slope = tf.where(error == 0.0, 0.0, slope)
        return _average_outputs(slope * error, slope)

    def _compute_numpy(self, error, *, quantile):
        return np.maximum((1 - quantile) * error, -quantile * error)

    def find_constant(self, targets, shares, *, quantile):
        """Return the quantile of each column, or all quantiles of the one column."""
        levels = np.atleast_1d(quantile)
        return np.concatenate(
            [find_weighted_quantiles(column, shares, levels) for column in targets.T]
        )

    def to_keras(self, losses, scale):
        """Return None: Keras has no such loss."""
        return None


class Quantiles(Quantile):
    """The mean pinball loss of several levels, each with an output of its own.

    The network is trained on its logits. Predictions are the logits in ascending order.
    """

    name, link, takes_several_columns = "quantiles", LINKS["sorted"], False
    # The mean over levels is smaller than the loss of the median, since outer levels have less.
    l2_of_one_row = 0.75

    def get_levels(self, parameters):
        """Return the levels."""
        return parameters["quantile"]

    def _compute_numpy(self, error, *, quantile):
        return super()._compute_numpy(error, quantile=np.asarray(quantile))


class Poisson(RegressionLoss):
    """exp(f) - y f, half the Poisson deviance apart from what depends on y alone; log link."""

    name, link, min_target = "poisson", LINKS["exp"], 0.0
    keras_names = ("Poisson", "poisson")

    def compute(self, logits, targets, parameters):
        """Return losses and derivative; see `Loss.compute`."""
        mean = tensorflow().exp(logits)
        return _average_outputs(mean - targets * logits, mean - targets)

    def compute_numpy(self, predictions, targets):
        """Return the loss of each row; see `RegressionLoss.compute_numpy`."""
        limits = np.finfo(np.float64)  # 0 and infinity have no finite loss
        predictions = np.clip(predictions, limits.tiny, limits.max)
        return (predictions - targets * np.log(predictions)).mean(axis=1)

    def find_constant(self, targets, shares):
        """Return the logarithm of the mean."""
        return np.log(np.maximum(shares @ targets, np.finfo(np.float64).tiny))

    def get_center_and_scale(self, statistics):
        """Return zeros and the means: counts are divided by their mean."""
        center, constant = statistics.center, statistics.constant
        return np.where(constant, center, 0.0), np.where(constant, 0.0, center)

    def recover_statistics(self, center, scale):
        """Return statistics of no rows with this mean."""
        offsets = center[scale > 0]
        if offsets.any():
            raise ValueError(
                f"from_keras: expected no offset after an exponential; received {offsets[:5]}."
            )
        return Statistics(0.0, np.where(scale > 0, scale, center), scale)

    def rescale_outputs(self, kernel, bias, old, new):
        """Return the last layer with the logarithm of the scales' ratio in the bias."""
        has_scales = (old[1] > 0) & (new[1] > 0)  # else the target was or is constant
        old_scale, new_scale = (np.where(has_scales, pair[1], 1.0) for pair in (old, new))
        shift = np.log(old_scale) - np.log(new_scale)
        # As in `rescale_outputs`: nothing is known of a target that lay far away.
        is_known = np.abs(shift) <= math.log(MAX_RATIO)
        return kernel, (bias + np.where(is_known, shift, 0.0)).astype(np.float32)

    def to_keras(self, losses, scale):
        """Return Keras' Poisson loss, whose unit is the targets'."""
        return losses.Poisson(), 1 / scale


def _average_outputs(losses, delta):
    n_outputs = losses.shape[1]
    return tensorflow().reduce_sum(losses, axis=1) / n_outputs, delta / n_outputs


CLASS_LOSSES: dict[str, ClassLoss] = {
    loss.name: loss for loss in (BinaryCrossEntropy(), CategoricalCrossEntropy())
}
REGRESSION_LOSSES: dict[str, RegressionLoss] = {
    loss.name: loss
    for loss in (
        SquaredError(),
        AbsoluteError(),
        Huber(),
        LogCosh(),
        Quantile(),
        Poisson(),
    )
}
_OTHER_FORMS = (Quantiles(),)  # which `RegressionLoss.choose_form` returns
LOSSES: dict[str, Any] = {
    **CLASS_LOSSES,
    **REGRESSION_LOSSES,
    **{loss.name: loss for loss in _OTHER_FORMS},
}

# The loss of a network that is read from Keras without a loss that is known here.
DEFAULT_LOSSES = {"identity": "squared_error", "sorted": "quantile", "exp": "poisson"}


def _find_loss_with(parameter: str) -> str:
    """Return the name of the first loss that reads a parameter."""
    return next(name for name, loss in REGRESSION_LOSSES.items() if parameter in loss.defaults)


def choose_class_loss(n_classes: int, is_multilabel: bool) -> ClassLoss:
    """Return the loss of labels: binary for two classes and for several labels per row."""
    is_binary = is_multilabel or n_classes == 2
    return CLASS_LOSSES["binary_cross_entropy" if is_binary else "categorical_cross_entropy"]


def find_class_loss(link: str) -> ClassLoss:
    """Return the one loss over classes with this link."""
    (loss,) = (loss for loss in CLASS_LOSSES.values() if loss.link.name == link)
    return loss
