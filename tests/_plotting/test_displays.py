"""What is drawn is what was found, on the axes that were handed in."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    RegularizationPathDisplay,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    TrainingCurveDisplay,
    one_standard_error,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = load_breast_cancer(return_X_y=True)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 9, "random_state": 0}
DROPOUTS, L2S = [0.0, 0.25, 0.5], [1e-3, 1e-2]


@pytest.fixture(scope="module")
def search():
    return RegularizedMLPClassifierCV(
        DROPOUTS, L2S, cv=3, early_stopping=True, store_curves=True, **SMALL
    ).fit(X, y)


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def test_heat_map_has_each_mean_score_in_its_cell_and_the_chosen_one_framed(search):
    display = RegularizationPathDisplay.from_estimator(search)
    mean = search.scores_.mean(axis=2)
    assert_allclose(display.image_.get_array(), mean)
    assert [text.get_text() for text in display.texts_] == [f"{m:.3f}" for m in mean.ravel()]
    places = [text.get_position() for text in display.texts_]
    assert places == [(column, row) for row in range(3) for column in range(2)]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["0.001", "0.01"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["0", "0.25", "0.5"]
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    assert_allclose(display.chosen_.get_xdata().mean(), column, atol=0.2)
    assert_allclose(np.ptp(display.chosen_.get_ydata()), 0.94)
    assert abs(display.chosen_.get_ydata()[0] - row) < 0.5
    assert display.ax_.get_title() == "mean minus the loss; chosen: framed"


@pytest.mark.parametrize("along", ["l2", "dropout"])
def test_curves_have_the_means_and_bands_of_a_standard_error(search, along):
    _, ax = pyplot.subplots()
    display = RegularizationPathDisplay.from_estimator(search, kind="curves", along=along, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    scores = search.scores_ if along == "l2" else search.scores_.transpose(1, 0, 2)
    assert len(display.lines_) == len(display.bands_) == len(scores)
    for line, band, of_one in zip(display.lines_, display.bands_, scores, strict=True):
        mean, error = of_one.mean(axis=1), of_one.std(axis=1, ddof=1) / np.sqrt(3)
        assert_allclose(line.get_ydata(), mean)
        heights = band.get_paths()[0].vertices[:, 1]
        assert_allclose(
            [heights.min(), heights.max()], [(mean - error).min(), (mean + error).max()]
        )
    looks = {(line.get_linestyle(), line.get_marker()) for line in display.lines_}
    assert len(looks) == len(scores)  # told apart without colours
    assert display.ax_.get_xlabel() == along
    assert_allclose(display.chosen_.get_ydata(), search.best_score_)


def test_results_of_a_plain_search_over_a_pipeline_draw_the_same(search):
    pipeline = make_pipeline(StandardScaler(), RegularizedMLPClassifier(**SMALL))
    grid = {f"regularizedmlpclassifier__{n}": v for n, v in (("dropout", DROPOUTS), ("l2", L2S))}
    plain = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    display = RegularizationPathDisplay.from_cv_results(plain.cv_results_)
    assert_allclose(display.image_.get_array().ravel(), plain.cv_results_["mean_test_score"])
    assert display.best == tuple(np.unravel_index(plain.best_index_, (3, 2)))
    ours = RegularizationPathDisplay.from_cv_results(search.cv_results_)
    assert_allclose(ours.scores, search.scores_)


def test_several_metrics_and_scores_that_are_missing():
    model = RegularizedMLPClassifierCV(
        DROPOUTS, L2S, cv=3, scoring=["accuracy", "roc_auc"], refit="roc_auc", **SMALL
    ).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model)
    assert_allclose(display.scores, model.scores_["roc_auc"])
    display = RegularizationPathDisplay.from_estimator(model, metric="accuracy")
    assert_allclose(display.scores, model.scores_["accuracy"])
    with pytest.raises(ValueError, match=r"metric: expected one of \['accuracy', 'roc_auc'\]"):
        RegularizationPathDisplay.from_estimator(model, metric="f1")
    scores = np.ones((2, 2, 3))
    scores[0, 0, 1] = np.nan
    grid = {"dropouts": [0.0, (0.1, 0.2)], "l2s": [0.0, 1e-3]}
    display = RegularizationPathDisplay(**grid, scores=scores, best=(1, 1)).plot()
    assert len(display.texts_) == 3
    assert display.ax_.get_yticklabels()[1].get_text() == "0.1, 0.2"


def test_grid_after_an_interrupt_is_that_of_the_complete_folds():
    calls = []

    def score(model, X, y):
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return model.predict_proba(X)[:, 1].std()

    model = RegularizedMLPClassifierCV(DROPOUTS, L2S, cv=3, scoring=score, **SMALL)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model)
    assert_allclose(display.image_.get_array().ravel(), model.cv_results_["mean_test_score"])


def test_halving_marks_what_it_dropped_and_values_stand_in_order():
    model = RegularizedMLPClassifierCV(
        [0.5, 0.0, 0.25], [1e-2, 1e-3], cv=3, search="halving", **SMALL
    ).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model)
    assert display.dropouts == DROPOUTS
    assert display.l2s == L2S
    kept = [text for text in display.texts_ if not text.get_text().startswith("(")]
    epochs = model.cv_results_["n_epochs"]
    assert len(kept) == (epochs == epochs.max()).sum() < len(epochs)
    assert "(dropped early)" in display.ax_.get_title()
    assert_allclose(display.scores[2, 1], model.scores_[0, 0])


def test_cells_have_few_digits():
    scores = np.array([[[-0.12345], [-53955.238]]])
    display = RegularizationPathDisplay(dropouts=[0.0], l2s=[0.0, 1.0], scores=scores).plot()
    assert [text.get_text() for text in display.texts_] == ["-0.123", "-5.396e+04"]


@pytest.mark.parametrize("along", ["l2", "dropout"])
def test_curves_leave_dropped_candidates_hollow(along):
    model = RegularizedMLPClassifierCV(DROPOUTS, L2S, cv=3, search="halving", **SMALL).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, kind="curves", along=along)
    hollow = [line for line in display.ax_.lines if line.get_markerfacecolor() == "white"]
    epochs = model.cv_results_["n_epochs"]
    mean = model.cv_results_["mean_test_score"][epochs < epochs.max()]
    assert sorted(np.concatenate([line.get_ydata() for line in hollow])) == sorted(mean)
    assert display.ax_.get_legend().get_title().get_text() == "hollow: dropped early"


@pytest.mark.parametrize("kind", ["heatmap", "curves"])
@pytest.mark.parametrize("n_values", [3, 6, 10])
def test_labels_of_long_axes_do_not_overlap(kind, n_values):
    l2s = np.geomspace(1e-5, 0.1, n_values)
    scores = np.random.default_rng(0).uniform(size=(2, n_values, 3))
    display = RegularizationPathDisplay(dropouts=[0.0, 0.5], l2s=l2s, scores=scores).plot(kind=kind)
    display.figure_.canvas.draw()
    labels = display.ax_.get_xticklabels()
    if labels[0].get_rotation():
        assert n_values > 5
        return  # lines of text at 45 degrees, further apart than they are high
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_candidate_without_a_score_has_an_empty_cell_after_halving():
    def score(model, X, y):
        return np.nan if model.dropout == 0.5 else -1 - model.score(X, y)

    model = RegularizedMLPClassifierCV(
        [0.0, 0.25, 0.5], L2S, cv=5, search="halving", scoring=score, **SMALL
    ).fit(X, y)
    for kind in ("heatmap", "curves"):
        display = RegularizationPathDisplay.from_estimator(model, kind=kind)
    mean = RegularizationPathDisplay.from_estimator(model).image_.get_array()
    expected = model.cv_results_["mean_test_score"].reshape(3, -1)
    assert_allclose(np.ma.filled(mean, np.nan), expected)
    assert np.isnan(expected[2]).all()
    assert display.lines_


def test_curves_of_scikit_learns_own_network():
    model = MLPClassifier((4,), max_iter=300, random_state=0).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(model)
    assert_allclose(display.lines_[0].get_ydata(), model.loss_curve_)


def test_path_of_a_search_at_the_end_of_a_pipeline():
    search = RegularizedMLPClassifierCV(DROPOUTS, L2S, cv=3, **SMALL)
    pipeline = make_pipeline(StandardScaler(), search).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(pipeline)
    assert_allclose(display.scores, search.scores_)


def test_curves_of_a_network_inside_a_search_and_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), RegularizedMLPClassifier(**SMALL)).fit(X, y)
    assert_allclose(
        TrainingCurveDisplay.from_estimator(pipeline).lines_[0].get_ydata(),
        pipeline[-1].loss_curve_,
    )
    plain = GridSearchCV(pipeline, {"regularizedmlpclassifier__l2": L2S}, cv=2).fit(X, y)
    curve = TrainingCurveDisplay.from_estimator(plain).lines_[0].get_ydata()
    assert_allclose(curve, plain.best_estimator_[-1].loss_curve_)


def test_curves_of_searches_at_the_end_of_a_pipeline():
    search = RegularizedMLPClassifierCV(DROPOUTS, L2S, cv=3, store_curves=True, **SMALL)
    pipeline = make_pipeline(StandardScaler(), search).fit(X, y)
    assert len(TrainingCurveDisplay.from_estimator(pipeline, which="all").lines_) == 18
    (line,) = TrainingCurveDisplay.from_estimator(pipeline).lines_
    assert_allclose(line.get_ydata(), search.loss_curve_)
    plain = GridSearchCV(RegularizedMLPClassifier(**SMALL), {"l2": L2S}, cv=2)
    pipeline = make_pipeline(StandardScaler(), plain).fit(X, y)
    (line,) = TrainingCurveDisplay.from_estimator(pipeline).lines_
    assert_allclose(line.get_ydata(), plain.best_estimator_.loss_curve_)


def test_a_grid_that_some_candidates_are_not_of_is_refused():
    grids = [{"dropout": [0.0, 0.5], "l2": L2S}, {"dropout": [0.0, 0.5]}]
    search = GridSearchCV(RegularizedMLPClassifier(**SMALL), grids, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="a value of 'l2' of every candidate"):
        RegularizationPathDisplay.from_estimator(search)
    with pytest.raises(ValueError, match="a value of 'l2' of every candidate"):
        one_standard_error(search.cv_results_)


def test_wrong_words_and_wrong_results_are_named(search):
    with pytest.raises(ValueError, match="kind: expected one of"):
        RegularizationPathDisplay.from_estimator(search, kind="surface")
    with pytest.raises(ValueError, match="along: expected one of"):
        RegularizationPathDisplay.from_estimator(search, kind="curves", along="alpha")
    with pytest.raises(ValueError, match=r"expected a fitted search.*received RegularizedMLP"):
        RegularizationPathDisplay.from_estimator(RegularizedMLPClassifier())
    with pytest.raises(TypeError, match="expected the dict cv_results_"):
        RegularizationPathDisplay.from_cv_results(search)
    results = {"mean_test_score": [1.0], "rank_test_score": [1], "param_l2": [1e-3]}
    with pytest.raises(ValueError, match=r"search over 'dropout' and 'l2'.*over \['l2'\]"):
        RegularizationPathDisplay.from_cv_results(results)
    twice = GridSearchCV(
        RegularizedMLPClassifier(**SMALL),
        {"dropout": [0.0], "l2": [1e-3], "max_iter": [1, 2]},
        cv=2,
    ).fit(X, y)
    with pytest.raises(ValueError, match="each pair of dropout and l2 once"):
        RegularizationPathDisplay.from_cv_results(twice.cv_results_)
    with pytest.raises(ValueError, match="which: expected 'best' or 'all'"):
        TrainingCurveDisplay.from_estimator(search, which="worst")
    bare = RegularizedMLPClassifierCV([0.0], [1e-3], cv=2, refit=False, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="store_curves=True"):
        TrainingCurveDisplay.from_estimator(bare, which="all")
    with pytest.raises(ValueError, match="to be fitted with refit=True"):
        TrainingCurveDisplay.from_estimator(bare)


def test_training_curves_of_one_network(search):
    display = TrainingCurveDisplay.from_estimator(search)
    assert_allclose(display.lines_[0].get_ydata(), search.loss_curve_)
    assert_allclose(display.validation_lines_[0].get_ydata(), search.validation_loss_curve_)
    assert list(display.lines_[0].get_xdata()) == list(range(1, search.n_iter_ + 1))
    assert display.best_.get_xdata()[0] == search.best_iter_
    assert display.ax_.get_yscale() == "log"
    plain = TrainingCurveDisplay.from_estimator(RegularizedMLPClassifier(**SMALL).fit(X, y))
    assert plain.validation_lines_ == []
    assert plain.best_ is None
    legend = [text.get_text() for text in plain.ax_.get_legend().get_texts()]
    assert legend == ["training, with penalty"]


def test_training_curves_of_all_networks_and_of_those_of_the_folds(search):
    display = TrainingCurveDisplay.from_estimator(search, which="all")
    assert len(display.lines_) == len(display.validation_lines_) == 18
    assert len(display.ax_.get_legend().get_texts()) == 2
    folds = RegularizedMLPClassifierCV([0.0], [1e-3], cv=3, refit="folds", **SMALL).fit(X, y)
    assert len(TrainingCurveDisplay.from_estimator(folds).lines_) == 3


def test_losses_below_zero_have_a_linear_axis():
    model = RegularizedMLPRegressor(loss="poisson", l2=0.0, **SMALL).fit(X, X[:, 3])
    display = TrainingCurveDisplay.from_estimator(model)
    expected = "linear" if min(model.loss_curve_) <= 0 else "log"
    assert display.ax_.get_yscale() == expected
    assert TrainingCurveDisplay(losses=[[1.0, -1.0]]).plot().ax_.get_yscale() == "linear"


def test_matplotlib_is_imported_when_something_is_drawn():
    code = "import sys, skreg; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
