"""The display of the candidates of an ensemble."""

import numpy as np
import pytest
from helpers import CANCER, quick_search
from matplotlib import pyplot
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import EnsembleDisplay, RegularizedMLPClassifier

X, y = CANCER
PARAMS = [
    {"hidden_layer_sizes": (), "dropout": 0.0, "l2": 0.01},
    {"hidden_layer_sizes": (8,), "dropout": 0.3, "l2": 0.001},
    {"hidden_layer_sizes": (8,), "dropout": (0.3, 0.5), "l2": 0.001},
]


@pytest.fixture(scope="module")
def search():
    kinds = [{"hidden_layer_sizes": [(), (8,)]}]
    return quick_search(refit="ensemble", candidates=kinds).fit(X, y)


def test_each_chosen_candidate_has_a_bar_and_the_heaviest_is_on_top(search):
    display = EnsembleDisplay.from_estimator(search)
    weights = search.ensemble_weights_
    widths = [bar.get_width() for bar in display.bars_]
    assert_allclose(widths, np.sort(weights[weights > 0])[::-1])
    assert display.ax_.yaxis_inverted()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    params = search.cv_results_["params"]
    names = [f"dropout {one['dropout']:g}, l2 {one['l2']:g}" for one in params]
    for label, width in zip(labels, widths, strict=True):
        weight = weights[[name == label for name in names]]
        assert width == pytest.approx(weight[weight > 0])


def test_title_has_the_scores_of_the_best_candidate_and_of_the_ensemble(search):
    title = EnsembleDisplay.from_estimator(search).ax_.get_title()
    first, last = (f"{search.ensemble_scores_[k]:.4g}" for k in (0, -1))
    assert title == (
        f"minus the loss of the held-out rows\nbest candidate {first}, ensemble {last}"
    )


def test_bars_say_what_they_are():
    display = EnsembleDisplay(params=PARAMS, weights=[0.2, 0.5, 0.3]).plot()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["dropout 0.3, l2 0.001", "dropout 0.3, 0.5, l2 0.001", "dropout 0, l2 0.01"]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["hidden_layer_sizes=(8,)", "hidden_layer_sizes=()"]
    colors = [bar.get_facecolor() for bar in display.bars_]
    assert colors[0] == colors[1] != colors[2]


def test_one_kind_of_network_has_no_legend():
    params = [{"dropout": 0.0, "l2": 0.01}, {"dropout": 0.3, "l2": 0.01}]
    display = EnsembleDisplay(params=params, weights=[0.5, 0.5]).plot()
    assert display.ax_.get_legend() is None
    assert display.ax_.get_title() == ""


def test_a_kind_without_other_parameters_is_in_the_legend_of_several():
    params = [{"hidden_layer_sizes": (), "dropout": 0.0, "l2": 0.01}, {"dropout": 0.3, "l2": 0.01}]
    display = EnsembleDisplay(params=params, weights=[0.4, 0.6]).plot()
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["parameters of the search", "hidden_layer_sizes=()"]


def test_given_axes_are_drawn_on_and_a_pipeline_is_opened(search):
    _, ax = pyplot.subplots()
    model = make_pipeline(StandardScaler(), search)
    assert EnsembleDisplay.from_estimator(model, ax=ax).ax_ is ax


@pytest.mark.parametrize("model", [RegularizedMLPClassifier(), quick_search(refit="folds")])
def test_an_estimator_without_an_ensemble_is_an_error(model):
    with pytest.raises(ValueError, match=rf"refit='ensemble'; received a {type(model).__name__}"):
        EnsembleDisplay.from_estimator(model)
