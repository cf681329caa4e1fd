"""Other projects around scikit-learn: tables, searches, worker processes and files.

A test is skipped if its project is not installed; the `test` extra installs them all.
"""

import io
import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import in_full, make_classifier, make_regressor
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

# -- skrub, imbalanced-learn, Optuna ----------------------------------------------------------


def make_orders(n=600):
    """Orders of a shop, which are returned if two of three columns say so."""
    random = np.random.default_rng(0)
    city = random.choice(["Oslo", "Rome", "Lima", "Cairo"], n)
    date = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 4 * 365, n), unit="D")
    amount = np.where(random.random(n) < 0.4, np.nan, random.gamma(3, 20, n).round(2))
    signs = np.array([np.isin(city, ["Oslo", "Lima"]), date.year >= 2022, np.isnan(amount)])
    table = pd.DataFrame({"city": city, "date": date, "amount": amount})
    return table, np.where(signs.sum(axis=0) >= 2, "returned", "kept")


def test_a_skrub_pipeline_learns_from_strings_dates_and_missing_values():
    skrub = pytest.importorskip("skrub")
    X, X_test, y, y_test = train_test_split(*make_orders(), random_state=0)
    model = skrub.tabular_pipeline(make_classifier(max_iter=40)).fit(X, y)
    assert DummyClassifier().fit(X, y).score(X_test, y_test) < 0.65
    # Two of the three columns alone predict at most four rows in five.
    assert model.score(X_test, y_test) > 0.9


@pytest.fixture(scope="module")
def oversampled():
    """A pipeline that repeats rows of the rare class, and its training and test rows."""
    samplers = pytest.importorskip("imblearn.over_sampling")
    pipelines = pytest.importorskip("imblearn.pipeline")
    X, y = load_breast_cancer(return_X_y=True)
    chosen = np.flatnonzero((y == 1) | (np.arange(len(y)) % 10 == 0))
    table = train_test_split(X[chosen], y[chosen], random_state=0, stratify=y[chosen])
    X, _, y, _ = table
    assert y.mean() > 0.93
    pipeline = pipelines.make_pipeline(
        samplers.RandomOverSampler(random_state=0), make_classifier()
    )
    return pipeline.fit(X, y), table


def test_a_pipeline_of_imbalanced_learn_learns_a_rare_class(oversampled):
    pipeline, (_, X_test, _, y_test) = oversampled
    assert balanced_accuracy_score(y_test, pipeline.predict(X_test)) > 0.75


def test_rows_that_imbalanced_learn_repeats_equal_weighted_rows(oversampled):
    pipeline, (X, X_test, y, _) = oversampled
    counts = np.bincount(pipeline[0].sample_indices_, minlength=len(y))
    weighted = make_classifier().fit(X, y, sample_weight=counts)
    np.testing.assert_array_equal(pipeline.predict_proba(X_test), weighted.predict_proba(X_test))


def test_an_optuna_study_finds_a_low_loss():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    X, y = load_breast_cancer(return_X_y=True)

    def compute_loss(trial):
        dropout = trial.suggest_float("dropout", 0.0, 0.9)
        l2 = trial.suggest_float("l2", 1e-5, 10.0, log=True)
        scores = cross_val_score(
            make_classifier(dropout=dropout, l2=l2), X, y, cv=3, scoring="neg_log_loss"
        )
        return -scores.mean()

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(compute_loss, n_trials=6)
    assert study.best_value < 0.12
    assert max(trial.value for trial in study.trials) > 2 * study.best_value


# -- workers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dask_workers():
    """Two worker processes of one thread each.

    The web server of the scheduler takes any free port. With `dashboard_address=None` it would
    start on the usual port, and warn if another process has it.
    """
    distributed = pytest.importorskip("dask.distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, processes=True, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield


@pytest.fixture
def two_jobs(request):
    """A function that returns the context of two jobs on a backend of joblib."""
    if request.param == "dask":
        request.getfixturevalue("dask_workers")
    return lambda **options: parallel_config(backend=request.param, n_jobs=2, **options)


def compute_scores(function):
    """Every score of every split, as arrays by name."""
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), make_classifier(max_iter=10))
    options = {"cv": 3, "scoring": "neg_log_loss", "error_score": "raise"}
    options["return_train_score"] = True
    if function == "cross_validate":
        results = cross_validate(model, X, y, **options)
    else:
        grid = {"regularizedmlpclassifier__dropout": [0.0, 0.5]}
        results = GridSearchCV(model, grid, **options).fit(X, y).cv_results_
    return {key: array for key, array in results.items() if key.endswith("_score")}


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # by loky
@pytest.mark.parametrize(
    "two_jobs", in_full(["threading", "loky", "dask"], "loky", "dask"), indirect=True
)
@pytest.mark.parametrize("function", in_full(["cross_validate", "GridSearchCV"], "cross_validate"))
def test_two_jobs_on_any_backend_give_the_scores_of_one(two_jobs, function):
    with parallel_config(n_jobs=1):
        alone = compute_scores(function)
    with two_jobs():
        together = compute_scores(function)
    assert together.keys() == alone.keys()
    # Equality of constant scores would prove nothing.
    assert any(len(set(array)) > 1 for array in alone.values())
    for key, array in alone.items():
        np.testing.assert_array_equal(together[key], array, err_msg=key)


