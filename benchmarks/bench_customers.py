"""A table of customers as it comes: untuned log losses beside those of other estimators.

The made-up table has 5,000 rows: six numbers with 5 % missing, two of them heavy-tailed; categories
of 2, 5, 30 and 400 levels; a boolean; 12 % positive. skreg takes the frame. The others take the
rows as users prepare them: HistGradientBoosting categories (of 255 levels at most, as it demands),
MLPClassifier and LogisticRegression medians, indicators and one-hot columns, standardised or not.

    python benchmarks/bench_customers.py [--quick] [--check]
"""

from __future__ import annotations

import warnings

import numpy as np
from _measure import check_targets, parse_arguments, print_header, print_table
from _tables import customer_table
from bench_frames import make_categories
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg import RegularizedMLPClassifier


def make_preparation():
    """Return medians and indicators, standardised numbers, and one-hot columns."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (
            OneHotEncoder(handle_unknown="ignore"),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
    )


MODELS = {
    "skreg": RegularizedMLPClassifier(random_state=0),
    "skreg, no encoding": RegularizedMLPClassifier(numerical_encoding=None, random_state=0),
    "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
    "MLPClassifier": make_pipeline(make_preparation(), MLPClassifier(random_state=0)),
    "LogisticRegression": make_pipeline(make_preparation(), LogisticRegression(max_iter=1000)),
}


def measure(n_tables: int, n_splits: int) -> dict[str, np.ndarray]:
    """Return the log losses of each model and of a constant: a mean over splits by table."""
    losses = {name: [] for name in (*MODELS, "a constant")}
    for seed in range(n_tables):
        frame, y = customer_table(seed=seed)
        typed = make_categories(frame)
        for split in range(n_splits):
            train, test = train_test_split(
                np.arange(len(y)), test_size=0.25, random_state=split, stratify=y
            )
            for name, model in MODELS.items():
                table = typed if name == "HistGradientBoosting" else frame
                fitted = clone(model).fit(table.iloc[train], y[train])
                probabilities = fitted.predict_proba(table.iloc[test])
                losses[name].append(log_loss(y[test], probabilities))
            constant = np.full(len(test), y[train].mean())
            losses["a constant"].append(log_loss(y[test], constant))
    return {
        name: np.reshape(of_model, (n_tables, n_splits)).mean(axis=1)
        for name, of_model in losses.items()
    }


def main():
    """Print the mean log loss of each model, and its difference to ours with its error."""
    arguments = parse_arguments(__doc__.splitlines()[0])
    n_tables, n_splits = (2, 1) if arguments.quick else (5, 3)
    warnings.simplefilter("ignore")
    print_header("How good is the untuned network on a table of customers?")
    losses = measure(n_tables, n_splits)
    rows = []
    for name, of_model in losses.items():
        difference = of_model - losses["skreg"]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        rows.append([name, of_model.mean(), difference.mean(), error])
    print_table(["", "log loss", "above skreg", "standard error"], rows)
    ours = losses["skreg"].mean()
    peers = (name for name in MODELS if not name.startswith("skreg"))
    check_targets({name: (losses[name].mean(), ">=", ours) for name in peers}, arguments.check)


if __name__ == "__main__":
    main()
