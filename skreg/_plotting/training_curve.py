"""TODO."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skreg._plotting.axes import _axes, _inside


class TrainingCurveDisplay:
    """Training and validation loss over the epochs, of one network or of many.

    Made by `from_estimator`.

    Parameters
    ----------
    losses : sequence of sequence of float
        Objective of each epoch, a curve a network.
    validation_losses : sequence of sequence of float or None, default=None
        Likewise of held-out rows.
    best_iter : int or None, default=None
        The epoch, from 1 on, whose weights were kept; of one network.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Drawn on.
    figure_ : matplotlib Figure
        Of the axes.
    lines_ : list of matplotlib Line2D
        Training losses.
    validation_lines_ : list of matplotlib Line2D
        Validation losses.
    best_ : matplotlib Line2D or None
        At `best_iter`.

    See Also
    --------
    RegularizationPathDisplay : Scores over dropout and l2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier, TrainingCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RegularizedMLPClassifier(early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(self, *, losses, validation_losses=None, best_iter=None):
        self.losses = losses
        self.validation_losses = validation_losses
        self.best_iter = best_iter

    @classmethod
    def from_estimator(cls, estimator, *, which="best", ax=None):
        """Draw the losses of an estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, of this package; or a search or a pipeline that ends in one.
        which : {"best", "all"}, default="best"
            "best" is the network that predicts. "all" are those of a search, which has to have
            been fitted with `store_curves=True`.
        ax : matplotlib Axes, default=None
            Drawn on; None makes a new one.

        Returns
        -------
        display : TrainingCurveDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If the estimator has no such curves.
        """
        check_is_fitted(estimator)
        if which not in ("best", "all"):
            raise ValueError(f"which: expected 'best' or 'all'; received {which!r}.")
        found = _curves_of_all(estimator) if which == "all" else _curves_of_best(estimator)
        return cls(**found).plot(ax)

    def plot(self, ax=None):
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Drawn on; None makes a new one.

        Returns
        -------
        display : TrainingCurveDisplay
            This object.
        """
        self.ax_, self.figure_ = _axes(ax)
        alpha = max(0.15, 1 / len(self.losses) ** 0.5)
        self.lines_ = self._plot_curves(self.losses, "training, with penalty", "-", "C0", alpha)
        validation = self.validation_losses or []
        self.validation_lines_ = self._plot_curves(validation, "validation", "--", "C1", alpha)
        self.best_ = None
        if self.best_iter is not None:
            self.best_ = self.ax_.axvline(self.best_iter, color="black", ls=":", label="kept")
        self.ax_.set(xlabel="epoch", ylabel="loss")
        if all(np.min(curve) > 0 for curve in [*self.losses, *validation]):
            self.ax_.set_yscale("log")
        self.ax_.legend(fontsize=8)
        return self

    def _plot_curves(self, curves, label: str, linestyle: str, color: str, alpha: float) -> list:
        style = {"linestyle": linestyle, "color": color, "alpha": alpha}
        return [
            self.ax_.plot(range(1, len(curve) + 1), curve, label=None if k else label, **style)[0]
            for k, curve in enumerate(curves)
        ]


def _curves_of_best(estimator) -> Bunch:
    inner = _inside(estimator, "loss_curve_")
    inner = _inside(estimator, "estimators_") if inner is None else inner
    networks = getattr(inner, "estimators_", [inner])
    if not hasattr(networks[0], "loss_curve_"):
        raise ValueError(
            "estimator: expected a fitted network, or a search or pipeline that has one; received "
            f"{type(estimator).__name__} without (a search is to be fitted with refit=True)."
        )
    # MLPClassifier has the one curve and not the other.
    validated = getattr(networks[0], "validation_loss_curve_", None) is not None
    return Bunch(
        losses=[network.loss_curve_ for network in networks],
        validation_losses=[n.validation_loss_curve_ for n in networks] if validated else None,
        best_iter=networks[0].best_iter_ if validated and len(networks) == 1 else None,
    )


def _curves_of_all(estimator) -> Bunch:
    search = _inside(estimator, "loss_curves_")
    if search is None:
        raise ValueError(
            "which='all': expected an estimator that searched with store_curves=True; received "
            f"{type(estimator).__name__} without loss_curves_."
        )
    curves = [curve for curve in search.loss_curves_.ravel() if curve is not None]
    validation = [curve for curve in search.validation_loss_curves_.ravel() if curve is not None]
    return Bunch(losses=curves, validation_losses=validation or None)
