"""TODO."""

from __future__ import annotations


def _inside(estimator, attribute: str):
    """The estimator that has the attribute: this one, a pipeline's last or a search's best.

    None if there is none.
    """
    while estimator is not None and not hasattr(estimator, attribute):
        steps = getattr(estimator, "steps", None)
        estimator = steps[-1][1] if steps else getattr(estimator, "best_estimator_", None)
    return estimator


def _axes(ax):
    """The axes to draw on, and their figure."""
    from matplotlib import pyplot

    if ax is None:
        _, ax = pyplot.subplots(layout="constrained")
    return ax, ax.figure
