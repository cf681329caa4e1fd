"""Importing TensorFlow: late, without output, once a process, and with no other effect."""

import io
import os
import subprocess
import sys
import textwrap

import pytest

from skreg._tensorflow import _hold_back_startup_lines

FIT = """
import numpy as np
from skreg import RegularizedMLPClassifier
X = np.random.default_rng(0).normal(size=(40, 3))
y = np.arange(40) % 2
model = RegularizedMLPClassifier(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
"""


def run(code, **environment):
    """Run `code` in a new process and return the finished process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        check=False,
    )


def assert_printed(code, expected, **environment):
    """Run `code` and compare what it prints."""
    process = run(code, **environment)
    assert (process.stdout, process.returncode) == (expected, 0), process.stderr
    return process


def test_importing_skreg_imports_neither_tensorflow_nor_keras_nor_matplotlib():
    assert_printed(
        """
        import sys, skreg
        skreg.RegularizedMLPClassifier(dropout=0.2)
        print([name for name in ("tensorflow", "keras", "matplotlib") if name in sys.modules])
        """,
        "[]\n",
    )


def test_first_fit_writes_nothing_to_standard_error():
    process = assert_printed(FIT + "model.fit(X, y)\nprint('done')", "done\n")
    assert process.stderr == ""


def test_a_fitted_estimator_predicts_if_tensorflow_cannot_be_imported(tmp_path):
    path = tmp_path / "model.pickle"
    dump = (
        "import pickle\npickle.dump((model.fit(X, y), model.predict_proba(X)), open({0!r}, 'wb'))"
    )
    assert_printed(FIT + dump.format(str(path)), "")
    assert_printed(
        f"""
        import pickle, sys
        import numpy as np
        sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing them now fails
        model, expected = pickle.load(open({str(path)!r}, "rb"))
        X = np.random.default_rng(0).normal(size=(40, 3))
        print((model.predict_proba(X) == expected).all(), model.predict(X).shape)
        """,
        "True (40,)\n",
    )


def test_a_fit_changes_the_process_as_importing_tensorflow_does():
    code = """
        import json, logging, os, random, sys, warnings
        import numpy as np
        {first}
        import tensorflow as tf, keras
        print(json.dumps({{
            "environment": dict(os.environ),
            "handlers": [str(type(h)) for h in logging.getLogger().handlers],
            "levels": [logging.getLogger(n).level for n in ("", "tensorflow", "absl", "keras")],
            "filters": len(warnings.filters),
            "devices": [d.name for d in tf.config.get_visible_devices()],
            "eager": tf.config.functions_run_eagerly(),
            "intra": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter": tf.config.threading.get_inter_op_parallelism_threads(),
            "jit": str(tf.config.optimizer.get_jit()),
            "policy": keras.mixed_precision.global_policy().name,
            "floatx": keras.config.floatx(),
            "numpy": np.random.get_state()[1][:5].tolist() if {seeded} else None,
        }}, sort_keys=True))
        """
    seed = "np.random.seed(3); random.seed(3)\n"
    fitted = run(textwrap.dedent(code).format(first=seed + FIT + "model.fit(X, y)", seeded=True))
    imported = run(textwrap.dedent(code).format(first=seed, seeded=True))
    assert fitted.returncode == imported.returncode == 0, fitted.stderr
    assert fitted.stdout == imported.stdout


def test_a_fit_imports_keras_neither_then_nor_in_the_way_of_a_later_import():
    code = FIT + textwrap.dedent(
        """
        import sys
        model.fit(X, y)
        print([name for name in sys.modules if name.partition(".")[0] == "keras"])
        import keras, tensorflow as tf
        print(tf.keras.optimizers.Adam is keras.optimizers.Adam)
        print(sys.modules["keras.src.optimizers"] is keras.src.optimizers)
        """
    )
    assert_printed(code, "[]\nTrue\nTrue\n")


def test_lines_of_tensorflow_are_written_if_the_import_fails(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'E0000 00:00:1 the cause\\n')\nraise ImportError('broken')\n"
    )
    process = run(FIT + "model.fit(X, y)", PYTHONPATH=str(tmp_path))
    assert process.returncode == 1
    assert "E0000 00:00:1 the cause" in process.stderr
    assert "ImportError: broken" in process.stderr


def test_other_lines_are_written_while_tensorflow_is_imported():
    code = """
        import os, sys
        from skreg._tensorflow import _hold_back_startup_lines
        with _hold_back_startup_lines():
            os.write(2, b"I0000 00:00:1 hello from TensorFlow\\n")
            os.write(2, b"a line of the user's\\n")
        print("done")
        """
    process = assert_printed(code, "done\n")
    assert process.stderr == "a line of the user's\n"


def make_closed_stream():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make_stream", [lambda: None, object, make_closed_stream])
def test_standard_error_may_be_missing_closed_or_without_flush(make_stream, monkeypatch):
    monkeypatch.setattr("sys.stderr", make_stream())
    with _hold_back_startup_lines():
        held_back = True
    assert held_back


@pytest.mark.full
def test_an_unknown_flag_of_xla_ends_the_process_with_the_message_of_tensorflow():
    process = run(FIT + "model.fit(X, y)", XLA_FLAGS="--no_such_flag")
    assert process.returncode != 0
    assert "Unknown flag in XLA_FLAGS: --no_such_flag" in process.stderr


@pytest.mark.full
def test_a_fit_without_eager_execution_is_refused_and_leaves_the_graph_as_it_was():
    assert_printed(
        """
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        """
        + FIT.replace("\n", "\n" + 8 * " ")
        + """
        try:
            model.fit(X, y)
        except RuntimeError as error:
            print(error)
        print(tf.compat.v1.get_default_graph().get_operations())
        """,
        "Expected TensorFlow's eager execution for a fit; tf.compat.v1.disable_eager_execution was "
        "called in this process. Fit in another process. Predicting works here.\n[]\n",
    )


@pytest.mark.full
def test_a_fit_with_checks_of_numerics_is_refused_and_a_later_fit_works():
    assert_printed(
        """
        import tensorflow as tf
        """
        + FIT.replace("\n", "\n" + 8 * " ")
        + """
        def fit():
            try:
                print(len(model.fit(X, y).loss_curve_))
            except RuntimeError as error:
                print(str(error)[:76])
        tf.debugging.enable_check_numerics()
        fit()
        tf.debugging.disable_check_numerics()
        fit()
        tf.debugging.enable_check_numerics()
        fit()  # which is compiled
        model.set_params(hidden_layer_sizes=(5,))
        fit()
        """,
        "{0}\n2\n2\n{0}\n".format(
            "Expected a fit without the operations that tf.debugging.enable_check_numeric"
        ),
    )


def test_a_fit_in_a_graph_is_refused_and_a_later_fit_works():
    process = run(
        FIT
        + """
