"""Prediction in NumPy: the forward pass, with and without dropout.

Predicting never imports TensorFlow. OpenBLAS uses one thread for products of up to 2^18
multiplications. For larger ones it wakes threads, which keep spinning for about 25 ms. In a search,
which scores one network and trains the next one, they would take the cores that train. So few rows
are multiplied in one thread.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skreg._data.scaling import standardize, standardize_sparse
from skreg._data.statistics import iterate_blocks
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.network import Network

# OpenBLAS's limit: its SMP_THRESHOLD_MIN times GEMM_MULTITHREAD_THRESHOLD.
_SERIAL_MULTIPLICATIONS = 1 << 18
# Up to here one thread takes some three milliseconds in float32.
_MAX_BLOCKED_MULTIPLICATIONS = 1 << 27
# Larger kernels would be multiplied with fewer than 16 rows at a time, up to eight times as slow.
_MAX_BLOCKED_KERNEL = 1 << 14


class DropoutSampler(NamedTuple):
    """Dropout outside of training.

    Attributes
    ----------
    rates : tuple of float
        Of the inputs, then of each hidden layer.
    generator : numpy.random.Generator
    """

    rates: tuple[float, ...]
    generator: np.random.Generator

    def apply(self, values, layer: int):
        """Drop what enters a layer; of a sparse table, some of its stored entries."""
        rate = self.rates[layer]
        if not rate:
            return values
        if not isinstance(values, np.ndarray):
            values = values.copy()
            values.data = self.apply(values.data, layer)
            return values
        keep = self.generator.random(values.shape, dtype=np.float32) >= rate
        return np.where(keep, values * values.dtype.type(1 / (1 - rate)), 0)


def predict_logits(network: Network, X, dtype) -> np.ndarray:
    """Return the logits of a table, of shape (n, q).

    Parameters
    ----------
    network : Network
    X : ndarray or CSR, shape (n, d)
    dtype : numpy.float32 or numpy.float64
        Precision of the result and of the arithmetic.
    """
    return _forward_in_blocks(network, X, dtype, None, 1)[0]


def sample_logits(network: Network, X, dtype, sampler: DropoutSampler, n_samples: int):
    """Return logits with dropout on, of shape (n_samples, n, q); parameters as `predict_logits`."""
    return _forward_in_blocks(network, X, dtype, sampler, n_samples)


def _forward_in_blocks(network, X, dtype, sampler, n_samples) -> np.ndarray:
    kernels = [kernel.astype(dtype, copy=False) for kernel in network.kernels]
    biases = network.biases
    n_rows, n_columns = X.shape
    logits = np.empty((n_samples, n_rows, len(biases[-1])), dtype=dtype)
    in_one_thread = _are_few(n_rows, kernels)
    widest = max(len(kernels[0]) - n_columns, *(kernel.shape[1] for kernel in kernels))
    is_narrow = network.is_sparse and sparse.issparse(X)
    for block in iterate_blocks(n_rows, max(0 if is_narrow else n_columns, widest)):
        enter = _prepare_inputs(network, scale_rows(network, X[block], dtype), sampler)
        for sample in range(n_samples):
            logits[sample, block] = forward(
                enter(), kernels, biases, network.activation, in_one_thread, sampler
            )
    return logits


def scale_rows(network: Network, rows, dtype):
    """Return rows of a table as the network scales them, as CSR if it was trained on CSR."""
    center, scale = network.input_scaling or (None, None)
    if network.is_sparse:
        return standardize_sparse(rows, center, scale).astype(dtype, copy=False)
    rows = rows.toarray() if sparse.issparse(rows) else rows
    # In C order, since BLAS sums otherwise for columns that are contiguous.
    return standardize(rows, center, scale).astype(dtype, order="C", copy=False)


def _prepare_inputs(network: Network, values, sampler):
    """Return a function that returns what enters the first layer, each time after dropout."""
    encoding = network.encoding
    if encoding is None:
        return lambda: values if sampler is None else sampler.apply(values, 0)
    inputs = encoding.extend(values)
    if sampler is None or not sampler.rates[0]:
        return lambda: inputs
    ones = np.ones_like(values)
    return lambda: inputs * encoding.extend_factor(sampler.apply(ones, 0))


def forward(
    inputs,
    kernels,
    biases,
    activation: str,
    in_one_thread: bool = False,
    sampler: DropoutSampler | None = None,
) -> np.ndarray:
    """Return the logits of what enters the first layer, in the precision of `inputs`.

    They are finite for all finite weights and inputs within +-MAX_INPUT.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        logits = _forward(inputs, kernels, biases, activation, in_one_thread, sampler)
    if np.isfinite(logits).all():
        return logits
    # Huge weights, after a training that went wrong. Again in float64, clipped to what one more
    # product with float32's largest numbers can bear, so that no inf - inf makes a NaN.
    wide = [kernel.astype(np.float64) for kernel in kernels]
    inputs_64 = inputs.astype(np.float64)
    logits = _forward(inputs_64, wide, biases, activation, in_one_thread, sampler, largest=1e200)
    return np.clip(logits, -1e30, 1e30).astype(inputs.dtype)


def _forward(inputs, kernels, biases, activation, in_one_thread, sampler, largest=None):
    function = ACTIVATIONS[activation].compute_numpy
    values = inputs
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if sampler is not None and layer > 0:
            values = sampler.apply(values, layer)
        values = _multiply(values, kernel, in_one_thread)
        values += bias
        if layer < len(kernels) - 1:
            values = function(values)
        if largest is not None:
            values = np.clip(values, -largest, largest)
    return values


def _are_few(n_rows: int, kernels) -> bool:
    """Return whether one thread multiplies the rows with each kernel in a few milliseconds."""
    largest = max(kernel.size for kernel in kernels)
    return largest <= _MAX_BLOCKED_KERNEL and n_rows * largest <= _MAX_BLOCKED_MULTIPLICATIONS


def _multiply(values, kernel: np.ndarray, in_one_thread: bool) -> np.ndarray:
    n_rows, step = values.shape[0], max(1, _SERIAL_MULTIPLICATIONS // kernel.size)
    if not in_one_thread or n_rows <= step or not isinstance(values, np.ndarray):
        return values @ kernel  # in as many threads as BLAS likes, or of a sparse table
    whole = n_rows // step * step
    result = np.empty((n_rows, kernel.shape[1]), dtype=np.result_type(values, kernel))
    # A stack of products, each of which BLAS takes for a small one.
    stack = values[:whole].reshape(-1, step, values.shape[1])
    np.matmul(stack, kernel, out=result[:whole].reshape(-1, step, kernel.shape[1]))
    np.matmul(values[whole:], kernel, out=result[whole:])
    return result
