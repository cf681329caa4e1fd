"""What people put around scikit-learn: tables, searches, workers and files of other projects.

A library that is not installed skips its own tests only; the `test` extra installs them all.
"""

import io
import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
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

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

SMALL = {
    "hidden_layer_sizes": (16,),
    "dropout": 0.1,
    "learning_rate_init": 0.02,
    "max_iter": 20,
    "random_state": 0,
}


def classifier(**changes):
    return RegularizedMLPClassifier(**{**SMALL, **changes})


def regressor(**changes):
    return RegularizedMLPRegressor(**{**SMALL, **changes})


# -- skrub, imbalanced-learn, Optuna ----------------------------------------------------------


def shop(n=600):
    """Orders that come back: two of three signs say so, one of each kind of column."""
    random = np.random.default_rng(0)
    city = random.choice(["Oslo", "Rome", "Lima", "Cairo"], n)
    date = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 4 * 365, n), unit="D")
    amount = np.where(random.random(n) < 0.4, np.nan, random.gamma(3, 20, n).round(2))
    signs = np.array([np.isin(city, ["Oslo", "Lima"]), date.year >= 2022, np.isnan(amount)])
    table = pd.DataFrame({"city": city, "date": date, "amount": amount})
    return table, np.where(signs.sum(axis=0) >= 2, "back", "kept")


def test_a_skrub_pipeline_learns_from_strings_dates_and_missing_values():
    skrub = pytest.importorskip("skrub")
    X, X_test, y, y_test = train_test_split(*shop(), random_state=0)
    model = skrub.tabular_pipeline(classifier(max_iter=40)).fit(X, y)
    assert DummyClassifier().fit(X, y).score(X_test, y_test) < 0.65
    # No two of the three columns can tell more than four rows in five.
    assert model.score(X_test, y_test) > 0.9


def test_oversampling_before_a_network_is_weighing_it():
    """A row that imbalanced-learn draws twice more is a row of weight 3, bit for bit."""
    samplers = pytest.importorskip("imblearn.over_sampling")
    pipelines = pytest.importorskip("imblearn.pipeline")
    X, y = load_breast_cancer(return_X_y=True)
    kept = np.flatnonzero((y == 1) | (np.arange(len(y)) % 10 == 0))  # malignant ones are rare now
    X, X_test, y, y_test = train_test_split(X[kept], y[kept], random_state=0, stratify=y[kept])
    assert y.mean() > 0.93
    pipeline = pipelines.make_pipeline(samplers.RandomOverSampler(random_state=0), classifier())
    pipeline.fit(X, y)
    assert balanced_accuracy_score(y_test, pipeline.predict(X_test)) > 0.75
    counts = np.bincount(pipeline[0].sample_indices_, minlength=len(y))
    weighted = classifier().fit(X, y, sample_weight=counts)
    np.testing.assert_array_equal(pipeline.predict_proba(X_test), weighted.predict_proba(X_test))


def test_an_optuna_study_finds_strengths_that_work():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    X, y = load_breast_cancer(return_X_y=True)

    def loss(trial):
        dropout = trial.suggest_float("dropout", 0.0, 0.9)
        l2 = trial.suggest_float("l2", 1e-5, 10.0, log=True)
        scores = cross_val_score(
            classifier(dropout=dropout, l2=l2), X, y, cv=3, scoring="neg_log_loss"
        )
        return -scores.mean()

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(loss, n_trials=6)
    assert study.best_value < 0.12
    assert max(trial.value for trial in study.trials) > 2 * study.best_value


