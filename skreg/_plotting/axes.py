"""What the displays need: the axes to draw on, the estimator to draw, words for values."""

from __future__ import annotations

from numbers import Real


def find_estimator(estimator, attribute: str):
    """Find the estimator with an attribute: this one, or one inside a pipeline or a search.

    Returns the last step of a pipeline, the best estimator of a search, or None if there is none.
    """
    while estimator is not None and not hasattr(estimator, attribute):
        steps = getattr(estimator, "steps", None)
        estimator = steps[-1][1] if steps else getattr(estimator, "best_estimator_", None)
    return estimator


def get_axes(ax):
    """Return the axes, new ones if there are none, and their figure."""
    from matplotlib import pyplot

    if ax is None:
        _, ax = pyplot.subplots(layout="constrained")
    return ax, ax.figure


def format_value(value) -> str:
    """Return a value of a parameter in few letters."""
    if isinstance(value, str):
        return value
    return f"{value:.3g}" if isinstance(value, Real) else ", ".join(f"{v:.3g}" for v in value)


def name_score(scoring) -> str:
    """Return the name of a score, given the parameter `scoring` of the search."""
    if not isinstance(scoring, str):
        return "score"
    return "minus the loss" if scoring == "loss" else scoring
