"""Early stopping: the best epoch, held-out rows, and validation rows that are passed."""

import numpy as np
import pandas as pd
import pytest
from helpers import assert_same_network, in_full
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.metrics import get_scorer, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor
from skreg._data.rows import merge_rows, split_rows
from skreg._engine.trainer import HELD_OUT, make_generator
from skreg._estimators.fit import prepare_fit, read_settings
from skreg._estimators.fit_records import ValidationSet

X, y = load_iris(return_X_y=True)


def make_classifier(**changes):
    values = {"hidden_layer_sizes": (16, 8), "max_iter": 60, "random_state": 0}
    return RegularizedMLPClassifier(**{**values, **changes})


def make_regressor(**changes):
    values = {"hidden_layer_sizes": (16, 8), "dropout": 0.1, "max_iter": 60, "random_state": 0}
    return RegularizedMLPRegressor(**{**values, **changes})


# -- the best epoch ----------------------------------------------------------------------------


def fit_with_validation(table, make_estimator, **changes):
    """Fit on the training rows of a table, and stop early by its test rows."""
    X, X_val, y, y_val = table
    changes = {"early_stopping": True, "n_iter_no_change": 5, "max_iter": 300, **changes}
    return make_estimator(**changes).fit(X, y, X_val=X_val, y_val=y_val)


@pytest.fixture(scope="module")
def by_loss(cancer):
    """A classifier that was stopped by the validation loss."""
    return fit_with_validation(cancer, make_classifier)


def test_curves_have_a_loss_an_epoch_and_no_scores(by_loss):
    assert by_loss.n_iter_ == len(by_loss.validation_loss_curve_) == len(by_loss.loss_curve_) < 300
    assert by_loss.validation_scores_ is None


def test_best_epoch_has_the_lowest_validation_loss(by_loss):
    curve = by_loss.validation_loss_curve_
    assert by_loss.best_iter_ == np.argmin(curve) + 1
    assert by_loss.best_loss_ == min(curve)


def test_weights_of_a_classifier_have_the_lowest_validation_loss(cancer, by_loss):
    _, X_val, _, y_val = cancer
    loss = log_loss(y_val, by_loss.predict_proba(X_val))
    np.testing.assert_allclose(loss, min(by_loss.validation_loss_curve_), rtol=1e-4)


def test_weights_of_a_regressor_have_the_lowest_validation_loss(diabetes):
    _, X_val, _, y_val = diabetes
    model = fit_with_validation(diabetes, make_regressor)
    error = ((model.predict(X_val) - y_val) ** 2).mean() / model.target_scale_**2
    np.testing.assert_allclose(error, min(model.validation_loss_curve_), rtol=1e-4)


SCORINGS = [
    pytest.param("accuracy", id="accuracy"),
    pytest.param("roc_auc", id="roc_auc", marks=pytest.mark.full),
    pytest.param(None, id="None", marks=pytest.mark.full),
    pytest.param(get_scorer("neg_log_loss"), id="scorer"),
]


@pytest.fixture(scope="module", params=SCORINGS)
def by_score(request, cancer):
    """A classifier that was stopped by a score, and its scorer."""
    scoring = request.param
    scorer = scoring if callable(scoring) else get_scorer(scoring or "accuracy")
    return fit_with_validation(cancer, make_classifier, validation_scoring=scoring), scorer


def test_weights_have_the_best_validation_score(cancer, by_score):
    _, X_val, _, y_val = cancer
    model, scorer = by_score
    assert scorer(model, X_val, y_val) == max(model.validation_scores_)


def test_best_epoch_has_the_best_validation_score(by_score):
    model, _ = by_score
    assert model.best_iter_ == np.argmax(model.validation_scores_) + 1
    assert model.best_loss_ == model.validation_loss_curve_[model.best_iter_ - 1]
    assert model.n_iter_ == len(model.validation_scores_)


def test_the_loss_as_a_score_gives_the_network_of_the_loss(cancer, by_loss):
    by_score = fit_with_validation(cancer, make_classifier, validation_scoring="neg_log_loss")
    assert_same_network(by_loss, by_score)
    np.testing.assert_allclose(
        by_score.validation_scores_, -np.array(by_loss.validation_loss_curve_), rtol=1e-3
    )


@pytest.fixture(scope="module")
def without(cancer):
    X, _, y, _ = cancer
    return make_classifier(max_iter=5).fit(X, y)


def test_without_early_stopping_there_is_no_validation_curve(without):
    assert without.validation_loss_curve_ is without.validation_scores_ is None


def test_without_early_stopping_the_best_epoch_has_the_lowest_training_loss(without):
    assert without.best_loss_ == min(without.loss_curve_)
    assert without.loss_curve_[without.best_iter_ - 1] == without.best_loss_


