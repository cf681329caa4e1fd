"""How a training stands, and what may end it."""

from __future__ import annotations

from enum import IntEnum


class StopCriterion(IntEnum):
    """What ends a training before `max_iter`, besides divergence."""

    NONE = 0  # inside the program; a callback may
    TRAINING_LOSS = 1
    VALIDATION_LOSS = 2  # the weights of its best epoch are kept


class Status(IntEnum):
    """State of a training."""

    RUNNING = 0
    FINISHED = 1  # after max_iter epochs
    CONVERGED = 2
    STOPPED = 3  # by a callback
    INTERRUPTED = 4  # by Ctrl-C
    DIVERGED = 5
    NOT_CONVERGED = 6  # after max_iter epochs, although tol is a number
    WORSE_THAN_CONSTANT = 7  # than a constant prediction of the training rows
    NEVER_BETTER_THAN_CONSTANT = 8  # on the validation rows
