"""
Tune dropout and L2 of a pipeline
=================================

`GridSearchCV` tunes `dropout` and `l2` of a network inside a pipeline, on two real tables. Nested
cross-validation then compares no regularisation, dropout alone, L2 alone and both.

.. image:: ../../examples/figures/tune_dropout_and_l2.png
   :alt: Heat maps of the log loss over dropout and l2, and the log loss of the four families.

Run it with::

    python examples/01_tune_dropout_and_l2.py [--quick] [--compare] [--output FILE]

`--compare` also times `MLPClassifier` and scikeras on the same search.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings

import joblib
import numpy as np
import sklearn
from _comparison import corrected_t_test
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

SCORING = {"log_loss": "neg_log_loss", "accuracy": "accuracy"}
DROPOUTS = [0.0, 0.1, 0.25, 0.5, 0.75]
L2S = [0.0, 1e-4, 1e-3, 1e-2]
FAMILIES = ["neither", "dropout", "L2", "both"]


# %%
# The search
# ----------


def make_pipeline(max_iter):
    """Return the pipeline to tune: the network of the columns alone, which is that of Keras."""
    network = RegularizedMLPClassifier(max_iter=max_iter, numerical_encoding=None, random_state=0)
    return Pipeline([("scale", StandardScaler()), ("network", network)])


def make_search(family, settings, n_splits, seed):
    """Return the grid search over the values of one family."""
    dropouts = settings["dropouts"] if family in ("both", "all", "dropout") else [0.0]
    l2s = settings["l2s"] if family in ("both", "all", "L2") else [0.0]
    if family in ("both", "dropout"):
        dropouts = [rate for rate in dropouts if rate > 0]
    if family in ("both", "L2"):
        l2s = [strength for strength in l2s if strength > 0]
    return GridSearchCV(
        make_pipeline(settings["max_iter"]),
        {"network__dropout": dropouts, "network__l2": l2s},
        scoring=SCORING,
        refit="log_loss",
        cv=StratifiedKFold(n_splits, shuffle=True, random_state=seed),
    )


def search_everything(name, X, y, settings):
    """Run the grid of all candidates with two threads and print it as a table."""
    n_fits = len(settings["dropouts"]) * len(settings["l2s"]) * settings["folds"]
    print(f"\n{name}: {X.shape[0]} rows, {X.shape[1]} columns, {len(set(y))} classes")
    print(f"  GridSearchCV: {n_fits} fits on two threads ...", flush=True)
    start = time.perf_counter()
    search = make_search("all", settings, settings["folds"], seed=0).set_params(n_jobs=2).fit(X, y)
    seconds = time.perf_counter() - start
    print(f"  {seconds:.1f} s, {1000 * seconds / n_fits:.0f} ms a fit")
    shape = len(settings["dropouts"]), len(settings["l2s"])
    losses = -search.cv_results_["mean_test_log_loss"].reshape(shape)
    print("  mean log loss over the folds (smaller is better):\n")
    print("    dropout \\ l2" + "".join(f"{strength:>10g}" for strength in settings["l2s"]))
    for rate, row in zip(settings["dropouts"], losses, strict=True):
        print(f"    {rate:12g}" + "".join(f"{loss:10.4f}" for loss in row))
    best = search.best_params_
    print(
        f"\n  best: dropout={best['network__dropout']:g}, l2={best['network__l2']:g}; "
        f"accuracy {search.cv_results_['mean_test_accuracy'][search.best_index_]:.4f}"
    )
    return {"losses": losses, "seconds": seconds, "n_fits": n_fits}


# %%
# Nested cross-validation
# -----------------------


def compare_families(X, y, settings):
    """Return the scores of each family in repeated cross-validation, shape (repeats * folds,).

    Each family is tuned inside the training rows of every outer split (nested cross-validation),
    so no family sees the rows that it is scored on.
    """
    scores = {family: {metric: [] for metric in SCORING} for family in FAMILIES}
    for repeat in range(settings["repeats"]):
        outer = StratifiedKFold(settings["folds"], shuffle=True, random_state=100 + repeat)
        for family in FAMILIES:
            print(
                f"  nested cross-validation, repeat {repeat + 1} of {settings['repeats']}: "
                f"{family} ...",
                flush=True,
            )
            search = make_search(family, settings, n_splits=3, seed=repeat)
            result = cross_validate(
                search, X, y, cv=outer, scoring=SCORING, n_jobs=2, error_score="raise"
            )
            for metric in SCORING:
                scores[family][metric].extend(result[f"test_{metric}"])
    return {
        family: {"log_loss": -np.array(of["log_loss"]), "accuracy": np.array(of["accuracy"])}
        for family, of in scores.items()
    }


def tell(scores, settings):
    """Print the scores of the families and a sentence about their differences."""
    print(f"\n  {'':10s} {'log loss':>18s} {'accuracy':>18s}   (mean and standard deviation)")
    for family in FAMILIES:
        cells = [scores[family][metric] for metric in SCORING]
        print(
            f"  {family:10s}" + "".join(f"   {v.mean():.4f} +- {v.std(ddof=1):.4f}" for v in cells)
        )
    print("\n  log loss against neither (95 % interval, corrected for overlapping splits):")
    overlap = 1 / (settings["folds"] - 1)  # test rows by training rows
    for family in FAMILIES[1:]:
        differences = scores[family]["log_loss"] - scores["neither"]["log_loss"]
        mean, half, _ = corrected_t_test(differences, overlap)
        share = 100 * mean / scores["neither"]["log_loss"].mean()
        verdict = "lower" if mean + half < 0 else "higher" if mean - half > 0 else "no clear change"
        print(f"    {family:8s} {mean:+.4f} +- {half:.4f} ({share:+.0f} %): {verdict}")
    single = min(("dropout", "L2"), key=lambda family: scores[family]["log_loss"].mean())
    differences = scores["both"]["log_loss"] - scores[single]["log_loss"]
    mean, half, _ = corrected_t_test(differences, overlap)
    if mean + half < 0:
        words = f"both together are better than {single} alone, the better of the two"
    elif mean - half > 0:
        words = f"both together are worse than {single} alone, the better of the two"
    else:
        words = f"both together are not clearly different from {single} alone"
    print(f"  {words} ({mean:+.4f} +- {half:.4f}).")
    accuracy = scores["both"]["accuracy"] - scores["neither"]["accuracy"]
    mean, half, _ = corrected_t_test(accuracy, overlap)
    clear = "a clear gain" if mean - half > 0 else "a clear loss" if mean + half < 0 else "little"
    print(f"  In accuracy, both against neither show {clear}: {mean:+.4f} +- {half:.4f}.")


# %%
# The figure
# ----------


def draw(results, settings, path):
    """Save the heat maps and the scores of the families with error bars."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(results), 2, figsize=(11, 4.2 * len(results)), layout="constrained", squeeze=False
    )
    for (heat, bars), (name, result) in zip(axes, results.items(), strict=True):
        losses = result["losses"]
        image = heat.imshow(np.log10(losses), cmap="cividis_r", aspect="auto", origin="lower")
        middle = np.mean(image.get_clim())
        best = np.unravel_index(losses.argmin(), losses.shape)
        for (row, column), loss in np.ndenumerate(losses):
            dark = np.log10(loss) > middle
            heat.text(
                column,
                row,
                f"{loss:.3f}",
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
        heat.add_patch(
            plt.Rectangle(
                (best[1] - 0.48, best[0] - 0.48),
                0.96,
                0.96,
                fill=False,
                edgecolor="black",
                linewidth=3,
            )
        )
        heat.set_xticks(range(len(settings["l2s"])), [f"{value:g}" for value in settings["l2s"]])
        heat.set_yticks(range(len(settings["dropouts"])), settings["dropouts"])
        heat.set(
            xlabel="l2",
            ylabel="dropout",
            title=f"{name}: mean log loss of {result['n_fits']} fits"
            f" ({result['seconds']:.1f} s), best framed",
        )
        values = [result["scores"][family]["log_loss"] for family in FAMILIES]
        means = [value.mean() for value in values]
        spreads = [value.std(ddof=1) for value in values]
        bars.errorbar(range(4), means, yerr=spreads, fmt="o", color="black", capsize=6, zorder=3)
        jitter = np.random.default_rng(0).uniform(-0.12, 0.12, size=len(values[0]))
        for place, value in enumerate(values):
            bars.plot(place + jitter, value, ".", color="0.6")
        bars.set_xticks(range(4), FAMILIES)
        bars.set_xlim(-0.5, 3.5)
        bars.set_ylim(0)
        bars.set(
            ylabel="log loss on held-out rows",
            title=f"{name}: tuned inside each of {len(values[0])} splits,\n"
            "mean and standard deviation",
        )
    figure.savefig(path, dpi=110)


# %%
# Times of the other libraries
# ----------------------------


def measure_peers(X, y, settings, seconds):
    """Time a few fits of the same search with other libraries and extrapolate."""
    from scikeras.wrappers import KerasClassifier
    from sklearn.neural_network import MLPClassifier

    def seed_network(meta):
        import keras

        l2 = keras.regularizers.L2(0.001)
        return keras.Sequential(
            [
                keras.Input((meta["n_features_in_"],)),
                keras.layers.Dense(128, activation="relu", kernel_regularizer=l2),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(64, activation="relu", kernel_regularizer=l2),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(meta["n_classes_"], activation="softmax"),
            ]
        )

    epochs = settings["max_iter"]
    n_fits = len(settings["dropouts"]) * len(settings["l2s"]) * settings["folds"]
    peers = {
        "RegularizedMLPClassifier": (
            RegularizedMLPClassifier(
                batch_size=32, max_iter=epochs, numerical_encoding=None, random_state=0
            ),
            3,
        ),
        "MLPClassifier (it has no dropout)": (
            MLPClassifier(
                (128, 64), batch_size=32, max_iter=epochs, tol=0, n_iter_no_change=epochs
            ),
            3,
        ),
        "scikeras KerasClassifier": (
            KerasClassifier(
                seed_network,
                loss="sparse_categorical_crossentropy",
                optimizer="adam",
                batch_size=32,
                epochs=epochs,
                verbose=0,
            ),
            2,
        ),
    }
    print(f"\nThe search of {n_fits} fits on breast cancer took {seconds:.1f} s on two threads.")
    print("The same number of fits, extrapolated from a few on one fold each, one at a time:")
    ours = None
    splits = list(StratifiedKFold(settings["folds"], shuffle=True, random_state=0).split(X, y))
    for name, (peer, count) in peers.items():
        times = []
        for train, _ in splits[:count]:
            pipeline = Pipeline([("scale", StandardScaler()), ("network", peer)])
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # it trains all its epochs
                pipeline.fit(X[train], y[train])
            times.append(time.perf_counter() - start)
        median = np.median(times)
        ours = ours or median
        print(
            f"  {name}: {median:.2f} s a fit ({count} measured), "
            f"about {median * n_fits:.3g} s in all, {median / ours:.3g} times as long"
        )


# %%
# The script
# ----------


def main():
    """Run the search and the comparison on both tables and draw the figure."""
    parser = argparse.ArgumentParser(description="Tune dropout and L2 of a pipeline.")
    parser.add_argument("--quick", action="store_true", help="few candidates and epochs")
    parser.add_argument("--compare", action="store_true", help="time MLPClassifier and scikeras")
    parser.add_argument("--output", default="tune_dropout_and_l2.png", help="file of the figure")
    options = parser.parse_args()
    if options.quick:
        print("--quick: a smoke test; its numbers mean nothing.")
    settings = {"dropouts": DROPOUTS, "l2s": L2S, "folds": 5, "repeats": 2, "max_iter": 50}
    if options.quick:
        settings |= {
            "dropouts": [0.0, 0.5],
            "l2s": [0.0, 1e-3],
            "folds": 3,
            "repeats": 1,
            "max_iter": 5,
        }
    tables = {
        "breast cancer": load_breast_cancer(return_X_y=True),
        "digits": load_digits(return_X_y=True),
    }
    start = time.perf_counter()
    print("Importing TensorFlow and compiling happen in the first fit: some 5 seconds, once.")
    RegularizedMLPClassifier(max_iter=1).fit(*tables["breast cancer"])
    results = {}
    # Training releases the GIL, so threads use all cores. Worker processes would each import
    # TensorFlow again.
    with joblib.parallel_config(backend="threading"):
        for name, (X, y) in tables.items():
            results[name] = search_everything(name, X, y, settings)
            results[name]["scores"] = compare_families(X, y, settings)
            tell(results[name]["scores"], settings)
    draw(results, settings, options.output)
    print(f"\nFigure: {options.output}")
    print(
        f"Total: {time.perf_counter() - start:.0f} s on {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}, "
        f"TensorFlow {tensorflow_version()}"
    )
    if options.compare:
        measure_peers(*tables["breast cancer"], settings, results["breast cancer"]["seconds"])


def tensorflow_version():
    """Return the version of TensorFlow without importing it."""
    from importlib.metadata import version

    return version("tensorflow")


# sphinx_gallery_thumbnail_path = "../examples/figures/tune_dropout_and_l2.png"

if __name__ == "__main__":
    main()