TARGETS = {
    "strings": np.array(["one", "two", "three"])[y],
    "several labels": (y[:, None] == [0, 1, 2]).astype(int),
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("scoring", in_full(["loss", "accuracy"], "accuracy"))
def test_early_stopping_of_other_labels_than_integers(target, scoring):
    model = make_classifier(
        early_stopping=True,
        validation_scoring=scoring,
        learning_rate_init=0.02,
        dropout=0.1,
        n_iter_no_change=30,
        max_iter=200,
    )
    assert model.fit(X, target).score(X, target) >= 0.85


# -- held-out rows -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held_out(cancer):
    """A fit that holds rows out, the merged rows that it trains on, and those held out."""
    X, _, y, _ = cancer
    model = make_classifier(early_stopping=True, n_iter_no_change=60).fit(X, y)
    rows = merge_rows(X, y, None)
    state = np.random.RandomState(0).randint(0, 2**32, size=2, dtype=np.uint32)
    generator = make_generator((int(state[0]), int(state[1])), HELD_OUT)
    return model, *split_rows(rows, y[rows.indices], 0.1, generator)


def test_one_row_in_ten_is_held_out(cancer, held_out):
    _, _, y, _ = cancer
    assert len(held_out[2].indices) == round(0.1 * len(y))


def test_training_rows_are_those_that_were_not_held_out(cancer, held_out):
    """A fit on the training rows alone gives the same losses."""
    X, _, y, _ = cancer
    model, training, _ = held_out
    alone = make_classifier().fit(X[training.indices], y[training.indices])
    np.testing.assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=1e-4)
    np.testing.assert_array_equal(model.center_, alone.center_)


@pytest.mark.parametrize("scoring", in_full(["loss", "accuracy"], "accuracy"))
def test_weighted_rows_equal_repeated_rows_under_early_stopping(cancer, scoring):
    X, _, y, _ = cancer
    counts = np.random.default_rng(0).integers(0, 4, size=len(y))
    model = make_classifier(early_stopping=True, validation_scoring=scoring)
    weighted = model.fit(X, y, sample_weight=counts)
    repeated = make_classifier(early_stopping=True, validation_scoring=scoring)
    repeated.fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert_same_network(weighted, repeated)
    assert weighted.validation_loss_curve_ == repeated.validation_loss_curve_
    assert weighted.validation_scores_ == repeated.validation_scores_


# -- validation rows ---------------------------------------------------------------------------


def test_weighted_validation_rows_equal_repeated_ones(cancer):
    X, X_val, y, y_val = cancer
    weight = np.random.default_rng(0).integers(0, 4, size=len(y_val))
    weighted = make_classifier(early_stopping=True)
    weighted.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    repeated = make_classifier(early_stopping=True)
    repeated.fit(X, y, X_val=X_val.repeat(weight, axis=0), y_val=y_val.repeat(weight))
    np.testing.assert_allclose(
        weighted.validation_loss_curve_, repeated.validation_loss_curve_, rtol=1e-4
    )


def test_class_weights_multiply_the_weights_of_validation_rows():
    class_weight = {0: 1.0, 1: 5.0, 2: 1.0}
    weight = np.array([class_weight[label] for label in y])
    arguments = {"X_val": X, "y_val": y}
    options = {"early_stopping": True, "l2": 1e-3}
    by_class = make_classifier(**options, class_weight=class_weight).fit(X, y, **arguments)
    by_row = make_classifier(**options)
    by_row.fit(X, y, sample_weight=weight, sample_weight_val=weight, **arguments)
    assert_same_network(by_class, by_row)
    assert by_class.validation_loss_curve_ == by_row.validation_loss_curve_


