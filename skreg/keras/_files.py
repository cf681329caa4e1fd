"""Files of exported networks: `.keras`, SavedModel and ONNX, with the class labels inside.

The graphs of ONNX files are those of `skreg.onnx`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg.keras._export import import_keras, preserve_python_random

FORMATS = "keras", "onnx", "tf_saved_model"


_LABELS = "classes.json"  # in the archive of .keras, and in the extra assets of a SavedModel


_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"  # in the archive of .keras
# Names of integers in a configuration that are no sizes.
_NO_SIZES = ("seed", "vocabulary", "mask_token", "oov_token", "shared_object_id")
_MAX_BYTES = 1 << 26  # of labels or of a configuration: a few kilobytes could ask for gigabytes


def check_format(path: Path, format: str | None) -> str:
    """Return the format, if a file of it can be written to the path.

    Parameters
    ----------
    path : Path
    format : {"keras", "onnx", "tf_saved_model"} or None
        None decides by the ending.

    Raises
    ------
    FileNotFoundError, FileExistsError, ImportError, ValueError
        If it cannot be written.
    """
    if format not in (None, *FORMATS):
        raise ValueError(f"format: expected one of {FORMATS} or None; received {format!r}.")
    format = _find_format(path) if format is None else format
    if (format == "keras") != (path.suffix == ".keras"):
        raise ValueError(
            "path: expected the ending '.keras' if and only if format='keras'; received "
            f"{str(path)!r} and {format!r}."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: expected a folder that exists; received {str(path)!r}.")
    if path.is_dir() or (format == "tf_saved_model" and os.path.lexists(path)):
        raise FileExistsError(
            "path: expected a file to write or replace, or a folder that does not exist; received "
            f"{str(path)!r}."
        )
    if format == "tf_saved_model" and (backend := import_keras().config.backend()) != "tensorflow":
        raise ValueError(
            f"format: expected 'keras' where Keras runs on another backend than TensorFlow, "
            f"KERAS_BACKEND={backend!r}; received {format!r}."
        )
    return format


def write_model(model: Any, classes: np.ndarray | None, path: Path, format: str) -> None:
    """Write a Keras model and its labels to a file, or a folder for a SavedModel."""
    write = {"keras": _write_keras, "tf_saved_model": _write_saved_model}[format]
    labels = None if classes is None else _to_json(classes)
    with _preserve_process(), _replace_whole(path, f"model{path.suffix}") as there:
        write(model, labels, there)


@contextlib.contextmanager
def _replace_whole(path: Path, name: str):
    """Give a path to write to. What is there afterwards replaces `path`, or nothing does."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        there = Path(folder) / name
        yield there
        os.replace(there, path)


def _find_format(path: Path) -> str:
    formats = {".keras": "keras", ".onnx": "onnx", "": "tf_saved_model"}
    if path.suffix not in formats or path.name in formats:
        raise ValueError(
            "path: expected the ending '.keras' or '.onnx', none for a SavedModel, or a format; "
            f"received {str(path)!r}."
        )
    return formats[path.suffix]


@contextlib.contextmanager
def _preserve_process():
    """Undo what the exporters change: the root logger's handlers and Python's random state."""
    handlers = logging.root.handlers.copy()
    try:
        with preserve_python_random():
            yield
    finally:
        logging.root.handlers[:] = handlers


def _to_json(classes: np.ndarray) -> str:
    if classes.dtype.kind == "T":  # whose name NumPy does not read
        classes = np.array(classes.tolist())
    try:
        labels = {"dtype": classes.dtype.str, "classes": classes.tolist()}
        return json.dumps(labels, default=np.generic.item)  # of NumPy's numbers among objects
    except TypeError as error:
        raise ValueError(
            "classes_: expected labels that are numbers, strings or booleans, as JSON has them, to "
            f"write them into a file; received {classes[:3]!r}."
        ) from error


