"""Displays: how scores depend on dropout and l2, and how losses fell over the epochs.

Owns what is drawn, after scikit-learn's conventions: arrays in, `plot(ax=...)`, the artists as
attributes. Does not own the numbers. matplotlib is imported in `plot` only.
"""

from __future__ import annotations

from numbers import Real

import numpy as np

from skreg._model_selection.results import folds_of_means, values_of
from skreg._plotting.axes import _axes, _inside

_LETTERS = 45  # of tick labels that fit beside each other on the usual axis


# Told apart without colours, and by the colour-blind: a dash and a marker each.
_DASHES = ("-", "--", ":", "-.")


_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class RegularizationPathDisplay:
    """Scores over dropout and l2, as a heat map or as curves along one of them.

    Made by `from_estimator` or `from_cv_results`.

    Parameters
    ----------
    dropouts : sequence of float or tuple of float, of length n_dropouts
        Rates.
    l2s : sequence of float or tuple of float, of length n_l2s
        Strengths.
    scores : array-like of shape (n_dropouts, n_l2s, n_folds)
        Of the held-out rows; NaN where there is none.
    best : tuple of int or None, default=None
        Place of the chosen candidate on the grid.
    dropped : array-like of bool of shape (n_dropouts, n_l2s) or None, default=None
        Candidates that halving dropped, whose scores are those of then, NaN for folds that it had
        not trained.
    score_name : str, default="score"
        What the scores are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Drawn on.
    figure_ : matplotlib Figure
        Of the axes.
    image_ : matplotlib AxesImage or None
        The heat map.
    texts_ : list of matplotlib Text
        The mean scores written into it.
    chosen_ : matplotlib Line2D or None
        The chosen candidate.
    lines_ : list of matplotlib Line2D
        The curves of mean scores.
    bands_ : list of matplotlib PolyCollection
        Their standard errors over folds.

    See Also
    --------
    RegularizedMLPClassifierCV : Has the scores.
    TrainingCurveDisplay : Losses over epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizationPathDisplay, RegularizedMLPClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifierCV([0.0, 0.5], [0.001, 0.01], random_state=0).fit(X, y)
    >>> display = RegularizationPathDisplay.from_estimator(model)
    >>> len(display.texts_)
    4
    """

    def __init__(self, *, dropouts, l2s, scores, best=None, dropped=None, score_name="score"):
        self.dropouts = dropouts
        self.l2s = l2s
        self.scores = scores
        self.best = best
        self.dropped = dropped
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator, *, metric=None, kind="heatmap", along="l2", ax=None):
        """Draw the scores of a searching estimator.

        Parameters
        ----------
        estimator : RegularizedMLPClassifierCV, RegularizedMLPRegressorCV or GridSearchCV
            Fitted; or a pipeline that ends in one.
        metric : str, default=None
            Of several metrics the one to draw; None is the one that decided.
        kind : {"heatmap", "curves"}, default="heatmap"
            What to draw.
        along : {"l2", "dropout"}, default="l2"
            The horizontal axis of curves.
        ax : matplotlib Axes, default=None
            Drawn on; None makes a new one.

        Returns
        -------
        display : RegularizationPathDisplay
            What was drawn.
        """
        given, estimator = estimator, _inside(estimator, "cv_results_")
        if estimator is None:
            raise ValueError(
                "estimator: expected a fitted search, with cv_results_; received "
                f"{type(given).__name__}."
            )
        if metric is None and estimator.multimetric_:
            metric = estimator.refit if isinstance(estimator.refit, str) else None
        display = cls._of_results(
            estimator.cv_results_, metric, getattr(estimator, "best_index_", None)
        )
        if metric is None and isinstance(estimator.scoring, str):
            loss = estimator.scoring == "loss"
            display.score_name = "minus the loss" if loss else estimator.scoring
        return display.plot(ax, kind=kind, along=along)

    @classmethod
    def from_cv_results(cls, cv_results, *, metric=None, kind="heatmap", along="l2", ax=None):
        """Draw the scores of a search, ours or GridSearchCV's over `dropout` and `l2`.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a full grid; the parameters may be those of a step of a pipeline.
        metric : str, default=None
            Of several metrics the one to draw.
        kind : {"heatmap", "curves"}, default="heatmap"
            What to draw.
        along : {"l2", "dropout"}, default="l2"
            The horizontal axis of curves.
        ax : matplotlib Axes, default=None
            Drawn on; None makes a new one.

        Returns
        -------
        display : RegularizationPathDisplay
            What was drawn.
        """
        if not hasattr(cv_results, "keys"):
            raise TypeError(
                "cv_results: expected the dict cv_results_ of a search; received "
                f"{type(cv_results).__name__}."
            )
        display = cls._of_results(cv_results, metric, None)
        return display.plot(ax, kind=kind, along=along)

    @classmethod
    def _of_results(cls, results: dict, metric: str | None, best: int | None):
        name = metric or "score"
        if f"mean_test_{name}" not in results:
            known = [key.removeprefix("mean_test_") for key in results if "mean_test_" in key]
            raise ValueError(f"metric: expected one of {known}; received {metric!r}.")
        dropout, l2 = (values_of(results, parameter) for parameter in ("dropout", "l2"))
        if not dropout or not l2:
            raise ValueError(
                "cv_results: expected a search over 'dropout' and 'l2', alone or of a step; "
                f"received one over {[key[6:] for key in results if key.startswith('param_')]}."
            )
        dropouts, l2s = _in_order(dropout), _in_order(l2)
        if len(set(zip(dropout, l2, strict=True))) < len(dropout):
            raise ValueError(
                "cv_results: expected each pair of dropout and l2 once; received some twice. "
                "Select the results of one value of the other parameters, if there are such."
            )
        n_folds = sum(key.startswith("split") and key.endswith(f"_test_{name}") for key in results)
        scores = np.full((len(dropouts), len(l2s), n_folds), np.nan)
        for k, values in enumerate(zip(dropout, l2, strict=True)):
            place = dropouts.index(values[0]), l2s.index(values[1])
            if np.isfinite(results[f"mean_test_{name}"][k]):
                scores[place] = [results[f"split{fold}_test_{name}"][k] for fold in range(n_folds)]
        best = int(np.argmin(results[f"rank_test_{name}"])) if best is None else best
        chosen = dropouts.index(dropout[best]), l2s.index(l2[best])
        dropped = np.zeros(scores.shape[:2], dtype=bool)
        lasted = results.get("n_epochs", np.zeros(len(dropout)))
        for values, epochs in zip(zip(dropout, l2, strict=True), lasted, strict=True):
            dropped[dropouts.index(values[0]), l2s.index(values[1])] = epochs < max(lasted)
        scores = scores.take(folds_of_means(results, name), axis=2)
        return cls(
            dropouts=dropouts,
            l2s=l2s,
            scores=scores,
            best=chosen,
            dropped=dropped if dropped.any() else None,
            score_name=name,
        )

    def plot(self, ax=None, *, kind="heatmap", along="l2"):
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Drawn on; None makes a new one.
        kind : {"heatmap", "curves"}, default="heatmap"
            "heatmap" has a cell a candidate with its mean score, and a frame around the chosen one;
            "curves" a curve a value of the other parameter, with one standard error over folds.
        along : {"l2", "dropout"}, default="l2"
            The horizontal axis of curves.

        Returns
        -------
        display : RegularizationPathDisplay
            This object.

        Raises
        ------
        ValueError
            If `kind` or `along` is another word.
        """
        for name, value, known in (
            ("kind", kind, ("heatmap", "curves")),
            ("along", along, ("l2", "dropout")),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {known}; received {value!r}.")
        self.ax_, self.figure_ = _axes(ax)
        self.image_, self.chosen_ = None, None
        self.texts_, self.lines_, self.bands_ = [], [], []
        if kind == "heatmap":
            self._plot_heatmap()
        else:
            self._plot_curves(along)
        return self

    def _plot_heatmap(self) -> None:
        ax, (mean, _) = self.ax_, _mean_and_error(self.scores, self.dropped)
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
        _label_axis(ax.xaxis, self.l2s)
        _label_axis(ax.yaxis, self.dropouts)
        early = "" if self.dropped is None else "; (dropped early)"
        title = f"mean {self.score_name}; chosen: framed{early}"
        ax.set(xlabel="l2", ylabel="dropout", title=title)
        self.figure_.colorbar(self.image_, ax=ax)

    def _hollow(self, line, k: int, along: str) -> None:
        """Empty the markers of the k-th curve's candidates that were dropped."""
        if self.dropped is None:
            return
        dropped = np.asarray(self.dropped, bool)
        (places,) = np.nonzero(dropped[k] if along == "l2" else dropped[:, k])
        x, y = line.get_data()
        (early,) = self.ax_.plot(
            x[places], y[places], ls="", marker=line.get_marker(), color=line.get_color()
        )
        early.set_markerfacecolor("white")

    def _plot_curves(self, along: str) -> None:
        mean, error = _mean_and_error(self.scores, self.dropped)
        values, others, other = self.l2s, self.dropouts, "dropout"
        if along == "dropout":
            mean, error, values = mean.T, error.T, self.dropouts
            others, other = self.l2s, "l2"
        places = np.arange(len(values))
        for k, value in enumerate(others):
            (line,) = self.ax_.plot(
                places,
                mean[k],
                color=f"C{k % 10}",
                linestyle=_DASHES[k % len(_DASHES)],
                marker=_MARKERS[k % len(_MARKERS)],
                label=f"{other} {_label(value)}",
            )
            band = self.ax_.fill_between(
                places, mean[k] - error[k], mean[k] + error[k], color=line.get_color(), alpha=0.12
            )
            self.lines_.append(line)
            self.bands_.append(band)
            self._hollow(line, k, along)
        if self.best is not None:
            k, place = self.best if along == "l2" else self.best[::-1]
            (self.chosen_,) = self.ax_.plot(
                [place], [mean[k, place]], "o", ms=14, mfc="none", mec="black", label="chosen"
            )
        _label_axis(self.ax_.xaxis, values)
        self.ax_.set(xlabel=along, ylabel=f"{self.score_name} (band: standard error)")
        early = None if self.dropped is None else "hollow: dropped early"
        self.ax_.legend(fontsize=8, title=early, title_fontsize=8)


