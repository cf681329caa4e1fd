"""A display of the candidates of an ensemble."""

from __future__ import annotations

import numpy as np

from skreg._model_selection.results import is_strength
from skreg._plotting.axes import find_estimator, format_value, get_axes, name_score

_PLAIN = "parameters of the search"  # the kind of a candidate without others


class EnsembleDisplay:
    """The candidates of an ensemble and their weights, as bars.

    Use `from_estimator` to create a display. The bars have a colour for each kind of network, the
    parameters besides `dropout` and `l2`.

    Parameters
    ----------
    params : sequence of dict, of length n_chosen
        Parameters of each candidate of the ensemble.
    weights : array-like of shape (n_chosen,)
        Weight of each candidate in the prediction. They sum to 1.
    scores : sequence of float or None, default=None
        Score of the best candidate, and of the ensemble. None leaves them out of the title.
    score_name : str, default="score"
        Name of the scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure of the axes.
    bars_ : list of matplotlib Rectangle
        One bar for each candidate. The heaviest is on top.

    See Also
    --------
    RegularizedMLPClassifierCV : Its ``refit="ensemble"`` makes an ensemble.
    RegularizationPathDisplay : Scores of all candidates over dropout and l2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import EnsembleDisplay, RegularizedMLPClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifierCV(
    ...     dropouts=[0.0], l2s=[0.001, 0.01], refit="ensemble", max_iter=10, random_state=0
    ... ).fit(X, y)
    >>> display = EnsembleDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'weight'
    """

    def __init__(self, *, params, weights, scores=None, score_name="score"):
        self.params = params
        self.weights = weights
        self.scores = scores
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the ensemble of a fitted search.

        Parameters
        ----------
        estimator : RegularizedMLPClassifierCV or RegularizedMLPRegressorCV
            A search that was fitted with ``refit="ensemble"``, or a pipeline that ends in one.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.

        Returns
        -------
        display : EnsembleDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the estimator is no search that was fitted with ``refit="ensemble"``.
        """
        search = find_estimator(estimator, "ensemble_weights_")
        if search is None:
            raise ValueError(
                "estimator: expected a search that was fitted with refit='ensemble'; received a "
                f"{type(estimator).__name__} without ensemble_weights_."
            )
        picked = np.flatnonzero(search.ensemble_weights_).tolist()
        display = cls(
            params=[search.cv_results_["params"][k] for k in picked],
            weights=search.ensemble_weights_[picked],
            scores=search.ensemble_scores_[[0, -1]],
            score_name=name_score(search.scoring),
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.

        Returns
        -------
        display : EnsembleDisplay
            This object.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_, self.figure_ = get_axes(ax)
        order = np.argsort(self.weights, kind="stable")[::-1].tolist()
        kinds, strengths = zip(*(_describe(self.params[k]) for k in order), strict=True)
        colors = {kind: f"C{k % 10}" for k, kind in enumerate(dict.fromkeys(kinds))}
        self.bars_ = []
        for position, (kind, k) in enumerate(zip(kinds, order, strict=True)):
            label = kind if kind not in kinds[:position] else None  # one entry of a kind
            bar = self.ax_.barh(position, self.weights[k], color=colors[kind], label=label)
            self.bars_.extend(bar)
        self.ax_.set_yticks(range(len(order)), strengths)
        self.ax_.invert_yaxis()
        self.ax_.set(xlabel="weight", title=self._describe_scores())
        if list(colors) != [_PLAIN]:
            self.ax_.legend(fontsize=8)
        return self

    def _describe_scores(self) -> str:
        if self.scores is None:
            return ""
        best, ensemble = (f"{score:.4g}" for score in self.scores)
        return f"{self.score_name} of the held-out rows\nbest candidate {best}, ensemble {ensemble}"


def _describe(params: dict) -> tuple[str, str]:
    """Return the kind of a candidate, and its dropout and l2."""
    names = [name for name in params if not is_strength(name)]
    kind = ", ".join(f"{name}={params[name]!r}" for name in names) or _PLAIN
    return kind, f"dropout {format_value(params['dropout'])}, l2 {format_value(params['l2'])}"