def _from_json(text: str | bytes) -> np.ndarray:
    found = json.loads(text)
    dtype, labels = np.dtype(found["dtype"]), list(found["classes"])
    if any(isinstance(label, (list, dict)) for label in labels):
        raise ValueError("expected one number or text a label; received a list or a dict.")
    if dtype.itemsize * len(labels) > _MAX_BYTES:
        raise ValueError(
            f"expected labels of at most {_MAX_BYTES} bytes; received {len(labels)} of the type "
            f"{dtype.str!r}."
        )
    return np.array(labels, dtype=dtype)


def _write_keras(model, labels: str | None, path: Path) -> None:
    model.save(path)
    if labels is not None:
        with zipfile.ZipFile(path, "a") as archive:  # Keras reads the members that it knows
            archive.writestr(_LABELS, labels)


def _write_saved_model(model, labels: str | None, path: Path) -> None:
    signature = _make_signature(model)
    model.export(path, format="tf_saved_model", verbose=False, input_signature=signature)
    if labels is not None:
        # TensorFlow reserves this folder for additional files.
        extra = path / "assets.extra"
        extra.mkdir()
        (extra / _LABELS).write_text(labels)


def _make_signature(model) -> list | None:
    """Return the types of named inputs, with names that a graph of TensorFlow may have.

    None for one input, of which Keras makes the signature.
    """
    keras = import_keras()
    if isinstance(model, keras.Sequential) or not isinstance(model.input, dict):
        return None
    names: list[str] = []
    for name in model.input:
        allowed = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        allowed = f"x{allowed}" if allowed[0] in "_-" else allowed
        while allowed.lower() in map(str.lower, names):  # a graph does not tell cases apart
            allowed += "_"
        names.append(allowed)
    return [
        {
            name: keras.InputSpec(tensor.dtype, tensor.shape, name=allowed)
            for (name, tensor), allowed in zip(model.input.items(), names, strict=True)
        }
    ]


def load_model(model: Any) -> tuple[Any, np.ndarray | None]:
    """Return a model as it is, or the model and the labels of a file."""
    return _read_file(Path(model)) if isinstance(model, (str, os.PathLike)) else (model, None)


def _read_file(path: Path) -> tuple[Any, np.ndarray | None]:
    if not path.exists():
        raise FileNotFoundError(f"from_keras: expected a file; received {str(path)!r}.")
    if path.suffix in (".h5", ".hdf5"):
        raise ValueError(
            f"from_keras: expected a file of the ending '.keras'; received {str(path)!r}. Load it "
            "with keras.saving.load_model and pass the model."
        )
    import_keras()  # first, so that an import error is not reported as an unreadable file
    try:
        with zipfile.ZipFile(path) as archive:
            has_labels = _LABELS in archive.namelist()
            labels = _from_json(_read_member(archive, _LABELS)) if has_labels else None
            _check_size(archive)
        return _load_keras(path), labels
    except Exception as error:  # whatever zipfile, json, h5py or Keras raise
        raise ValueError(
            "from_keras: expected a file that Keras 3 saved, of the ending '.keras'; received "
            f"{str(path)!r}, which cannot be read: {type(error).__name__}: {error}"
        ) from error


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > _MAX_BYTES:
        raise ValueError(f"expected at most {_MAX_BYTES} bytes in {name!r}; received {size}.")
    return archive.read(name)


def _check_size(archive: zipfile.ZipFile) -> None:
    """Raise a ValueError for layers whose weights are not in the file.

    Keras makes all weights before it reads them, so that a small file could fill the memory.
    """
    n_bytes = archive.getinfo(_WEIGHTS).compress_size  # Keras does not compress
    config = json.loads(_read_member(archive, _CONFIG))
    # For layers without units, the largest size is a lower bound.
    n_weights = max(_count_weights(config), *_list_sizes(config["config"]))
    if n_weights > 2 * n_bytes:  # two to a byte are the smallest that Keras has
        raise ValueError(f"expected {n_weights} weights in the file; received {n_bytes} bytes.")


def _list_sizes(config: Any):
    """Yield zero, and the integers of a configuration of Keras that may be sizes of weights."""
    yield config if isinstance(config, int) else 0
    parts = config if isinstance(config, list) else ()
    if isinstance(config, dict):
        parts = [part for name, part in config.items() if name not in _NO_SIZES]
    for part in parts:
        yield from _list_sizes(part)