def _in_order(values: list) -> list:
    """Each value once: numbers from the smallest on, sequences as they came."""
    once = list(dict.fromkeys(values))
    return sorted(once) if all(isinstance(value, Real) for value in once) else once


def _mean_and_error(scores, dropped) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error over folds, of dropped candidates over those that they have."""
    scores = np.asarray(scores, float)
    early = np.zeros(scores.shape[:2], bool) if dropped is None else np.asarray(dropped, bool)
    counted = np.isfinite(scores) | ~early[..., None]  # NaN of others stays NaN
    n_folds = np.maximum(counted.sum(axis=2), 1)
    mean = np.where(counted, scores, 0).sum(axis=2) / n_folds
    mean[~counted.any(axis=2)] = np.nan
    squares = np.where(counted, scores - mean[..., None], 0) ** 2
    return mean, np.sqrt(squares.sum(axis=2) / n_folds / np.maximum(n_folds - 1, 1))


def _label(value) -> str:
    return f"{value:.3g}" if isinstance(value, Real) else ", ".join(f"{v:.3g}" for v in value)


def _label_axis(axis, values: list) -> None:
    """A tick for each value; labels of a horizontal axis that would overlap are turned."""
    labels = [_label(value) for value in values]
    axis.set_ticks(range(len(values)), labels)
    if axis.axis_name == "x" and len(labels) * (max(map(len, labels)) + 1) > _LETTERS:
        axis.set_tick_params(rotation=45)
