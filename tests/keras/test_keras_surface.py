"""What tutorials of Keras import and call: it works, or one sentence says what is missing."""

import contextlib
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from svertka import keras
from svertka.errors import ShapeError, SvertkaError, UnknownName, UsageError, WeightsError
from svertka.keras import layers as L
from svertka.keras.callbacks import Callback, EarlyStopping, ModelCheckpoint
from svertka.keras.models import Model, Sequential, load_model
from svertka.keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img
from svertka.keras.utils import to_categorical

WORKS = """
from tensorflow import keras
from tensorflow.keras import layers, models, Sequential, Model, Input, optimizers, losses, callbacks, utils
from tensorflow.keras.layers import Activation, Add, AveragePooling2D, BatchNormalization, Concatenate, Conv2D, Dense
from tensorflow.keras.layers import Dropout, Flatten, GlobalAveragePooling2D, GlobalMaxPooling2D, Input, MaxPooling2D
from tensorflow.keras.layers import AvgPool2D, Convolution2D, GlobalAvgPool2D, GlobalMaxPool2D, MaxPool2D, ReLU, Softmax
from tensorflow.keras.layers import DepthwiseConv2D, LeakyReLU, Rescaling, SeparableConv2D, ZeroPadding2D, concatenate
from tensorflow.keras.models import Sequential, Model, load_model
from tensorflow.keras.optimizers import Adam, SGD, RMSprop, AdamW
from tensorflow.keras.callbacks import EarlyStopping, ModelCheckpoint, Callback
from tensorflow.keras.losses import SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy
from tensorflow.keras.utils import to_categorical, set_random_seed
from tensorflow.keras.preprocessing.image import ImageDataGenerator, load_img, img_to_array
from tensorflow.keras.applications import VGG16, ResNet50, MobileNetV2, InceptionV3, EfficientNetB0, DenseNet121
from tensorflow.keras.applications.resnet50 import ResNet50, preprocess_input
from tensorflow.keras.applications.vgg16 import VGG16, preprocess_input
from tensorflow.keras.applications.mobilenet_v2 import MobileNetV2, preprocess_input
"""
REFUSED = """
from tensorflow.keras.datasets import mnist
from tensorflow.keras import datasets
from tensorflow.keras.layers import LSTM
from tensorflow.keras.layers import Conv2DTranspose
from tensorflow.keras.regularizers import l2
from tensorflow.keras import backend
from tensorflow.keras.callbacks import ReduceLROnPlateau
from tensorflow.keras.utils import plot_model
from tensorflow.keras.applications import NASNetLarge
from tensorflow.keras.preprocessing import sequence
from tensorflow.keras.optimizers import Ftrl
from tensorflow.keras.models import clone_model
from tensorflow.keras.losses import MeanSquaredError
"""


def ours(line):
    return line.replace("from tensorflow import keras", "from svertka import keras").replace("tensorflow.", "svertka.")


@pytest.mark.parametrize("line", WORKS.split("\n")[1:-1])
def test_imports_of_tutorials(line):
    exec(ours(line), {})


@pytest.mark.parametrize("line", REFUSED.split("\n")[1:-1])
def test_what_is_not_there_is_named_in_one_sentence(line):
    name = line.split()[-1]
    with pytest.raises(ImportError) as caught:
        exec(ours(line), {})
    text = str(caught.value)
    assert isinstance(caught.value, SvertkaError)
    assert " has no " in text
    assert "\n" not in text
    assert name in text or line.split()[1].rpartition(".")[2] in text


def test_attributes_that_are_not_there_are_named_too():
    assert not hasattr(keras, "datasets")
    with pytest.raises(AttributeError, match=r"svertka.keras has no datasets: svertka reads folders"):
        keras.datasets.mnist  # noqa: B018


def test_arguments_that_only_keras_has_are_named():
    with pytest.raises(UsageError, match=r"Dense of svertka.keras has no kernel_regularizer; it takes .*units"):
        L.Dense(3, kernel_regularizer="l2")
    with pytest.raises(UsageError, match=r"ImageDataGenerator of svertka.keras has no featurewise_center"):
        ImageDataGenerator(featurewise_center=True)