def _count_weights(config: Any) -> int:
    """Return how many kernel weights the layers with units have in a configuration of Keras."""
    if isinstance(config, list):
        return sum(_count_weights(value) for value in config)
    if not isinstance(config, dict):
        return 0
    inner, built = config.get("config"), config.get("build_config")
    count = sum(_count_weights(value) for value in config.values())
    if isinstance(inner, dict) and "units" in inner:
        if not isinstance(built, dict):
            raise ValueError("expected a build_config of every layer with units; received none.")
        n_inputs = built["input_shape"][-1]
        n_recurrent = 0 if config.get("class_name") == "Dense" else inner["units"]
        count += inner["units"] * (n_inputs + n_recurrent)
    return count


def _load_keras(path: Path):
    load = import_keras().saving.load_model
    with preserve_python_random():
        try:
            return load(path)
        except (TypeError, ValueError):  # a custom loss or metric
            return load(path, compile=False)


def save_model(estimator, path, format=None, X=None):
    """Write a fitted network to a file that Keras, TensorFlow or an ONNX runtime loads.

    Parameters
    ----------
    estimator : estimator
        Fitted. Of a search, the refitted winner is written, or one model that averages the networks
        of ``refit="folds"`` or "ensemble". An ONNX file may also hold a Pipeline or another
        estimator of scikit-learn.
    path : str or os.PathLike
        File to write or replace, or new folder for a SavedModel.
    format : {"keras", "onnx", "tf_saved_model"}, default=None
        None decides by the ending of `path`: ".keras", ".onnx", or none for a SavedModel. ONNX
        needs the extra "onnx".
    X : array-like of shape (n_samples, n_features), default=None
        For ONNX, some rows whose types are those of the inputs, as in :func:`skreg.onnx.to_onnx`.
        Needed for a Pipeline. Ignored by other formats.

    Raises
    ------
    FileNotFoundError, FileExistsError
        If the folder of `path` does not exist, if `path` is a folder, or if it exists and the
        format is a SavedModel.
    ImportError
        If a package that the format needs is not installed.
    NotFittedError, TypeError
        If `estimator` is not fitted, or has another type.
    ValueError
        If the format is unknown or does not match the ending, if JSON cannot hold the labels, or as
        in `to_keras` or :func:`skreg.onnx.to_onnx`.

    Notes
    -----
    The labels of a classifier are in an ONNX graph. In other formats they are saved as JSON with
    "dtype" and "classes", in the order of the outputs: in a SavedModel as
    `assets.extra/classes.json`, and in `.keras` as `classes.json` in the archive, which
    `from_keras` reads. If Keras saves the model again, the labels are lost, and `from_keras` needs
    `classes`. It does not read a model that averages networks.

    In a SavedModel, the inputs of a table with categories or missing values have names that a graph
    of TensorFlow allows: other characters than ASCII letters, digits, "_", "." and "-" become "_",
    and "_" is appended to names that differ only by case.

    Keras 3.15 saves neither the delta of a Huber loss nor that biases are excluded from weight
    decay. Compile such a network again before you train it further from a file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.keras import save_model
    >>> iris = load_iris()
    >>> names = iris.target_names[iris.target]
    >>> model = RegularizedMLPClassifier(random_state=0).fit(iris.data, names)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/iris.keras")
    ...     back = RegularizedMLPClassifier.from_keras(f"{folder}/iris.keras")
    >>> back.predict(iris.data[:1]).item()
    'setosa'
    """
    path = Path(path)
    format = check_format(path, format)
    if format != "onnx" and not hasattr(estimator, "to_keras"):
        raise TypeError(
            "estimator: expected an estimator of skreg, such as a RegularizedMLPClassifier; "
            f"received {type(estimator).__name__}."
        )
    check_is_fitted(estimator)
    if format == "onnx":
        # By its name, since that layer stands above this one.
        graph = importlib.import_module("skreg.onnx").to_onnx(estimator, X)
        with _replace_whole(path, "model.onnx") as there:
            there.write_bytes(graph.SerializeToString())
        return
    write_model(estimator.to_keras(), getattr(estimator, "classes_", None), path, format)
