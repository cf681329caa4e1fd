"""The same network for every peer: relu, dropout 0.5 where there is one, L2, Adam at 0.001.

Each function imports its own library, so that a process that uses one imports one only.
"""

from __future__ import annotations

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# MLPClassifier says of every fit that its epochs were over, which is what is asked for here.
warnings.simplefilter("ignore", ConvergenceWarning)

HIDDEN = (128, 64)
L2 = 1e-3
BATCH_SIZE = 32


def skreg_network(epochs: int, hidden=HIDDEN, batch_size: int = BATCH_SIZE, **changes):
    """Return the seed network in skreg, with Keras' learning rate and schedule."""
    from skreg import RegularizedMLPClassifier

    values = {
        "dropout": 0.5,
        "l2": L2,
        "batch_size": batch_size,
        "max_iter": epochs,
        "learning_rate_init": 1e-3,
        "learning_rate": "constant",
        "numerical_encoding": None,
        "random_state": 0,
    }
    return RegularizedMLPClassifier(hidden, **{**values, **changes})


def alpha_of(l2: float, batch_size: int = BATCH_SIZE) -> float:
    """Return MLPClassifier's name for a strength; it divides by the batch, and by two."""
    return 2 * batch_size * l2


def sklearn_network(epochs: int, hidden=HIDDEN, batch_size: int = BATCH_SIZE):
    """Return scikit-learn's network without dropout, which it lacks."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(
        hidden,
        alpha=alpha_of(L2, batch_size),
        batch_size=batch_size,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), network)


def _seed_network(meta, hidden, dropout, l2):
    import keras

    network = keras.Sequential([keras.Input((meta["n_features_in_"],))])
    for width in hidden:
        regularizer = keras.regularizers.L2(l2)
        network.add(keras.layers.Dense(width, activation="relu", kernel_regularizer=regularizer))
        network.add(keras.layers.Dropout(dropout))
    network.add(keras.layers.Dense(meta["n_classes_"], activation="softmax"))
    return network


def scikeras_network(epochs: int, hidden=HIDDEN, batch_size: int = BATCH_SIZE):
    """Return the seed network of the Keras tutorials, wrapped by scikeras."""
    from scikeras.wrappers import KerasClassifier

    network = KerasClassifier(
        _seed_network,
        hidden=hidden,
        dropout=0.5,
        l2=L2,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
    )
    return make_pipeline(StandardScaler(), network)


NETWORKS = {
    "skreg": skreg_network,
    "MLPClassifier": sklearn_network,
    "scikeras": scikeras_network,
}


def best_log_loss(model, grid: dict, splits, X, y, n_jobs: int = 1) -> float:
    """Search the grid in threads; return the best mean log loss of a candidate."""
    import joblib
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(
        model, grid, cv=splits, scoring="neg_log_loss", refit=False, n_jobs=n_jobs
    )
    with joblib.parallel_config(backend="threading"):
        search.fit(X, y)
    return -search.cv_results_["mean_test_score"].max()