def pictures(n=40, side=12, classes=2, seed=0):
    """Pictures that are dark or bright: easy."""
    g = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = g.integers(0, 60, (n, side, side, 1)) + (y * (190 // max(1, classes - 1)))[:, None, None, None]
    return x.astype(np.float32), y


def residual(classes=2):
    inputs = keras.Input((12, 12, 1))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    y = L.BatchNormalization(momentum=0.8)(L.Conv2D(4, 3, padding="same")(x))
    z = L.Activation("relu")(L.Add()([x, y]))
    z = L.Concatenate()([L.MaxPooling2D()(z), L.AveragePooling2D()(z)])
    return Model(inputs, L.Dense(classes, activation="softmax")(L.GlobalAveragePooling2D()(z)))


def test_a_functional_model_computes_what_torch_computes():
    torch.manual_seed(1)
    model = residual()
    x, _ = pictures(5)
    first, second, norm, last = (model.layers[k].core for k in (0, 1, 2, -1))
    with torch.no_grad():
        t = torch.from_numpy(x).permute(0, 3, 1, 2)
        a = F.relu(F.conv2d(t, first.weight, first.bias, padding=1))
        b = F.batch_norm(
            F.conv2d(a, second.weight, second.bias, padding=1), norm.running_mean, norm.running_var, norm.weight,
            norm.bias, eps=1e-3,
        )  # fmt: skip
        c = F.relu(a + b)
        pooled = torch.cat([F.max_pool2d(c, 2), F.avg_pool2d(c, 2)], 1).mean((2, 3))
        expected = F.softmax(pooled @ last.weight.T + last.bias, 1)
    np.testing.assert_allclose(model.predict(x), expected.numpy(), atol=1e-5)
    assert model.output_shape == (None, 2)


def test_a_functional_model_learns_is_saved_and_answers_alike(tmp_path):
    model = residual()
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = pictures()
    history = model.fit(x / 255, y, epochs=25, verbose=0, validation_split=0.25)
    assert history.history["val_accuracy"][-1] == 1
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(x / 255), model.predict(x / 255))
    assert again.evaluate(x / 255, y, verbose=0) == model.evaluate(x / 255, y, verbose=0)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_a_chain_of_ready_parts_is_saved_and_opened(tmp_path):
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg")
    base.trainable = False
    model = Sequential([base, L.Dropout(0.2), L.Dense(3, activation="softmax")])
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    before = model.predict(x)
    with pytest.warns(UserWarning, match="model.h5 holds svertka's format"):
        model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(x), before)
    assert not again.layers[0].trainable
    assert again.count_params() == model.count_params()


def test_a_head_goes_on_a_base_by_its_input_and_output():
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3))
    x = L.GlobalAveragePooling2D()(base.output)
    model = Model(inputs=base.input, outputs=L.Dense(4, activation="softmax")(x))
    assert model.predict(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 4)
    inputs = keras.Input(shape=(32, 32, 3))
    whole = Model(inputs, L.Dense(2, activation="softmax")(L.Flatten()(base(inputs))))
    assert whole.output_shape == (None, 2)


def test_files_that_are_no_saved_models(tmp_path):
    (tmp_path / "page.h5").write_bytes(b"<html>")
    (tmp_path / "theirs.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    for name, words in (("page.h5", "no model that svertka.keras has saved"), ("theirs.h5", "file of Keras itself"),
                        ("none.h5", "cannot be read")):  # fmt: skip
        with pytest.raises(WeightsError, match=words):
            load_model(tmp_path / name)
    model = Sequential([L.Dense(2, input_shape=(3,))])
    model.save(tmp_path / "a.safetensors")
    other = Sequential([L.Dense(3, input_shape=(3,))])
    with pytest.raises(WeightsError, match="other layers"):
        other.load_weights(tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="exists"):
        model.save(tmp_path / "a.safetensors", overwrite=False)