def fit_and_count_threads(_):
    """The process of a worker, TensorFlow's setting, and the threads that its programs run on."""
    from skreg._tensorflow import tensorflow

    X = np.random.default_rng(0).normal(size=(200, 64))
    wide = make_classifier(hidden_layer_sizes=(512, 512), batch_size=64, max_iter=2)
    wide.fit(X, X[:, 0] > 0)
    tasks = Path("/proc/self/task")  # Linux only
    n_running = None
    if tasks.is_dir():
        names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
        n_running = names.count("tf_XLAEigen")
    return (
        os.getpid(),
        tensorflow().config.threading.get_intra_op_parallelism_threads(),
        n_running,
    )


CORES = joblib.cpu_count()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # by loky
@pytest.mark.parametrize(
    ("two_jobs", "options", "n_threads"),
    [
        pytest.param("loky", {}, max(CORES // 2, 1), id="loky divides the cores"),
        pytest.param(
            "loky", {"inner_max_num_threads": 2}, 2, id="loky is given two", marks=pytest.mark.full
        ),
        pytest.param("dask", {}, 1, id="dask gives one", marks=pytest.mark.full),
    ],
    indirect=["two_jobs"],
)
def test_a_worker_uses_the_threads_that_it_is_given(two_jobs, options, n_threads):
    with two_jobs(**options):
        workers = joblib.Parallel()(joblib.delayed(fit_and_count_threads)(i) for i in range(2))
    assert os.getpid() not in {process for process, _, _ in workers}
    assert {setting for _, setting, _ in workers} == {n_threads}
    assert {n_running for _, _, n_running in workers} <= {n_threads, None}


# -- files ------------------------------------------------------------------------------------


def copy_by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def copy_by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def copy_by_cloudpickle(model):
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.loads(cloudpickle.dumps(model))


def copy_by_skops(model):
    """Trust the types that a file names, as the documentation of skops describes."""
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    unknown = skops.get_untrusted_types(data=data)
    # Those of scikit-learn are types of a search that skops does not know.
    own = {name for name in unknown if not name.startswith("sklearn.")}
    assert own <= {f"{found.__module__}.{found.__name__}" for found in ESTIMATORS}, own
    assert own
    return skops.loads(data, trusted=unknown)


ESTIMATORS = (
    RegularizedMLPClassifier,
    RegularizedMLPRegressor,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressorCV,
)
COPIES = [copy_by_pickle, copy_by_joblib, copy_by_cloudpickle, copy_by_skops]


def make_search():
    grid = {"regularizedmlpclassifier__l2": [1e-3, 1e-2]}
    return GridSearchCV(make_pipeline(StandardScaler(), make_classifier()), grid, cv=2)


def load_orders(return_X_y):
    table, labels = make_orders(200)
    return table.drop(columns="date"), labels


def make_ensemble():
    kinds = [{"numerical_encoding": ["piecewise", "periodic"]}]
    options = {"dropouts": [0.0], "candidates": kinds, "refit": "ensemble", "max_iter": 2, "cv": 2}
    return RegularizedMLPClassifierCV(**options, hidden_layer_sizes=(4,), random_state=0)


def make_search_of_several_metrics():
    options = {"dropouts": [0.0], "l2s": [1e-3], "cv": 2, "max_iter": 2, "random_state": 0}
    return RegularizedMLPClassifierCV(
        hidden_layer_sizes=(4,), scoring=["accuracy", "loss"], refit="loss", **options
    )


MODELS = {
    "several metrics": (load_iris, make_search_of_several_metrics),
    "ensemble": (load_orders, make_ensemble),
    "classifier": (load_iris, make_classifier),
    "regressor": (load_diabetes, make_regressor),
    "pipeline": (load_iris, lambda: make_pipeline(StandardScaler(), make_classifier())),
    "search": (load_iris, make_search),
}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    load, make_estimator = MODELS[request.param]
    X, y = load(return_X_y=True)
    return make_estimator().fit(X, y), X


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_loaded_estimator_has_the_same_type_and_parameters(fitted, make_copy):
    model, _ = fitted
    loaded = make_copy(model)
    assert type(loaded) is type(model)
    assert loaded.get_params().keys() == model.get_params().keys()


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_loaded_estimator_gives_the_same_predictions(fitted, make_copy):
    model, X = fitted
    loaded = make_copy(model)
    for name in ("predict", "predict_proba"):
        if hasattr(model, name):
            np.testing.assert_array_equal(getattr(loaded, name)(X), getattr(model, name)(X))


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_loaded_stream_continues_bit_for_bit(make_copy):
    """A file holds moments, statistics and the position in the sequence of noise, too."""
    X, y = load_diabetes(return_X_y=True)
    model = make_regressor().partial_fit(X[:200], y[:200])
    loaded = make_copy(model).partial_fit(X[200:], y[200:])
    expected = model.partial_fit(X[200:], y[200:]).predict(X)
    np.testing.assert_array_equal(loaded.predict(X), expected)
