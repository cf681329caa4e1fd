"""Prediction of one table by several networks, whose predictions are combined.

Networks with the same scaling and encoding, such as those of one fold, share the prepared rows. The
networks then run one by one. A stack of them would be faster for a few rows only (decision 33).

Rows are combined in blocks, so that the logits of all networks never stand side by side for a large
table. Threads process blocks of rows, and BLAS computes each product of a block in one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skreg._data.statistics import iterate_blocks
from skreg._nn.network import Network
from skreg._nn.predict import forward, scale_rows

# Products with larger kernels are left to BLAS and its threads. Up to here the products of few
# rows that BLAS computes in one thread are as fast.
_MAX_SERIAL_KERNEL = 1 << 16
# Up to here one thread takes about two milliseconds, and others would hardly shorten it.
_SINGLE_THREAD_MULTIPLICATIONS = 1 << 25


class Member(NamedTuple):
    """A network, and the table to predict, encoded for this network.

    Attributes
    ----------
    network : Network
    X : ndarray or CSR, shape (n, d)
        The same object for members with the same columns.
    """

    network: Network
    X: Any


class _Group(NamedTuple):
    """Members whose first layers take the same inputs."""

    X: Any
    network: Network  # one of them
    indices: list[int]


def predict_members(
    members: Sequence[Member],
    dtype,
    combine: Callable[[list[np.ndarray]], np.ndarray],
    n_threads: int,
) -> np.ndarray:
    """Return the predictions of several networks, combined.

    Parameters
    ----------
    members : sequence of Member
    dtype : numpy.float32 or numpy.float64
        Precision of the arithmetic.
    combine : callable
        From the logits of each member, of shape (b, q), to an array whose first axis has the rows.
        It is called in threads, for one block of rows after the other.
    n_threads : int
        Maximum number of threads for a large table.
    """
    kernels = [[k.astype(dtype, copy=False) for k in m.network.kernels] for m in members]
    groups, n_rows = _group_members(members), members[0].X.shape[0]
    sizes = [kernel.size for member_kernels in kernels for kernel in member_kernels]
    in_one_thread = max(sizes) <= _MAX_SERIAL_KERNEL
    if not in_one_thread or n_rows * sum(sizes) <= _SINGLE_THREAD_MULTIPLICATIONS:
        n_threads = 1

    def predict(block: slice) -> np.ndarray:
        logits: list[Any] = [None] * len(members)
        for group in groups:
            inputs = scale_rows(group.network, group.X[block], dtype)
            if group.network.encoding is not None:
                inputs = group.network.encoding.extend(inputs)
            for k in group.indices:
                network = members[k].network
                logits[k] = forward(
                    inputs, kernels[k], network.biases, network.activation, in_one_thread
                )
        return combine(logits)

    blocks = list(iterate_blocks(n_rows, max(map(_count_widest, members)), n_threads))
    if n_threads == 1 or len(blocks) == 1:
        return np.concatenate([predict(block) for block in blocks])
    with ThreadPoolExecutor(n_threads) as threads:
        return np.concatenate(list(threads.map(predict, blocks)))


def _group_members(members: Sequence[Member]) -> list[_Group]:
    groups: dict[tuple, _Group] = {}
    for k, member in enumerate(members):
        key = (id(member.X), *member.network.inputs_key)
        groups.setdefault(key, _Group(member.X, member.network, [])).indices.append(k)
    return list(groups.values())


def _count_widest(member: Member) -> int:
    """Return the most values of a row at any layer. Those of a sparse table do not count."""
    kernels = member.network.kernels
    is_narrow = member.network.is_sparse and sparse.issparse(member.X)
    return max(0 if is_narrow else len(kernels[0]), *(kernel.shape[1] for kernel in kernels))
