"""Penalties on the kernels, and decoupled weight decay. Biases are never penalised.

A penalty is one class: its value, its gradient and its name in Keras. To add one, write the class
and add it to `PENALTIES`; its strength is the estimators' parameter of the same name. The strength
is a tensor of the compiled program, so another value compiles nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from skreg._tensorflow import tensorflow


class Penalty(ABC):
    """Contract of a penalty.

    Attributes
    ----------
    name : str
        Parameter of the estimators that holds the strength.
    keras_class, keras_name : str or None, default=None
        Regulariser of Keras, and its argument of ``regularizers.L1L2``. None if Keras has no such
        penalty; Keras has L1 and L2 only.
    optional : bool, default=True
        Whether a program leaves the penalty out where all strengths are zero. A penalty that is
        searched over stays in, so that zero and the other strengths share one program.
    """

    name: str
    keras_class: str | None = None
    keras_name: str | None = None
    optional = True

    @abstractmethod
    def compute_value(self, kernel, strength):
        """Return the penalty as a tensor of shape ()."""

    @abstractmethod
    def compute_gradient(self, kernel, strength):
        """Return the derivative of `compute_value` with respect to the kernel."""


class L2(Penalty):
    """``strength * sum(kernel ** 2)``, as Keras' ``regularizers.L2``: no 1/2 and no 1/n.

    The gradient is added to that of the loss, so adam rescales it (coupled decay).
    """

    name, keras_class, keras_name = "l2", "L2", "l2"
    optional = False

    def compute_value(self, kernel, strength):
        """Return the weighted sum of squares."""
        return strength * sum_squares(kernel)

    def compute_gradient(self, kernel, strength):
        """Return ``2 * strength * kernel``."""
        return 2.0 * strength * kernel


class L1(Penalty):
    """``strength * sum(abs(kernel))``, as Keras' ``regularizers.L1``.

    The gradient at zero is zero. Gradient steps make weights small but not exactly zero.
    """

    name, keras_class, keras_name = "l1", "L1", "l1"

    def compute_value(self, kernel, strength):
        """Return the weighted sum of absolute values."""
        tf = tensorflow()
        return strength * tf.reduce_sum(tf.abs(kernel))

    def compute_gradient(self, kernel, strength):
        """Return ``strength * sign(kernel)``."""
        return strength * tensorflow().sign(kernel)


# At least one is not optional, so a program never has none.
PENALTIES: dict[str, Penalty] = {penalty.name: penalty for penalty in (L2(), L1())}


def select_penalties(strengths: Mapping[str, tuple[float, ...]]) -> tuple[str, ...]:
    """Return the names of the penalties that a program needs for these strengths."""
    return tuple(
        name for name, penalty in PENALTIES.items() if any(strengths[name]) or not penalty.optional
    )


def sum_squares(tensor):
    """Return the sum of the squared entries."""
    return tensorflow().reduce_sum(tensor * tensor)


def decay_kernel(kernel, rate, learning_rate):
    """Return the kernel after decoupled decay, which adam does not rescale.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """
    return kernel * (1.0 - learning_rate * rate)


def to_keras_regularizer(regularizers: Any, strengths: Mapping[str, float]):
    """Return the regulariser of one Dense layer, or None.

    Parameters
    ----------
    regularizers : module
        ``keras.regularizers``.
    strengths : mapping of str to float
        Strength of each penalty, by name.
    """
    used = {PENALTIES[name]: strength for name, strength in strengths.items() if strength}
    if not used:
        return None
    arguments: dict[str, float] = {}
    for penalty, strength in used.items():
        if penalty.keras_class is None or penalty.keras_name is None:
            raise ValueError(
                f"to_keras: expected penalties that Keras has; received {penalty.name!r} with the "
                f"strength {strength:g}. Set {penalty.name}=0 to export the network."
            )
        arguments[penalty.keras_name] = strength
        kind = penalty.keras_class if len(used) == 1 else "L1L2"
    return getattr(regularizers, kind)(**arguments)


def from_keras_regularizer(regularizers: Any, regularizer: Any) -> dict[str, float] | None:
    """Return the strength of each penalty, or None if a penalty is not known here."""
    classes = [penalty.keras_class for penalty in PENALTIES.values() if penalty.keras_class]
    known = [getattr(regularizers, name) for name in (*classes, "L1L2")]
    if regularizer is not None and type(regularizer) not in known:
        return None
    return {
        name: float(getattr(regularizer, penalty.keras_name or "", 0.0))
        for name, penalty in PENALTIES.items()
    }
