"""ONNX graphs of fitted estimators, alone and in pipelines.

``import skreg.onnx`` registers converters with skl2onnx, so that its ``to_onnx`` and
``convert_sklearn`` take the estimators of skreg wherever they are: in a Pipeline, after a
ColumnTransformer, in a GridSearchCV. It needs the packages of the extra "onnx".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import skl2onnx
except ImportError as error:
    raise ImportError(
        "skreg.onnx: expected the package 'skl2onnx', which is not installed. Run "
        "`pip install '.[onnx]'` in a clone of skreg, or `pip install skl2onnx`."
    ) from error

from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.onnx._converters import register_converters
from skreg.onnx._inputs import make_inputs, read_names, store_metadata
from skreg.onnx._missing_strings import check_ordinal_encoders
from skreg.onnx._types import choose_types

if TYPE_CHECKING:
    import onnx

__all__ = ["make_inputs", "to_onnx"]

register_converters()


def to_onnx(estimator, X=None, target_opset=None) -> onnx.ModelProto:
    """Return a fitted estimator or pipeline as an ONNX graph.

    It contains the preparation of the columns, the networks and, for a classifier, the labels. Its
    operators are those of the domains "ai.onnx" and "ai.onnx.ml".

    Parameters
    ----------
    estimator : estimator
        Fitted. One of skreg, or one of scikit-learn with steps that skl2onnx converts.
    X : array-like of shape (n_samples, n_features), default=None
        Some rows, whose types are those of the inputs. None is for estimators of skreg only:
        numbers are then float32, unless levels of a category need float64.
    target_opset : int or dict, default=None
        Version of ONNX' operators. None is the newest one that skl2onnx was tested with.

    Returns
    -------
    model : onnx.ModelProto
        A classifier has the outputs "label" of shape (n_samples,) and "probabilities" of shape
        (n_samples, n_classes), also for two classes; for several labels per row both are of shape
        (n_samples, n_labels). A regressor has the output "variable" of shape
        (n_samples, n_outputs). For one of skreg, the input is "X" of shape (n_samples, n_features),
        or one for each column, of shape (n_samples, 1), if the columns of training had categories
        or missing values. Another estimator has one input for each column if the data frame has
        strings or the estimator contains a ColumnTransformer; otherwise it has the input "X".
        skl2onnx changes names that are no identifiers.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If `X` is None for another estimator, if its columns are not those of training in their
        order, if ONNX has no type for the labels, if the type of an input cannot tell the levels
        of a category apart, or if an OrdinalEncoder of missing values makes NaN of them.

    See Also
    --------
    make_inputs : A table as the inputs of the graph.
    skreg.keras.save_model : Writes the graph to a file.

    Examples
    --------
    >>> import onnxruntime
    >>> import pandas as pd
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.onnx import make_inputs, to_onnx
    >>> X = pd.DataFrame({"size": [1.5, None, 3.5], "colour": ["red", "blue", "red"]})
    >>> model = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, ["a", "b", "a"])
    >>> session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString())
    >>> label, probabilities = session.run(None, make_inputs(session, X))
    >>> bool(abs(probabilities - model.predict_proba(X)).max() < 1e-5)
    True
    """
    check_is_fitted(estimator)
    names = read_names(estimator, X)
    predictor = _find_predictor(estimator)
    check_ordinal_encoders(predictor)
    options = None
    if is_classifier(predictor):  # probabilities in one tensor
        options = {id(predictor): {"zipmap": False}}
    graph = skl2onnx.to_onnx(
        predictor,
        initial_types=choose_types(predictor, X),
        target_opset=target_opset,
        options=options,
    )
    store_metadata(graph, predictor, names)
    return graph


def _find_predictor(estimator):
    """Return what predicts in a search, and in a pipeline of one step."""
    while not hasattr(estimator, "_get_networks"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline) and len(estimator) == 1:
            estimator = estimator[-1]
        else:
            break
    return estimator
