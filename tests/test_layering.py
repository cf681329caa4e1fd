"""The folders are the layers: each imports only those before it, and TensorFlow has one door."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skreg"
LAYERS = (
    "_tensorflow",
    "_compat",
    "_data",
    "_nn",
    "_engine",
    "keras",
    "_estimators",
    "_model_selection",
    "_plotting",
    "onnx",
)
WITHOUT_SKLEARN = ("_tensorflow", "_data", "_nn", "_engine")
# The only layers that import them.
OWNERS = {
    "tensorflow": ("_tensorflow",),
    "keras": ("keras",),
    "scikeras": ("keras",),
    "matplotlib": ("_plotting",),
    "onnx": ("onnx",),
    "skl2onnx": ("onnx",),
}
MAX_CODE_LINES, MAX_FUNCTION_LINES = 350, 60
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(source: str) -> list[str]:
    """Every module that the source imports, anywhere in it, as a dotted name."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append("." * node.level + (node.module or ""))
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def violations(layer: str, source: str) -> list[str]:
    """Say what is wrong with the imports of a module of the layer."""
    if layer == "__init__":
        return []
    if layer not in LAYERS:
        return [f"{layer} is none of the layers {LAYERS}"]
    found = []
    for target in imported(source):
        top, *rest = target.split(".")
        if top == "":
            found.append(f"{target} is relative")
        if top == "skreg" and (not rest or rest[0] not in LAYERS):
            found.append(f"{layer} imports {target}, which is none of the layers")
        elif top == "skreg":
            if LAYERS.index(rest[0]) > LAYERS.index(layer):
                found.append(f"{layer} imports {target}, which stands above it")
        if top in OWNERS and layer not in OWNERS[top]:
            found.append(f"{layer} imports {target}; only {OWNERS[top]} may")
        if top == "sklearn" and layer in WITHOUT_SKLEARN:
            found.append(f"{layer} imports {target}")
        if top == "sklearn" and any(part.startswith("_") for part in rest) and layer != "_compat":
            found.append(f"{layer} imports {target}, which is private; only _compat may")
    return found


def layer_of(path: Path) -> str:
    """The first part of the path inside the package, without its ending."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that are neither empty, nor comments, nor docstrings."""
    lines = source.splitlines()
    code = {
        number
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.strip().startswith("#")
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            code -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return code


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_imports_only_the_layers_before_its_own(path):
    assert violations(layer_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("_data", "from skreg._nn.losses import LOSSES"),
        ("_nn", "import skreg._engine.job"),
        ("_estimators", "def f():\n    from skreg._model_selection.search import Search"),
        ("_nn", "from skreg import RegularizedMLPClassifier"),
        ("_engine", "import sklearn.utils"),
        ("_engine", "import tensorflow as tf"),
        ("_estimators", "from sklearn.utils._param_validation import Interval"),
        ("_estimators", "from sklearn.base import _fit_context"),
        ("_estimators", "def f():\n    import matplotlib.pyplot as plt"),
        ("_model_selection", "import scikeras.wrappers"),
        ("_estimators", "from . import base"),
        ("_new", ""),
    ],
)
def test_a_violation_is_found(layer, source):
    assert len(violations(layer, source)) >= 1


def test_only_onnx_files_are_written_by_a_layer_above():
    """An import by a name in a string would hide from the test above."""
    found = {
        (str(path.relative_to(PACKAGE)), line.strip())
        for path in FILES
        for line in path.read_text().splitlines()
        if "import_module(" in line
    }
    assert {name for name, _ in found} == {"keras/_files.py"}
    assert all('"skreg.onnx"' in line for _, line in found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_is_short(path):
    assert len(code_lines(path.read_text())) <= MAX_CODE_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_are_short(path):
    source = path.read_text()
    code = code_lines(source)
    long = [
        node.name
        for node in ast.walk(ast.parse(source))
        # A constructor is as long as its parameters are many.
        if isinstance(node, ast.FunctionDef) and node.name != "__init__"
        if len(code & set(range(node.lineno, node.end_lineno + 1))) > MAX_FUNCTION_LINES
    ]
    assert long == []
