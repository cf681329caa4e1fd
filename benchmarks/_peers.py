"""The estimators side by side: skreg, scikit-learn's MLPClassifier, scikeras' KerasClassifier.

Owns what "the same job" means: hidden layers, Adam with its usual constant rate, batches, epochs,
penalty, folds and scores. MLPClassifier has no dropout; its penalty is half of alpha over the
batch size, hence its alphas. skreg's own defaults (another rate, a schedule) are not used here.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

HIDDEN = (128, 64)
DROPOUT = 0.5
L2 = 1e-3
RATE = 1e-3
BATCH = 32

# All epochs are wanted, so that MLPClassifier's word on convergence is not news.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def reference_table():
    """Return breast cancer, standardised: 569 rows, 30 columns, 2 classes."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def skreg_classifier(epochs, hidden=HIDDEN, batch_size=BATCH, **parameters):
    """Return the seed network as skreg's estimator."""
    return RegularizedMLPClassifier(
        hidden,
        **{"dropout": DROPOUT, "l2": L2, **parameters},
        learning_rate_init=RATE,
        learning_rate="constant",
        batch_size=batch_size,
        max_iter=epochs,
        random_state=0,
    )


def alpha_of(l2, batch_size=BATCH):
    """Return the alpha with which MLPClassifier penalises as `l2` does here and in Keras."""
    return 2 * batch_size * l2


def mlp_classifier(epochs, hidden=HIDDEN, batch_size=BATCH):
    """Return scikit-learn's network, without dropout, which always runs all epochs."""
    return MLPClassifier(
        hidden,
        alpha=alpha_of(L2, batch_size),
        solver="adam",
        learning_rate_init=RATE,
        batch_size=batch_size,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=0,
    )


def _seed_network(meta, hidden, dropout, l2):
    import keras

    layers = [keras.Input((meta["n_features_in_"],))]
    for units in hidden:
        penalty = keras.regularizers.L2(l2)
        layers.append(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
        layers.append(keras.layers.Dropout(dropout))
    layers.append(keras.layers.Dense(meta["n_classes_"], activation="softmax"))
    return keras.Sequential(layers)


def scikeras_classifier(epochs, hidden=HIDDEN, batch_size=BATCH, dropout=DROPOUT, l2=L2):
    """Return the seed network as Keras users write it, in scikeras' estimator.

    Call it after a fit of skreg: importing TensorFlow then prints nothing.
    """
    import keras
    from scikeras.wrappers import KerasClassifier

    keras.utils.set_random_seed(0)
    return KerasClassifier(
        _seed_network,
        model__hidden=hidden,
        model__dropout=dropout,
        model__l2=l2,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=RATE,
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
    )


def scaled(model):
    """Return a pipeline that standardises with the training rows only."""
    return Pipeline([("scale", StandardScaler()), ("network", model)])


def folds(X, y, n_splits):
    """Return explicit folds, the same for all.

    scikit-learn 1.9 does not recognise scikeras' estimator as a classifier, and would not stratify.
    """
    return list(StratifiedKFold(n_splits, shuffle=True, random_state=0).split(X, y))


def held_out_scores(model, X, y):
    """Score by one call of predict_proba; the scorers of scikit-learn refuse scikeras' estimator.

    In the sense of a scorer: larger is better, so that the log loss is negative.
    """
    probabilities = np.asarray(model.predict_proba(X), dtype=np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # float32 ones are off by rounding
    labels = model.classes_
    return {
        "neg_log_loss": -log_loss(y, probabilities, labels=labels),
        "accuracy": np.mean(labels[probabilities.argmax(axis=1)] == y),
    }


def cross_validated(model, X, y, n_splits):
    """Return mean accuracy and log loss over the first two or all of five folds."""
    splits = folds(X, y, 5)[:n_splits]
    results = cross_validate(
        scaled(model), X, y, cv=splits, scoring=held_out_scores, error_score="raise"
    )
    return {
        "accuracy": float(results["test_accuracy"].mean()),
        "log_loss": -float(results["test_neg_log_loss"].mean()),
    }
