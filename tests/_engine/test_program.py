"""Few programs: values compile nothing, sizes are rounded up, no program is compiled twice.

XLA can compile again without a new trace, so the tests count the programs that XLA dumps.
"""

import json
import os
import subprocess
import sys
import threading

import pytest
from helpers import make_job

from skreg._engine.program import _trace, build_advance, count_programs, get_program
from skreg._engine.trainer import train

# The programs of 200 fits with any values, two architectures, 6 or 8 columns and 330 to 430 rows:
# 2 architectures x 1 padded number of columns x 4 padded numbers of rows.
MOST_PROGRAMS_OF_200_FITS = 8

SCRIPT = """
import json, pathlib, sys, warnings
import numpy as np
from skreg import RegularizedMLPClassifier

warnings.simplefilter("ignore")  # about convergence
dump = pathlib.Path(sys.argv[1])
counts = {}

def make_data(n_rows, n_columns, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    return X, (X[:, 0] > 0).astype(int)

def fit(data, **parameters):
    RegularizedMLPClassifier(**{"max_iter": 2, "random_state": 0, **parameters}).fit(*data)

def count_compiled():
    return len(list(dump.glob("*advance*before_optimizations.txt")))

def run_stage(name, fits):
    before = count_compiled()
    for data, parameters in fits:
        fit(data, **parameters)
    counts[name] = count_compiled() - before

adam = [
    {}, {"dropout": 0.0}, {"dropout": (0.1, 0.2)}, {"input_dropout": 0.3}, {"l2": 0.0},
    {"l2": (0.1, 0.0, 1.0)}, {"weight_decay": 0.1}, {"learning_rate_init": 0.1},
    {"learning_rate": "cosine"}, {"beta_1": 0.5}, {"beta_2": 0.5}, {"epsilon": 1e-3},
    {"max_iter": 7}, {"tol": 1e-3}, {"n_iter_no_change": 2}, {"random_state": 5},
    {"standardize": False},
]
table = make_data(100, 5)
run_stage("values of adam", [(table, {"hidden_layer_sizes": (9, 7), **c}) for c in adam])
sgd = [{}, {"momentum": 0.1}, {"nesterovs_momentum": False}]
run_stage("values of sgd",
        [(table, {"hidden_layer_sizes": (9, 8), "solver": "sgd", **c}) for c in sgd])
l1 = [{"l1": 0.1}, {"l1": (0.0, 0.0, 1.0)}, {"l1": 0.1, "l2": 0.0}]
run_stage("values of l1", [(table, {"hidden_layer_sizes": (9, 7), **c}) for c in l1])
run_stage("folds and padded columns",
        [(make_data(n, d), {"hidden_layer_sizes": (13,), "numerical_encoding": None})
         for n, d in ((379, 5), (380, 5), (384, 8), (380, 7), (361, 6))])
run_stage("folds of encoded columns",
        [(make_data(n, 5), {"hidden_layer_sizes": (13,)}) for n in (379, 380, 361)])
rng = np.random.default_rng(0)
run_stage("200 mixed fits", [
    (make_data(int(rng.integers(330, 430)), int(rng.choice([6, 8])), seed=k), {
        "hidden_layer_sizes": [(15,), (15, 6)][k % 2],
        "dropout": rng.uniform(0, 0.9),
        "l2": 10 ** rng.uniform(-6, 0),
        "learning_rate_init": 10 ** rng.uniform(-4, -1),
        "max_iter": int(rng.integers(1, 4)),
        "numerical_encoding": None,
        "random_state": k,
    })
    for k in range(200)
])
print(json.dumps(counts))
"""


@pytest.fixture(scope="module")
def compilations(tmp_path_factory):
    """How many programs XLA compiled at each stage of the script."""
    dump = tmp_path_factory.mktemp("dump")
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={dump} --xla_dump_hlo_as_text"
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(dump)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "XLA_FLAGS": flags},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


STAGES = [
    "values of adam",
    "values of sgd",
    "values of l1",
    "folds and padded columns",
    "folds of encoded columns",
]


@pytest.mark.full
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_of_other_values_or_folds_compiles_one_program(compilations, stage):
    assert compilations[stage] == 1


@pytest.mark.full
def test_200_mixed_fits_compile_few_programs(compilations):
    assert 2 <= compilations["200 mixed fits"] <= MOST_PROGRAMS_OF_200_FITS


@pytest.fixture
def traced(monkeypatch):
    """A list that grows by the spec of each program that is traced."""
    specs = []

    def record_and_build(spec):
        specs.append(spec)
        return build_advance(spec)

    monkeypatch.setattr("skreg._engine.program.build_advance", record_and_build)
    return specs


def test_threads_that_need_the_same_new_program_compile_it_once(traced):
    job = make_job(hidden=(17, 3), max_iter=2)
    ready = threading.Barrier(4)
    results = []

    def fit():
        ready.wait()
        results.append(train(job))

    threads = [threading.Thread(target=fit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(traced) == 1
    assert len({tuple(result.losses) for result in results}) == 1


def test_a_program_without_room_for_its_memory_maps_is_refused(monkeypatch):
    """The system would end the process."""
    train(make_job(max_iter=1))  # a program was compiled before
    monkeypatch.setattr("skreg._tensorflow._MAPS_PER_PROGRAM", 10**9)
    with pytest.raises(RuntimeError, match=r"has compiled \d+ programs.*vm.max_map_count"):
        train(make_job(hidden=(23, 3), max_iter=1))


def test_programs_are_counted_once_and_have_their_compile_time():
    before = count_programs()
    job = make_job(hidden=(19, 3), max_iter=2)
    train(job)
    train(job)
    assert count_programs() == before + 1
    assert get_program(job.spec).compile_seconds > 0


def test_a_program_does_not_keep_the_call_stack_of_its_fit(monkeypatch):
    """TensorFlow keeps that of the trace with each operation, which takes memory."""
    functions = []

    def trace_and_record(*arguments):
        functions.append(_trace(*arguments))
        return functions[0]

    monkeypatch.setattr("skreg._engine.program._trace", trace_and_record)
    train(make_job(hidden=(21, 3), max_iter=1))
    operations = functions[0].graph.get_operations()
    files = {frame.filename for operation in operations for frame in operation.traceback}
    assert any(file.endswith("epoch.py") for file in files)
    assert __file__ not in files
