"""How good predictions are, untuned and tuned, beside other estimators at their defaults.

Every table of a folder (`index.json`, and CSV files with a column `target`) is split several times
into 75 % and 25 % of its rows. skreg takes the data frames as they are. Other estimators receive
what their documentation asks for: CatBoost and HistGradientBoosting categories, the others medians,
indicators of missing values and one-hot columns, standardised.

Printed is the mean over tables of log(loss / CatBoost's loss), clipped at +-0.7, with its standard
error; the share of tables on which a model beats CatBoost; the mean rank of the loss; for classes
the mean of the area under the ROC curve less CatBoost's; and the seconds of all fits. The loss is
the log loss of classes, and the root mean squared error of numbers.

    python benchmarks/bench_quality.py --data FOLDER [--rows N] [--splits N] [--memory FOLDER]

The peers need `catboost`, `xgboost` and `pytabkit`; `--models` chooses some.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from _measure import check_targets, print_header, print_table
from _tables import read_tables
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
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

REFERENCE = "CatBoost"
KINDS = ("two classes", "more classes", "numbers")
_CLIP = 0.7


# -- models: functions from (is classification, training frame) to an estimator -----------------


def make_skreg(is_classes, frame, **parameters):
    """Return the network of skreg, for the frame as it is."""
    kind = RegularizedMLPClassifier if is_classes else RegularizedMLPRegressor
    return kind(random_state=0, **parameters)


def make_search(is_classes, frame, **parameters):
    """Return the search of skreg, for the frame as it is."""
    kind = RegularizedMLPClassifierCV if is_classes else RegularizedMLPRegressorCV
    return kind(n_jobs=2, random_state=0, **parameters)


def make_ensemble(is_classes, frame):
    """Return the search of skreg that predicts with an ensemble."""
    return make_search(is_classes, frame, refit="ensemble")


def make_halving(is_classes, frame):
    """Return the search of skreg that predicts with an ensemble of what halving leaves."""
    return make_search(is_classes, frame, refit="ensemble", search="halving")


def make_catboost(is_classes, frame):
    """Return CatBoost after texts without missing values, since it refuses those."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if is_classes else CatBoostRegressor
    text = list(frame.select_dtypes(exclude=["number", "bool"]))
    fill = SimpleImputer(strategy="constant", fill_value="missing").set_output(transform="pandas")
    prepare = make_column_transformer(
        (fill, text), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = kind(
        cat_features=text, verbose=0, random_seed=0, thread_count=2, allow_writing_files=False
    )
    return make_pipeline(prepare, model)


def make_xgboost(is_classes, frame):
    """Return XGBoost, for categories and for integers as classes."""
    from xgboost import XGBClassifier, XGBRegressor

    options = {"enable_categorical": True, "n_jobs": 2, "random_state": 0}
    return _CodedClasses(XGBClassifier(**options)) if is_classes else XGBRegressor(**options)


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


def make_realmlp(is_classes, frame):
    """Return RealMLP at its tuned defaults, for the frame as it is."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    kind = RealMLP_TD_Classifier if is_classes else RealMLP_TD_Regressor
    return kind(device="cpu", random_state=0, n_threads=2, verbosity=0)


def make_trees(is_classes, frame):
    """Return HistGradientBoosting, for categories of at most 255 levels."""
    kind = HistGradientBoostingClassifier if is_classes else HistGradientBoostingRegressor
    return kind(categorical_features="from_dtype", random_state=0)


def _prepare():
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (
            OneHotEncoder(handle_unknown="ignore", max_categories=40, sparse_output=False),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
    )


def make_linear(is_classes, frame):
    """Return logistic regression or ridge regression after a preparation."""
    model = LogisticRegression(max_iter=2000) if is_classes else Ridge()
    return make_pipeline(_prepare(), model)


def make_mlp(is_classes, frame):
    """Return the network of scikit-learn after a preparation, with standardised targets."""
    if is_classes:
        return make_pipeline(_prepare(), MLPClassifier(random_state=0))
    return make_pipeline(_prepare(), MLPRegressor(random_state=0))


MODELS = {
    "skreg": make_skreg,
    "skreg, tuned": make_search,
    "skreg, ensemble": make_ensemble,
    "skreg, ensemble after halving": make_halving,
    REFERENCE: make_catboost,
    "XGBoost": make_xgboost,
    "RealMLP-TD": make_realmlp,
    "HistGradientBoosting": make_trees,
    "MLP of scikit-learn": make_mlp,
    "linear": make_linear,
}


OURS = make_skreg, make_search, make_ensemble, make_halving
NEEDED = REFERENCE, "linear"
# Mean log ratios to CatBoost by kind.
TARGETS = {"skreg": (0.13, 0.13, -0.03), "skreg, ensemble": (-0.03, -0.09, -0.06)}


# -- measuring ---------------------------------------------------------------------------------


def make_typed(frame):
    """Return a frame whose texts are categories of at most 255 levels."""
    frame = frame.copy()
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        frequent = frame[name].value_counts().index[:254]
        frame[name] = frame[name].where(frame[name].isin(frequent)).astype("category")
    return frame


def score(make_model, frame, y, is_classes: bool, split: int) -> tuple[float, float, float]:
    """Return loss, area under the ROC curve and seconds of the fit, of one split."""
    warnings.simplefilter("ignore")
    frame = make_typed(frame) if make_model in (make_trees, make_xgboost) else frame
    train, test, y_train, y_test = train_test_split(
        frame, y, test_size=0.25, random_state=split, stratify=y if is_classes else None
    )
    model = make_model(is_classes, train)
    unit = 1.0 if is_classes else y_train.std()
    start = time.perf_counter()
    model.fit(train, y_train if is_classes else y_train / unit)
    seconds = time.perf_counter() - start
    if not is_classes:
        error = np.asarray(model.predict(test)) - y_test / unit
        return float(np.sqrt(np.mean(error**2))), np.nan, seconds
    probabilities = np.asarray(model.predict_proba(test), np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = np.unique(y_train)
    of_positive = probabilities[:, 1] if len(labels) == 2 else probabilities
    options = {} if len(labels) == 2 else {"multi_class": "ovr", "labels": labels}
    area = roc_auc_score(y_test, of_positive, **options)
    return float(log_loss(y_test, probabilities, labels=labels)), float(area), seconds


def name_kind(y, is_classes: bool) -> str:
    """Return one of `KINDS`."""
    return KINDS[2] if not is_classes else KINDS[0] if len(np.unique(y)) == 2 else KINDS[1]


def measure(models: dict, tables: list, n_splits: int, score=score) -> tuple[dict, dict]:
    """Return loss, area and seconds of each model, table and split, and the kinds of the tables."""
    kinds = {name: name_kind(y, is_classes) for name, _, y, is_classes in tables}
    scores = {model: np.empty((len(tables), n_splits, 3)) for model in models}
    for k, (name, frame, y, is_classes) in enumerate(tables):
        for model, make_model in models.items():
            for split in range(n_splits):
                scores[model][k, split] = score(make_model, frame, y, is_classes, split)
        losses = (f"{model} {scores[model][k, :, 0].mean():.4f}" for model in models)
        print(f"{name} ({kinds[name]}): {', '.join(losses)}", flush=True)
    return scores, kinds


def compare(scores: dict, reference: str) -> dict:
    """Return the clipped mean over splits of log(loss / the reference's loss), for each table."""
    logs = {name: np.log(of_model[..., 0]) for name, of_model in scores.items()}
    differences = {
        name: (of_model - logs[reference]).mean(axis=1) for name, of_model in logs.items()
    }
    return {name: of_model.clip(-_CLIP, _CLIP) for name, of_model in differences.items()}


def tell(scores: dict, kinds: dict, reference: str) -> None:
    """Print a table for each kind of task."""
    ratios = compare(scores, reference)
    of_tables = np.array(list(kinds.values()))
    for kind in KINDS:
        chosen = of_tables == kind
        if not chosen.any():
            continue
        losses = np.array([of_model[chosen, :, 0] for of_model in scores.values()])
        ranks = 1 + (losses[None] < losses[:, None]).sum(axis=1).mean(axis=(1, 2))
        rows = []
        for rank, (name, of_model) in zip(ranks, scores.items(), strict=True):
            ratio = ratios[name][chosen]
            error = ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else np.nan
            area = (of_model[chosen, :, 1] - scores[reference][chosen, :, 1]).mean()
            wins, seconds = (ratio < 0).mean(), of_model[chosen, :, 2].sum()
            rows.append([name, ratio.mean(), error, wins, rank, area, seconds])
        print(f"{kind}, {chosen.sum()} tables")
        columns = ["", "log ratio", "error", "wins", "rank", "AUC", "seconds"]
        print_table(columns, rows)


def main():
    """Print the comparison, and check the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=4000, help="most rows of a table")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="use only every so many tables")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--memory", help="folder to store the scores of peers in")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    print_header("How good are predictions?")
    stored = joblib.Memory(arguments.memory, verbose=0).cache(score)

    def score_once(make_model, *rest):
        return (score if make_model in OURS else stored)(make_model, *rest)

    models = {name: MODELS[name] for name in MODELS if name in {*arguments.models, *NEEDED}}
    tables = list(read_tables(arguments.data, arguments.rows))[:: arguments.every]
    scores, kinds = measure(models, tables, arguments.splits, score_once)
    tell(scores, kinds, REFERENCE)
    to_reference, to_linear = compare(scores, REFERENCE), compare(scores, "linear")
    of_tables, targets = np.array(list(kinds.values())), {}
    for name, limits in TARGETS.items():
        if name not in models:
            continue
        for kind, limit in zip(KINDS, limits, strict=True):
            ratios = to_reference[name][of_tables == kind]
            if len(ratios):
                targets[f"{name}, {kind}, log ratio to CatBoost"] = ratios.mean(), "<=", limit
        most = np.log(1.02 if name == "skreg, ensemble" else 1.1)
        targets[f"{name}, largest log ratio to the linear model"] = (
            to_linear[name].max(),
            "<=",
            most,
        )
    check_targets(targets, arguments.check)


if __name__ == "__main__":
    main()
