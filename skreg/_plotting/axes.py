"""What both displays need: the axes to draw on, and the estimator to draw."""

from __future__ import annotations


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
