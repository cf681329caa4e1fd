"""The one door to TensorFlow: when it is imported, how quietly, and by which process.

Owns the import, the holding back of its start-up lines, the size of its thread pool in a worker
process, the device, that the interpreter's end waits for threads that are inside, and the refusal
to run in a process forked after TensorFlow was used, or to compile where the system has no room.
Changes nothing else in the process. No other module of skreg imports tensorflow or keras.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from types import ModuleType

import numpy as np

_MAPS_OF_A_PROGRAM = 1000  # twice the most that was measured

# The end of the interpreter waits so long for threads, far longer than any program compiled.
_LANDING_SECONDS = 90.0

_import_lock = threading.RLock()
# Set in a child that was forked from a process with TensorFlow in it, whoever had imported it.
_forked = False


def _note_fork() -> None:
    global _forked
    _forked = _forked or "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

# The lines with which TensorFlow's C++ parts greet; anything else is the user's and is passed on.
_GREETING = re.compile(
    rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |[IWE]\d{4} \d\d:\d\d:\d\d|[IWE]0000 |"
    rb"WARNING: All log messages before absl::InitializeLog|To enable the following instructions)"
)


def _flush() -> None:
    if sys.stderr is not None:  # as under pythonw
        sys.stderr.flush()


@contextlib.contextmanager
def _quiet_start() -> Iterator[None]:
    """Hold back what TensorFlow writes to file descriptor 2; show it if the body fails.

    Lines that are not TensorFlow's (another thread may write meanwhile) are written afterwards.
    """
    _flush()
    with tempfile.TemporaryFile() as held:
        try:
            kept_open = os.dup(2)
        except OSError:  # no file descriptor for standard error
            yield
            return
        failed = True
        os.dup2(held.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            _flush()
            os.dup2(kept_open, 2)
            os.close(kept_open)
            held.seek(0)
            for line in held:
                if failed or not _GREETING.match(line):
                    os.write(2, line)


def _share_of_threads() -> int | None:
    """Threads that a parent process left to this worker, or None in a process of its own."""
    is_worker = multiprocessing.current_process().name != "MainProcess"
    share = os.environ.get("OMP_NUM_THREADS", "")
    return int(share) if is_worker and share.isdigit() and int(share) > 0 else None


@functools.cache
def _imported() -> ModuleType:
    already = "tensorflow" in sys.modules
    if importlib.util.find_spec("tensorflow") is None:
        raise ModuleNotFoundError(
            "Expected the package 'tensorflow', with which networks are trained and go to Keras; "
            "it is missing. `pip install tensorflow` brings it. Predicting does not need it.",
            name="tensorflow",
        )
    with _quiet_start():
        import tensorflow as tf

        share = _share_of_threads()
        if share is not None and not already:
            tf.config.threading.set_intra_op_parallelism_threads(share)
            tf.config.threading.set_inter_op_parallelism_threads(share)
        # The context, XLA and its kernel emitter greet when first used, so use them here, once.
        with tf.device("/CPU:0"):
            tf.function(tf.tanh, jit_compile=True, autograph=False)(tf.zeros(()))
    return tf


def tensorflow() -> ModuleType:
    """Return the tensorflow module, imported on the first call.

    Raises
    ------
    RuntimeError
        If this process was forked from one that had imported TensorFlow: its threads did not come
        along, so that the first operation would wait for ever.
    """
    if _forked:
        raise RuntimeError(
            "This process was forked from one that had already imported TensorFlow, which "
            "does not survive a fork. Expected a process of its own: use joblib's 'loky' or "
            "'threading' backend, or multiprocessing's 'spawn' or 'forkserver' start method. "
            "Predicting does not need TensorFlow and works here."
        )
    with _import_lock:
        return _imported()


def on_cpu():
    """Context in which tensors and programs are placed on the CPU, whatever else there is.

    A network for a table is too small to gain from another device.

    Raises
    ------
    RuntimeError
        Inside a graph of TensorFlow's, whose tensors have no values.
    """
    if not tensorflow().executing_eagerly():
        raise RuntimeError(
            "Expected a fit outside of tf.function and tf.Graph; received a call inside of one."
        )
    return tensorflow().device("/CPU:0")


_in_flight: set[InFlight] = set()


class InFlight:
    """Context of a thread that calls TensorFlow again and again, until `is_ending`.

    A thread that comes back from TensorFlow to an interpreter that has ended aborts the process, as
    those of a search may that was interrupted while they compiled. So the end waits for those that
    are inside, but not for a daemon thread that begins one fit after the other.
    """

    is_ending = False

    def __enter__(self) -> InFlight:
        _in_flight.add(self)
        return self

    def __exit__(self, *error) -> None:
        _in_flight.discard(self)


@atexit.register
def _land() -> None:
    deadline = time.monotonic() + _LANDING_SECONDS
    while _in_flight and time.monotonic() < deadline:
        for flight in tuple(_in_flight):
            flight.is_ending = True
        time.sleep(0.01)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_flight.clear)  # threads do not come along


def check_room_for_a_program(n_programs: int) -> None:
    """Refuse to compile what Linux would abort the process for.

    XLA maps each kernel of a program on its own (216 to 495 maps a program were measured), and
    never unmaps them; beyond vm.max_map_count, 65,530 by default, LLVM ends the process.

    Raises
    ------
    RuntimeError
        If there may be no room for one more program.
    """
    try:
        with open("/proc/self/maps") as maps, open("/proc/sys/vm/max_map_count") as limit:
            room = int(limit.read()) - sum(1 for _ in maps)
    except OSError:  # not Linux
        return
    if room < _MAPS_OF_A_PROGRAM:
        raise RuntimeError(
            f"This process has compiled {n_programs} programs, one for each combination of layers, "
            "activation, solver, loss, batch size and bucket of rows, and the system lets it map "
            "no more memory. Expected fewer combinations in one process: search them in worker "
            "processes (joblib's 'loky' backend), or raise the system's vm.max_map_count."
        )


def zero_copy(array: np.ndarray):
    """Return a tensor over the memory of a C-contiguous, 64-byte aligned array."""
    return tensorflow().experimental.dlpack.from_dlpack(array.__dlpack__())
