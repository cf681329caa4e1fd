"""The wrappers of scikeras, where scikeras alone fails with current scikit-learn and Keras."""

import pickle
import subprocess
import sys
from operator import attrgetter

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv
from sklearn.utils.estimator_checks import check_estimator

import skreg.keras
from skreg.keras import KerasClassifier, KerasRegressor, build_classifier, build_regressor

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
DIABETES = load_diabetes(return_X_y=True)
SMALL = {"hidden_layer_sizes": (8,), "verbose": 0, "random_state": 0}


def make_classifier(**changes):
    return KerasClassifier(build_classifier, **{**SMALL, "epochs": 3, **changes})


def make_regressor(**changes):
    return KerasRegressor(build_regressor, **{**SMALL, "epochs": 3, **changes})


@pytest.fixture(scope="module")
def fitted():
    return make_classifier().fit(X, y)


@pytest.mark.parametrize(
    ("make_wrapper", "is_kind"),
    [(make_classifier, is_classifier), (make_regressor, is_regressor)],
    ids=["classifier", "regressor"],
)
def test_wrappers_are_recognised(make_wrapper, is_kind):
    assert is_kind(make_wrapper())


def test_folds_of_a_classifier_are_stratified():
    assert isinstance(check_cv(3, y, classifier=is_classifier(make_classifier())), StratifiedKFold)


@pytest.mark.full
def test_importing_a_wrapper_leaves_keras_as_it_is():
    script = (
        "import keras\n"
        "from keras import losses, metrics, optimizers\n"
        "classes = keras.Model, losses.Loss, metrics.Metric, optimizers.Optimizer\n"
        "before = [dict(vars(cls)) for cls in classes]\n"
        "from skreg.keras import KerasClassifier\n"
        "assert [dict(vars(cls)) for cls in classes] == before\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_importing_the_builders_imports_no_keras():
    script = (
        "import sys, skreg.keras; from skreg.keras import build_classifier\n"
        "assert not {'keras', 'tensorflow', 'scikeras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'KerasRanker'"):
        attrgetter("KerasRanker")(skreg.keras)


def test_a_pickle_predicts_the_same(fitted):
    expected = fitted.predict_proba(X)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)


def test_a_clone_has_the_parameters_of_the_builder(fitted):
    assert clone(fitted).get_params()["hidden_layer_sizes"] == (8,)


def test_another_number_of_columns_is_refused(fitted):
    with pytest.raises(ValueError, match="X has 29 features, but KerasClassifier is expecting 30"):
        fitted.predict(X[:, 1:])


def test_another_order_of_columns_is_refused():
    frame = pd.DataFrame(X[:, :3], columns=list("abc"))
    model = make_classifier().fit(frame, y)
    np.testing.assert_array_equal(model.feature_names_in_, list("abc"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict_proba(frame[["c", "b", "a"]])


@pytest.mark.parametrize("make_wrapper", [make_classifier, make_regressor])
def test_sparse_rows_are_refused(make_wrapper):
    with pytest.raises(TypeError, match="Sparse data was passed"):
        make_wrapper().fit(sparse.csr_array(X), y)


@pytest.mark.parametrize("make_wrapper", [make_classifier, make_regressor])
def test_a_missing_target_is_refused(make_wrapper):
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        make_wrapper().fit(X, None)


@pytest.mark.parametrize(
    ("make_wrapper", "target"),
    [(make_classifier, y), (make_regressor, X[:, 0])],
    ids=["classifier", "regressor"],
)
def test_a_column_of_targets_warns(make_wrapper, target):
    model = make_wrapper()
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model.fit(X, target[:, None])
    assert model.predict(X).shape == (len(X),)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_class_weights_leave_the_weights_of_the_caller_as_they_are(method):
    weight = np.ones(len(y))
    model = make_classifier(class_weight="balanced", epochs=1)
    getattr(model, method)(X, y, sample_weight=weight)
    np.testing.assert_array_equal(weight, 1)


def test_several_labels_a_row_are_predicted():
    several = np.c_[y, X[:, 0] > 0, X[:, 1] > 0].astype(int)
    model = make_classifier(epochs=20).fit(X, several)
    assert model.predict_proba(X).shape == model.predict(X).shape == (len(X), 3)


ONE_ROW = {
    "two classes": (y, 2),
    "three classes": (y + (X[:, 0] > 1), 3),
    "several labels": (np.c_[y, X[:, 0] > 0, X[:, 1] > 0].astype(int), 3),
}


@pytest.mark.parametrize(("target", "n_columns"), ONE_ROW.values(), ids=ONE_ROW.keys())
def test_probabilities_of_one_row_are_a_table(target, n_columns):
    model = make_classifier(epochs=1).fit(X, target)
    assert model.predict_proba(X[:1]).shape == (1, n_columns)
    np.testing.assert_allclose(model.predict_proba(X[:1]), model.predict_proba(X)[:1], atol=1e-6)


def test_probabilities_of_one_label_are_a_column():
    model = make_classifier(epochs=1).fit(X, np.ones(len(X), int))
    assert model.predict_proba(X[:3]).shape == (3, 1)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_predictions_of_one_row_have_the_shape_of_the_targets(n_outputs):
    target = X[:, 0] if n_outputs == 1 else X[:, :2]
    model = make_regressor(epochs=1).fit(X, target)
    assert model.predict(X[:1]).shape == (1, *target.shape[1:])


def test_a_grid_search_tunes_dropout_and_l2():
    grid = {"dropout": [0.0, 0.2], "l2": [1e-4, 1e-2]}
    model = make_classifier(learning_rate=0.01, epochs=5, dropout=0.5, l2=1e-3)
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    rates = [layer.rate for layer in search.best_estimator_.model_.layers if hasattr(layer, "rate")]
    assert all(rate == search.best_params_["dropout"] for rate in rates)


# Properties of scikeras and of training in Keras, which the wrappers keep.
EXPECTED = {
    "check_estimator_tags_renamed": "scikeras still defines _more_tags",
    "check_no_attributes_set_in_init": "parameters of the builder are parameters here too",
    "check_mixin_order": "ClassifierMixin and RegressorMixin are the last bases in scikeras",
    "check_regressor_multioutput": "Keras predicts in float32",
    "check_sample_weight_equivalence_on_dense_data": "Keras draws batches of rows, not of weights",
}


@pytest.mark.full
@pytest.mark.parametrize("make_wrapper", [make_classifier, make_regressor])
def test_wrappers_pass_the_checks_of_scikit_learn(make_wrapper):
    model = make_wrapper(epochs=15, dropout=0.0, learning_rate=0.05)
    results = check_estimator(model, expected_failed_checks=EXPECTED, on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "xfail", "skipped"}
    assert sum(result["status"] == "passed" for result in results) > 40
