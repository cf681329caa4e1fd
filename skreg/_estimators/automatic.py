"""What "auto" stands for, from the rows of a fit."""

from __future__ import annotations

from typing import Any

from skreg._data.epochs import STEPS
from skreg._engine.hyperparameters import check_strengths, count_hidden_layers
from skreg._nn.activations import ACTIVATIONS
from skreg._nn.solvers import SOLVERS

# Above it the weights of a network with hidden layers go to zero.
_MAX_L2 = 0.03
# With fewer distinct rows, eight bins would hold fewer than eight rows each.
MIN_ENCODED_ROWS = 64
# Each has nine inputs with its bins, and the first layer is most of the cost of a step.
MAX_ENCODED_COLUMNS = 128


def is_auto(value) -> bool:
    """Whether a value is the string "auto"."""
    return isinstance(value, str) and value == "auto"


def make_placeholders(estimator, partial: bool = False) -> dict[str, Any]:
    """Return numbers for the hyperparameters that are "auto" as long as no rows are known.

    `partial` says whether they are those of `partial_fit`.
    """
    rate = get_learning_rate(estimator, partial)
    numbers = {"l2": 0.0, "max_iter": 1, "learning_rate_init": rate}
    return {name: number for name, number in numbers.items() if is_auto(getattr(estimator, name))}


def get_learning_rate(estimator, partial: bool = False) -> float:
    """Return the first learning rate, also if it is "auto". That of `partial_fit` stays."""
    if not is_auto(estimator.learning_rate_init):
        return estimator.learning_rate_init
    n_hidden = count_hidden_layers(estimator.hidden_layer_sizes)
    falls = estimator.learning_rate == "cosine" and not partial
    return SOLVERS[estimator.solver].choose_rate(n_hidden, falls)


def compute_l2(targets, n_rows: int, activation: str, n_hidden: int) -> float:
    """Return what `l2="auto"` stands for: a strength divided by the rows, at most `_MAX_L2`.

    For the same function, kernels behind an activation of a quarter of the slope are four times as
    large, and their penalty sixteen times. The logistic activation would lose all its weights.
    """
    slope = ACTIVATIONS[activation].largest_slope if n_hidden else 1.0
    return slope**2 * min(targets.l2_of_one_row / n_rows, _MAX_L2)


def list_strengths(targets, n_rows: int, activation: str, n_hidden: int) -> list[float]:
    """Return what `l2s="auto"` stands for, with the parameters of `compute_l2`."""
    strength = compute_l2(targets, n_rows, activation, n_hidden)
    return [factor * strength for factor in targets.l2_factors]


def get_fewest_steps(targets, n_hidden: int) -> int:
    """Return how many steps `max_iter="auto"` gives to few rows.

    A linear model has an optimum, which it should reach.
    """
    return targets.fewest_steps if n_hidden else STEPS


def choose_encoding(targets, n_hidden: int) -> str | None:
    """Return what `numerical_encoding="auto"` stands for, if rows and columns allow it.

    Without hidden layers the network is a linear model of the columns.
    """
    return targets.automatic_encoding if n_hidden else None


def choose_strengths(l2, targets, n_rows: int, activation: str, n_hidden: int) -> tuple[float, ...]:
    """Return the L2 strength of each kernel.

    Parameters
    ----------
    l2 : float, sequence of float or "auto"
    targets : Targets
    n_rows : int
        Training rows; in a stream all so far.
    activation : str
        Of the hidden layers.
    n_hidden : int
        Hidden layers.
    """
    if is_auto(l2):
        l2 = compute_l2(targets, n_rows, activation, n_hidden)
    return check_strengths("l2", l2, n_hidden)
