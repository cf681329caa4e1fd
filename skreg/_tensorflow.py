"""The one import of TensorFlow: lazy, quiet, without Keras, and refused in a forked process.

Besides, it sets the size of the thread pool in a worker process, selects the CPU, lets the end of
the interpreter wait for threads inside TensorFlow, and refuses to compile where the system has no
room. Nothing else in the process is changed.
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
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np

_MAPS_PER_PROGRAM = 1000  # twice the most that was measured

# The end of the interpreter waits this long for threads; every program compiled in far less.
_WAIT_SECONDS = 90.0

_import_lock = threading.RLock()
# Set in a child that was forked from a process in which TensorFlow was imported.
_forked = False


def _note_fork() -> None:
    global _forked
    _forked = _forked or "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

# Lines that TensorFlow's C++ code writes when it starts. Other lines are the user's.
_STARTUP_LINE = re.compile(
    rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |[IWE]\d{4} \d\d:\d\d:\d\d|[IWE]0000 |"
    rb"WARNING: All log messages before absl::InitializeLog|To enable the following instructions)"
)


def _flush() -> None:
    # Standard error is None under pythonw, and may be closed or an object with `write` only.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sys.stderr.flush()


@contextlib.contextmanager
def _hold_back_startup_lines() -> Iterator[None]:
    """Hold back what TensorFlow writes to file descriptor 2, and show it if the body fails.

    Other lines, which another thread may write meanwhile, are written afterwards. A process that
    another thread starts meanwhile, in the seconds of the first fit, inherits the descriptor and
    loses its standard error. There is no way around the descriptor: TF_CPP_MIN_LOG_LEVEL leaves
    some lines, is read once, and would silence TensorFlow for the life of the process.
    """
    _flush()
    with tempfile.TemporaryFile() as held:
        try:
            stderr_copy = os.dup(2)
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
            os.dup2(stderr_copy, 2)
            os.close(stderr_copy)
            held.seek(0)
            for line in held:
                if failed or not _STARTUP_LINE.match(line):
                    os.write(2, line)


@contextlib.contextmanager
def _leave_out_keras() -> Iterator[None]:
    """Let TensorFlow's import leave Keras for its first use, which saves a third of the time.

    TensorFlow ends its import with that of Keras' optimizers, for what older versions of Keras
    registered then, and goes on if this raises an ImportError. Keras 3 registers nothing. The name
    `tf.keras` imports Keras when it is first used.
    """
    if "keras" in sys.modules:  # perhaps another thread is just importing it
        yield
        return
    module = "keras.src.optimizers"
    sys.modules[module] = None  # type: ignore[assignment]  # so that importing it fails
    try:
        yield
    finally:
        sys.modules.pop(module, None)


def _read_thread_share() -> int | None:
    """Return the threads that a parent process left to this worker, or None."""
    is_worker = multiprocessing.current_process().name != "MainProcess"
    share = os.environ.get("OMP_NUM_THREADS", "")
    return int(share) if is_worker and share.isdigit() and int(share) > 0 else None


@functools.cache
def _import_tensorflow() -> ModuleType:
    already = "tensorflow" in sys.modules
    if importlib.util.find_spec("tensorflow") is None:
        raise ModuleNotFoundError(
            "Expected the package 'tensorflow', which trains networks and exports them to Keras; "
            "it is not installed. Run `pip install tensorflow`. Predicting does not need it.",
            name="tensorflow",
        )
    with _hold_back_startup_lines():
        with _leave_out_keras():
            import tensorflow as tf

        share = _read_thread_share()
        if share is not None and not already:
            tf.config.threading.set_intra_op_parallelism_threads(share)
            tf.config.threading.set_inter_op_parallelism_threads(share)
    # An unknown flag ends the process, and the user should see why.
    has_flags = any(os.environ.get(name) for name in ("XLA_FLAGS", "TF_XLA_FLAGS"))
    with contextlib.nullcontext() if has_flags else _hold_back_startup_lines():
        _warm_up_xla(tf)
    return tf


def _warm_up_xla(tf: ModuleType) -> None:
    """Run one small program, so that XLA writes its start-up lines now, while they are hidden."""
    with tf.init_scope():  # not in a function of the user's
        if tf.executing_eagerly():
            with tf.device("/CPU:0"), explain_debugging_operations():
                tf.function(tf.tanh, jit_compile=True, autograph=False)(tf.zeros(()))


@contextlib.contextmanager
def explain_debugging_operations() -> Iterator[None]:
    """Say why XLA does not compile a program to which TensorFlow added operations for debugging.

    Raises
    ------
    RuntimeError
        Instead of the error of XLA.
    """
    try:
        yield
    except Exception as error:
        if not re.search("DebugNumericSummary|DebugIdentity|CheckNumerics", str(error)):
            raise
        raise RuntimeError(
            "Expected a fit without the operations that tf.debugging.enable_check_numerics and "
            "enable_dump_debug_info add to programs, since XLA cannot compile them. Disable them "
            "first, as with tf.debugging.disable_check_numerics(). A fit notices losses and "
            "weights that are not finite without them."
        ) from error


def tensorflow() -> ModuleType:
    """Return the tensorflow module, imported on the first call.

    Raises
    ------
    RuntimeError
        If this process was forked from one that had imported TensorFlow. Its threads were not
        copied, so the first operation would wait for ever.
    """
    if _forked:
        raise RuntimeError(
            "This process was forked from one that had already imported TensorFlow, which "
            "does not survive a fork. Expected a process of its own: use joblib's 'loky' or "
            "'threading' backend, or multiprocessing's 'spawn' or 'forkserver' start method. "
            "Predicting does not need TensorFlow and works here."
        )
    with _import_lock:
        return _import_tensorflow()


def use_cpu():
    """Return a context that places tensors and programs on the CPU.

    A network for a table is too small to gain from another device.

    Raises
    ------
    RuntimeError
        Without eager execution: inside a graph of TensorFlow, whose tensors have no values, or
        after `tf.compat.v1.disable_eager_execution`.
    """
    tf = tensorflow()
    if tf.executing_eagerly():
        return tf.device("/CPU:0")
    with ThreadPoolExecutor(1) as thread:  # which is in no graph
        is_disabled = not thread.submit(tf.executing_eagerly).result()
    if is_disabled:
        raise RuntimeError(
            "Expected TensorFlow's eager execution for a fit; tf.compat.v1.disable_eager_execution "
            "was called in this process. Fit in another process. Predicting works here."
        )
    raise RuntimeError(
        "Expected a fit outside of tf.function and tf.Graph; received a call inside of one."
    )


_active_threads: set[ActiveThread] = set()


class ActiveThread:
    """Context of a thread that calls TensorFlow. It must return once `is_ending` is set.

    A thread that returns from TensorFlow to an interpreter that has ended aborts the process. It
    happens after Ctrl-C in a search whose threads still compile. So the end of the interpreter
    waits for threads that are inside, but not for a daemon thread that begins one fit after
    another.
    """

    is_ending = False

    def __enter__(self) -> ActiveThread:
        _active_threads.add(self)
        return self

    def __exit__(self, *error) -> None:
        _active_threads.discard(self)


@atexit.register
def wait_for_threads() -> None:
    """Ask the threads that train to end, and wait for them for some seconds."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while _active_threads and time.monotonic() < deadline:
        for thread in tuple(_active_threads):
            thread.is_ending = True
        time.sleep(0.01)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_active_threads.clear)  # threads do not come along


def check_room_for_program(n_programs: int) -> None:
    """Raise before Linux would abort the process for too many memory maps.

    XLA maps each kernel of a program separately, 216 to 495 maps per program, and never unmaps it.
    Beyond vm.max_map_count, 65,530 by default, LLVM ends the process.

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
    if room < _MAPS_PER_PROGRAM:
        raise RuntimeError(
            f"This process has compiled {n_programs} programs, one for each combination of layers, "
            "activation, solver, loss, batch size and bucket of rows, and the system lets it map "
            "no more memory. Expected fewer combinations in one process: search them in worker "
            "processes (joblib's 'loky' backend), or raise the system's vm.max_map_count."
        )


def view_as_tensor(array: np.ndarray):
    """Return a tensor over the memory of a C-contiguous, 64-byte aligned array."""
    return tensorflow().experimental.dlpack.from_dlpack(array.__dlpack__())
