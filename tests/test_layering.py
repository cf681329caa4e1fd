"""The layers: imports only downward, one door to TensorFlow, one file for private scikit-learn."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "skreg"

LEVELS = {
    "_spec": 0,
    "_tensorflow": 0,
    "_noise": 1,
    "_scaling": 1,
    "_sparse": 1,
    "_penalties": 1,
    "_heads": 1,
    "_solvers": 1,
    "_network": 1,
    "_rows": 2,
    "_values": 2,
    "_program": 3,
    "_training": 4,
    # Level 4's bridge to Keras is in three steps.
    "_to_keras": 4,
    "_from_keras": 4.3,
    "_model_files": 4.5,
    "_compat": 4,  # scikit-learn's, so for estimators only
    # Level 5 is in four steps: what a fit is made of, a fit, the base, the estimators.
    "_parameters": 5.0,
    "_tables": 5.0,
    "_targets": 5.0,
    "_monitoring": 5.0,
    "_fitting": 5.1,
    "_base": 5.2,
    "_classifier": 5.3,
    "_regressor": 5.3,
    "_rungs": 5.9,
    "_scikeras": 5.9,
    "keras": 6,
    # Level 6's search is in steps: scores and runs, their table, who reads it, base, estimators.
    "_scoring": 6.0,
    "_splits": 6.0,
    "_search": 6.0,
    "_grid": 6.1,
    "_results": 6.1,
    "_selection": 6.2,
    "_search_score": 6.2,
    "_display": 6.2,
    "_base_cv": 6.3,
    "_cv": 6.4,
    "_uncertainty": 6.0,
    "__init__": 7,
}


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


def violations(name: str, source: str) -> list[str]:
    """Say what is wrong with the imports of module `name`."""
    level = LEVELS.get(name)
    if level is None:
        return [f"{name} has no level"]
    found = []
    for target in imported(source):
        top, *rest = target.split(".")
        if top == "":
            found.append(f"{name} imports relatively: {target}")
        if top == "skreg" and rest and rest[0] in LEVELS:
            other = LEVELS[rest[0]]
            if other > level or (other == level and level > 0):
                found.append(f"{name} (level {level}) imports {target} (level {other})")
        if top in ("tensorflow", "keras") and name not in ("_tensorflow", "keras", "_to_keras"):
            found.append(f"{name} imports {target}: only _tensorflow may")
        if top == "scikeras" and name != "_scikeras":
            found.append(f"{name} imports {target}: only _scikeras may")
        if top == "sklearn" and level <= 3:
            found.append(f"{name} (level {level}) imports {target}")
        private = top == "sklearn" and any(part.startswith("_") for part in rest)
        if private and name != "_compat":
            found.append(f"{name} imports {target}: private, so only _compat may")
        if top == "matplotlib" and name != "_display":
            found.append(f"{name} imports {target}: only _display may")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_module_keeps_to_its_layer(path):
    source = path.read_text()
    assert violations(path.stem, source) == []
    assert len(source.splitlines()) <= 500


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("_noise", "from skreg._rows import x"),
        ("_noise", "from skreg._heads import x"),
        ("_rows", "import sklearn.utils"),
        ("_program", "import tensorflow as tf"),
        ("_base", "from sklearn.utils._param_validation import Interval"),
        ("_base", "from sklearn.base import _fit_context"),
        ("_base", "def f():\n    import matplotlib.pyplot as plt"),
        ("keras", "import scikeras.wrappers"),
        ("_base", "from . import _rows"),
        ("_new", ""),
    ],
)
def test_a_violation_is_found(name, source):
    assert len(violations(name, source)) >= 1


def test_every_module_says_what_it_owns():
    for path in PACKAGE.glob("*.py"):
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        assert "Owns" in docstring or "Changes nothing" in docstring, path.name
