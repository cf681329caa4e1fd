"""A display of the scores of a search over `dropout` and `l2`."""

from __future__ import annotations

from numbers import Real

import numpy as np

from skreg._model_selection.results import (
    find_compared_folds,
    find_dropped,
    is_strength,
    list_metrics,
    list_parameters,
    read_values,
    stack_scores,
)
from skreg._plotting.axes import find_estimator, format_value, get_axes, name_score

# Letters of tick labels that fit on a horizontal axis of the usual size.
_MAX_LETTERS = 45
# Curves differ in dash and marker too, for readers who do not see the colours.
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class RegularizationPathDisplay:
    """Scores over dropout and l2, as a heat map or as curves.

    Use `from_estimator` or `from_cv_results` to create a display.

    Parameters
    ----------
    dropouts : sequence of float or tuple of float, of length n_dropouts
        Dropout rates.
    l2s : sequence of float or tuple of float, of length n_l2s
        L2 strengths.
    scores : array-like of shape (n_dropouts, n_l2s, n_folds)
        Scores of the held-out rows. NaN where there is none.
    best : tuple of int or None, default=None
        Row and column of the winner on the grid.
    dropped : array-like of bool of shape (n_dropouts, n_l2s) or None, default=None
        Candidates that halving dropped. Their scores are those of their last epoch, and NaN for
        folds that they were not trained on.
    score_name : str, default="score"
        Name of the score.
    best_over : sequence of str, default=()
        Other parameters of the search. The scores are those of their best values.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the scores.
    figure_ : matplotlib Figure
        Figure of the axes.
    image_ : matplotlib AxesImage or None
        Heat map of the mean scores. None for curves.
    texts_ : list of matplotlib Text
        Mean scores in the cells of the heat map. Empty for curves.
    chosen_ : matplotlib Line2D or None
        Mark of the winner. None if `best` is None.
    lines_ : list of matplotlib Line2D
        Curves of mean scores. Empty for a heat map.
    bands_ : list of matplotlib PolyCollection
        Standard errors of the curves over the folds. Empty for a heat map.

    See Also
    --------
    RegularizedMLPClassifierCV : A search over `dropout` and `l2`.
    TrainingCurveDisplay : Losses over the epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizationPathDisplay, RegularizedMLPClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifierCV(
    ...     dropouts=[0.0, 0.5], l2s=[0.001, 0.01], random_state=0
    ... ).fit(X, y)
    >>> display = RegularizationPathDisplay.from_estimator(model)
    >>> len(display.texts_)
    4
    """

    def __init__(
        self,
        *,
        dropouts,
        l2s,
        scores,
        best=None,
        dropped=None,
        score_name="score",
        best_over=(),
    ):
        self.dropouts = dropouts
        self.l2s = l2s
        self.scores = scores
        self.best = best
        self.dropped = dropped
        self.score_name = score_name
        self.best_over = best_over

    @classmethod
    def from_estimator(cls, estimator, *, metric=None, kind="heatmap", along="l2", ax=None):
        """Draw the scores of a fitted search.

        If other parameters were searched, too, each pair of `dropout` and `l2` has the scores of
        the candidate that ranks best, and the title says so.

        Parameters
        ----------
        estimator : RegularizedMLPClassifierCV, RegularizedMLPRegressorCV or GridSearchCV
            A fitted search, or a pipeline that ends in one.
        metric : str, default=None
            Metric to draw. None is the metric that chose the winner.
        kind : {"heatmap", "curves"}, default="heatmap"
            A heat map of all mean scores, or curves with standard errors.
        along : {"l2", "dropout"}, default="l2"
            Horizontal axis of the curves.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.

        Returns
        -------
        display : RegularizationPathDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the estimator is no fitted search over `dropout` and `l2`, or if `metric`, `kind` or
            `along` is unknown.
        """
        search = find_estimator(estimator, "cv_results_")
        if search is None:
            raise ValueError(
                "estimator: expected a fitted search, with cv_results_; received "
                f"{type(estimator).__name__}."
            )
        if metric is None and search.multimetric_:
            metric = search.refit if isinstance(search.refit, str) else None
        best = getattr(search, "best_index_", None)
        display = cls._from_results(search.cv_results_, metric, best)
        if metric is None:
            display.score_name = name_score(search.scoring)
        return display.plot(ax, kind=kind, along=along)

    @classmethod
    def from_cv_results(cls, cv_results, *, metric=None, kind="heatmap", along="l2", ax=None):
        """Draw the scores in `cv_results_`, also those of GridSearchCV.

        If other parameters were searched, too, each pair of `dropout` and `l2` has the scores of
        the candidate that ranks best, and the title says so.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a search over `dropout` and `l2`. The parameters may belong to a step
            of a pipeline. Candidates without a value of both are left out.
        metric : str, default=None
            Metric to draw. None is the only metric.
        kind : {"heatmap", "curves"}, default="heatmap"
            A heat map of all mean scores, or curves with standard errors.
        along : {"l2", "dropout"}, default="l2"
            Horizontal axis of the curves.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.

        Returns
        -------
        display : RegularizationPathDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `cv_results` is not a dict.
        ValueError
            If `dropout` and `l2` were not both searched, or if `metric`, `kind` or `along` is
            unknown.
        """
        if not hasattr(cv_results, "keys"):
            raise TypeError(
                "cv_results: expected the dict cv_results_ of a search; received "
                f"{type(cv_results).__name__}."
            )
        display = cls._from_results(cv_results, metric, None)
        return display.plot(ax, kind=kind, along=along)

    @classmethod
    def _from_results(cls, results: dict, metric: str | None, best: int | None):
        name = metric or "score"
        if f"mean_test_{name}" not in results:
            metrics = list_metrics(results)
            raise ValueError(f"metric: expected one of {metrics}; received {metric!r}.")
        dropout, l2 = (read_values(results, parameter) for parameter in ("dropout", "l2"))
        # Candidates without a value of one of them are left out.
        both = enumerate(zip(dropout, l2, strict=False))  # one of them may not be searched
        pairs = {k: pair for k, pair in both if None not in pair}
        if not pairs:
            raise ValueError(
                "cv_results: expected a search over 'dropout' and 'l2', alone or of a step; "
                f"received one over {list_parameters(results)}."
            )
        dropouts, l2s = (_sort_values(values) for values in zip(*pairs.values(), strict=True))
        positions = {k: (dropouts.index(rate), l2s.index(c)) for k, (rate, c) in pairs.items()}
        is_unique = len(set(positions.values())) == len(positions)
        others = [key for key in list_parameters(results) if not is_strength(key)]
        fold_scores = stack_scores(results, name)
        scores = np.full((len(dropouts), len(l2s), fold_scores.shape[1]), np.nan)
        dropped = np.zeros(scores.shape[:2], dtype=bool)
        is_dropped, rank = find_dropped(results), np.asarray(results[f"rank_test_{name}"])
        for k in sorted(pairs, key=lambda k: -rank[k]):  # the best one last, which stays
            dropped[positions[k]] = is_dropped[k]
            is_scored = np.isfinite(results[f"mean_test_{name}"][k])
            scores[positions[k]] = fold_scores[k] if is_scored else np.nan
        return cls(
            dropouts=dropouts,
            l2s=l2s,
            scores=scores.take(find_compared_folds(results, name), axis=2),
            best=positions.get(int(np.argmin(rank)) if best is None else best),
            dropped=dropped if dropped.any() else None,
            score_name=name,
            best_over=() if is_unique else others,
        )

    def plot(self, ax=None, *, kind="heatmap", along="l2"):
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.
        kind : {"heatmap", "curves"}, default="heatmap"
            "heatmap" draws one cell per candidate with its mean score, and a frame around the
            winner. "curves" draws one curve per value of the other parameter, with a band of one
            standard error over the folds.
        along : {"l2", "dropout"}, default="l2"
            Horizontal axis of the curves.

        Returns
        -------
        display : RegularizationPathDisplay
            This object.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` or `along` is unknown.
        """
        for name, value, known in (
            ("kind", kind, ("heatmap", "curves")),
            ("along", along, ("l2", "dropout")),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {known}; received {value!r}.")
        self.ax_, self.figure_ = get_axes(ax)
        self.image_, self.chosen_ = None, None
        self.texts_, self.lines_, self.bands_ = [], [], []
        if kind == "heatmap":
            self._draw_heatmap()
        else:
            self._draw_curves(along)
        return self

    def _draw_heatmap(self) -> None:
        ax, (mean, _) = self.ax_, _compute_mean_and_error(self.scores, self.dropped)
        self.image_ = ax.imshow(mean, cmap="cividis", aspect="auto", origin="lower")
        known = mean[np.isfinite(mean)]
        middle = (known.min() + known.max()) / 2 if known.size else np.nan
        for (row, column), score in np.ndenumerate(mean):
            if np.isfinite(score):
                color = "black" if score > middle else "white"
                early = self.dropped is not None and self.dropped[row][column]
                words = f"{score:.3f}" if abs(score) < 100 else f"{score:.4g}"
                words = f"({words})" if early else words
                size = 8 if len(self.l2s) < 9 else 6
                style = {"ha": "center", "va": "center", "color": color, "fontsize": size}
                self.texts_.append(ax.text(column, row, words, **style))
        if self.best is not None:
            row, column = self.best
            x, y = np.array([-1, 1, 1, -1, -1]) / 2, np.array([-1, -1, 1, 1, -1]) / 2
            (self.chosen_,) = ax.plot(
                column + 0.94 * x, row + 0.94 * y, color="black", lw=3, label="chosen"
            )
            ax.plot(column + 0.94 * x, row + 0.94 * y, color="white", lw=1)
        _set_ticks(ax.xaxis, self.l2s)
        _set_ticks(ax.yaxis, self.dropouts)
        early = "" if self.dropped is None else "; (dropped early)"
        title = f"mean {self.score_name}; chosen: framed{early}{self._describe_others()}"
        ax.set(xlabel="l2", ylabel="dropout", title=title)
        self.figure_.colorbar(self.image_, ax=ax)

    def _describe_others(self) -> str:
        """Return a line of the title that names the other parameters of the search."""
        return f"\nbest over {', '.join(self.best_over)}" if self.best_over else ""

    def _mark_dropped(self, line, k: int, along: str) -> None:
        """Draw hollow markers on curve k for the candidates that halving dropped."""
        if self.dropped is None:
            return
        dropped = np.asarray(self.dropped, bool)
        (positions,) = np.nonzero(dropped[k] if along == "l2" else dropped[:, k])
        x, y = line.get_data()
        (early,) = self.ax_.plot(
            x[positions], y[positions], ls="", marker=line.get_marker(), color=line.get_color()
        )
        early.set_markerfacecolor("white")

    def _draw_curves(self, along: str) -> None:
        mean, error = _compute_mean_and_error(self.scores, self.dropped)
        values, others, other = self.l2s, self.dropouts, "dropout"
        if along == "dropout":
            mean, error, values = mean.T, error.T, self.dropouts
            others, other = self.l2s, "l2"
        positions = np.arange(len(values))
        for k, value in enumerate(others):
            (line,) = self.ax_.plot(
                positions,
                mean[k],
                color=f"C{k % 10}",
                linestyle=_DASHES[k % len(_DASHES)],
                marker=_MARKERS[k % len(_MARKERS)],
                label=f"{other} {format_value(value)}",
            )
            band = self.ax_.fill_between(
                positions,
                mean[k] - error[k],
                mean[k] + error[k],
                color=line.get_color(),
                alpha=0.12,
            )
            self.lines_.append(line)
            self.bands_.append(band)
            self._mark_dropped(line, k, along)
        if self.best is not None:
            k, position = self.best if along == "l2" else self.best[::-1]
            (self.chosen_,) = self.ax_.plot(
                [position], [mean[k, position]], "o", ms=14, mfc="none", mec="black", label="chosen"
            )
        _set_ticks(self.ax_.xaxis, values)
        title = self._describe_others().strip()
        self.ax_.set(xlabel=along, ylabel=f"{self.score_name} (band: standard error)", title=title)
        early = None if self.dropped is None else "hollow: dropped early"
        self.ax_.legend(fontsize=8, title=early, title_fontsize=8)


def _sort_values(values) -> list:
    """Return each value once. Numbers are sorted, sequences keep their order."""
    unique = list(dict.fromkeys(values))
    return sorted(unique) if all(isinstance(value, Real) for value in unique) else unique


def _compute_mean_and_error(scores, dropped) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error over the folds; of a dropped candidate, over those it has."""
    scores = np.asarray(scores, float)
    early = np.zeros(scores.shape[:2], bool) if dropped is None else np.asarray(dropped, bool)
    # A candidate that was not dropped and has a score of NaN has a mean of NaN.
    counted = np.isfinite(scores) | ~early[..., None]
    n_folds = np.maximum(counted.sum(axis=2), 1)
    mean = np.where(counted, scores, 0).sum(axis=2) / n_folds
    mean[~counted.any(axis=2)] = np.nan
    squares = np.where(counted, scores - mean[..., None], 0) ** 2
    return mean, np.sqrt(squares.sum(axis=2) / n_folds / np.maximum(n_folds - 1, 1))


def _set_ticks(axis, values: list) -> None:
    """Set one tick per value, and rotate the labels of a horizontal axis if they overlap."""
    labels = [format_value(value) for value in values]
    axis.set_ticks(range(len(values)), labels)
    if axis.axis_name == "x" and len(labels) * (max(map(len, labels)) + 1) > _MAX_LETTERS:
        axis.set_tick_params(rotation=45)
