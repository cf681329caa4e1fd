"""Should the networks of an ensemble be predicted as one stack, or one by one?

Networks of one shape with periodic encodings, the slowest ones of a default ensemble, are trained
on a made-up table of 20 columns. skreg predicts with one network after the other. The stack has one
array of the weights of each layer, and one product for all networks. Both use one thread and return
the mean logits.

    python benchmarks/choose_stacking.py [--quick]
"""

from __future__ import annotations

import numpy as np
from _measure import interleaved, median_seconds, parse_arguments, print_header, print_table
from _tables import dense_table
from threadpoolctl import threadpool_limits

from skreg import RegularizedMLPClassifierCV
from skreg._nn.members import Member, predict_members
from skreg._nn.predict import scale_rows

N_NETWORKS, N_COLUMNS = 30, 20


def train_networks(n_networks: int) -> list:
    """Return networks of several candidates on five folds, which share one shape."""
    X, y = dense_table(500, N_COLUMNS)
    search = RegularizedMLPClassifierCV(
        dropouts=[0.0],
        l2s=np.geomspace(1e-4, 1e-2, n_networks // 5),
        candidates=[{"numerical_encoding": ["periodic"]}],
        refit="ensemble",
        max_iter=2,
        random_state=0,
    ).fit(X, y)
    networks = [estimator._network for estimator in search.estimators_]
    return (networks * n_networks)[:n_networks]


class Stack:
    """The weights of several networks, an array each, with the networks along the first axis."""

    def __init__(self, networks: list):
        self.networks = networks
        encodings = [network.encoding for network in networks]
        self.columns = encodings[0].columns
        # Waves: (m, 16, columns, 1); maps: (m, columns, 3, 16).
        self.frequencies = self._stack(e.frequencies.T[:, :, None] for e in encodings)
        self.phases = self._stack(e.phases.T[:, :, None] for e in encodings) / (2 * np.pi)
        self.maps = self._stack(e.kernels.transpose(0, 2, 1) for e in encodings)
        self.shifts = self._stack(e.biases[:, :, None] for e in encodings)
        layers = range(len(networks[0].kernels))
        self.kernels = [self._stack(n.kernels[layer] for n in networks) for layer in layers]
        self.biases = [self._stack(n.biases[layer][None] for n in networks) for layer in layers]

    @staticmethod
    def _stack(arrays) -> np.ndarray:
        return np.stack([array.astype(np.float64) for array in arrays])

    def predict(self, X) -> np.ndarray:
        """Return the mean logits, after ReLUs in the hidden layers."""
        scaled = np.stack([scale_rows(network, X, np.float64) for network in self.networks])
        turns = self.frequencies * scaled[:, :, self.columns].transpose(0, 2, 1)[:, None]
        turns += self.phases
        waves = np.cos(2 * np.pi * turns)
        # (m, columns, 3, 16) @ (m, columns, 16, n)
        encoded = self.maps @ waves.transpose(0, 2, 1, 3) + self.shifts
        encoded = encoded.reshape(len(scaled), -1, len(X)).transpose(0, 2, 1)
        values = np.concatenate([scaled, encoded], axis=2)
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ kernel + bias, 0)
        return (values @ self.kernels[-1] + self.biases[-1]).mean(axis=0)


def predict_one_by_one(networks: list, X) -> np.ndarray:
    """Return the mean logits as an ensemble computes them."""
    members = [Member(network, X) for network in networks]
    return predict_members(members, np.float64, lambda logits: sum(logits) / len(logits), 1)


def main():
    """Print the times for 1, 100 and 1,000 rows."""
    question = __doc__.splitlines()[0]
    arguments = parse_arguments(question)
    print_header(question)
    networks = train_networks(10 if arguments.quick else N_NETWORKS)
    stack = Stack(networks)
    rows = []
    with threadpool_limits(1):
        for size in (1, 100, 1000):
            X = dense_table(size, N_COLUMNS, seed=1)[0].astype(np.float64)
            ways = {
                "one by one": lambda X=X: predict_one_by_one(networks, X),
                "stacked": lambda X=X: stack.predict(X),
            }
            np.testing.assert_allclose(*(predict() for predict in ways.values()), atol=1e-6)
            medians = median_seconds(interleaved(ways, 5 if arguments.quick else 21))
            milliseconds = [1000 * wall for wall, _ in medians.values()]
            rows.append([f"{size:,}", *milliseconds, milliseconds[1] / milliseconds[0]])
    print_table(["rows", "one by one, ms", "stacked, ms", "ratio"], rows)


if __name__ == "__main__":
    main()
