"""(f) What does a sparse table cost: one of a text's size, and OneHotEncoder's against it dense?"""

from __future__ import annotations

from _measure import interleaved, median_seconds, parse_arguments, print_header, print_table
from _peers import NETWORKS
from _tables import one_hot_table, text_table

BATCH_SIZE = 128


def network(peer, epochs):
    """Return a peer's network; the others' without their scaler, which cannot centre sparse."""
    model = NETWORKS[peer](epochs, batch_size=BATCH_SIZE)
    return model if peer == "skreg" else model[-1]


def text_epochs(n_rows, n_columns, few, many, repeats):
    """Measure an epoch as the difference of fits of `many` and `few`; a row for each peer."""
    X, y = text_table(n_rows + 1000, n_columns)
    X, X_test, y, y_test = X[:n_rows], X[n_rows:], y[:n_rows], y[n_rows:]
    models = {(peer, n): network(peer, n) for peer in NETWORKS for n in (few, many)}
    models["skreg", few].fit(X, y)  # compiles
    runs = {key: lambda model=model: model.fit(X, y) for key, model in models.items()}
    fewer = {("scikeras", n): 1 for n in (few, many)}
    medians = median_seconds(interleaved(runs, repeats, fewer))
    epochs = {p: (medians[p, many] - medians[p, few]) / (many - few) for p in NETWORKS}
    return [
        [
            peer,
            *epochs[peer],
            epochs[peer][0] / epochs["skreg"][0],
            medians[peer, many][0],
            models[peer, many].score(X_test, y_test),
        ]
        for peer in NETWORKS
    ]


def one_hot_fits(n_rows, epochs, repeats):
    """Measure fits of the sparse and of the dense table; a row for each peer and form."""
    X, y = one_hot_table(n_rows + 2000)
    tables = {"sparse": X, "dense": X.toarray()}
    models = {(peer, form): network(peer, epochs) for peer in NETWORKS for form in tables}

    def fit(peer, form):
        models[peer, form].fit(tables[form][:n_rows], y[:n_rows])

    for form in tables:
        fit("skreg", form)  # compiles
    runs = {key: lambda key=key: fit(*key) for key in models}
    fewer = {key: min(3, repeats) for key in models if key[0] == "scikeras"}
    medians = median_seconds(interleaved(runs, repeats, fewer=fewer))
    return [
        [
            f"{peer}, {form}",
            *medians[peer, form],
            medians[peer, form][0] / medians[peer, "dense"][0],
            models[peer, form].score(tables[form][n_rows:], y[n_rows:]),
        ]
        for peer, form in models
    ]


def main():
    """Print one table of text and one of categories; bench_memory.py has the memory."""
    arguments = parse_arguments(__doc__)
    print_header(__doc__)
    shape, few, many = ((2000, 5000), 1, 3) if arguments.quick else ((20_000, 50_000), 1, 4)
    print(f"{shape[0]:,} x {shape[1]:,}, 0.1 % filled, CSR; an epoch is the difference of fits of")
    print(f"{many} epochs and {few}; batch {BATCH_SIZE}, medians of 3, scikeras once; accuracy on")
    print("1,000 other rows\n")
    rows = text_epochs(*shape, few, many, 3)
    print_table(["text", "s an epoch", "CPU, s", "ratio", f"fit of {many}, s", "accuracy"], rows)
    repeats = 3 if arguments.quick else 15
    rows = one_hot_fits(10_000, 5, repeats)
    print(f"OneHotEncoder's 10,000 x 100, 10 ones a row, 5 epochs, batch {BATCH_SIZE}, medians of")
    print(f"{repeats}, scikeras of 3; accuracy on 2,000 other rows\n")
    print_table(["categories", "fit, s", "CPU, s", "of dense", "accuracy"], rows)


if __name__ == "__main__":
    main()
