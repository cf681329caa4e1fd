"""The same network for every peer: (128, 64), relu, dropout 0.5 where there is one, L2, Adam."""

from __future__ import annotations

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

# MLPClassifier says of every fit that its epochs were over, which is what is asked for here.
warnings.simplefilter("ignore", ConvergenceWarning)

L2 = 1e-3
BATCH_SIZE = 32


def skreg_network(epochs: int, **changes) -> RegularizedMLPClassifier:
    """Return the seed network in skreg, with Keras' learning rate and schedule."""
    values = {
        "dropout": 0.5,
        "l2": L2,
        "batch_size": BATCH_SIZE,
        "max_iter": epochs,
        "learning_rate_init": 1e-3,
        "learning_rate": "constant",
        "random_state": 0,
    }
    return RegularizedMLPClassifier((128, 64), **{**values, **changes})


def sklearn_network(epochs: int, l2: float = L2):
    """Return scikit-learn's network without dropout, which it lacks; alpha is 2 b l2."""
    network = MLPClassifier(
        (128, 64),
        alpha=2 * BATCH_SIZE * l2,
        batch_size=BATCH_SIZE,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), network)


def _seed_network(meta, dropout, l2):
    import keras

    regularizer = keras.regularizers.L2(l2)
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(128, activation="relu", kernel_regularizer=regularizer),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(64, activation="relu", kernel_regularizer=regularizer),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


def scikeras_network(epochs: int, dropout: float = 0.5, l2: float = L2):
    """Return the seed network of the Keras tutorials, wrapped by scikeras."""
    from scikeras.wrappers import KerasClassifier

    network = KerasClassifier(
        _seed_network,
        dropout=dropout,
        l2=l2,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=0,
    )
    return make_pipeline(StandardScaler(), network)
