"""A display of the losses over the epochs."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg._plotting.axes import find_estimator, get_axes


class TrainingCurveDisplay:
    """Training and validation losses over the epochs, of one or several networks.

    Use `from_estimator` to create a display.

    Parameters
    ----------
    losses : sequence of sequence of float
        Training loss with penalty after each epoch, one curve per network.
    validation_losses : sequence of sequence of float or None, default=None
        Validation loss after each epoch, one curve per network.
    best_iter : int or None, default=None
        Epoch whose weights were kept, counted from 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : list of matplotlib Line2D
        Curves of the training losses.
    validation_lines_ : list of matplotlib Line2D
        Curves of the validation losses. Empty if there are none.
    best_ : matplotlib Line2D or None
        Vertical line at `best_iter`. None if `best_iter` is None.

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
            A fitted estimator of this package, or a search or pipeline that ends in one.
        which : {"best", "all"}, default="best"
            "best" draws the network that predicts. "all" draws all networks of a search that was
            fitted with ``store_curves=True``.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.

        Returns
        -------
        display : TrainingCurveDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `which` is unknown, or if the estimator has no such curves.
        """
        check_is_fitted(estimator)
        if which not in ("best", "all"):
            raise ValueError(f"which: expected 'best' or 'all'; received {which!r}.")
        curves = _read_all_curves(estimator) if which == "all" else _read_best_curves(estimator)
        return cls(**curves).plot(ax)

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates new ones.

        Returns
        -------
        display : TrainingCurveDisplay
            This object.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_, self.figure_ = get_axes(ax)
        alpha = max(0.15, 1 / len(self.losses) ** 0.5)
        self.lines_ = self._draw_curves(self.losses, "training, with penalty", "-", "C0", alpha)
        validation = self.validation_losses or []
        self.validation_lines_ = self._draw_curves(validation, "validation", "--", "C1", alpha)
        self.best_ = None
        if self.best_iter is not None:
            self.best_ = self.ax_.axvline(self.best_iter, color="black", ls=":", label="kept")
        self.ax_.set(xlabel="epoch", ylabel="loss")
        if all(np.min(curve) > 0 for curve in [*self.losses, *validation]):
            self.ax_.set_yscale("log")
        self.ax_.legend(fontsize=8)
        return self

    def _draw_curves(self, curves, label: str, linestyle: str, color: str, alpha: float) -> list:
        style = {"linestyle": linestyle, "color": color, "alpha": alpha}
        return [
            self.ax_.plot(range(1, len(curve) + 1), curve, label=None if k else label, **style)[0]
            for k, curve in enumerate(curves)
        ]


def _read_best_curves(estimator) -> dict:
    fitted = find_estimator(estimator, "loss_curve_")
    fitted = find_estimator(estimator, "estimators_") if fitted is None else fitted
    networks = getattr(fitted, "estimators_", [fitted])
    if not all(hasattr(network, "loss_curve_") for network in networks):
        raise ValueError(
            "estimator: expected a fitted network, or a search or pipeline with one; received a "
            f"{type(estimator).__name__} without one. Fit a search with refit=True."
        )
    # MLPClassifier has a loss curve, and no validation loss curve.
    validated = getattr(networks[0], "validation_loss_curve_", None) is not None
    return {
        "losses": [network.loss_curve_ for network in networks],
        "validation_losses": [n.validation_loss_curve_ for n in networks] if validated else None,
        "best_iter": networks[0].best_iter_ if validated and len(networks) == 1 else None,
    }


def _read_all_curves(estimator) -> dict:
    search = find_estimator(estimator, "loss_curves_")
    if search is None:
        raise ValueError(
            "which='all': expected a search that was fitted with store_curves=True; received a "
            f"{type(estimator).__name__} without loss_curves_."
        )
    losses = [curve for curve in search.loss_curves_.ravel() if curve is not None]
    validation = [curve for curve in search.validation_loss_curves_.ravel() if curve is not None]
    return {"losses": losses, "validation_losses": validation or None}
