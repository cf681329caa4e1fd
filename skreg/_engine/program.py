"""Compiled training programs, and the cache of them.

A call runs a given number of steps, so it can be kept short whatever the size of an epoch.
Everything that decides the result is computed inside, at the end of each epoch. So the result does
not depend on where the calls were cut.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from skreg._engine.epoch import (
    Counters,
    DataTensors,
    Losses,
    TrainingState,
    finish_epoch,
    make_context,
    map_leaves,
    take_step,
)
from skreg._engine.hyperparameters import HyperparameterTensors, make_constant
from skreg._engine.spec import ProgramSpec
from skreg._engine.status import Status
from skreg._tensorflow import (
    check_room_for_program,
    explain_debugging_operations,
    tensorflow,
    use_cpu,
)


def build_advance(spec: ProgramSpec):
    """Return the tf.function that advances a training by at most `budget` steps."""
    tf = tensorflow()

    @tf.function(jit_compile=True, autograph=False)
    def advance(
        state: TrainingState, data: DataTensors, order, tensors: HyperparameterTensors, budget
    ):
        context = make_context(data, order, tensors)
        n_steps = context.integers["n_steps"]

        def run_epoch(left, state):
            counters = Counters(*tf.unstack(state.counters))
            losses = Losses(*tf.unstack(state.losses))
            last = tf.minimum(n_steps, counters.step + left)

            def run_step(step, parameters, moments, loss_sum):
                parameters, moments, loss = take_step(
                    spec, context, parameters, moments, counters.epoch, step
                )
                return step + 1, parameters, moments, loss_sum + loss

            start = (counters.step, state.parameters, state.moments, losses.sum)
            step, parameters, moments, loss_sum = tf.while_loop(
                lambda step, *_: step < last, run_step, start
            )
            state = state._replace(
                parameters=parameters,
                moments=moments,
                counters=tf.stack(counters._replace(step=step)),
                losses=tf.stack(losses._replace(sum=loss_sum)),
            )
            state = finish_epoch(spec, context, state, complete=step == n_steps)
            return left - (step - counters.step), state

        def continues(left, state):
            status = Counters(*tf.unstack(state.counters)).status
            return (left > 0) & (status == Status.RUNNING)

        return tf.while_loop(continues, run_epoch, (budget, state))[1]

    return advance


class Program:
    """One compiled program. It is compiled by its first call, and callable from any thread.

    Attributes
    ----------
    compile_seconds : float
        Seconds of tracing and compiling; 0 before.
    steps_per_second : float or None
        Steps per second in the last call. It decides how long the next call may be, and no result.
    """

    def __init__(self, spec: ProgramSpec):
        self.spec = spec
        self.compile_seconds = 0.0
        self.steps_per_second: float | None = None
        self._lock = threading.Lock()
        self._advance: Callable | None = None

    def advance(
        self,
        state: TrainingState,
        data: DataTensors,
        order,
        tensors: HyperparameterTensors,
        budget: int,
    ) -> TrainingState:
        """Run at most `budget` steps. TensorFlow releases the GIL meanwhile."""
        arguments = (state, data, order, tensors)
        advance = self._advance or self._compile(arguments)
        return advance(*arguments, make_constant(budget, "int32"))

    def _compile(self, arguments) -> Callable:
        """Trace and compile by a call of no steps, in one thread while the others wait."""
        tf = tensorflow()
        with self._lock:
            if self._advance is None:
                check_room_for_program(count_programs())
                start = time.perf_counter()
                # A concrete function, since TensorFlow would take the functions of several specs
                # for one that is retraced, and warn.
                no_steps = tf.constant(0, tf.int32)
                with explain_debugging_operations():
                    advance = _skip_type_checks(_trace(self.spec, (*arguments, no_steps)))
                    advance(*arguments, no_steps)
                self.compile_seconds = time.perf_counter() - start
                self._advance = advance
            return self._advance


def _trace(spec: ProgramSpec, arguments):
    """Return the concrete function of a spec.

    TensorFlow keeps the call stack of each operation with the program. In a thread of its own that
    stack is short whatever calls `fit`, which saves megabytes a program.
    """

    def trace():
        with use_cpu():  # a device scope belongs to its thread
            return build_advance(spec).get_concrete_function(*arguments)

    try:
        with ThreadPoolExecutor(1) as thread:
            traced = thread.submit(trace)
    except RuntimeError:  # no thread can start at the end of the interpreter
        return trace()
    return traced.result()


def _skip_type_checks(advance) -> Callable:
    """Return the concrete function for arguments of the types that it was traced for.

    TensorFlow compares and casts thirty tensors in each call, which takes two thirds of the Python
    time.
    """
    call_flat = getattr(getattr(advance, "inference_fn", None), "call_flat", None)
    if call_flat is None or advance.captured_inputs:
        return advance

    def call(state: TrainingState, *others) -> TrainingState:
        leaves = iter(call_flat(*tensorflow().nest.flatten((state, *others))))
        return map_leaves(lambda _: next(leaves), state)

    return call


_programs: dict[ProgramSpec, Program] = {}
_programs_lock = threading.Lock()


def get_program(spec: ProgramSpec) -> Program:
    """Return the one program of this spec in this process."""
    with _programs_lock:
        return _programs.setdefault(spec, Program(spec))


def count_programs() -> int:
    """Return how many programs this process has compiled. Each takes some 15 MB for its life."""
    return sum(program.compile_seconds > 0 for program in list(_programs.values()))
