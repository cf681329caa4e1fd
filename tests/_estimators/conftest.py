"""Tables that the tests of the estimators share."""

import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import train_test_split


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def cancer():
    """X_train, X_test, y_train and y_test."""
    X, y = load_breast_cancer(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def diabetes():
    """X_train, X_test, y_train and y_test."""
    return train_test_split(*load_diabetes(return_X_y=True), test_size=0.3, random_state=0)
