"""The display of scores over `dropout` and `l2`."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from helpers import CANCER, quick_search
from matplotlib import pyplot
from numpy.testing import assert_allclose
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizationPathDisplay, RegularizedMLPClassifier, one_standard_error

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 9, "random_state": 0}
DROPOUTS, L2S = [0.0, 0.25, 0.5], [1e-3, 1e-2]


@pytest.fixture(scope="module")
def search():
    return quick_search(dropouts=DROPOUTS, l2s=L2S).fit(X, y)


@pytest.fixture(scope="module")
def halved():
    """A search by halving whose values are not sorted."""
    options = {"dropouts": [0.5, 0.0, 0.25], "l2s": [1e-2, 1e-3], "search": "halving"}
    return quick_search(**options).fit(X, y)


# -- heat map ----------------------------------------------------------------------------------


def test_heat_map_has_the_mean_score_of_each_candidate(search):
    display = RegularizationPathDisplay.from_estimator(search)
    mean = search.scores_.mean(axis=2)
    assert_allclose(display.image_.get_array(), mean)
    assert [text.get_text() for text in display.texts_] == [f"{m:.3f}" for m in mean.ravel()]
    positions = [text.get_position() for text in display.texts_]
    assert positions == [(column, row) for row in range(3) for column in range(2)]


def test_heat_map_has_the_values_as_labels(search):
    ax = RegularizationPathDisplay.from_estimator(search).ax_
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.001", "0.01"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "0.25", "0.5"]
    assert ax.get_title() == "mean minus the loss; chosen: framed"


def test_heat_map_has_a_frame_around_the_winner(search):
    display = RegularizationPathDisplay.from_estimator(search)
    row, column = np.unravel_index(search.best_index_, (3, 2))
    assert_allclose(display.chosen_.get_xdata().mean(), column, atol=0.2)
    assert_allclose(np.ptp(display.chosen_.get_ydata()), 0.94)
    assert abs(display.chosen_.get_ydata()[0] - row) < 0.5


def test_cells_have_few_digits():
    scores = np.array([[[-0.12345], [-53955.238]]])
    display = RegularizationPathDisplay(dropouts=[0.0], l2s=[0.0, 1.0], scores=scores).plot()
    assert [text.get_text() for text in display.texts_] == ["-0.123", "-5.396e+04"]


def test_cell_without_a_score_is_empty():
    scores = np.ones((2, 2, 3))
    scores[0, 0, 1] = np.nan
    grid = {"dropouts": [0.0, 0.5], "l2s": [0.0, 1e-3]}
    assert len(RegularizationPathDisplay(**grid, scores=scores, best=(1, 1)).plot().texts_) == 3


def test_sequences_of_values_are_labels():
    scores = np.ones((2, 1, 3))
    display = RegularizationPathDisplay(dropouts=[0.0, (0.1, 0.2)], l2s=[0.0], scores=scores)
    assert display.plot().ax_.get_yticklabels()[1].get_text() == "0.1, 0.2"


# -- curves ------------------------------------------------------------------------------------


@pytest.mark.parametrize("along", ["l2", "dropout"])
def test_curves_have_means_and_standard_errors(search, along):
    display = RegularizationPathDisplay.from_estimator(search, kind="curves", along=along)
    scores = search.scores_ if along == "l2" else search.scores_.transpose(1, 0, 2)
    for line, band, of_line in zip(display.lines_, display.bands_, scores, strict=True):
        mean, error = of_line.mean(axis=1), of_line.std(axis=1, ddof=1) / np.sqrt(3)
        assert_allclose(line.get_ydata(), mean)
        heights = band.get_paths()[0].vertices[:, 1]
        expected = (mean - error).min(), (mean + error).max()
        assert_allclose((heights.min(), heights.max()), expected)
    assert display.ax_.get_xlabel() == along


@pytest.mark.parametrize("along", ["l2", "dropout"])
def test_curves_differ_without_colours(search, along):
    display = RegularizationPathDisplay.from_estimator(search, kind="curves", along=along)
    looks = {(line.get_linestyle(), line.get_marker()) for line in display.lines_}
    assert len(looks) == len(display.lines_) > 1


def test_curves_mark_the_winner(search):
    display = RegularizationPathDisplay.from_estimator(search, kind="curves")
    assert_allclose(display.chosen_.get_ydata(), search.best_score_)


# -- halving and missing scores ----------------------------------------------------------------


def test_values_are_sorted(halved):
    display = RegularizationPathDisplay.from_estimator(halved)
    assert display.dropouts == DROPOUTS
    assert display.l2s == L2S
    assert_allclose(display.scores[2, 1], halved.scores_[0, 0])


def test_heat_map_marks_dropped_candidates(halved):
    display = RegularizationPathDisplay.from_estimator(halved)
    remaining = [text for text in display.texts_ if not text.get_text().startswith("(")]
    epochs = halved.cv_results_["n_epochs"]
    assert len(remaining) == (epochs == epochs.max()).sum() < len(epochs)
    assert "(dropped early)" in display.ax_.get_title()


@pytest.mark.parametrize("along", ["l2", "dropout"])
def test_curves_mark_dropped_candidates(halved, along):
    display = RegularizationPathDisplay.from_estimator(halved, kind="curves", along=along)
    hollow = [line for line in display.ax_.lines if line.get_markerfacecolor() == "white"]
    epochs = halved.cv_results_["n_epochs"]
    mean = halved.cv_results_["mean_test_score"][epochs < epochs.max()]
    assert_allclose(sorted(np.concatenate([line.get_ydata() for line in hollow])), sorted(mean))
    assert display.ax_.get_legend().get_title().get_text() == "hollow: dropped early"


@pytest.mark.parametrize("kind", ["heatmap", "curves"])
def test_candidates_without_a_score_have_no_mean_after_halving(kind):
    def score(model, X, y):
        return np.nan if model.dropout == 0.5 else -1 - model.score(X, y)

    options = {"dropouts": DROPOUTS, "l2s": L2S, "cv": 5, "search": "halving", "scoring": score}
    model = quick_search(**options).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, kind=kind)
    expected = model.cv_results_["mean_test_score"].reshape(3, 2)
    assert np.isnan(expected[2]).all()
    if kind == "heatmap":
        assert_allclose(np.ma.filled(display.image_.get_array(), np.nan), expected)
    else:
        assert_allclose([line.get_ydata() for line in display.lines_], expected)


def test_means_after_an_interrupt_are_over_the_complete_folds():
    calls = []

    def score(model, X, y):
        calls.append(1)
        if len(calls) > 8:
            raise KeyboardInterrupt
        return model.predict_proba(X)[:, 1].std()

    model = quick_search(dropouts=DROPOUTS, l2s=L2S, scoring=score)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model)
    assert_allclose(display.image_.get_array().ravel(), model.cv_results_["mean_test_score"])


# -- where the scores come from ----------------------------------------------------------------


def test_results_are_drawn_as_their_search(search):
    display = RegularizationPathDisplay.from_cv_results(search.cv_results_)
    assert_allclose(display.scores, search.scores_)


def test_results_of_grid_search_over_a_pipeline_are_drawn():
    pipeline = make_pipeline(StandardScaler(), RegularizedMLPClassifier(**SMALL))
    grid = {f"regularizedmlpclassifier__{n}": v for n, v in (("dropout", DROPOUTS), ("l2", L2S))}
    plain = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    display = RegularizationPathDisplay.from_cv_results(plain.cv_results_)
    assert_allclose(display.image_.get_array().ravel(), plain.cv_results_["mean_test_score"])
    assert display.best == tuple(np.unravel_index(plain.best_index_, (3, 2)))


def test_search_at_the_end_of_a_pipeline_is_drawn():
    search = quick_search(dropouts=DROPOUTS, l2s=L2S)
    pipeline = make_pipeline(StandardScaler(), search).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(pipeline)
    assert_allclose(display.scores, search.scores_)


@pytest.fixture(scope="module")
def two_metrics():
    return quick_search(scoring=["accuracy", "roc_auc"], refit="roc_auc").fit(X, y)


def test_metric_of_the_winner_is_drawn(two_metrics):
    display = RegularizationPathDisplay.from_estimator(two_metrics)
    assert_allclose(display.scores, two_metrics.scores_["roc_auc"])


def test_metric_can_be_chosen(two_metrics):
    display = RegularizationPathDisplay.from_estimator(two_metrics, metric="accuracy")
    assert_allclose(display.scores, two_metrics.scores_["accuracy"])


def test_unknown_metric_is_refused(two_metrics):
    with pytest.raises(ValueError, match=r"metric: expected one of \['accuracy', 'roc_auc'\]"):
        RegularizationPathDisplay.from_estimator(two_metrics, metric="f1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "surface"}, "kind: expected one of .* received 'surface'"),
        ({"kind": "curves", "along": "alpha"}, "along: expected one of .* received 'alpha'"),
    ],
)
def test_unknown_option_is_refused(search, options, message):
    with pytest.raises(ValueError, match=message):
        RegularizationPathDisplay.from_estimator(search, **options)


def test_estimator_without_a_search_is_refused():
    with pytest.raises(ValueError, match=r"expected a fitted search.*received RegularizedMLP"):
        RegularizationPathDisplay.from_estimator(RegularizedMLPClassifier())


def test_estimator_instead_of_results_is_refused(search):
    with pytest.raises(TypeError, match="expected the dict cv_results_"):
        RegularizationPathDisplay.from_cv_results(search)


def test_search_over_one_parameter_is_refused():
    results = {"mean_test_score": [1.0], "rank_test_score": [1], "param_l2": [1e-3]}
    with pytest.raises(ValueError, match=r"search over 'dropout' and 'l2'.*over \['l2'\]"):
        RegularizationPathDisplay.from_cv_results(results)


@pytest.mark.parametrize("kind", ["heatmap", "curves"])
def test_pair_has_the_scores_of_its_best_candidate(kind):
    grid = {"dropout": [0.0, 0.5], "l2": [1e-3], "max_iter": [1, 2]}
    search = GridSearchCV(RegularizedMLPClassifier(**SMALL), grid, cv=2).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(search, kind=kind)
    mean = search.cv_results_["mean_test_score"].reshape(2, 1, 2)
    assert_allclose(display.scores.mean(axis=2), mean.max(axis=2))
    assert display.ax_.get_title().endswith("best over max_iter")
    assert display.best == (search.best_index_ // 2, 0)


def test_candidate_without_a_value_is_left_out():
    grids = [{"dropout": [0.0, 0.5], "l2": L2S}, {"dropout": [0.0, 0.5]}]
    search = GridSearchCV(RegularizedMLPClassifier(**SMALL), grids, cv=2).fit(X, y)
    display = RegularizationPathDisplay.from_cv_results(search.cv_results_)
    n_pairs = 2 * len(L2S)
    mean = search.cv_results_["mean_test_score"][:n_pairs].reshape(2, -1)
    assert_allclose(display.scores.mean(axis=2), mean)
    assert not display.best_over
    assert 0 <= one_standard_error(search.cv_results_) < n_pairs + 2


def test_results_without_any_pair_are_refused():
    grids = [{"dropout": [0.0]}, {"l2": [1e-3]}]
    search = GridSearchCV(RegularizedMLPClassifier(**SMALL), grids, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="search over 'dropout' and 'l2'"):
        RegularizationPathDisplay.from_estimator(search)


# -- axes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["heatmap", "curves"])
def test_display_is_drawn_on_the_given_axes(search, kind):
    _, ax = pyplot.subplots()
    display = RegularizationPathDisplay.from_estimator(search, kind=kind, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


@pytest.mark.parametrize("kind", ["heatmap", "curves"])
@pytest.mark.parametrize("n_values", [3, 6, 10])
def test_labels_do_not_overlap(kind, n_values):
    l2s = np.geomspace(1e-5, 0.1, n_values)
    scores = np.random.default_rng(0).uniform(size=(2, n_values, 3))
    display = RegularizationPathDisplay(dropouts=[0.0, 0.5], l2s=l2s, scores=scores).plot(kind=kind)
    display.figure_.canvas.draw()
    labels = display.ax_.get_xticklabels()
    if labels[0].get_rotation():  # at 45 degrees, lines of text are further apart than their height
        assert n_values > 5
        return
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_matplotlib_is_imported_only_to_draw():
    code = "import sys, skreg; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
