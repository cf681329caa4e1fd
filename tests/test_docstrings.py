"""Docstrings of public objects: numpydoc accepts them, and their examples run."""

import doctest
import inspect

import pytest
from numpydoc.validate import validate

import skreg
import skreg._estimators.base
import skreg._estimators.classifier
import skreg._estimators.regressor
import skreg._estimators.uncertainty
import skreg._model_selection.estimators
import skreg._model_selection.members
import skreg._model_selection.refit
import skreg._plotting.ensemble
import skreg._plotting.regularization_path
import skreg._plotting.training_curve
import skreg.keras
import skreg.keras._scikeras
import skreg.onnx
import skreg.onnx._inputs

# Checks that are not made, each with the reason.
EXCLUDED = {
    "ES01": "a summary can be enough",
    "EX01": "examples stand with the class, not with each method",
    "SA01": "see-also sections stand with the class",
    "SA04": "see-also entries of other packages need no description here",
    "GL08": "private helpers need no docstring",
    "PR01": "checked below, since numpydoc reads the signature without `self`",
    "RT02": "returned values have names, as in scikit-learn",
    "GL03": "blank lines around lists",
    "YD01": "no generators",
}


def list_public_objects():
    for name in skreg.__all__:
        thing = getattr(skreg, name)
        if callable(thing):
            path = f"{thing.__module__}.{thing.__qualname__}"
            yield path
        if inspect.isclass(thing):
            for method, value in inspect.getmembers(thing, callable):
                # The methods of scikit-learn have docstrings of scikit-learn.
                if not method.startswith("_") and value.__module__.startswith("skreg."):
                    yield f"{path}.{method}"
    for name in skreg.keras.__all__:
        yield f"skreg.keras.{name}"
    for name in skreg.onnx.__all__:
        yield f"skreg.onnx.{name}"


@pytest.mark.parametrize("path", list(list_public_objects()))
def test_docstring_is_valid(path):
    # scikeras takes the parameters of the builder, which its signature does not name.
    excluded = {*EXCLUDED, "PR02"} if "keras.Keras" in path else EXCLUDED
    errors = [(code, text) for code, text in validate(path)["errors"] if code not in excluded]
    assert errors == []


@pytest.mark.parametrize("name", [n for n in skreg.__all__ if inspect.isclass(getattr(skreg, n))])
def test_every_parameter_is_documented_with_its_default(name):
    cls = getattr(skreg, name)
    sections = inspect.getdoc(cls).split("Attributes\n---")[0]
    for parameter in inspect.signature(cls).parameters.values():
        lines = [line for line in sections.splitlines() if line.startswith(f"{parameter.name} : ")]
        assert len(lines) == 1, parameter.name
        default = parameter.default
        if default is parameter.empty:
            assert "default=" not in lines[0]
            continue
        text = f'"{default}"' if isinstance(default, str) else repr(default)
        documented = lines[0].split("default=")[1]
        if isinstance(default, float):
            assert float(documented) == default
        else:
            assert documented == text


MODULES = (
    skreg._estimators.base,
    skreg._estimators.classifier,
    skreg._estimators.regressor,
    skreg._model_selection.estimators,
    skreg._model_selection.members,
    skreg._model_selection.refit,
    skreg._plotting.ensemble,
    skreg._plotting.regularization_path,
    skreg._plotting.training_curve,
    skreg._estimators.uncertainty,
    skreg.keras._files,
    skreg.onnx,
    skreg.onnx._inputs,
    skreg.keras._builders,
    skreg.keras._inputs,
    skreg.keras._scikeras,
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 1
    assert result.failed == 0
