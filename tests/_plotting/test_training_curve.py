"""The display of losses over the epochs."""

import pytest
from helpers import CANCER, quick_search
from matplotlib import pyplot
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, TrainingCurveDisplay

# The winner of a small grid often lies on its edge.
pytestmark = pytest.mark.filterwarnings("ignore:The best .* lies on the:UserWarning")

X, y = CANCER
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 9, "random_state": 0}
L2S = [1e-3, 1e-2]


@pytest.fixture(scope="module")
def search():
    return quick_search(early_stopping=True, store_curves=True).fit(X, y)


@pytest.fixture(scope="module")
def network():
    return RegularizedMLPClassifier(**SMALL).fit(X, y)


def assert_one_curve(estimator, losses):
    (line,) = TrainingCurveDisplay.from_estimator(estimator).lines_
    assert_allclose(line.get_ydata(), losses)


# -- one network -------------------------------------------------------------------------------


def test_losses_are_drawn_over_the_epochs(search):
    display = TrainingCurveDisplay.from_estimator(search)
    assert_allclose(display.lines_[0].get_ydata(), search.loss_curve_)
    assert_allclose(display.validation_lines_[0].get_ydata(), search.validation_loss_curve_)
    assert list(display.lines_[0].get_xdata()) == list(range(1, search.n_iter_ + 1))


def test_best_epoch_is_marked(search):
    display = TrainingCurveDisplay.from_estimator(search)
    assert display.best_.get_xdata()[0] == search.best_iter_


def test_network_without_validation_has_one_curve(network):
    display = TrainingCurveDisplay.from_estimator(network)
    assert display.validation_lines_ == []
    assert display.best_ is None
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["training, with penalty"]


def test_curve_of_mlp_classifier_is_drawn():
    model = MLPClassifier((4,), max_iter=300, random_state=0).fit(X, y)
    assert_one_curve(model, model.loss_curve_)


def test_curve_of_a_network_in_a_pipeline_is_drawn():
    pipeline = make_pipeline(StandardScaler(), RegularizedMLPClassifier(**SMALL)).fit(X, y)
    assert_one_curve(pipeline, pipeline[-1].loss_curve_)


def test_curve_of_a_pipeline_in_grid_search_is_drawn():
    pipeline = make_pipeline(StandardScaler(), RegularizedMLPClassifier(**SMALL))
    plain = GridSearchCV(pipeline, {"regularizedmlpclassifier__l2": L2S}, cv=2).fit(X, y)
    assert_one_curve(plain, plain.best_estimator_[-1].loss_curve_)


def test_curve_of_a_search_in_a_pipeline_is_drawn():
    pipeline = make_pipeline(StandardScaler(), quick_search()).fit(X, y)
    assert_one_curve(pipeline, pipeline[-1].loss_curve_)


def test_curve_of_grid_search_in_a_pipeline_is_drawn():
    plain = GridSearchCV(RegularizedMLPClassifier(**SMALL), {"l2": L2S}, cv=2)
    pipeline = make_pipeline(StandardScaler(), plain).fit(X, y)
    assert_one_curve(pipeline, plain.best_estimator_.loss_curve_)


# -- several networks --------------------------------------------------------------------------


def test_all_curves_of_a_search_are_drawn(search):
    display = TrainingCurveDisplay.from_estimator(search, which="all")
    assert len(display.lines_) == len(display.validation_lines_) == 12
    assert len(display.ax_.get_legend().get_texts()) == 2


def test_curves_of_all_kinds_of_a_search_are_drawn():
    kinds = [{"hidden_layer_sizes": [()]}, {"activation": ["tanh"]}]
    options = {"dropouts": [0.0], "l2s": L2S, "cv": 2, "early_stopping": True}
    model = quick_search(**options, candidates=kinds, store_curves=True).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(model, which="all")
    assert len(display.lines_) == len(display.validation_lines_) == 8  # 2 kinds, 2 l2s, 2 folds
    assert_allclose(display.lines_[0].get_ydata(), model.loss_curves_[0, 0])


@pytest.mark.parametrize("refit", ["folds", "ensemble"])
def test_the_networks_that_predict_have_both_curves(refit):
    options = {"early_stopping": "fold", "candidates": [{}], "cv": 2, "l2s": L2S}
    model = quick_search(**options, refit=refit).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(model)
    networks = model.estimators_
    assert len(display.lines_) == len(display.validation_lines_) == len(networks)
    for line, network in zip(display.validation_lines_, networks, strict=True):
        assert_allclose(line.get_ydata(), network.validation_loss_curve_)


def test_all_curves_of_a_search_in_a_pipeline_are_drawn():
    pipeline = make_pipeline(StandardScaler(), quick_search(store_curves=True)).fit(X, y)
    assert len(TrainingCurveDisplay.from_estimator(pipeline, which="all").lines_) == 12


def test_curves_of_the_networks_of_the_folds_are_drawn():
    model = quick_search(dropouts=[0.0], l2s=[1e-3], refit="folds").fit(X, y)
    assert len(TrainingCurveDisplay.from_estimator(model).lines_) == 3


# -- axes and errors ---------------------------------------------------------------------------


def test_losses_above_zero_have_a_logarithmic_axis(network):
    assert TrainingCurveDisplay.from_estimator(network).ax_.get_yscale() == "log"


def test_losses_below_zero_have_a_linear_axis():
    assert TrainingCurveDisplay(losses=[[1.0, -1.0]]).plot().ax_.get_yscale() == "linear"


def test_display_is_drawn_on_the_given_axes(network):
    _, ax = pyplot.subplots()
    display = TrainingCurveDisplay.from_estimator(network, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_estimator_has_to_be_fitted():
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(RegularizedMLPClassifier())


def test_unknown_option_is_refused(search):
    with pytest.raises(ValueError, match="which: expected 'best' or 'all'"):
        TrainingCurveDisplay.from_estimator(search, which="worst")


@pytest.fixture(scope="module")
def bare():
    """A search without curves and without a network that predicts."""
    return quick_search(dropouts=[0.0], l2s=[1e-3], cv=2, refit=False).fit(X, y)


def test_search_without_curves_is_refused(bare):
    with pytest.raises(ValueError, match="store_curves=True"):
        TrainingCurveDisplay.from_estimator(bare, which="all")


def test_search_without_a_network_is_refused(bare):
    with pytest.raises(ValueError, match="Fit a search with refit=True"):
        TrainingCurveDisplay.from_estimator(bare)
