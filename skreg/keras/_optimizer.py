"""From Keras: the optimiser of a compiled model as parameters of skreg."""

from __future__ import annotations

from typing import Any

import numpy as np

from skreg._nn.solvers import SOLVERS
from skreg.keras._export import import_keras

# Options of Keras' optimisers that skreg does not have.
_OTHER_OPTIONS = (
    "amsgrad",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "gradient_accumulation_steps",
)


def read_solver(model) -> dict:
    """Return the parameters of an estimator whose solver is the optimiser of a compiled model.

    They are empty if skreg has no such optimiser, or if the model is not compiled. A learning rate
    that follows a schedule is left out, since only its last value is known.
    """
    optimizers = import_keras().optimizers
    optimizer: Any = getattr(model, "optimizer", None)
    if type(optimizer) is optimizers.LossScaleOptimizer:  # of mixed precision
        optimizer = optimizer.inner_optimizer
    for solver in SOLVERS.values():
        if type(optimizer) in [getattr(optimizers, name) for name in solver.keras_classes]:
            break
    else:
        return {}
    config = optimizer.get_config()
    if any(config.get(option) for option in _OTHER_OPTIONS):
        return {}
    parameters = {
        "solver": solver.name,
        "weight_decay": float(optimizer.weight_decay or 0.0),
        **{ours: config[theirs] for ours, theirs in solver.keras_names.items()},
    }
    # The shortest decimal, since Keras holds a float32. A schedule is a dictionary.
    rate = config["learning_rate"]
    rate = 0.0 if isinstance(rate, dict) else float(str(np.float32(rate)))
    constant = {"learning_rate": "constant", "learning_rate_init": rate}
    return {**parameters, **(constant if rate > 0 else {})}
