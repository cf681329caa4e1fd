"""The compiled program: the training of one member, epoch after epoch, as one XLA computation.

Owns the only tf.function: the step, the loop over steps and epochs, what is decided at the end of
an epoch (divergence, validation, stopping, which weights to keep), the state that passes from call
to call, and the cache of compiled programs. Does not own the mathematics of the parts (network,
noise, heads, penalties, solvers), nor rows, threads and the length of a call.

A call runs a given number of steps, so that it can be kept short whatever the size of an epoch; all
that decides the result is computed inside, at the end of each epoch, so that the result does not
depend on where the calls were cut.

Kernels and their moments are one tensor a layer: fused into one flat vector, XLA's update indexes
element by element and took twice the time (CONTRIBUTING.md has the figures). The biases, small, are
one vector, which saves a dozen little computations a step and a third of the time to compile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from skreg._engine.epoch import Data, State, _build, _mapped
from skreg._engine.hyperparameters import Values, constant
from skreg._engine.spec import ProgramSpec
from skreg._tensorflow import check_room_for_a_program, tensorflow


def _without_type_checks(advance) -> Callable:
    """The concrete function for arguments of the types that it was traced for.

    TensorFlow compares and casts thirty tensors in each call, two thirds of a call's Python.
    """
    call_flat = getattr(getattr(advance, "inference_fn", None), "call_flat", None)
    if call_flat is None or advance.captured_inputs:
        return advance

    def call(state: State, *others) -> State:
        leaves = iter(call_flat(*tensorflow().nest.flatten((state, *others))))
        return _mapped(lambda _: next(leaves), state)

    return call


class Program:
    """One compiled program, made ready on its first use and then callable from any thread.

    Attributes
    ----------
    compile_seconds : float
        What tracing and compiling took; 0 before.
    rate : float or None
        Steps a second of the last call; decides how long the next one may be, and no result.
    """

    def __init__(self, spec: ProgramSpec):
        self.spec = spec
        self.compile_seconds = 0.0
        self.rate: float | None = None
        self._lock = threading.Lock()
        self._advance: Callable | None = None

    def advance(self, state: State, data: Data, order, values: Values, budget: int) -> State:
        """Run at most `budget` steps; TensorFlow releases the GIL meanwhile."""
        arguments = (state, data, order, values)
        advance = self._advance or self._made_ready(arguments)
        return advance(*arguments, constant(budget, "int32"))

    def _made_ready(self, arguments) -> Callable:
        """Trace and compile by a call of no steps, in one thread while the others wait."""
        tf = tensorflow()
        with self._lock:
            if self._advance is None:
                check_room_for_a_program(n_programs())
                start = time.perf_counter()
                # Called as a concrete function, so that TensorFlow does not take one function a
                # spec for one that is traced over and over, and warn.
                no_steps = tf.constant(0, tf.int32)
                advance = _without_type_checks(
                    _build(self.spec).get_concrete_function(*arguments, no_steps)
                )
                advance(*arguments, no_steps)
                self.compile_seconds = time.perf_counter() - start
                self._advance = advance
            return self._advance


_programs: dict[ProgramSpec, Program] = {}


_programs_lock = threading.Lock()


def program_for(spec: ProgramSpec) -> Program:
    """Return the one program of this spec in this process."""
    with _programs_lock:
        return _programs.setdefault(spec, Program(spec))


def n_programs() -> int:
    """Return how many programs this process has compiled; each keeps about 22 MB for its life."""
    return sum(program.compile_seconds > 0 for program in list(_programs.values()))
