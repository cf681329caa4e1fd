"""Keras models as estimators: what is understood, and the name of what is not."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

keras = pytest.importorskip("keras")
layers = keras.layers
CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def exported(Estimator, X, y):
    return Estimator((12, 8), max_iter=5, random_state=0).fit(X, y).to_keras()


def chain(*parts, n_features=4):
    return keras.Sequential([keras.Input((n_features,)), *parts])


def test_a_tutorials_model_comes_here_and_predicts_without_tensorflow(tmp_path):
    X, y = DIGITS
    model = chain(
        layers.Normalization(mean=X.mean(), variance=X.var()),
        layers.Dense(16, "relu", kernel_regularizer=keras.regularizers.l2(0.001)),
        layers.Dropout(0.5),
        layers.Dense(8, "relu", kernel_regularizer="l2"),
        layers.Dense(10, "softmax"),
        n_features=64,
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, y, epochs=2, verbose=0)
    ours = RegularizedMLPClassifier.from_keras(model, classes=list("abcdefghij"))
    np.testing.assert_allclose(ours.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)
    assert ours.dropout == (0.5, 0.0)
    np.testing.assert_allclose(ours.l2, (0.001, 0.01, 0.0))
    assert (ours.solver, ours.learning_rate_init) == ("adam", 0.001)
    assert set(ours.predict(X)) <= set("abcdefghij")
    import joblib

    joblib.dump((ours, X[:5]), tmp_path / "model.joblib")
    script = (
        f"import joblib, sys; model, X = joblib.load({str(tmp_path / 'model.joblib')!r}); "
        "model.predict(X); assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_classes_may_come_in_any_order():
    X, y = DIGITS
    model = exported(RegularizedMLPClassifier, X, y)
    labels = np.array(list("jihgfedcba"))
    ours = RegularizedMLPClassifier.from_keras(model, classes=labels)
    np.testing.assert_array_equal(ours.classes_, np.sort(labels))
    predicted = model.predict(X, verbose=0)
    np.testing.assert_allclose(ours.predict_proba(X)[:, ::-1], predicted, atol=1e-5)
    two = exported(RegularizedMLPClassifier, *CANCER)
    flipped = RegularizedMLPClassifier.from_keras(two, classes=["sick", "healthy"])
    np.testing.assert_array_equal(flipped.classes_, ["healthy", "sick"])
    predicted = two.predict(CANCER[0], verbose=0)[:, 0]
    np.testing.assert_allclose(flipped.predict_proba(CANCER[0])[:, 0], predicted, atol=1e-5)


def test_two_softmax_outputs_become_one_logit():
    X, _ = CANCER
    model = chain(layers.Dense(2, "softmax"), n_features=30)
    ours = RegularizedMLPClassifier.from_keras(model)
    assert ours.n_outputs_ == 1
    X = X / X.max(axis=0)
    np.testing.assert_allclose(ours.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)


def test_a_functional_model_comes_here():
    inputs = keras.Input((30,))
    hidden = layers.Dense(8, "tanh")(inputs)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    X = CANCER[0] / CANCER[0].max(axis=0)
    ours = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(ours.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1:UserWarning")
def test_one_softmax_output_is_one_class_and_one_sigmoid_two():
    X = CANCER[0][:, :4]
    one = RegularizedMLPClassifier.from_keras(chain(layers.Dense(1, "softmax")))
    np.testing.assert_array_equal(one.predict_proba(X), np.ones((len(X), 1)))
    two = RegularizedMLPClassifier.from_keras(chain(layers.Dense(1, "sigmoid")))
    assert two.predict_proba(X).shape == (len(X), 2)


def test_activations_of_their_own_layers_and_rescalings_in_a_row():
    model = chain(
        layers.Rescaling(1.0, -14.0),
        layers.Rescaling(np.array([0.25, 0.2, 0.01, 0.001]), 0.1),
        layers.Dense(8),
        layers.Activation("relu"),
        layers.Dropout(0.3),
        layers.Dense(6),
        layers.ReLU(),
        layers.Dense(5, activation=layers.ReLU()),
        layers.Dense(3),
        layers.Softmax(),
    )
    X = CANCER[0][:, :4]
    ours = RegularizedMLPClassifier.from_keras(model)
    assert (ours.hidden_layer_sizes, ours.activation) == ((8, 6, 5), "relu")
    assert ours.dropout == (0.3, 0.0, 0.0)
    np.testing.assert_allclose(ours.predict_proba(X), model.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_logits_are_known_by_their_loss(n_outputs):
    """As TensorFlow's tutorials end: a linear layer, and a loss that takes logits."""
    losses = keras.losses
    kind = losses.BinaryCrossentropy if n_outputs == 1 else losses.SparseCategoricalCrossentropy
    model = chain(layers.Dense(n_outputs))
    model.compile("adam", kind(from_logits=True))
    X = CANCER[0][:, :4] / 100
    ours = RegularizedMLPClassifier.from_keras(model)
    logits = model.predict(X, verbose=0)
    expected = logits[:, 0] if n_outputs == 1 else logits
    np.testing.assert_allclose(ours.decision_function(X), expected, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X).sum(axis=1), 1)


