"""A table with categories or missing values in Keras: named inputs, and the layers after them.

`_make_encoder` does with layers what `TableEncoder.encode` does with NumPy. The rules of a category
are those of `Category`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from skreg._data.columns import Category, CategoryCells, TableEncoder, choose_tokens
from skreg._tensorflow import tensorflow

# float32 holds all integers below it, and not the next one after it.
_INTEGERS_END = 2**24


def _has_string_levels(category: Category) -> bool:
    return category.level_type == "strings"


def round_to_float32(what: str, numbers: np.ndarray) -> np.ndarray:
    """Return the numbers in float32, or raise a ValueError if it cannot hold one."""
    with np.errstate(over="ignore"):
        converted = numbers.astype(np.float32)
    if not np.isfinite(converted).all():
        raise ValueError(
            f"to_keras: expected numbers that float32 can hold, in which Keras computes; received "
            f"{numbers[~np.isfinite(converted)][0]:.3g} for {what}."
        )
    return converted


# -- the model ---------------------------------------------------------------------------------


def make_named_model(
    keras: Any, network: Any, encoder: TableEncoder, names: Sequence[str], dtype: str
):
    """Return a functional model: an input for each column, their encoder, and the network.

    Parameters
    ----------
    keras : module
    network : keras.Sequential
        Takes the encoded columns. It is called "network" afterwards, as it is a layer of the model.
    encoder : TableEncoder
    names : sequence of str, length n_features
        Of all columns.
    dtype : str
        Of the numbers.
    """
    inputs, [encoded] = make_named_inputs(keras, [encoder], names, dtype)
    network.name = find_free("network", list(inputs))
    return keras.Model(inputs, network(encoded), name="regularized_mlp")


def make_named_inputs(
    keras: Any, encoders: Sequence[TableEncoder], names: Sequence[str], dtype: str
) -> tuple[dict, list]:
    """Return an input for each column of a table, and the encoded table for each network.

    Parameters
    ----------
    keras : module
    encoders : sequence of TableEncoder
        Of each network. Equal ones share a model.
    names : sequence of str, length n_features
        Of all columns.
    dtype : str
        Of the numbers.

    Returns
    -------
    inputs : dict
        From the name of each input to its tensor.
    encoded : list of tensors
    """
    merged, names = merge_encoders(encoders), _name_inputs(names)
    different = {encoder.key: encoder for encoder in encoders}
    inputs: dict[str, Any] = {}
    encoded: dict[tuple, Any] = {}
    for k, (key, encoder) in enumerate(different.items(), 1):
        model = _make_encoder(keras, encoder, merged, dtype)
        # Names in a model are different. Inside the encoder they cannot be those of columns, since
        # inputs have no names there.
        model.name = find_free("encoder" if len(different) == 1 else f"encoder_{k}", names)
        inputs = inputs or {
            name: keras.Input((1,), dtype=tensor.dtype, name=name)
            for name, tensor in zip(names, model.inputs, strict=True)
        }
        encoded[key] = model(list(inputs.values()))
    return inputs, [encoded[encoder.key] for encoder in encoders]


def merge_encoders(encoders: Sequence[TableEncoder]) -> TableEncoder:
    """Return the columns that all networks together expect as inputs.

    Raises
    ------
    ValueError
        If a column has several kinds.
    """
    first = encoders[0]
    if any((other.is_category != first.is_category).any() for other in encoders):
        raise ValueError(
            "to_keras: expected networks for which the same columns are categories; received "
            "columns that are categories in some folds and numbers in others. Name the categories "
            "in categorical_features."
        )
    categories_of_folds = zip(*(other.categories for other in encoders), strict=True)
    return replace(
        first,
        medians=np.max([other.medians for other in encoders], axis=0),  # NaN if one is
        has_indicator=np.any([other.has_indicator for other in encoders], axis=0),
        categories=tuple(_merge_categories(categories) for categories in categories_of_folds),
    )


def _merge_categories(categories: Sequence[Category]) -> Category:
    """Return a category with the levels of all, and the type of those that have levels."""
    types = {category.level_type for category in categories} - {None}
    if "strings" in types and len(types) > 1:
        raise ValueError(
            f"to_keras: expected levels of one kind in all folds; column {categories[0].name!r} of "
            f"X has {sorted(map(str, types))}."
        )
    levels = set().union(*(category.levels for category in categories))
    level_type = "numbers" if len(types) > 1 else next(iter(types), None)
    return replace(categories[0], level_type=level_type, levels=tuple(sorted(levels)))


def _name_inputs(names: Sequence[str]) -> list[str]:
    """Return names for inputs: those of the columns, as far as Keras allows."""
    given: list[str] = []
    for name in names:
        allowed = name.replace("/", "_") or "_"
        given.append(name if name == allowed else find_free(allowed, [*names, *given]))
    return given


def find_free(name: str, taken: Sequence[str]) -> str:
    """Return the name, with "_" behind it until it is not taken."""
    while name in taken:
        name += "_"
    return name


def _make_encoder(keras: Any, encoder: TableEncoder, merged: TableEncoder, dtype: str):
    """Return a functional model from a list of columns to the encoded table.

    Types and tokens of the categories are those of `merged`.
    """
    if any(map(_has_string_levels, merged.categories)) and keras.config.backend() != "tensorflow":
        raise ValueError(
            "to_keras: expected Keras to run on TensorFlow, since X has categories of text, for "
            f"which other backends have no type; received KERAS_BACKEND={keras.config.backend()!r}."
        )
    inputs = [
        keras.Input((1,), dtype="string" if category and _has_string_levels(category) else dtype)
        for category in merged.categories_by_column
    ]
    parts, used_columns, width = [], [], 0
    numbers = [inputs[k] for k in np.flatnonzero(~encoder.is_category)]
    if not np.isnan(encoder.medians).all():
        encoded, used = _encode_numbers(keras.ops, numbers, encoder, dtype)
        parts.append(encoded)
        used_columns += used
        width += encoded.shape[1]
    pairs = zip(encoder.categories_by_column, merged.categories_by_column, inputs, strict=True)
    for category, merged_category, tensor in pairs:
        if category is None or merged_category is None:
            continue
        if _has_string_levels(merged_category):
            tokens = choose_tokens(merged_category.levels)
            encoded = _encode_strings(keras, category, tokens, tensor, dtype)
        else:
            encoded = _encode_levels(keras, category, tensor, dtype)
        if category.default >= 0:  # what is not the first level is the second one
            encoded = 1 - encoded[:, :2]
        parts.append(encoded)
        used_columns += [width + column for column in _choose_columns(category)]
        width += encoded.shape[1]
    encoded = keras.ops.concatenate(parts, axis=1)
    # Each part has all columns that its type may have. Here those in use are taken, in their order.
    return keras.Model(inputs, keras.ops.take(encoded, np.array(used_columns), axis=1))


def _encode_numbers(
    ops: Any, numbers: list, encoder: TableEncoder, dtype: str
) -> tuple[Any, list[int]]:
    """Return numbers without missing ones, then where they are missing, and the columns in use."""
    kept = np.flatnonzero(~np.isnan(encoder.medians))
    medians = round_to_float32("a column's median", encoder.medians[kept]).astype(dtype)
    values = ops.concatenate([numbers[k] for k in kept], axis=1)
    is_missing = ops.isnan(values)
    filled = ops.where(is_missing, medians, values)
    indicators = len(kept) + np.flatnonzero(encoder.has_indicator[kept])
    encoded = ops.concatenate([filled, ops.cast(is_missing, dtype)], axis=1)
    return encoded, [*range(len(kept)), *indicators.tolist()]


def _encode_strings(keras: Any, category: Category, tokens: tuple[str, str], tensor, dtype: str):
    """Return columns for other levels, for each level, and for missing ones."""
    missing, other = tokens
    lookup = keras.layers.StringLookup(
        vocabulary=[*category.levels, missing], oov_token=other, output_mode="one_hot"
    )
    return keras.ops.cast(lookup(tensor), dtype)


def _encode_levels(keras: Any, category: Category, tensor, dtype: str):
    """Return the same columns as `_encode_strings` for levels that are numbers or booleans."""
    is_small = all(abs(level) < _INTEGERS_END for level in category.levels)
    levels = np.array(category.levels if is_small else [], dtype)
    if len(np.unique(levels)) < len(category.levels):
        raise ValueError(
            "to_keras: expected levels that float32 can tell apart, in which Keras computes; "
            f"column {category.name!r} of X has {category.levels[:5]}. Convert them to strings "
            "before you fit."
        )
    ops = keras.ops
    known = [ops.equal(tensor, levels)] if len(levels) else []
    known = ops.concatenate([*known, ops.isnan(tensor)], axis=1)
    other = ops.logical_not(ops.any(known, axis=1, keepdims=True))
    return ops.cast(ops.concatenate([other, known], axis=1), dtype)


def _choose_columns(category: Category) -> list[int]:
    """Return which of the columns for other levels, each level and missing ones are in use."""
    n_levels = len(category.levels)
    if category.default >= 0:
        return [1]
    levels = range(1 + category.is_binary, 1 + n_levels)
    return [*levels, *[1 + n_levels] * category.has_missing, *[0] * category.has_infrequent]


# -- its inputs --------------------------------------------------------------------------------


def make_inputs(estimator, X):
    """Return a table as the inputs of the model that `to_keras` returns.

    Parameters
    ----------
    estimator : estimator of skreg
        Fitted.
    X : array-like of shape (n_samples, n_features)
        As for `predict`.

    Returns
    -------
    inputs : dict or ndarray of shape (n_samples, n_features)
        For a table with categories or missing values, a dict from the name of each column to an
        array of shape (n_samples, 1): float32 for numbers, a string tensor of TensorFlow for
        strings. For a table of numbers one array in float32.

    Raises
    ------
    NotFittedError, TypeError
        If `estimator` is not fitted, or has another type.
    ValueError
        If `X` is not valid, as in `predict`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.keras import make_inputs
    >>> X = pd.DataFrame({"size": [1.5, None, 3.5], "colour": ["red", "blue", "red"]})
    >>> model = RegularizedMLPClassifier(max_iter=5, random_state=0).fit(X, [0, 1, 0])
    >>> inputs = make_inputs(model, X)
    >>> inputs["size"].ravel()
    array([1.5, nan, 3.5], dtype=float32)
    >>> model.to_keras().predict(inputs, verbose=0).shape
    (3, 1)
    """
    if not hasattr(estimator, "to_keras"):
        raise TypeError(
            "estimator: expected an estimator of skreg, such as a RegularizedMLPClassifier; "
            f"received {type(estimator).__name__}."
        )
    check_is_fitted(estimator)
    encoder, table, names = estimator._check_inputs(X)
    numbers = _make_dense(table.numbers)
    if encoder is None:
        return numbers
    columns_of_numbers, cells = iter(numbers.T), iter(table.categories)
    return {
        name: next(columns_of_numbers)[:, None]
        if category is None
        else _make_input(category, next(cells))
        for name, category in zip(_name_inputs(names), encoder.categories_by_column, strict=True)
    }


def _make_dense(numbers) -> np.ndarray:
    with np.errstate(over="ignore"):  # as Keras does
        numbers = numbers.toarray() if sparse.issparse(numbers) else np.asarray(numbers)
        return numbers.astype(np.float32)


def _make_input(category: Category, cells: CategoryCells):
    """Return the cells of a category, of shape (n, 1)."""
    category.check(cells)
    if not _has_string_levels(category):
        # Infinity is no level. Levels that are not known may be beyond float32.
        levels = [level if level in category.levels else np.inf for level in cells.levels]
        return np.array([*levels, np.nan], np.float32)[cells.codes][:, None]
    missing, other = choose_tokens(category.levels)
    # A level that is not known may be the string that stands for a missing one.
    levels = [other if level == missing else level for level in cells.levels]
    values = np.array([*levels, missing], dtype=object)[cells.codes]
    tf = tensorflow()
    return tf.constant(values[:, None], dtype=tf.string)