def test_a_pipeline_transforms_validation_rows_by_metadata_routing(cancer):
    X, X_val, y, y_val = cancer
    with config_context(enable_metadata_routing=True):
        model = make_classifier(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    alone = make_classifier(early_stopping=True)
    alone.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    assert_same_network(pipeline[-1], alone)


def test_a_score_that_needs_more_rows_says_how_many_there_are():
    model = RegularizedMLPRegressor(
        (4,), early_stopping=True, validation_scoring="r2", random_state=0
    )
    with (
        pytest.warns(UndefinedMetricWarning),
        pytest.raises(
            ValueError,
            match=r"received NaN. There are 1 validation rows.*Increase validation_fraction",
        ),
    ):
        model.fit(X[:10], X[:10, 0])


BAD_VALIDATION = {
    "without early stopping": ({"early_stopping": False}, X, y, "expected early_stopping=True"),
    "y missing": ({}, X, None, "y_val: expected X_val and y_val together"),
    "X missing": ({}, None, y, "X_val: expected X_val and y_val together"),
    "other columns": ({}, X[:, :3], y, "X_val: X has 3 features, but .* is expecting 4"),
    "other length": ({}, X, y[:-1], "inconsistent numbers of samples"),
    "unseen class": ({}, X, y + 1, r"y_val: expected labels among .*received also \[3\]"),
    "infinity": ({}, np.where(X > 7, np.inf, X), y, "contains infinity"),
    "one-dimensional": ({}, X[:, 0], y, "Expected 2D array"),
    "an indicator": ({}, X, np.eye(3, dtype=int)[y], "y_val: expected one column of labels"),
}


@pytest.mark.parametrize(
    ("change", "X_val", "y_val", "message"), BAD_VALIDATION.values(), ids=BAD_VALIDATION.keys()
)
def test_bad_validation_rows_are_refused(change, X_val, y_val, message):
    model = make_classifier(**{"early_stopping": True, **change})
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    assert not hasattr(model, "coefs_")
    assert not hasattr(model, "n_features_in_")


def test_validation_rows_with_other_names_of_columns_are_refused():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    with pytest.raises(ValueError, match=r"X_val: The feature names should match(.|\n)*- e"):
        make_classifier(early_stopping=True).fit(
            frame, y, X_val=frame.rename(columns={"d": "e"}), y_val=y
        )


@pytest.mark.parametrize(
    "held_as",
    [
        pytest.param(0.03, id="few non-zeros", marks=pytest.mark.full),
        pytest.param(0.3, id="many non-zeros"),
    ],
)
@pytest.mark.parametrize("trained_as", [0.03, 0.3, None], ids=["sparse", "fuller", "dense"])
def test_storage_of_validation_rows_changes_no_bit(trained_as, held_as):
    """Sparse tables are held as dense rows from a share of non-zeros on."""
    rng = np.random.default_rng(0)

    def make_table(share):
        return np.where(rng.random((200, 40)) < share, rng.normal(5, 1, (200, 40)), 0)

    X_val = make_table(held_as)
    X = make_table(trained_as or 1.0)
    X = X if trained_as is None else sparse.csr_array(X)
    labels = np.arange(200) % 2
    curves = [
        RegularizedMLPClassifier((8,), early_stopping=True, max_iter=5, random_state=0)
        .fit(X, labels, X_val=convert(X_val), y_val=labels)
        .validation_loss_curve_
        for convert in (np.asarray, np.asfortranarray, sparse.csr_array, sparse.coo_array)
    ]
    assert curves[0] == curves[1] == curves[2] == curves[3]


def test_a_score_of_nan_is_refused_and_leaves_the_estimator_as_it_was(cancer):
    X, _, y, _ = cancer
    model = make_classifier(max_iter=3).fit(X[:, :4], y)
    before = model.predict_proba(X[:, :4])
    model.set_params(early_stopping=True, validation_scoring=lambda *arguments: np.nan)
    with pytest.raises(ValueError, match="validation_scoring: expected a number; received NaN"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X[:, :4]), before)


def test_interrupt_in_the_scorer_drops_the_epoch_that_is_not_scored():
    X, y = load_breast_cancer(return_X_y=True)
    n_calls = []

    def score(estimator, X, y):
        n_calls.append(1)
        if len(n_calls) == 4:
            raise KeyboardInterrupt
        return estimator.score(X, y)

    model = RegularizedMLPClassifier(
        (8,), early_stopping=True, validation_scoring=score, random_state=0
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == len(model.validation_scores_) == 3
    assert model.score(X, y) > 0.5


# -- never better than a constant ----------------------------------------------------------------


@pytest.mark.parametrize("n_iter_no_change", [10, 50, np.inf])
@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_validation_rows_of_another_scale_warn(cancer, scoring, n_iter_no_change):
    X, X_val, y, y_val = cancer
    model = make_classifier(early_stopping=True, validation_scoring=scoring, max_iter=12)
    model.set_params(n_iter_no_change=n_iter_no_change)
    with pytest.warns(ConvergenceWarning, match=r"validation rows better.*X_val has the units of"):
        model.fit(X, y, X_val=-5 * X_val, y_val=y_val)
    assert model.n_iter_ >= 1


def test_noise_warns_that_a_constant_is_better():
    rng = np.random.default_rng(0)
    noise, target = rng.normal(size=(60, 5)), rng.normal(size=60) ** 3
    model = make_regressor(early_stopping=True, validation_fraction=0.3, max_iter=12)
    with pytest.warns(ConvergenceWarning, match=r"constant predicts the validation rows.* Try a"):
        model.set_params(learning_rate_init=0.5).fit(noise, target)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2]])
def test_the_constant_is_that_of_the_shares_of_classes(labels):
    y = np.repeat(labels, [80, *[10] * (len(labels) - 1)])
    fit = prepare_classifier(np.arange(len(y))[:, None], y)
    shares = np.bincount(y) / len(y)
    constant = np.tile(shares, (len(y), 1))
    np.testing.assert_allclose(fit.constant_validation_loss.loss, log_loss(y, constant), rtol=1e-6)
    np.testing.assert_allclose(fit.constant_loss, 2 * [log_loss(y, constant)], rtol=1e-6)


def prepare_classifier(X, y):
    model = make_classifier(early_stopping=True)
    request = model._make_request(X, y, validation=ValidationSet(X, y, None))
    return prepare_fit(model, request, read_settings(model))