# -- workers ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dask_workers():
    """Two worker processes of one thread each.

    The scheduler's web server takes any free port: with `dashboard_address=None` it still starts,
    on the usual one, and warns when somebody else has that.
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
def jobs(request):
    """The context of two jobs on a backend of joblib."""
    if request.param == "dask":
        request.getfixturevalue("dask_workers")
    return lambda **options: parallel_config(backend=request.param, n_jobs=2, **options)


def scores(function):
    """Every score of every split, as arrays by name."""
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), classifier(max_iter=10))
    options = {"cv": 3, "scoring": "neg_log_loss", "error_score": "raise"}
    options["return_train_score"] = True
    if function == "cross_validate":
        results = cross_validate(model, X, y, **options)
    else:
        grid = {"regularizedmlpclassifier__dropout": [0.0, 0.5]}
        results = GridSearchCV(model, grid, **options).fit(X, y).cv_results_
    return {key: array for key, array in results.items() if key.endswith("_score")}


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # loky's own start
@pytest.mark.parametrize("jobs", ["threading", "loky", "dask"], indirect=True)
@pytest.mark.parametrize("function", ["cross_validate", "GridSearchCV"])
def test_two_jobs_of_any_backend_give_exactly_the_scores_of_one(jobs, function):
    with parallel_config(n_jobs=1):
        alone = scores(function)
    with jobs():
        together = scores(function)
    assert together.keys() == alone.keys()
    assert any(len(set(array)) > 1 for array in alone.values())  # else equality says nothing
    for key, array in alone.items():
        np.testing.assert_array_equal(together[key], array, err_msg=key)


def fit_and_count_threads(_):
    """The process of a worker, TensorFlow's setting, and the threads that its programs run on."""
    from skreg._tensorflow import tensorflow

    X = np.random.default_rng(0).normal(size=(200, 64))
    wide = classifier(hidden_layer_sizes=(512, 512), batch_size=64, max_iter=2)
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


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # loky's own start
@pytest.mark.parametrize(
    ("jobs", "options", "n_threads"),
    [
        pytest.param("loky", {}, max(CORES // 2, 1), id="loky divides the cores"),
        pytest.param("loky", {"inner_max_num_threads": 2}, 2, id="loky is given two"),
        pytest.param("dask", {}, 1, id="dask gives one"),
    ],
    indirect=["jobs"],
)
def test_a_worker_uses_the_threads_that_it_is_given(jobs, options, n_threads):
    with jobs(**options):
        workers = joblib.Parallel()(joblib.delayed(fit_and_count_threads)(i) for i in range(2))
    assert os.getpid() not in {process for process, _, _ in workers}
    assert {setting for _, setting, _ in workers} == {n_threads}
    assert {n_running for _, _, n_running in workers} <= {n_threads, None}


# -- files ------------------------------------------------------------------------------------


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def by_cloudpickle(model):
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.loads(cloudpickle.dumps(model))


def by_skops(model):
    """As its documentation says: look at the types that a file names, then trust them."""
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    unknown = skops.get_untrusted_types(data=data)
    assert any(name.startswith("skreg.") for name in unknown)
    # scikit-learn's are those of a search that skops does not know; none of NumPy or the network.
    assert all(name.startswith(("skreg.", "sklearn.")) for name in unknown), unknown
    return skops.loads(data, trusted=unknown)


def searched():
    grid = {"regularizedmlpclassifier__l2": [1e-3, 1e-2]}
    return GridSearchCV(make_pipeline(StandardScaler(), classifier()), grid, cv=2)


MODELS = {
    "classifier": (load_iris, classifier),
    "regressor": (load_diabetes, regressor),
    "pipeline": (load_iris, lambda: make_pipeline(StandardScaler(), classifier())),
    "search": (load_iris, searched),
}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    load, make = MODELS[request.param]
    X, y = load(return_X_y=True)
    return make().fit(X, y), X


@pytest.mark.parametrize("round_trip", [by_pickle, by_joblib, by_cloudpickle, by_skops])
def test_what_comes_back_from_a_file_predicts_the_same_bits(fitted, round_trip):
    model, X = fitted
    back = round_trip(model)
    assert type(back) is type(model)
    assert back.get_params().keys() == model.get_params().keys()
    for name in ("predict", "predict_proba"):
        if hasattr(model, name):
            np.testing.assert_array_equal(getattr(back, name)(X), getattr(model, name)(X))


@pytest.mark.parametrize("round_trip", [by_pickle, by_joblib, by_cloudpickle, by_skops])
def test_what_comes_back_from_a_file_trains_on_to_the_same_bits(round_trip):
    """A stream's state is in the file too: moments, statistics and where the noise is."""
    X, y = load_diabetes(return_X_y=True)
    model = regressor().partial_fit(X[:200], y[:200])
    back = round_trip(model).partial_fit(X[200:], y[200:])
    np.testing.assert_array_equal(back.predict(X), model.partial_fit(X[200:], y[200:]).predict(X))


@pytest.mark.parametrize("width", [16, 512])
@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_a_pickle_is_the_weights_and_at_most_8_kilobytes(name, width):
    load, make = MODELS[name]
    X, y = load(return_X_y=True)
    model = make(hidden_layer_sizes=(width, width), max_iter=3).fit(X, y)
    weights = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    assert weights < len(pickle.dumps(model)) <= weights + 8 * 1024


def pickled_as(model, version):
    """A pickle of the model by a skreg of another format; `None` is from before formats."""

    class Pickler(pickle.Pickler):
        def reducer_override(self, thing):
            if thing is not model:
                return NotImplemented
            new, arguments, state = thing.__reduce_ex__(4)[:3]
            del state["_pickle_format"]
            return (
                new,
                arguments,
                state if version is None else {**state, "_pickle_format": version},
            )

    file = io.BytesIO()
    Pickler(file).dump(model)
    return file.getvalue()


@pytest.mark.parametrize("version", [None, 0, 999])
@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_a_pickle_of_another_format_is_refused(name, version):
    load, make = MODELS[name]
    model = make(max_iter=2).fit(*load(return_X_y=True))
    own = model.__getstate__()["_pickle_format"]
    assert pickle.loads(pickled_as(model, own)).n_iter_ == 2  # else refusing says nothing
    with pytest.raises(ValueError, match=f"format {own}, received {version}"):
        pickle.loads(pickled_as(model, version))
