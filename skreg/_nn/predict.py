"""TODO."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skreg._nn.activations import _NUMPY

# OpenBLAS multiplies in one thread up to this many multiplications (its SMP_THRESHOLD_MIN times
# GEMM_MULTITHREAD_THRESHOLD). Beyond, its threads wake, and spin for some 25 ms afterwards: in a
# search, which scores one network and trains the next one, on the cores that train.
_SERIAL = 1 << 18


# Up to here one thread takes some three milliseconds in float32; in parts of fewer rows than 16, as
# of kernels larger than these, up to eight times as long.
_FEW, _LARGEST_KERNEL = 1 << 27, 1 << 14


def are_few(n_rows: int, kernels) -> bool:
    """Whether one thread multiplies so many rows with each kernel in a few milliseconds."""
    largest = max(kernel.size for kernel in kernels)
    return largest <= _LARGEST_KERNEL and n_rows * largest <= _FEW


def numpy_logits(inputs, kernels, biases, activation: str, few: bool = False, masks=None):
    """Logits in the precision of `inputs`: the network that predicts.

    Finite for all finite weights and inputs within +-LARGEST_INPUT.

    Parameters
    ----------
    inputs : ndarray or CSR, shape (n, d)
    kernels, biases : sequence of ndarray
    activation : str
    few : bool
        Whether the table, of which these rows may be a block, `are_few` rows: they are then
        multiplied in one thread.
    masks : NumpyMasks, default=None
        None has no dropout.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        logits = _numpy_forward(inputs, kernels, biases, activation, few, masks)
    if np.isfinite(logits).all():
        return logits
    # Huge weights, of a training that went wrong: again in float64, held within what one more
    # product with float32's largest numbers can bear, so that no inf - inf makes a NaN.
    wide = [kernel.astype(np.float64) for kernel in kernels]
    inputs_64 = inputs.astype(np.float64)
    logits = _numpy_forward(inputs_64, wide, biases, activation, few, masks, most=1e200)
    return np.clip(logits, -1e30, 1e30).astype(inputs.dtype)


class NumpyMasks(NamedTuple):
    """Dropout outside of training: rates of the inputs and of each hidden layer."""

    rates: tuple[float, ...]
    generator: np.random.Generator

    def dropped(self, values, layer: int):
        """Inverted dropout of what enters a layer; of a sparse table, of its stored entries."""
        rate = self.rates[layer]
        if not rate:
            return values
        if not isinstance(values, np.ndarray):
            values = values.copy()
            values.data = self.dropped(values.data, layer)
            return values
        keep = self.generator.random(values.shape, dtype=np.float32) >= rate
        return np.where(keep, values * values.dtype.type(1 / (1 - rate)), 0)


def _product(values, kernel: np.ndarray, few: bool) -> np.ndarray:
    """The product of the rows with the kernel, in one thread if they are few."""
    n_rows, step = values.shape[0], max(1, _SERIAL // kernel.size)
    if not few or n_rows <= step or not isinstance(values, np.ndarray):
        return values @ kernel  # in as many threads as BLAS likes, or of a sparse table
    whole = n_rows // step * step
    result = np.empty((n_rows, kernel.shape[1]), dtype=np.result_type(values, kernel))
    # A stack of products, each of which BLAS takes for a small one.
    stack = values[:whole].reshape(-1, step, values.shape[1])
    np.matmul(stack, kernel, out=result[:whole].reshape(-1, step, kernel.shape[1]))
    np.matmul(values[whole:], kernel, out=result[whole:])
    return result


def _numpy_forward(inputs, kernels, biases, activation, few, masks, most=None):
    function = _NUMPY[activation]
    values = inputs
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if masks is not None:
            values = masks.dropped(values, layer)
        values = _product(values, kernel, few)
        values += bias
        if layer < len(kernels) - 1:
            values = function(values)
        if most is not None:
            values = np.clip(values, -most, most)
    return values