def test_what_other_losses_make_of_logits_is_not_guessed():
    focal = chain(layers.Dense(1))
    focal.compile("adam", keras.losses.BinaryFocalCrossentropy(from_logits=True))
    assert RegularizedMLPClassifier.from_keras(focal).out_activation_ == "logistic"

    class Own(keras.losses.BinaryCrossentropy):
        pass

    focal.compile("adam", Own(from_logits=True))
    with pytest.raises(ValueError, match=r"expected probabilities, .* received 'linear'"):
        RegularizedMLPClassifier.from_keras(focal)


def test_constant_columns_of_an_adapted_normalization_are_rounded_as_there():
    """Their scale is 1e-7, behind which a hundred millionth is a tenth."""
    X = np.c_[CANCER[0][:, :3], np.full(569, 0.1), np.full(569, 1e9 + 1)]
    normalization = layers.Normalization()
    normalization.adapt(X)
    model = chain(normalization, layers.Dense(4, "relu"), layers.Dense(1), n_features=5)
    ours = RegularizedMLPRegressor.from_keras(model)
    for table in (X, X.astype(np.float32), sparse.csr_array(X)):
        predicted = ours.predict(table)
        np.testing.assert_allclose(predicted, model.predict(X, verbose=0)[:, 0], atol=1e-5)
        assert predicted.dtype == table.dtype
    with pytest.raises(ValueError, match=r"too large for dtype\('float32'\)"):
        ours.predict(X * 1e40)
    ours.set_params(max_iter=1, random_state=0).fit(X, X[:, 0])
    ours.predict(X * 1e40)  # now of rows, in float64


def test_the_least_divisor_of_a_normalization_is_keras_own():
    least = keras.config.epsilon()
    keras.config.set_epsilon(0.01)
    try:
        model = chain(layers.Normalization(mean=0.5, variance=1e-8), layers.Dense(1))
        X = np.linspace(0, 1, 40).reshape(10, 4)
        ours = RegularizedMLPRegressor.from_keras(model)
        np.testing.assert_allclose(ours.predict(X), model.predict(X, verbose=0)[:, 0], rtol=1e-5)
    finally:
        keras.config.set_epsilon(least)


