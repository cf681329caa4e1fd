"""How good predictions are, untuned and tuned, beside other estimators at their defaults.

Every table of a folder (`index.json`, and CSV files with a column `target`), or without one every
table of scikit-learn and of some ids of OpenML, is split several times into 75 % and 25 % of its
rows. skreg takes the data frames as they are. Other estimators receive
what their documentation asks for: trees get categories, networks and linear models without their
own preparation get medians, indicators of missing values and one-hot columns, standardised.

Printed is the mean over tables of log(loss / CatBoost's loss), clipped at +-0.7, with its standard
error; the share of tables on which a model beats CatBoost; the mean rank of the loss; for classes
the mean of the area under the ROC curve less CatBoost's; and the seconds of all fits. The loss is
the log loss of classes, and the root mean squared error of numbers.

    python benchmarks/bench_quality.py [--data FOLDER | --openml ID ...] [--rows N] [--splits N]
        [--memory FOLDER]

The peers need `catboost`, `optuna`, `xgboost`, `lightgbm` and `pytabkit`; `--models` chooses some.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from _measure import check_targets, print_header, print_table
from _models import MODELS, OURS, REFERENCE, TIMED, TYPED, make_typed
from _tables import load_tables, read_tables
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

KINDS = ("two classes", "more classes", "numbers")
SIZES = (1_000, 4_000, 20_000)
NEEDED = REFERENCE, "linear"
# Mean log ratios to CatBoost by kind.
TARGETS = {"skreg": (0.13, 0.13, -0.03), "skreg, ensemble": (-0.03, -0.09, -0.06)}
# Most times the seconds of a peer, on any table.
SECONDS = {REFERENCE: 25.0, "RealMLP-TD": 1.0}
# Peers that the untuned network should be ahead of by its mean ranks on tables of classes.
OUTRANKED = "RealMLP-TD", "MLP of scikit-learn", "HistGradientBoosting", "XGBoost"
_CLIP = 0.7


# -- measuring ---------------------------------------------------------------------------------


def score(make_model, frame, y, is_classes: bool, split: int) -> tuple[float, float, float]:
    """Return loss, area under the ROC curve and seconds of the fit, of one split."""
    warnings.simplefilter("ignore")
    frame = make_typed(frame) if make_model in TYPED else frame
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


def measure(models: dict, tables: list, n_splits: int, score=score) -> dict:
    """Return for each model loss, area and seconds of each table and split."""
    scores = {model: np.empty((len(tables), n_splits, 3)) for model in models}
    for k, (name, frame, y, is_classes) in enumerate(tables):
        for model, make_model in models.items():
            for split in range(n_splits):
                if model in TIMED:
                    seconds = float(scores[TIMED[model]][k, split, 2])
                    make_model = partial(MODELS[model], seconds=seconds)
                scores[model][k, split] = score(make_model, frame, y, is_classes, split)
        losses = (f"{model} {scores[model][k, :, 0].mean():.4f}" for model in models)
        print(f"{name} ({name_kind(y, is_classes)}): {', '.join(losses)}", flush=True)
    return scores


# -- telling -----------------------------------------------------------------------------------


def group(tables: list) -> dict[str, np.ndarray]:
    """Return which tables are of each kind, and of each size."""
    kinds = np.array([name_kind(y, is_classes) for _, _, y, is_classes in tables])
    sizes = np.array([len(y) for _, _, y, _ in tables])
    groups = {kind: kinds == kind for kind in KINDS}
    for least, most in zip((0, *SIZES), SIZES, strict=False):
        groups[f"up to {most:,} rows"] = (least < sizes) & (sizes <= most)
    return {name: chosen for name, chosen in groups.items() if chosen.any()}


def compare(scores: dict, reference: str) -> dict:
    """Return the clipped mean over splits of log(loss / the reference's loss), for each table."""
    logs = {name: np.log(of_model[..., 0]) for name, of_model in scores.items()}
    differences = {
        name: (of_model - logs[reference]).mean(axis=1) for name, of_model in logs.items()
    }
    return {name: of_model.clip(-_CLIP, _CLIP) for name, of_model in differences.items()}


def get_error(values: np.ndarray) -> float:
    """Return the standard error of a mean."""
    return values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan


def compute_ranks(values) -> np.ndarray:
    """Return the mean rank of each model over tables and splits; the smallest value is first."""
    values = np.asarray(values)  # (models, tables, splits)
    return 1 + (values[None] < values[:, None]).sum(axis=1).mean(axis=(1, 2))


def tell(scores: dict, groups: dict, reference: str) -> None:
    """Print a table for each group of tables."""
    ratios = compare(scores, reference)
    for label, chosen in groups.items():
        ranks = compute_ranks([of_model[chosen, :, 0] for of_model in scores.values()])
        rows = []
        for rank, (name, of_model) in zip(ranks, scores.items(), strict=True):
            ratio = ratios[name][chosen]
            # NaN for tables of numbers, of which a group of a size has some.
            areas = of_model[chosen, :, 1] - scores[reference][chosen, :, 1]
            area = np.nan if np.isnan(areas).all() else np.nanmean(areas)
            wins, seconds = (ratio < 0).mean(), of_model[chosen, :, 2].sum()
            rows.append([name, ratio.mean(), get_error(ratio), wins, rank, area, seconds])
        print(f"{label}, {chosen.sum()} tables")
        columns = ["", "log ratio", "error", "wins", "rank", "AUC", "seconds"]
        print_table(columns, rows)


def plot(scores: dict, groups: dict, path: Path) -> None:
    """Draw the loss of each model over the time of its fits, with two standard errors."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import AutoLocator, NullLocator, ScalarFormatter

    ratios = compare(scores, REFERENCE)
    kinds = [kind for kind in KINDS if kind in groups]
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(3.2 * len(kinds) + 2.2, 3.6), squeeze=False, layout="constrained"
    )
    for kind, ax in zip(kinds, axes[0], strict=True):
        chosen = groups[kind]
        ax.axhline(1, color="0.8", zorder=0)
        for k, (name, of_model) in enumerate(scores.items()):
            ratio = ratios[name][chosen]
            seconds = np.exp(np.log(of_model[chosen, :, 2]).mean())
            middle, error = np.exp(ratio.mean()), 2 * np.nan_to_num(get_error(ratio))
            bounds = np.abs(np.exp([[ratio.mean() - error], [ratio.mean() + error]]) - middle)
            style = (
                {"marker": "*", "ms": 13} if MODELS[name] in OURS else {"marker": "oD^sv"[k % 5]}
            )
            ax.errorbar(
                seconds,
                middle,
                bounds,
                ls="",
                color=f"C{k % 10}",
                elinewidth=0.7,
                label=name,
                **style,
            )
        ax.set(
            xscale="log",
            yscale="log",
            title=f"{kind}, {chosen.sum()} tables",
            xlabel="seconds of a fit",
        )
        ax.yaxis.set_major_locator(AutoLocator())
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(ScalarFormatter())
    axes[0, 0].set_ylabel("loss / CatBoost's")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right", fontsize=8)
    figure.savefig(path, dpi=150)


def list_targets(scores: dict, groups: dict) -> dict:
    """Return what was measured beside its target."""
    to_reference, to_linear = compare(scores, REFERENCE), compare(scores, "linear")
    targets = {}
    for name, limits in TARGETS.items():
        if name not in scores:
            continue
        for kind, limit in zip(KINDS, limits, strict=True):
            if kind not in groups:
                continue
            ratios = to_reference[name][groups[kind]]
            targets[f"{name}, {kind}, log ratio to CatBoost"] = ratios.mean(), "<=", limit
            if name == "skreg, ensemble":
                targets[f"{name}, {kind}, tables won"] = (ratios < 0).mean(), ">=", 0.65
        most = np.log(1.02 if name == "skreg, ensemble" else 1.1)
        largest = to_linear[name].max()
        targets[f"{name}, largest log ratio to the linear model"] = largest, "<=", most
    targets |= list_rank_targets(scores, groups)
    for tuned, ours in TIMED.items():
        if tuned in scores:
            ratio = compare(scores, tuned)[ours].mean()
            targets[f"{ours}, log ratio to {tuned} for as long"] = ratio, "<=", 0.0
    if "skreg, ensemble" in scores:
        for peer, limit in SECONDS.items():
            if peer in scores:
                seconds = [scores[name][..., 2].sum(axis=1) for name in ("skreg, ensemble", peer)]
                target = np.max(seconds[0] / seconds[1]), "<=", limit, True
                targets[f"skreg, ensemble, largest ratio of seconds to {peer}"] = target
        area = scores["skreg, ensemble"][..., 1] - scores[REFERENCE][..., 1]
        if not np.isnan(area).all():
            targets["skreg, ensemble, AUC less CatBoost's"] = np.nanmean(area), ">=", 0.0
    return targets


def list_rank_targets(scores: dict, groups: dict) -> dict:
    """Return the mean ranks of the untuned network less those of peers, on tables of classes."""
    chosen = np.logical_or.reduce([groups[kind] for kind in KINDS[:2] if kind in groups])
    if "skreg" not in scores or not np.any(chosen):
        return {}
    losses = [of_model[chosen, :, 0] for of_model in scores.values()]
    areas = [-of_model[chosen, :, 1] for of_model in scores.values()]
    targets = {}
    for measure, values in (("loss", losses), ("AUC", areas)):
        ranks = dict(zip(scores, compute_ranks(values), strict=True))
        for peer in [peer for peer in OUTRANKED if peer in ranks]:
            name = f"skreg, mean rank of {measure} less that of {peer}"
            targets[name] = ranks["skreg"] - ranks[peer], "<=", 0.0
    return targets


def main():
    """Print the comparison, and check the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, help="folder of tables")
    source.add_argument("--openml", type=int, nargs="+", default=[], help="ids of tables")
    parser.add_argument("--rows", type=int, default=4000, help="most rows of a table")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="use only every so many tables")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--memory", help="folder to store the scores of peers in")
    parser.add_argument("--figure", type=Path, help="file of the figure of loss over time")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    print_header("How good are predictions?")
    stored = joblib.Memory(arguments.memory, verbose=0).cache(score)

    def score_once(make_model, *rest):
        return (score if make_model in OURS else stored)(make_model, *rest)

    chosen = {*arguments.models, *NEEDED}
    chosen |= {TIMED[name] for name in chosen & TIMED.keys()}
    models = {name: MODELS[name] for name in MODELS if name in chosen}
    if arguments.data:
        found = read_tables(arguments.data, arguments.rows)
    else:
        found = load_tables(arguments.openml, arguments.rows)
    tables = list(found)[:: arguments.every]
    scores = measure(models, tables, arguments.splits, score_once)
    groups = group(tables)
    tell(scores, groups, REFERENCE)
    if arguments.figure:
        plot(scores, groups, arguments.figure)
    check_targets(list_targets(scores, groups), arguments.check)


if __name__ == "__main__":
    main()
