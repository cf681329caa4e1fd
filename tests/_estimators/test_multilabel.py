"""Several labels a row: an indicator y, learned and weighed."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.utils.class_weight import compute_sample_weight

from skreg import RegularizedMLPClassifier


def many(**changes):
    values = {"hidden_layer_sizes": (16,), "dropout": 0.1, "max_iter": 60, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def assert_same_network(left, right):
    assert left.loss_curve_ == right.loss_curve_
    for one, other in zip(left.coefs_, right.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def labels():
    X, Y = make_multilabel_classification(600, 10, n_classes=4, random_state=0)
    return X[:400], Y[:400], X[400:], Y[400:]


def test_several_labels_a_row_are_learned_as_mlp_classifier_gives_them(labels):
    X, Y, X_test, Y_test = labels
    model = many().fit(X, Y)
    assert (model.predict(X_test) == Y_test).mean() > 0.8
    probabilities = model.predict_proba(X_test)
    assert probabilities.shape == Y_test.shape == model.decision_function(X_test).shape
    np.testing.assert_array_equal(model.predict(X_test), (probabilities > 0.5).astype(int))
    np.testing.assert_allclose(model.predict_log_proba(X_test), np.log(probabilities))
    assert (model.n_outputs_, model.out_activation_) == (4, "logistic")
    np.testing.assert_array_equal(model.classes_, np.arange(4))


def test_indicators_of_any_kind_give_the_same_bits(labels):
    X, Y, *_ = labels
    expected = many(max_iter=3).fit(X, Y)
    for indicator in (Y.astype(bool), Y.astype(float), sparse.csr_array(Y), Y.tolist()):
        assert_same_network(expected, many(max_iter=3).fit(X, indicator))


def test_weights_of_rows_and_labels_go_together(labels):
    X, Y, *_ = labels
    counts = np.random.default_rng(0).integers(0, 4, size=len(Y))
    class_weight = [{0: 1.0, 1: 2.0}, {}, {1: 0.5}, {0: 3.0}]
    model = many(max_iter=3, class_weight=class_weight)
    weighted = model.fit(X, Y, sample_weight=counts)
    repeated = many(max_iter=3, class_weight=class_weight)
    assert_same_network(weighted, repeated.fit(X.repeat(counts, axis=0), Y.repeat(counts, axis=0)))
    full = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 1.0}, {0: 1.0, 1: 0.5}, {0: 3.0, 1: 1.0}]
    by_row = many(max_iter=3).fit(X, Y, sample_weight=counts * compute_sample_weight(full, Y))
    assert_same_network(weighted, by_row)
    balanced = many(max_iter=3, class_weight="balanced").fit(X, Y)
    by_row = many(max_iter=3).fit(X, Y, sample_weight=compute_sample_weight("balanced", Y))
    np.testing.assert_allclose(balanced.loss_curve_, by_row.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("class_weight", [{0: 1.0}, [{0: 1.0}]])
def test_class_weights_of_another_shape_than_the_labels_are_refused(labels, class_weight):
    X, Y, *_ = labels
    with pytest.raises(ValueError, match=r"class_weight: expected 'balanced' or a list of 4 dicts"):
        many(class_weight=class_weight).fit(X, Y)