def test_layers_that_two_functional_models_share():
    other, inputs = keras.Input((4,)), keras.Input((4,))
    hidden, output = layers.Dense(3, "relu"), layers.Dense(1)
    keras.Model(other, layers.Dense(2)(hidden(other)))
    model = keras.Model(inputs, output(hidden(inputs)))
    X = CANCER[0][:, :4] / 100
    ours = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(ours.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


@pytest.mark.parametrize("n", ["sparse_", ""])
def test_sigmoids_under_a_loss_of_one_class_are_refused(n):
    model = chain(layers.Dense(3, "sigmoid"))
    model.compile("adam", f"{n}categorical_crossentropy")
    with pytest.raises(ValueError, match=f"'sigmoid' and '{n}categorical_crossentropy'"):
        RegularizedMLPClassifier.from_keras(model)
    model.compile("adam", "binary_crossentropy")
    assert RegularizedMLPClassifier.from_keras(model).out_activation_ == "logistic"


def test_low_rank_adaptation_is_part_of_the_kernel():
    model = chain(layers.Dense(8, "relu"), layers.Dense(1))
    model.layers[0].enable_lora(2)
    lora = model.layers[0].lora_kernel_b
    lora.assign(np.ones(lora.shape))
    X = CANCER[0][:, :4] / 100
    ours = RegularizedMLPRegressor.from_keras(model)
    np.testing.assert_allclose(ours.predict(X), model.predict(X, verbose=0)[:, 0], atol=1e-5)


KNOWN = {"solver": "adam", "learning_rate": "constant", "learning_rate_init": 0.01}
UNKNOWN = {"solver": "adam", "learning_rate": "cosine", "learning_rate_init": 5e-3, "beta_1": 0.9}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda of: of.Adam(0.01, beta_1=0.8), {**KNOWN, "beta_1": 0.8, "weight_decay": 0.0}),
        (lambda of: of.AdamW(0.01, weight_decay=0.1), {**KNOWN, "weight_decay": 0.1}),
        (
            lambda of: of.SGD(0.01, momentum=0.5, nesterov=True),
            {**KNOWN, "solver": "sgd", "momentum": 0.5, "nesterovs_momentum": True},
        ),
        (lambda of: of.LossScaleOptimizer(of.Adam(0.01)), KNOWN),
        # Of a schedule the rate is not known, the rest is.
        (lambda of: of.SGD(of.schedules.CosineDecay(0.1, 5)), {**UNKNOWN, "solver": "sgd"}),
        (lambda of: of.Adam(0.0, beta_1=0.8), {**UNKNOWN, "beta_1": 0.8}),
        # What ours do not do.
        (lambda of: of.Adam(0.01, beta_1=0.8, clipnorm=1.0), UNKNOWN),
        (lambda of: of.SGD(0.01, use_ema=True), UNKNOWN),
        (lambda of: of.Adam(0.01, amsgrad=True), UNKNOWN),
        (lambda of: of.Lion(0.01), UNKNOWN),
        # Numbers that ours do not take.
        (lambda of: of.Adam(0.01, epsilon=0.0), UNKNOWN),
        (lambda of: of.Adam(0.01, beta_2=1.0), UNKNOWN),
    ],
)
def test_the_parameters_of_the_optimizer(make, expected):
    model = chain(layers.Dense(1))
    model.compile(make(keras.optimizers), "mse")
    ours = RegularizedMLPRegressor.from_keras(model)
    assert {name: getattr(ours, name) for name in expected} == pytest.approx(expected)
    X, y = DIABETES
    ours.set_params(max_iter=1, random_state=0, warm_start=True).fit(X[:, :4], y)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("mse", "squared_error"),
        ("mae", "absolute_error"),
        (keras.losses.MeanAbsoluteError(), "absolute_error"),
        (keras.losses.Huber(3.0), "huber"),
        (["mae"], "absolute_error"),
        ({"out": keras.losses.Huber()}, "huber"),
        ([], "squared_error"),
        ("huber", "huber"),
        (keras.losses.LogCosh(), "log_cosh"),
        (keras.losses.MeanSquaredLogarithmicError(), "squared_error"),
        (None, "squared_error"),
    ],
)
def test_the_loss(theirs, ours):
    model = chain(layers.Dense(1, name="out"))
    for optimizer in ("adam", keras.optimizers.Adam(epsilon=0.0)):  # which ours does not take
        model.compile(optimizer, theirs)
        assert RegularizedMLPRegressor.from_keras(model).loss == ours


class Doubled(layers.Dense):
    """Computes something else than a Dense."""

    def call(self, inputs):
        return 2 * super().call(inputs)