import tensorflow as tf
try:
    with tf.Graph().as_default():
        model.fit(X, y)
except RuntimeError as error:
    print(error)
print(len(model.fit(X, y).loss_curve_))
"""
    )
    assert process.stdout.splitlines() == [
        "Expected a fit outside of tf.function and tf.Graph; received a call inside of one.",
        "2",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_after_a_fork_fit_is_refused_and_predict_works():
    assert_printed(
        FIT
        + textwrap.dedent(
            """
            import os, signal, warnings
            warnings.simplefilter("ignore")  # Python warns of a fork with threads
            model.fit(X, y)
            child = os.fork()
            if child == 0:
                signal.alarm(120)  # a child that hangs would keep the pipes of `run` open
                print(model.predict(X).shape, flush=True)
                try:
                    model.fit(X, y)
                except RuntimeError as error:
                    print(str(error)[:44], flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            """
        ),
        "(40,)\nThis process was forked from one that had al\n",
    )


@pytest.mark.full
def test_a_worker_process_uses_the_threads_that_it_is_given(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing

            def threads(_):
                from skreg._tensorflow import tensorflow
                threading = tensorflow().config.threading
                return threading.get_intra_op_parallelism_threads()

            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.map(threads, [0]), threads(0))
            """
        )
    )
    process = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    # The main process has 0, which is the choice of TensorFlow.
    assert process.stdout == "[1] 0\n"
