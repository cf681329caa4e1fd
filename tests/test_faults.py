"""Settings of the user, threads, and memory: the same bits or a clear error, settings untouched."""

import json
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import sklearn
from helpers import assert_same_network, make_classifier, make_regressor

# -- settings of a process ---------------------------------------------------------------------

HEAD = """
    import hashlib, json, os
    import numpy as np
    settings = lambda: None
    """
# Fits both estimators, and prints hashes of their bits and whether the settings are as they were.
PROBE = """
    before = settings()
    from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

    X = np.random.default_rng(0).normal(size=(80, 3))
    targets = {RegularizedMLPClassifier: X[:, 0] > 0, RegularizedMLPRegressor: X[:, 1]}
    report = {"hashes": [], "error": None, "settings": str(before)}
    try:
        for Estimator, y in targets.items():
            model = Estimator((5,), dropout=0.2, max_iter=3, random_state=0).fit(X, y)
            parts = [*model.coefs_, *model.intercepts_, model.predict(X), model.mc_dropout(X, 2, 0)]
            digest = hashlib.sha256(b"".join(part.tobytes() for part in parts))
            report["hashes"].append(digest.hexdigest())
    except Exception as error:
        report["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(report | {"kept": before == settings()}))
    """


def probe(setup="", **environment):
    """Run the probe in a new process, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", "".join(map(textwrap.dedent, (HEAD, setup, PROBE)))],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected():
    """Hashes of a process without settings."""
    report = probe()
    assert report["error"] is None
    return report["hashes"]


SETUPS = {
    "a hidden GPU": """
        import tensorflow as tf
        tf.config.set_visible_devices([], "GPU")
        settings = lambda: str(tf.config.get_visible_devices())
        """,
    "one thread": """
        import tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        threading = tf.config.threading
        settings = lambda: (
            threading.get_intra_op_parallelism_threads(),
            threading.get_inter_op_parallelism_threads(),
        )
        """,
    "mixed precision and float64": """
        import keras
        keras.mixed_precision.set_global_policy("mixed_float16")
        keras.config.set_floatx("float64")
        settings = lambda: (keras.mixed_precision.global_policy().name, keras.config.floatx())
        """,
    "functions run eagerly": """
        import tensorflow as tf
        tf.config.run_functions_eagerly(True)
        settings = tf.config.functions_run_eagerly
        """,
    "deterministic operations and a seed": """
        import keras, tensorflow as tf
        tf.config.experimental.enable_op_determinism()
        keras.utils.set_random_seed(7)
        settings = lambda: float(tf.random.uniform(())) * 0 + np.random.get_state()[2]
        """,
    "compiled by default, without TensorFloat": """
        import tensorflow as tf
        tf.config.optimizer.set_jit("autoclustering")
        tf.config.experimental.enable_tensor_float_32_execution(False)
        settings = lambda: (
            tf.config.optimizer.get_jit(),
            tf.config.experimental.tensor_float_32_execution_enabled(),
        )
        """,
    "NumPy behaviour": """
        import tensorflow as tf
        tf.experimental.numpy.experimental_enable_numpy_behavior()
        settings = lambda: str(tf.constant(1) + 1.5)
        """,
    "a strategy": """
        import tensorflow as tf
        tf.distribute.MirroredStrategy(["/CPU:0"]).scope().__enter__()
        settings = lambda: str(tf.distribute.get_strategy())
        """,
    "a gradient tape": """
        import tensorflow as tf
        tape = tf.GradientTape(persistent=True)
        tape.__enter__()
        settings = lambda: tape._recording
        """,
    "NumPy raises": """
        np.seterr(all="raise")
        settings = np.geterr
        """,
    "warnings are errors": """
        import warnings
        warnings.simplefilter("error")
        """,
    "a default device": """
        import tensorflow as tf
        tf.device("/CPU:0").__enter__()
        """,
}
QUICK = ["mixed precision and float64"]


def list_setups():
    """Every setup, of which a few belong to the default run."""
    for name, setup in SETUPS.items():
        marks = () if name in QUICK else pytest.mark.full
        yield pytest.param(setup, id=name, marks=marks)


@pytest.mark.parametrize("setup", list(list_setups()))
def test_settings_of_the_user_change_no_bit_and_are_kept(setup, expected):
    report = probe(setup)
    assert report["error"] is None
    assert report["hashes"] == expected
    assert report["kept"], report["settings"]


ENVIRONMENTS = {
    "KERAS_BACKEND=jax": {"KERAS_BACKEND": "jax"},
    "KERAS_BACKEND=torch": {"KERAS_BACKEND": "torch"},  # which need not be installed
    "no CUDA": {"CUDA_VISIBLE_DEVICES": "-1"},
    "one OpenMP thread": {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
    "lines of TensorFlow": {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_MAX_VLOG_LEVEL": "0"},
    "compiled by default": {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"},
    "legacy Keras": {"TF_USE_LEGACY_KERAS": "1"},
}
QUICK_ENVIRONMENTS = ["KERAS_BACKEND=jax"]


def list_environments():
    for name, environment in ENVIRONMENTS.items():
        marks = () if name in QUICK_ENVIRONMENTS else pytest.mark.full
        yield pytest.param(environment, id=name, marks=marks)


@pytest.mark.parametrize("environment", list(list_environments()))
def test_environment_of_the_user_changes_no_bit_and_is_kept(environment, expected):
    names = list(environment)
    report = probe(f"settings = lambda: [os.environ.get(name) for name in {names}]", **environment)
    assert report["error"] is None
    assert report["hashes"] == expected
    assert report["kept"]


CLEAR_ERRORS = {
    "graphs": ("import tensorflow as tf\ntf.compat.v1.disable_eager_execution()", "eager"),
    "checked numbers": (
        "import tensorflow as tf\ntf.debugging.enable_check_numerics()",
        "numerics",
    ),
}


@pytest.mark.full
@pytest.mark.parametrize(("setup", "word"), CLEAR_ERRORS.values(), ids=CLEAR_ERRORS.keys())
def test_other_settings_change_no_bit_or_are_named_in_an_error(setup, word, expected):
    report = probe(setup)
    assert report["hashes"] == expected or word in report["error"]


KERAS = """
    import sys
    import numpy as np
    from skreg import RegularizedMLPRegressor
    X = np.random.default_rng(0).normal(size=(80, 3))
    model = RegularizedMLPRegressor((5,), max_iter=3, random_state=0).fit(X, X[:, 0])
    try:
        found = np.asarray(model.to_keras()(X.astype(np.float32)))
    except Exception as error:
        print(type(error).__name__, error)
    else:
        print(np.abs(np.ravel(found) - model.predict(X)).max() < 1e-5)
    """


@pytest.mark.full
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_export_under_another_backend_of_keras_predicts_the_same_or_says_why_not(backend):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KERAS)],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n" or backend in done.stdout


CONFIGS = [
    {"assume_finite": True},
    {"skip_parameter_validation": True},
    {"array_api_dispatch": True},
    {"enable_metadata_routing": True},
    {"transform_output": "pandas"},
    {"working_memory": 1},
]
X = np.random.default_rng(0).normal(size=(80, 3))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: next(iter(config)))
def test_configuration_of_scikit_learn_changes_no_bit(config):
    one = make_regressor(max_iter=3).fit(X, X[:, 0])
    with sklearn.config_context(**config):
        other = make_regressor(max_iter=3).fit(X, X[:, 0])
        predicted = other.predict(X)
    assert_same_network(one, other)
    np.testing.assert_array_equal(one.predict(X), predicted)


def test_numpy_that_raises_on_underflow_changes_no_bit():
    one = make_classifier(max_iter=3).fit(X, X[:, 0] > 0)
    with np.errstate(all="raise"):
        other = make_classifier(max_iter=3).fit(X, X[:, 0] > 0)
        for scale in (1.0, 1e30, 1e-30):
            other.predict_proba(scale * X)
            other.predict_log_proba(scale * X)
    assert_same_network(one, other)


# -- threads -----------------------------------------------------------------------------------


def test_eight_threads_that_fit_different_shapes_give_the_same_bits():
    def fit(k):
        hidden = (k + 2,) if k % 2 else (k + 2, 3)
        make = make_classifier if k % 3 else make_regressor
        target = X[:, 0] > 0 if k % 3 else X[:, 0]
        return make(hidden_layer_sizes=hidden, max_iter=5).fit(X, target)

    ready, models, errors = threading.Barrier(8), {}, []

    def work(k):
        ready.wait()
        try:
            models[k] = fit(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for k in range(8):
        assert_same_network(models[k], fit(k))


def test_threads_that_use_one_fitted_estimator_get_the_same_predictions():
    model = make_classifier(max_iter=3).fit(X, X[:, 0] > 0)
    expected, found = model.predict_proba(X), {}
    samples = model.mc_dropout(X, 3, random_state=0)

    def work(k):
        same = [(model.predict_proba(X) == expected).all() for _ in range(20)]
        same += [(model.mc_dropout(X, 3, random_state=0) == samples).all() for _ in range(5)]
        found[k] = all(same)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), True)


# -- memory ------------------------------------------------------------------------------------

# Prints the resident memory in MB after some fits.
GROWTH = """
    import gc, json, sys
    import numpy as np
    from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

    def read_memory():
        gc.collect()
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    X = np.random.default_rng(0).normal(size=(200, 10))
    y = X[:, 0]
    memory = {}
    for k in range(1, 1 + int(sys.argv[1])):
        hidden = (8 + k % int(sys.argv[2]),)
        model = RegularizedMLPRegressor(hidden, max_iter=3, random_state=k).fit(X + k, y)
        model.predict(X)
        if k in (1, 40, 100, 200, 500, 1000):
            memory[k] = read_memory()
    print(json.dumps(memory))
    """


def measure_growth(n_fits, n_shapes):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(GROWTH), str(n_fits), str(n_shapes)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return {int(k): value for k, value in json.loads(done.stdout).items()}


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is of Linux")


@linux
@pytest.mark.full
def test_a_thousand_fits_of_one_shape_take_no_more_memory():
    memory = measure_growth(1000, 1)
    assert memory[1000] - memory[100] < 20


@linux
@pytest.mark.full
def test_two_hundred_fits_of_forty_shapes_take_the_memory_of_forty_programs():
    memory = measure_growth(200, 40)
    assert memory[40] - memory[1] < 40 * 40
    assert memory[200] - memory[40] < 40