class Twice(keras.Sequential):
    """Computes something else than its layers."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs)


class Loud(keras.Sequential):
    """Computes something else, and before its own call."""

    def __call__(self, inputs, **options):
        return 2 * super().__call__(inputs, **options)


class Kept(layers.Dropout):
    """Drops nothing, whatever its rate."""

    def call(self, inputs, training=False):
        return inputs


def wrong_models():
    """Layers that skreg cannot express, each with what the message names."""
    inputs = keras.Input((4,))
    dense, out = layers.Dense(3, "relu"), layers.Dense(2, "softmax")
    branched = keras.Model(
        inputs, out(layers.Add(name="sum")([dense(inputs), layers.Dense(3)(inputs)]))
    )
    yield chain(layers.Dense(3), layers.BatchNormalization(name="norm"), layers.Dense(2)), "'norm'"
    yield chain(layers.Dense(3, "mish", name="first"), layers.Dense(2)), "'first'.*'mish'"
    yield (
        chain(layers.Dense(3, "relu"), layers.Dense(3, "tanh", name="b"), layers.Dense(2)),
        "'b'.*another activation",
    )
    orthogonal = keras.regularizers.OrthogonalRegularizer()
    yield (
        chain(layers.Dense(3, kernel_regularizer=orthogonal, name="a"), layers.Dense(2)),
        "'a'.*OrthogonalRegularizer",
    )
    yield chain(layers.Dense(3, use_bias=False, name="a"), layers.Dense(2)), "'a'.*bias"
    yield chain(layers.Dense(3), layers.Dense(2), layers.Dropout(0.5, name="late")), "'late'"
    yield chain(Doubled(3, name="own"), layers.Dense(2)), r"'own' \(Doubled\)"
    yield chain(layers.Dense(3), Kept(0.5, name="own"), layers.Dense(2)), r"'own' \(Kept\)"
    columns = layers.Dropout(0.5, noise_shape=(1, 3), name="drop")
    yield chain(layers.Dense(3), columns, layers.Dense(2)), r"'drop'.*noise_shape=\(1, 3\)"
    yield chain(layers.Dense(3), layers.Dropout(1, name="all"), layers.Dense(2)), "'all'.*rate of 1"
    leaky = layers.ReLU(negative_slope=0.1, name="leaky")
    yield chain(layers.Dense(3), leaky, layers.Dense(2)), "'leaky'"
    late = layers.Dropout(0.5), layers.Activation("relu", name="late"), layers.Dense(2)
    yield chain(layers.Dense(3), *late), "'late'"
    yield chain(layers.Dense(3, "tanh"), layers.ReLU(name="twice"), layers.Dense(2)), "'twice'"
    between = layers.Dropout(0.5), layers.Rescaling(2.0, name="between")
    yield chain(*between, layers.Dense(2)), "'between'"
    small = chain(layers.Dense(3, name="int8"), layers.Dense(2))
    small.layers[0].quantize("int8")
    yield small, "'int8'.*a kernel of int8"
    for place, scale in ((0, -1.0), (2, 0.0)):
        parts = [layers.Dense(3), layers.Dense(1)]
        parts.insert(place, layers.Rescaling(scale, name="mirror"))
        yield chain(*parts), "'mirror'.*a scale that is not positive"
    for scale, offset in ((np.inf, 0.0), (1.0, np.nan)):
        parts = layers.Rescaling(scale, offset, name="wild"), layers.Dense(2)
        yield chain(*parts), "'wild'.*(positive and|an offset that is not) finite"
    for mean, variance in ((np.nan, 1.0), (0.0, -1.0)):
        wild = layers.Normalization(mean=mean, variance=variance, name="wild")
        yield chain(wild, layers.Dense(2)), "'wild'.*not finite, or below zero"
    integers = keras.Sequential([keras.Input((4,), dtype="int32"), layers.Dense(2)])
    yield integers, "in float32, to which .* in int32"
    empty = keras.Input((4,))
    yield keras.Model(empty, empty), "a Dense layer; received none"
    yield keras.Model(empty, [layers.Dense(2)(empty), layers.Dense(2)(empty)]), "received 1 and 2"
    lost = chain(layers.Dense(2, name="lost"))
    lost.layers[0].set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    yield lost, "'lost'.*weights that are not finite"
    yield Twice([keras.Input((4,)), layers.Dense(2)]), r"a built Sequential.*\(Twice\)"
    yield Loud([keras.Input((4,)), layers.Dense(2)]), r"a built Sequential.*\(Loud\)"
    yield branched, "does not follow|skreg cannot express"
    yield keras.Sequential([layers.Dense(3)]), "a built Sequential"
    yield keras.Sequential([keras.Input((4,)), layers.Dropout(0.5)]), "a Dense layer; received none"
    shaped = keras.Sequential([keras.Input((4, 4)), layers.Dense(3), layers.Dense(2)])
    yield shaped, r"inputs of shape \(None, 4, 4\)"


def test_the_first_layer_that_cannot_be_expressed_is_named():
    for model, message in wrong_models():
        for kind in (RegularizedMLPClassifier, RegularizedMLPRegressor):
            with pytest.raises(ValueError, match=message):
                kind.from_keras(model)


def test_other_things_than_models_and_wrong_classes_are_refused():
    with pytest.raises(
        TypeError, match=r"expected a keras\.Model or the path of a file; received list"
    ):
        RegularizedMLPClassifier.from_keras(["model.keras"])
    model = exported(RegularizedMLPClassifier, *DIGITS)
    for classes in ([0, 1], [0] * 10, "abc"):
        with pytest.raises(ValueError, match="classes: expected 10 distinct labels"):
            RegularizedMLPClassifier.from_keras(model, classes=classes)
    with pytest.raises(TypeError, match=r"classes: expected labels of one type.*None"):
        RegularizedMLPClassifier.from_keras(model, classes=[*"abcdefgh", 1, None])
    with pytest.raises(TypeError, match=r"classes: expected labels of one type.*'b', 2"):
        RegularizedMLPClassifier.from_keras(model, classes=["a", "b", *range(2, 10)])
    with pytest.raises(TypeError, match=r"classes: expected labels of one type.*b'z'"):
        RegularizedMLPClassifier.from_keras(model, classes=[*"abcdefghi", b"z"])
    with pytest.raises(ValueError, match=r"classes: expected finite numbers; received"):
        RegularizedMLPClassifier.from_keras(model, classes=[np.nan, *range(9)])
    with pytest.raises(ValueError, match=r"expected numbers, .* received 'softmax'"):
        RegularizedMLPRegressor.from_keras(model)
    numbers = exported(RegularizedMLPRegressor, *DIABETES)
    with pytest.raises(ValueError, match=r"expected probabilities, .* received 'linear'"):
        RegularizedMLPClassifier.from_keras(numbers)