def test_every_damage_of_a_saved_model_is_one_sentence(tmp_path):
    place = tmp_path / "a.safetensors"
    residual().save(place)
    whole = place.read_bytes()
    g = np.random.default_rng(0)
    head = int.from_bytes(whole[:8], "little") + 8
    for _ in range(150):
        data = bytearray(whole)
        for at in g.integers(0, head, 1 + int(g.integers(3))):
            data[at] = g.integers(32, 127)
        place.write_bytes(data)
        with contextlib.suppress(SvertkaError):  # anything else is a traceback
            load_model(place)


def test_early_stopping_ends_and_goes_back_to_the_best(tmp_path):
    torch.manual_seed(0)
    x, y = pictures(20)
    model = Sequential([L.Flatten(input_shape=(12, 12, 1)), L.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.5), metrics=["acc"])  # much too fast: the loss goes up and down
    stop = EarlyStopping(monitor="loss", patience=2, restore_best_weights=True)
    seen = []

    class Seen(Callback):
        def on_epoch_end(self, epoch, logs):
            seen.append((logs["loss"], [p.clone() for p in self.model.core.parameters()]))

    history = model.fit(x, y, epochs=60, verbose=0, callbacks=[stop, Seen()])
    losses = history.history["loss"]
    assert len(losses) < 60
    best = int(np.argmin(losses))
    assert len(losses) - 1 - best == 2
    assert all(torch.equal(a, b) for a, b in zip(model.core.parameters(), seen[best][1], strict=True))


def test_checkpoints_hold_the_best_model(tmp_path):
    x, y = pictures(20)
    model = Sequential([L.Flatten(input_shape=(12, 12, 1)), L.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(1e-6), metrics=["acc"])
    places = tmp_path / "{epoch:02d}-{loss:.0f}.safetensors"
    model.fit(x, y, epochs=2, verbose=0, callbacks=ModelCheckpoint(str(places), save_best_only=True, monitor="loss"))
    saved = sorted(tmp_path.iterdir())
    assert saved[0].name.startswith("01-")
    np.testing.assert_array_equal(load_model(saved[-1]).predict(x), model.predict(x))
    with pytest.raises(UnknownName, match="val_loss"):
        model.fit(x, y, verbose=0, callbacks=[ModelCheckpoint("x", save_best_only=True)])


def test_class_weights_move_the_answer_to_the_dear_class():
    x, y = np.zeros((40, 4, 4, 1), np.float32), np.arange(40) % 2  # nothing to see: only how often each class is
    shares = []
    for weights in ({0: 1.0, 1: 1.0}, {1: 9.0}):
        model = Sequential([L.Flatten(input_shape=(4, 4, 1)), L.Dense(2, activation="softmax")])
        model.compile(keras.optimizers.SGD(0.5))
        model.fit(x, y, epochs=60, verbose=0, class_weight=weights, batch_size=40)
        shares.append(model.predict(x[:1])[0, 1])
    assert shares[0] == pytest.approx(0.5, abs=0.01)
    assert shares[1] == pytest.approx(0.9, abs=0.02)


def test_validation_split_takes_the_last_as_keras_does():
    x, y = pictures(20)
    y[15:] = 1 - y[15:]  # the last quarter is labeled wrongly, so that what learned right is wrong there
    model = Sequential([L.Flatten(input_shape=(12, 12, 1)), L.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), metrics=["acc"])
    found = model.fit(x / 255, y, epochs=30, verbose=0, validation_split=0.25).history
    assert (found["acc"][-1], found["val_acc"][-1]) == (1, 0)


def test_logits_and_probabilities_learn_the_same():
    x, y = pictures()
    answers = []
    for activation, loss in (("softmax", "sparse_categorical_crossentropy"),
                             (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True))):  # fmt: skip
        torch.manual_seed(0)
        model = Sequential([L.Flatten(input_shape=(12, 12, 1)), L.Dense(2, activation=activation)])
        model.compile("sgd", loss)
        model.fit(x / 255, y, epochs=2, verbose=0, shuffle=False)
        answers.append(model.core.raw(torch.from_numpy(x[:3] / 255).permute(0, 3, 1, 2)).detach())
    torch.testing.assert_close(*answers)


