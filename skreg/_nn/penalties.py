"""Penalties on the kernels: L2 in the loss, and decoupled weight decay.

Owns the value and the gradient of ``strength * sum(kernel ** 2)`` and the factor by which decoupled
decay shrinks a kernel. Does not know layers, losses or solvers; biases never come here.

To add a penalty, write its value and its gradient as two functions of (kernel, strength) here, give
`Hyperparameters` its strength, and add both where `_program` calls the L2 ones; the strength has to
stay a tensor, so that another value does not compile again.
"""

from __future__ import annotations

from skreg._tensorflow import tensorflow


def l2_value(kernel, strength):
    """``strength * sum(kernel ** 2)``, as Keras' ``regularizers.L2``: no 1/2, no 1/n."""
    return strength * tensorflow().reduce_sum(kernel * kernel)


def l2_gradient(kernel, strength):
    """Gradient of `l2_value`; added to that of the loss, so adam rescales it (coupled)."""
    return 2.0 * strength * kernel


def decayed(kernel, rate, learning_rate):
    """A kernel after decoupled decay (Loshchilov and Hutter 2019), which adam does not rescale."""
    return kernel * (1.0 - learning_rate * rate)
