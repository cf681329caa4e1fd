"""Random cases: each call raises an error that names its cause, or gives sound results.

A few run by default. ``python tests/fuzz/run.py`` runs as many as one likes.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz.cases import Call, Case, make_case
from fuzz.frames import STORAGES, Column, FramePart, draw_broken_frame, draw_frame
from fuzz.oracle import run_case
from fuzz.parameters import Setting
from fuzz.tables import Part, State

import skreg

RUN = Path(__file__).with_name("run.py")


def run(first, count, processes=1):
    """Run cases in processes of their own, since each compiles a program or two."""
    options = {"--first": first, "--count": count, "--processes": processes}
    arguments = [str(value) for option in options.items() for value in option]
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]


def test_a_few_cases_have_no_violation():
    run(0, 20)


@pytest.mark.full
@pytest.mark.parametrize("first", range(10_000, 12_000, 125))
def test_many_cases_have_no_violation(first):
    run(first, 125, processes=2)


# -- the generator and the oracle --------------------------------------------------------------


def test_a_case_follows_from_its_number():
    for number in (3, 777):
        assert make_case(number).describe() == make_case(number).describe()
    assert make_case(3).describe() != make_case(4).describe()


X = np.random.default_rng(0).normal(size=(24, 3))
y = (X[:, 0] > 0).astype(int)


def make_small_case(*calls):
    settings = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}
    parameters = {name: Setting(value) for name, value in settings.items()}
    return Case(0, "RegularizedMLPClassifier", parameters, list(calls))


def make_part(value, state=State.SOUND):
    return Part(value, "C" if isinstance(value, np.ndarray) else "as it is", state, "planted")


def make_fit(X=X, state=State.SOUND, **more):
    part = X if isinstance(X, Part) else make_part(X, state)
    rows = {"X": part, "y": make_part(y), "sample_weight": make_part(None)}
    return Call("fit", rows | more)


PREDICT = Call("predict_proba", {"X": make_part(X)})


def find_kinds(*calls):
    return [violation.kind for violation in run_case(make_small_case(*calls))]


def test_sound_calls_have_no_violation():
    assert find_kinds(make_fit(), PREDICT) == []


def test_an_accepted_table_that_is_said_to_be_broken_is_found():
    assert find_kinds(make_fit(X, State.BROKEN)) == ["fit accepts what is invalid"]


def test_a_refused_table_that_is_said_to_be_sound_is_found():
    table = np.full((24, 3), "red")
    assert "fit refuses what is valid" in " ".join(find_kinds(make_fit(table)))


class Planted:
    """Ways to be wrong."""

    @staticmethod
    def raise_key_error(self, X):
        raise KeyError("a")

    @staticmethod
    def return_nan(self, X):
        return np.full((24, 2), np.nan)

    @staticmethod
    def return_noise(self, X):
        p = np.random.default_rng().random((24, 1))
        return np.hstack([p, 1 - p])

    @staticmethod
    def return_halves(self, X):
        return np.full((24, 2), 0.5)

    @staticmethod
    def set_an_attribute(self, X):
        self.n_calls_ = 1
        return np.full((24, 2), 0.5)

    @staticmethod
    def write_into_the_table(self, X):
        X[0, 0] = 7
        return np.full((24, 2), 0.5)

    @staticmethod
    def depend_on_the_type(self, X):
        is_first = hasattr(X, "iloc")
        return np.full((24, 2), 0.5) if is_first else np.full((24, 2), [0.4, 0.6])

    @staticmethod
    def depend_on_the_order(self, X):
        return np.full((24, 2), 0.5) if X.flags.c_contiguous else np.full((24, 2), [0.4, 0.6])


@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        (Planted.raise_key_error, "raises KeyError"),
        (Planted.return_nan, "not finite"),
        (Planted.return_noise, "other bits of predict_proba when repeated"),
        (Planted.return_halves, "the graph differs"),
        (Planted.set_an_attribute, "changes the estimator when it succeeds"),
        (Planted.write_into_the_table, "changes its inputs"),
        (Planted.depend_on_the_order, "other bits of predict_proba when stored otherwise"),
    ],
)
def test_a_planted_violation_is_found(planted, kind, monkeypatch):
    monkeypatch.setattr(skreg.RegularizedMLPClassifier, "predict_proba", planted)
    # More than one call, so that one of them is stored in another order.
    assert kind in " ".join(find_kinds(make_fit(), *[PREDICT] * 4))


SCHEMA = Column("floats"), Column("strings", ("no", "yes"))


def make_frame_part(storage="pandas strings"):
    return draw_frame(np.random.default_rng(0), SCHEMA, 24, storage)


@pytest.mark.parametrize("storage", STORAGES)
def test_storages_of_a_frame_have_its_cells(storage):
    part = make_frame_part()
    stored = FramePart(part.value, storage, part.state, "", SCHEMA).store()
    table = stored.to_numpy() if hasattr(stored, "to_numpy") else np.array(stored, dtype=object)
    assert table.shape == (24, 2)
    texts = [cell if isinstance(cell, str) else None for cell in table[:, 1]]
    assert texts == part.value[:, 1].tolist()


def test_sound_frames_have_no_violation():
    frame = make_frame_part()
    assert find_kinds(make_fit(X=frame), Call("predict_proba", {"X": frame})) == []


def test_an_accepted_frame_that_is_said_to_be_broken_is_found():
    frame = Part(make_frame_part().store(), "as it is", State.BROKEN, "planted")
    assert find_kinds(make_fit(X=frame)) == ["fit accepts what is invalid"]


def test_a_table_that_has_no_categories_is_expected_to_be_refused():
    array = make_frame_part("object array")  # of strings, which "from_dtype" does not take
    broken = draw_broken_frame(np.random.default_rng(1), SCHEMA, 24)
    assert find_kinds(make_fit(X=array), make_fit(X=broken)) == []


def test_bits_that_depend_on_the_type_of_a_frame_are_found(monkeypatch):
    monkeypatch.setattr(skreg.RegularizedMLPClassifier, "predict_proba", Planted.depend_on_the_type)
    calls = [Call("predict_proba", {"X": make_frame_part()})] * 6
    kind = "other bits of predict_proba when stored otherwise"
    assert kind in find_kinds(make_fit(X=make_frame_part()), *calls)


def test_a_failing_fit_that_changes_the_estimator_is_found(monkeypatch):
    def fit(self, X, y, sample_weight=None):
        self.coefs_ = None
        raise ValueError("X: planted")

    monkeypatch.setattr(skreg.RegularizedMLPClassifier, "fit", fit)
    assert find_kinds(make_fit(X, State.BROKEN)) == ["fit changes the estimator when it fails"]