def test_arrays_flow_through_a_generator_varied():
    x, y = pictures(20)
    made = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True, validation_split=0.25)
    train, last = made.flow(x, y, batch_size=5, subset="training"), made.flow(x, subset="validation", batch_size=5)
    seen, labels = next(train)
    assert seen.shape == (5, 12, 12, 1)
    for picture, label in zip(seen, labels, strict=True):
        same = [k for k in range(15) if np.allclose(picture, x[k] / 255) or np.allclose(picture, x[k, :, ::-1] / 255)]
        assert [y[k] for k in same] == [label]
    assert len(last) == 1
    model = Sequential([L.Flatten(input_shape=(12, 12, 1)), L.Dense(2, activation="softmax")])
    model.compile("adam", metrics=["acc"])
    model.fit_generator(train, epochs=2, verbose=0, steps_per_epoch=3)
    with pytest.raises(UsageError, match=r"whole numbers 0 to 255.*rescale=1/255"):
        made.flow(x / 255, y)


def test_pictures_are_loaded_as_arrays(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(img_to_array(load_img(tmp_path / "a.png")), pixels)
    assert img_to_array(load_img(tmp_path / "a.png", color_mode="grayscale", target_size=(3, 5))).shape == (3, 5, 1)
    with pytest.raises(SvertkaError, match="cannot be read"):
        load_img(tmp_path / "b.png")


def compiled(**options):
    model = Sequential([L.Flatten(input_shape=(12, 12, 1)), L.Dense(2, activation="softmax")])
    model.compile("sgd", **options)
    return model


X, Y = pictures(8)


@pytest.mark.parametrize(
    ("do", "error", "words"),
    [
        (lambda: compiled().fit(X, np.full((8, 2), 0.5)), UsageError, "one-hot"),
        (lambda: compiled().fit(X, Y - 1), UsageError, "from 0; received -1"),
        (lambda: compiled().fit(X, Y + 0.5), UsageError, "whole numbers"),
        (lambda: compiled().fit(ImageDataGenerator().flow(X, Y), Y), UsageError, "leave y out"),
        (lambda: compiled().fit(X, Y, validation_split=1.5), UsageError, "share of 1"),
        (lambda: compiled().fit(X, Y, class_weight={5: 1.0}), UsageError, "class_weight is a dictionary"),
        (lambda: compiled().fit(X, Y, callbacks=[print]), UsageError, "callbacks"),
        (lambda: compiled().fit("pictures", Y), UsageError, "received str"),
        (lambda: L.Dense(2)(X), UsageError, "predict"),
        (lambda: L.Add()([keras.Input((2, 2, 1)), keras.Input((3, 2, 1))]), ShapeError, "one shape"),
        (lambda: Model(keras.Input((2,)), L.Dense(1)(keras.Input((2,)))), UsageError, "not the input"),
        (
            lambda: compiled(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
            UsageError,
            "wants logits",
        ),
        (lambda: residual().get_layer("conv9"), UnknownName, "conv9"),
        (lambda: to_categorical([0, 3], 2), UsageError, "from 0 to 1"),
    ],
)
def test_silent_wrongs_of_keras_are_sentences(do, error, words):
    with pytest.raises(error, match=words) as caught:
        do()
    assert "\n" not in str(caught.value)


def test_what_is_thawed_without_compile_is_said():
    model = residual()
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.layers[0].trainable = True
    with pytest.raises(UsageError, match=r"call compile\(\) again"):
        model.fit(X, Y, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.layers[0].core.weight.clone()
    model.fit(X / 255, Y, verbose=0)
    assert not torch.equal(before, model.layers[0].core.weight)


def test_the_saved_file_is_text_and_numbers(tmp_path):
    residual().save(tmp_path / "m")
    head = (tmp_path / "m").read_bytes()
    described = json.loads(
        json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])["__metadata__"]["svertka.keras"]
    )
    assert described["layers"][0]["class"] == "Conv2D"
