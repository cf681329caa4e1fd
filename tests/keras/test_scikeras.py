"""What scikeras does not get on with today's scikit-learn and Keras in, and that it does here."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv
from sklearn.utils.estimator_checks import check_estimator

from skreg.keras import KerasClassifier, KerasRegressor, build_classifier, build_regressor

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
DIABETES = load_diabetes(return_X_y=True)
SMALL = {"hidden_layer_sizes": (8,), "verbose": 0, "random_state": 0}


def classifier(**changes):
    return KerasClassifier(build_classifier, **{**SMALL, "epochs": 3, **changes})


def regressor(**changes):
    return KerasRegressor(build_regressor, **{**SMALL, "epochs": 3, **changes})


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(X, y)


def test_kinds_are_recognised_so_that_folds_are_stratified():
    assert is_classifier(classifier())
    assert is_regressor(regressor())
    assert isinstance(check_cv(3, y, classifier=is_classifier(classifier())), StratifiedKFold)


def test_importing_them_leaves_keras_as_it_was():
    script = (
        "import keras\n"
        "kinds = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer\n"
        "before = [dict(vars(kind)) for kind in kinds]\n"
        "from skreg.keras import KerasClassifier\n"
        "assert [dict(vars(kind)) for kind in kinds] == before\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_nothing_is_imported_before_a_wrapper_is_asked_for():
    script = (
        "import sys, skreg.keras; from skreg.keras import build_classifier\n"
        "assert not {'keras', 'tensorflow', 'scikeras'} & set(sys.modules)\n"
        "import pytest\n"
        "with pytest.raises(AttributeError, match=\"has no attribute 'KerasRanker'\"):\n"
        "    skreg.keras.KerasRanker\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_pickles_and_clones_with_keras_own_methods(fitted):
    expected = fitted.predict_proba(X)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)
    assert clone(fitted).get_params()["hidden_layer_sizes"] == (8,)


def test_columns_are_compared_with_those_of_fit(fitted):
    with pytest.raises(ValueError, match="X has 29 features, but KerasClassifier is expecting 30"):
        fitted.predict(X[:, 1:])
    frame = pd.DataFrame(X[:, :3], columns=list("abc"))
    named = classifier().fit(frame, y)
    np.testing.assert_array_equal(named.feature_names_in_, list("abc"))
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict_proba(frame[["c", "b", "a"]])


def test_sparse_rows_are_refused():
    for model in (classifier(), regressor()):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            model.fit(sparse.csr_array(X), y)


def test_targets_that_are_missing_are_refused():
    for model in (classifier(), regressor()):
        with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
            model.fit(X, None)


def test_a_column_of_targets_warns():
    for model, targets in ((classifier(), y), (regressor(), X[:, 0])):
        with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
            model.fit(X, targets[:, None])
        assert model.predict(X).shape == (len(X),)


def test_weights_that_were_handed_in_stay_as_they_are():
    weight = np.ones(len(y))
    classifier(class_weight="balanced", epochs=1).fit(X, y, sample_weight=weight)
    classifier(class_weight="balanced").partial_fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(weight, 1)


def test_several_labels_a_row():
    several = np.c_[y, X[:, 0] > 0, X[:, 1] > 0].astype(int)
    model = classifier(epochs=20).fit(X, several)
    assert model.predict_proba(X).shape == model.predict(X).shape == (len(X), 3)


def test_a_grid_search_tunes_both():
    grid = {"dropout": [0.0, 0.2], "l2": [1e-4, 1e-2]}
    model = classifier(learning_rate=0.01, epochs=5, dropout=0.5, l2=1e-3)
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    rates = [layer.rate for layer in search.best_estimator_.model_.layers if hasattr(layer, "rate")]
    assert all(rate == search.best_params_["dropout"] for rate in rates)


# What stays as scikeras is written, or as Keras trains.
EXPECTED = {
    "check_estimator_tags_renamed": "scikeras still defines _more_tags",
    "check_no_attributes_set_in_init": "parameters of the builder are parameters here too",
    "check_mixin_order": "scikeras has ClassifierMixin and RegressorMixin last",
    "check_regressor_multioutput": "Keras predicts in float32",
    "check_sample_weight_equivalence_on_dense_data": "Keras draws batches of rows, not of weights",
}


@pytest.mark.full
@pytest.mark.parametrize("name", ["Classifier-", "Regressor-"])
def test_check_estimator(name):
    kind = classifier if name == "Classifier-" else regressor
    model = kind(epochs=15, dropout=0.0, learning_rate=0.05)
    results = check_estimator(model, expected_failed_checks=EXPECTED, on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "xfail", "skipped"}
    assert sum(result["status"] == "passed" for result in results) > 40
