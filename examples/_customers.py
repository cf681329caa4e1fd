"""A made-up table of customers, some of whom left."""

from __future__ import annotations

import numpy as np
import pandas as pd


def make_customers(n_rows, seed=0):
    """Return a data frame of customers, and whether each of them left."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "months": rng.gamma(2.0, 12.0, n_rows).round(),
            "price": rng.lognormal(3.0, 0.4, n_rows).round(2),
            "calls": rng.poisson(2.0, n_rows).astype(float),
            "revenue": rng.lognormal(5.0, 1.2, n_rows).round(2),
            "plan": rng.choice(["basic", "family", "team"], n_rows, p=[0.6, 0.3, 0.1]),
            "product": [f"product {k}" for k in rng.geometric(0.15, n_rows).clip(max=25)],
            "city": [f"city {k}" for k in rng.geometric(0.03, n_rows).clip(max=120)],
            "online": rng.random(n_rows) < 0.6,
        }
    )
    of_city, of_product = rng.normal(0, 0.7, 121), rng.normal(0, 0.5, 26)
    city = frame["city"].str.removeprefix("city ").astype(int)
    product = frame["product"].str.removeprefix("product ").astype(int)
    logit = of_city[city] + of_product[product] - 0.5 * frame["online"]
    logit += 1.5 * np.exp(-frame["months"] / 10) + 0.5 * np.abs(frame["calls"] - 2)
    logit += np.where(frame["plan"] == "basic", 1.0, -0.3) * (frame["price"] - 20) / 8
    noisy = logit + rng.logistic(size=n_rows)
    left = (noisy > np.quantile(noisy, 0.85)).astype(int)
    for name in ("months", "price", "revenue", "city"):
        frame.loc[rng.random(n_rows) < 0.06, name] = None
    return frame, left.to_numpy()
