"""Few programs: values never compile, shapes are bucketed, no program is compiled twice.

XLA can compile again where nothing is traced again, so what is counted is what XLA itself dumps.
"""

import json
import os
import subprocess
import sys
import threading

import pytest
from helpers import make_job

import skreg._engine.program as program
from skreg._engine.trainer import train

# What 200 fits over two architectures, tables of 6 and 8 columns, 330 to 430 rows and any values
# may compile: 2 architectures x 1 padded width x the 4 buckets that those rows fall into.
MOST_PROGRAMS_OF_200_FITS = 8

SCRIPT = """
import json, pathlib, sys, warnings
import numpy as np
from skreg import RegularizedMLPClassifier

warnings.simplefilter("ignore")  # of tol and few epochs
dump = pathlib.Path(sys.argv[1])
counts = {}

def data(n_rows, n_columns, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    return X, (X[:, 0] > 0).astype(int)

def fit(data, **parameters):
    RegularizedMLPClassifier(**{"max_iter": 2, "random_state": 0, **parameters}).fit(*data)

def compiled_since(before):
    return len(list(dump.glob("*advance*before_optimizations.txt"))) - before

def counted(name, fits):
    before = compiled_since(0)
    for data, parameters in fits:
        fit(data, **parameters)
    counts[name] = compiled_since(before)

adam = [
    {}, {"dropout": 0.0}, {"dropout": (0.1, 0.2)}, {"input_dropout": 0.3}, {"l2": 0.0},
    {"l2": (0.1, 0.0, 1.0)}, {"weight_decay": 0.1}, {"learning_rate_init": 0.1},
    {"learning_rate": "cosine"}, {"beta_1": 0.5}, {"beta_2": 0.5}, {"epsilon": 1e-3},
    {"max_iter": 7}, {"tol": 1e-3}, {"n_iter_no_change": 2}, {"random_state": 5},
    {"class_weight": {0: 0.5}}, {"standardize": False},
]
table = data(100, 5)
counted("values of adam", [(table, {"hidden_layer_sizes": (9, 7), **c}) for c in adam])
sgd = [{}, {"momentum": 0.1}, {"nesterovs_momentum": False}]
counted("values of sgd",
        [(table, {"hidden_layer_sizes": (9, 8), "solver": "sgd", **c}) for c in sgd])
l1 = [{"l1": 0.1}, {"l1": (0.0, 0.0, 1.0)}, {"l1": 0.1, "l2": 0.0}]
counted("values of l1", [(table, {"hidden_layer_sizes": (9, 7), **c}) for c in l1])
counted("folds and padded columns",
        [(data(n, d), {"hidden_layer_sizes": (13,)})
         for n, d in ((379, 5), (380, 5), (384, 8), (380, 7), (361, 6))])
rng = np.random.default_rng(0)
counted("200 mixed fits", [
    (data(int(rng.integers(330, 430)), int(rng.choice([6, 8])), seed=k), {
        "hidden_layer_sizes": [(15,), (15, 6)][k % 2],
        "dropout": rng.uniform(0, 0.9),
        "l2": 10 ** rng.uniform(-6, 0),
        "learning_rate_init": 10 ** rng.uniform(-4, -1),
        "max_iter": int(rng.integers(1, 4)),
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
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(dump)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "XLA_FLAGS": flags},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "stage", ["values of adam", "values of sgd", "values of l1", "folds and padded columns"]
)
def test_other_values_and_other_folds_compile_nothing(compilations, stage):
    assert compilations[stage] == 1


def test_200_mixed_fits_stay_under_the_stated_number_of_programs(compilations):
    assert 2 <= compilations["200 mixed fits"] <= MOST_PROGRAMS_OF_200_FITS


@pytest.fixture
def traced(monkeypatch):
    """The specs traced from now on."""
    specs = []
    build = program.build_advance

    def counting(spec):
        specs.append(spec)
        return build(spec)

    monkeypatch.setattr(program, "build_advance", counting)
    return specs


def test_threads_that_need_one_new_program_together_compile_it_once(traced):
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


def test_program_for_which_the_system_has_no_room_is_refused_before_it_aborts(monkeypatch):
    train(make_job(max_iter=1))  # compiled before
    monkeypatch.setattr("skreg._tensorflow._MAPS_PER_PROGRAM", 10**9)
    with pytest.raises(RuntimeError, match=r"has compiled \d+ programs.*vm.max_map_count"):
        train(make_job(hidden=(23, 3), max_iter=1))


def test_a_program_is_traced_as_one_concrete_function_and_counted(traced):
    before = program.count_programs()
    job = make_job(hidden=(19, 3), max_iter=2)
    train(job)
    train(job)
    assert program.count_programs() == before + 1
    assert program.get_program(job.spec).compile_seconds > 0
