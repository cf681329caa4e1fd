"""The periodic embedding of numeric columns (the PBLD of Holzmueller et al. 2024).

A column x becomes z_f = cos(2 pi w_f x + b_f) for 16 frequencies w_f and phases b_f, and a linear
map of them to three numbers, which stand beside the column. All of it is trained, without penalty
and decay.

References
----------
.. [1] D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs and
   Boosted Trees on Tabular Data", NeurIPS 2024.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from skreg._nn.encoding import Encoding, pad_vector
from skreg._nn.inputs import EncodedInputs, compute_positions, select_columns
from skreg._tensorflow import tensorflow, view_as_tensor

N_FREQUENCIES, N_OUTPUTS = 16, 3
_FREQUENCY_DEVIATION = 0.1

# sin(pi r) / r and cos(pi r) as polynomials of r ** 2, for r within +-1/2; errors below 5e-8.
_SINE = (3.14159264, -5.16771008, 2.55007752, -0.59829129, 0.07765766)
_COSINE = (0.99999995, -4.93479283, 4.05841135, -1.33187657, 0.21968961)
# The same for the sine by its Taylor series; errors below 1e-15.
_SINE_64 = tuple((-1) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(11))
_WAVES_AT_ONCE = 1 << 15  # 256 KiB in float64, which stay in the cache


@dataclass(frozen=True, eq=False)
class PeriodicEncoding(Encoding):
    """Frequencies, phases and the linear map of each encoded column.

    Attributes
    ----------
    columns : ndarray of int32, shape (n_encoded,)
        Index of each encoded column.
    frequencies, phases : ndarray of float32, shape (n_encoded, 16)
        In cycles per unit of the standardised column, and in radians.
    kernels : ndarray of float32, shape (n_encoded, 16, 3)
    biases : ndarray of float32, shape (n_encoded, 3)
    """

    name = "periodic"
    keras_layers = "periodic_waves", "periodic_map"
    frequencies: np.ndarray
    phases: np.ndarray
    kernels: np.ndarray
    biases: np.ndarray

    @classmethod
    def initialize(cls, columns, find_quantiles, generator):
        """Draw frequencies, phases and maps."""
        shape, limit = (len(columns), N_FREQUENCIES), 1 / math.sqrt(N_FREQUENCIES)
        frequencies = generator.normal(0.0, _FREQUENCY_DEVIATION, shape)
        phases = generator.uniform(-math.pi, math.pi, shape)
        kernels = generator.uniform(-limit, limit, (*shape, N_OUTPUTS))
        biases = np.zeros((len(columns), N_OUTPUTS))
        parts = (part.astype(np.float32) for part in (frequencies, phases, kernels, biases))
        return cls(columns.astype(np.int32), *parts)

    @property
    def sources(self):
        """Each column three times."""
        return np.repeat(self.columns, N_OUTPUTS)

    def name_outputs(self, names):
        """Return the names of the columns with numbers, from 1 on."""
        numbers = range(1, N_OUTPUTS + 1)
        return [f"{names[k]}_periodic_{number}" for k in self.columns for number in numbers]

    def encode(self, values):
        """Return three numbers for each column.

        Rows are the last axis of all intermediate arrays, so that a few rows take few operations
        and many are contiguous. One frequency is added after the other, so that the order of a sum
        never changes.
        """
        dtype, n_encoded = values.dtype, len(self.columns)
        frequencies = self.frequencies.T[:, :, None].astype(dtype)
        phases = self.phases.T[:, :, None].astype(np.float64) / (2 * math.pi)
        phases = phases.astype(dtype)
        kernels = self.kernels.transpose(1, 2, 0)[:, :, :, None].astype(dtype)
        encoded = np.empty((len(values), n_encoded, N_OUTPUTS), dtype)
        step = max(1, _WAVES_AT_ONCE // max(1, n_encoded * N_FREQUENCIES))
        for start in range(0, len(values), step):
            rows = slice(start, start + step)
            columns = np.ascontiguousarray(values[rows, self.columns].T)
            turns = frequencies * columns
            turns += phases
            turns -= np.rint(turns)
            waves = _compute_cosines(turns)
            outputs = waves[0] * kernels[0]
            for wave, kernel in zip(waves[1:], kernels[1:], strict=True):
                outputs += wave * kernel
            encoded[rows] = outputs.transpose(2, 1, 0)
        encoded += self.biases.astype(dtype)
        return encoded.reshape(len(values), -1)

    def make_layer(self, n_columns):
        """Return the layer of the compiled program."""
        return PeriodicInputs(n_columns, _pad_columns(len(self.columns)))

    def get_parameters(self):
        """Return maps, frequencies, phases and biases, in the order of `PeriodicInputs`."""
        n_padded = _pad_columns(len(self.columns))
        parts = (self.kernels.transpose(2, 0, 1), self.frequencies[None], self.phases[None])
        stacked = np.zeros((N_OUTPUTS + 2, n_padded, N_FREQUENCIES), np.float32)
        stacked[:, : len(self.columns)] = np.concatenate(parts)
        biases = pad_vector(self.biases.ravel(), n_padded * N_OUTPUTS)
        return np.concatenate([stacked.ravel(), biases])

    def replace_parameters(self, parameters):
        """Return the encoding with other numbers, given as in `get_parameters`."""
        n_encoded, n_padded = len(self.columns), _pad_columns(len(self.columns))
        end = (N_OUTPUTS + 2) * n_padded * N_FREQUENCIES
        stacked = parameters[:end].reshape(N_OUTPUTS + 2, n_padded, N_FREQUENCIES)[:, :n_encoded]
        return replace(
            self,
            kernels=stacked[:N_OUTPUTS].transpose(1, 2, 0).copy(),
            frequencies=stacked[N_OUTPUTS].copy(),
            phases=stacked[N_OUTPUTS + 1].copy(),
            biases=parameters[end:].reshape(n_padded, N_OUTPUTS)[:n_encoded].copy(),
        )

    def rescale(self, ratio, shift):
        """Return the same waves in other units."""
        ratio, shift = ratio[self.columns, None], shift[self.columns, None]
        turns = self.phases / (2 * math.pi) + self.frequencies * shift
        phases = 2 * math.pi * (turns - np.rint(turns))
        return replace(
            self,
            frequencies=(self.frequencies * ratio).astype(np.float32),
            phases=phases.astype(np.float32),
        )

    def apply_in_keras(self, keras, columns, dtype):
        """Return the linear map of the waves. The weights have the units that they have here."""
        layers, (waves, linear), n_encoded = keras.layers, self.keras_layers, len(self.columns)
        angles = layers.EinsumDense(
            "bn,nf->bnf", (n_encoded, N_FREQUENCIES), bias_axes="nf", name=waves, dtype=dtype
        )(layers.Rescaling(2 * math.pi, name="periodic_angle", dtype=dtype)(columns))
        encoded = layers.EinsumDense(
            "bnf,nfk->bnk", (n_encoded, N_OUTPUTS), bias_axes="nk", name=linear, dtype=dtype
        )(keras.ops.cos(angles))
        return layers.Reshape((n_encoded * N_OUTPUTS,), name="periodic", dtype=dtype)(encoded)

    def add_to_onnx(self, graph, values):
        """Add the linear map of the waves, as a product of each column."""
        columns = graph.take_columns(values, self.columns)
        columns = graph.add("Unsqueeze", columns, np.array([2], np.int64))
        turns = graph.add("Mul", columns, self.frequencies.astype(np.float64))
        turns = graph.add("Add", turns, self.phases.astype(np.float64) / (2 * math.pi))
        turns = graph.cast(graph.add("Sub", turns, graph.add("Round", turns)), np.float32)
        waves = graph.add("Cos", graph.add("Mul", turns, np.float32(2 * math.pi)))
        by_column = graph.add("Transpose", waves, perm=[1, 0, 2])
        by_column = graph.add("MatMul", by_column, self.kernels)
        by_row = graph.add("Transpose", by_column, perm=[1, 0, 2])
        encoded = graph.add("Add", by_row, self.biases)
        return graph.add("Reshape", encoded, np.array([0, self.n_outputs], np.int64))

    def get_keras_weights(self):
        """Return frequencies and phases, and the maps with their biases."""
        waves, linear = self.keras_layers
        return {
            waves: [self.frequencies, self.phases],
            linear: [self.kernels, self.biases],
        }

    @classmethod
    def from_keras(cls, columns, layers):
        """Return the encoding with the weights of the layers."""
        weights = [weight for name in cls.keras_layers for weight in layers[name].get_weights()]
        frequencies, phases, kernels, biases = (
            np.asarray(weight).astype(np.float32) for weight in weights
        )
        return cls(columns, frequencies, phases, kernels, biases)


def _compute_cosines(turns: np.ndarray) -> np.ndarray:
    """Return cos(2 pi turns), for turns within +-1/2.

    In float64 as 1 - 2 sin(pi turns)**2 by a Taylor series, which is exact up to rounding: NumPy
    has no vector code for that cosine, as it has in float32.
    """
    if turns.dtype == np.float32:
        return np.cos(np.float32(2 * math.pi) * turns)
    square = turns * turns
    sine = square * _SINE_64[-1]
    for coefficient in reversed(_SINE_64[1:-1]):  # in place, which `_evaluate` is not
        sine += coefficient
        sine *= square
    sine += _SINE_64[0]
    sine *= turns
    return 1.0 - 2.0 * sine * sine


def _pad_columns(n_encoded: int) -> int:
    """Round the encoded columns up to a multiple of 4, so that few shapes exist.

    At least 8, since products with fewer than 16 outputs may have other bits with other threads.
    """
    return max(8, -(-n_encoded // 4) * 4)


class PeriodicTensors(NamedTuple):
    """A table, and which of its columns are encoded."""

    values: Any  # float32, shape (padded rows, n_columns)
    columns: Any  # int32, shape (n_encoded,)
    one: Any  # 1.0, a value that the program does not know


@dataclass(frozen=True)
class PeriodicInputs(EncodedInputs):
    """Dense rows and the periodic embedding of their columns.

    The vector of parameters has the maps, of shape (3, n_encoded, 16), frequencies and phases of
    shape (n_encoded, 16), and biases of shape (n_encoded, 3). Padded columns are zero, and stay so,
    since their rows of the first kernel are.

    Attributes
    ----------
    n_encoded : int
        Encoded columns, padding included.
    """

    @property
    def n_inputs(self) -> int:
        """Columns and encoded inputs."""
        return self.n_columns + N_OUTPUTS * self.n_encoded

    @property
    def n_parameters(self) -> int:
        """Numbers of maps, frequencies, phases and biases."""
        return ((N_OUTPUTS + 2) * N_FREQUENCIES + N_OUTPUTS) * self.n_encoded

    def to_tensors(self, table, encoding=None):
        """Return a `PeriodicTensors`."""
        columns = pad_vector(encoding.columns, self.n_encoded)
        tf = tensorflow()
        return PeriodicTensors(view_as_tensor(table.values), tf.constant(columns), tf.constant(1.0))

    def make_batch(self, table, rows, compute_mask=None, scale=1.0, parameters=None):
        """Return a `PeriodicBatch`."""
        tf = tensorflow()
        size, n_waves = rows.shape[0], self.n_encoded * N_FREQUENCIES
        end = N_OUTPUTS * n_waves
        maps = tf.reshape(parameters[:end], (N_OUTPUTS, n_waves))
        frequencies = parameters[end : end + n_waves]
        phases = parameters[end + n_waves : end + 2 * n_waves]
        rows_of_table = tf.gather(table.values, rows)
        columns = _repeat(select_columns(rows_of_table, table.columns))
        waves = _compute_waves(columns * frequencies + phases * (0.5 / math.pi))
        cosine, sine = (_compute_once(wave, table.one) for wave in waves)
        # As products of a column each, since XLA's own sums are slower.
        by_column = tf.reshape(cosine, (size, self.n_encoded, N_FREQUENCIES))
        kernels = tf.reshape(maps, (N_OUTPUTS, self.n_encoded, N_FREQUENCIES))
        encoded = tf.matmul(tf.transpose(by_column, (1, 0, 2)), tf.transpose(kernels, (1, 2, 0)))
        encoded = tf.reshape(tf.transpose(encoded, (1, 0, 2)), (size, -1))
        encoded += parameters[end + 2 * n_waves :]
        factor = None
        if compute_mask is not None:
            is_kept = compute_mask(compute_positions(rows, self.n_columns))
            column_factor = tf.where(is_kept, scale, 0.0)
            sources = tf.repeat(table.columns, N_OUTPUTS)
            factor = select_columns(column_factor, sources)
            rows_of_table, encoded = rows_of_table * column_factor, encoded * factor
        inputs = tf.concat([rows_of_table, encoded], axis=1)
        return PeriodicBatch(inputs, columns, cosine, sine, maps, factor, table.one)


class PeriodicBatch(NamedTuple):
    """Inputs of the first layer, and what the gradients of their parameters need."""

    values: Any  # after dropout, shape (b, n_inputs)
    columns: Any  # each encoded column 16 times, shape (b, n_encoded * 16), as the next two
    cosine: Any
    sine: Any
    maps: Any  # shape (3, n_encoded * 16)
    factor: Any  # of dropout, for the encoded inputs, shape (b, n_encoded * 3); or None
    one: Any  # as in `PeriodicTensors`

    def matmul(self, kernel):
        """Return the batch times the kernel, of shape (b, h)."""
        return tensorflow().matmul(self.values, kernel)

    def matmul_transposed(self, delta):
        """Return the transpose of the batch times delta (b, h)."""
        return tensorflow().matmul(self.values, delta, transpose_a=True)

    def compute_gradients(self, delta, kernel) -> list:
        """Return the gradients in the order of the parameters.

        Parameters
        ----------
        delta : tensor, shape (b, h)
            Derivative with respect to the first layer's ``z``.
        kernel : tensor, shape (n_inputs, h)
        """
        tf = tensorflow()
        n_encoded = self.columns.shape[1] // N_FREQUENCIES
        first = kernel.shape[0] - n_encoded * N_OUTPUTS
        encoded_gradient = tf.matmul(delta, kernel[first:], transpose_b=True)
        if self.factor is not None:
            encoded_gradient = _compute_once(encoded_gradient * self.factor, self.one)
        outputs = tf.reshape(encoded_gradient, (-1, n_encoded, N_OUTPUTS))
        output_gradients = [_repeat(outputs[:, :, k]) for k in range(N_OUTPUTS)]
        wave_gradient = tf.add_n([part * self.maps[k] for k, part in enumerate(output_gradients)])
        phase_gradient = -wave_gradient * self.sine
        frequency_gradient = phase_gradient * self.columns * (2 * math.pi)
        map_gradients = [part * self.cosine for part in output_gradients]
        ones = tf.ones((1, delta.shape[0]))
        # Column sums as a product, as in `mlp`.
        summed = tf.matmul(
            ones, tf.concat([*map_gradients, frequency_gradient, phase_gradient], axis=1)
        )[0]
        return [summed, tf.matmul(ones, encoded_gradient)[0]]


def _compute_once(values, one):
    """Return the values, as a quotient.

    XLA computes sums and products again in every loop that uses them, but not quotients. Dividing
    by a 1 that is unknown to it saves a third of a step.
    """
    return values / one


def _repeat(columns):
    """Return each column (b, n) as often as there are frequencies, of shape (b, n * 16)."""
    tf = tensorflow()
    size, n_columns = columns.shape
    repeated = tf.broadcast_to(columns[:, :, None], (size, n_columns, N_FREQUENCIES))
    return tf.reshape(repeated, (size, n_columns * N_FREQUENCIES))


def _compute_waves(turns):
    """Return cos(2 pi turns) and sin(2 pi turns).

    By polynomials, and the formulas for twice an angle: XLA's own functions take four times as
    long.
    """
    rest = turns - tensorflow().round(turns)
    square = rest * rest
    sine, cosine = _evaluate(_SINE, square) * rest, _evaluate(_COSINE, square)
    return 1.0 - 2.0 * sine * sine, 2.0 * sine * cosine


def _evaluate(coefficients, x):
    """Return a polynomial, given its coefficients from the constant on."""
    *others, result = coefficients
    for coefficient in reversed(others):
        result = result * x + coefficient
    return result
