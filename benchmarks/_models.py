"""The models of the comparison of predictions.

Each is a function from (whether the task has classes, the data frame to train on) to an estimator
that takes the data frame.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg import (
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

# -- skreg, for the frame as it is -------------------------------------------------------------


def make_skreg(is_classes, frame, **parameters):
    """Return the network of skreg."""
    kind = RegularizedMLPClassifier if is_classes else RegularizedMLPRegressor
    return kind(random_state=0, **parameters)


def make_search(is_classes, frame, **parameters):
    """Return the search of skreg."""
    kind = RegularizedMLPClassifierCV if is_classes else RegularizedMLPRegressorCV
    return kind(n_jobs=2, random_state=0, **parameters)


def make_ensemble(is_classes, frame):
    """Return the search of skreg that predicts with an ensemble."""
    return make_search(is_classes, frame, refit="ensemble")


def make_halving(is_classes, frame):
    """Return the search of skreg that predicts with an ensemble of what halving leaves."""
    return make_search(is_classes, frame, refit="ensemble", search="halving")


# -- trees -------------------------------------------------------------------------------------


def make_typed(frame):
    """Return a frame whose texts are categories of at most 255 levels.

    Columns have numbers for names, since XGBoost and LightGBM refuse some characters.
    """
    frame = frame.set_axis([str(k) for k in range(frame.shape[1])], axis=1)
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        frequent = frame[name].value_counts().index[:254]
        frame[name] = frame[name].where(frame[name].isin(frequent)).astype("category")
    return frame


def make_catboost(is_classes, frame, **parameters):
    """Return CatBoost after texts without missing values, since it refuses those."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if is_classes else CatBoostRegressor
    text = list(frame.select_dtypes(exclude=["number", "bool"]))
    fill = SimpleImputer(strategy="constant", fill_value="missing").set_output(transform="pandas")
    prepare = make_column_transformer(
        (fill, text), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    options = {"verbose": 0, "random_seed": 0, "thread_count": 2, "allow_writing_files": False}
    return make_pipeline(prepare, kind(cat_features=text, **options, **parameters))


def make_tuned_catboost(is_classes, frame, seconds):
    """Return CatBoost that Optuna tunes for so many seconds."""
    return _TunedCatBoost(is_classes, seconds)


class _TunedCatBoost(BaseEstimator):
    """CatBoost with the parameters that are best on a fifth of the rows.

    The first trial has the defaults. Optuna draws the others in the ranges of CatBoost's guide to
    tuning. The last fit, of all rows, comes after the time to search.
    """

    def __init__(self, is_classes, seconds):
        self.is_classes = is_classes
        self.seconds = seconds

    def fit(self, X, y):
        """Search, and fit the best parameters."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        train, test, y_train, y_test = train_test_split(
            X, y, test_size=0.2, random_state=0, stratify=y if self.is_classes else None
        )

        def objective(trial):
            model = make_catboost(self.is_classes, train, **_draw_catboost(trial))
            model.fit(train, y_train)
            if not self.is_classes:
                return root_mean_squared_error(y_test, model.predict(test))
            return log_loss(y_test, model.predict_proba(test), labels=model.classes_)

        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        start = time.perf_counter()
        default = make_catboost(self.is_classes, train).fit(train, y_train)[-1]
        study.enqueue_trial({"learning_rate": default.learning_rate_, **_DEFAULTS_OF_CATBOOST})
        study.optimize(objective, n_trials=1)  # the defaults, however long they take
        left = self.seconds - (time.perf_counter() - start)
        if left > 0:
            study.optimize(objective, timeout=left)
        self.model_ = make_catboost(self.is_classes, X, **study.best_params).fit(X, y)
        return self

    def predict(self, X):
        """Return predictions."""
        return self.model_.predict(X)

    def predict_proba(self, X):
        """Return probabilities."""
        return self.model_.predict_proba(X)


_DEFAULTS_OF_CATBOOST = {
    "depth": 6,
    "l2_leaf_reg": 3.0,
    "random_strength": 1.0,
    "bagging_temperature": 1.0,
}


def _draw_catboost(trial) -> dict:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.005, 0.3, log=True),
        "depth": trial.suggest_int("depth", 3, 10),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 20.0, log=True),
        "random_strength": trial.suggest_float("random_strength", 0.1, 10.0, log=True),
        "bagging_temperature": trial.suggest_float("bagging_temperature", 0.0, 2.0),
    }


class _CodedClasses(ClassifierMixin, BaseEstimator):
    """A classifier that receives the classes as integers."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y):
        """Fit the classifier."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.classifier.fit(X, codes)
        return self

    def predict_proba(self, X):
        """Return the probabilities of the classifier."""
        return self.classifier.predict_proba(X)


def make_xgboost(is_classes, frame):
    """Return XGBoost, for categories and for integers as classes."""
    from xgboost import XGBClassifier, XGBRegressor

    options = {"enable_categorical": True, "n_jobs": 2, "random_state": 0}
    return _CodedClasses(XGBClassifier(**options)) if is_classes else XGBRegressor(**options)


def make_lightgbm(is_classes, frame):
    """Return LightGBM, for categories."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if is_classes else LGBMRegressor
    return kind(n_jobs=2, random_state=0, verbose=-1)


def make_trees(is_classes, frame):
    """Return HistGradientBoosting, for categories of at most 255 levels."""
    kind = HistGradientBoostingClassifier if is_classes else HistGradientBoostingRegressor
    return kind(categorical_features="from_dtype", random_state=0)


def make_forest(is_classes, frame):
    """Return a random forest after a preparation."""
    kind = RandomForestClassifier if is_classes else RandomForestRegressor
    return make_pipeline(_prepare(), kind(n_jobs=2, random_state=0))


# -- networks and linear models ----------------------------------------------------------------


def _fill_numbers(model):
    """Return a network of pytabkit, which refuses missing numbers, after medians for them."""
    fill = SimpleImputer(strategy="median", add_indicator=True)
    prepare = make_column_transformer(
        (fill, make_column_selector(dtype_include=["number", "bool"])),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(prepare.set_output(transform="pandas"), model)


def make_realmlp(is_classes, frame):
    """Return RealMLP at its tuned defaults."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    kind = RealMLP_TD_Classifier if is_classes else RealMLP_TD_Regressor
    return _fill_numbers(kind(device="cpu", random_state=0, n_threads=2, verbosity=0))


def make_tabm(is_classes, frame):
    """Return TabM at its defaults."""
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    kind = TabM_D_Classifier if is_classes else TabM_D_Regressor
    return _fill_numbers(kind(device="cpu", random_state=0, n_threads=2, verbosity=0))


def _prepare():
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (
            OneHotEncoder(handle_unknown="ignore", max_categories=40, sparse_output=False),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
    )


def make_mlp(is_classes, frame):
    """Return the network of scikit-learn after a preparation."""
    kind = MLPClassifier if is_classes else MLPRegressor
    return make_pipeline(_prepare(), kind(random_state=0))


def make_linear(is_classes, frame):
    """Return logistic regression or ridge regression after a preparation."""
    model = LogisticRegression(max_iter=2000) if is_classes else Ridge()
    return make_pipeline(_prepare(), model)


REFERENCE = "CatBoost"
MODELS = {
    "skreg": make_skreg,
    "skreg, tuned": make_search,
    "skreg, ensemble": make_ensemble,
    "skreg, ensemble after halving": make_halving,
    REFERENCE: make_catboost,
    "CatBoost, tuned": make_tuned_catboost,
    "XGBoost": make_xgboost,
    "LightGBM": make_lightgbm,
    "HistGradientBoosting": make_trees,
    "random forest": make_forest,
    "RealMLP-TD": make_realmlp,
    "TabM-D": make_tabm,
    "MLP of scikit-learn": make_mlp,
    "linear": make_linear,
}
OURS = make_skreg, make_search, make_ensemble, make_halving
# Those that take the time of another model, and those that receive categories of few levels.
TIMED = {"CatBoost, tuned": "skreg, ensemble"}
TYPED = make_trees, make_xgboost, make_lightgbm
