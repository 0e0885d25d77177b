"""svertka.keras against Keras itself (numbers in keras_golden.json), plain torch, and its promises."""

import inspect
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from make_keras_golden import CASES, wave
from make_pictures import shapes
from PIL import Image

from svertka import keras
from svertka.errors import DataError, RecipeError, ShapeError, UnknownName, UsageError
from svertka.keras import layers as L
from svertka.keras.applications import resnet, zoo_network
from svertka.keras.applications.part import Part
from svertka.keras.optimizers import SGD, Adam
from svertka.keras.preprocessing.image import ImageDataGenerator

GOLDEN = json.loads(Path(__file__).parents[1].joinpath("support", "keras_golden.json").read_text(encoding="utf-8"))[
    "cases"
]


def fill(model):
    """Keras' weights in Keras' order and layout, into our layers."""
    k = 0
    for layer in model.layers:
        for name, parameter in layer.core.named_parameters():
            if name == "bias":
                parameter.data = torch.from_numpy(wave(parameter.shape, k) / 2)
            elif parameter.ndim == 4:
                filters, channels, h, w = parameter.shape
                parameter.data = torch.from_numpy(wave((h, w, channels, filters), k) / 2).permute(3, 2, 0, 1)
            else:
                parameter.data = torch.from_numpy(wave(parameter.shape[::-1], k) / 2).T
            k += 1


def pictures(n=24, side=12, seed=0):
    """Squares that are bright above (class 0) or below (class 1), with noise: (n, side, side, 1), (n,)."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.random((n, side, side, 1)).astype(np.float32)
    for i, label in enumerate(y):
        x[i, label * side // 2 : (label + 1) * side // 2] += 1
    return x, y


def taught(optimizer):
    model = small(L.Dense(2, activation="softmax"))
    model.compile(optimizer)
    return model.fit(*pictures(), verbose=0)


def small(*tail, side=12):
    return keras.Sequential([L.Conv2D(4, 3, activation="relu", input_shape=(side, side, 1)), L.Flatten(), *tail])


@pytest.fixture
def folder(tmp_path):
    """Classes 2 and 10, six pictures each; picture i is gray of value 10 * i above and 250 below."""
    for name in ("2", "10"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(6):
            pixels = np.full((8, 6), 250, np.uint8)
            pixels[:4, :3] = 10 * i + int(name)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    return tmp_path / "data"


# --- the same numbers as Keras ---


@pytest.mark.parametrize("name", CASES)
def test_layers_compute_what_keras_computes(name):
    shape, rows = CASES[name]
    made = [getattr(L, kind)(**arguments) for kind, arguments in rows]
    made[0].input_shape = shape
    model = keras.Sequential(made)
    fill(model)
    golden = GOLDEN[name]
    assert model.output_shape == tuple(golden["output_shape"])
    assert model.count_params() == golden["parameters"]
    ours = model.predict(wave((2, *shape), 9))
    np.testing.assert_allclose(ours.ravel(), golden["answer"], rtol=1e-4, atol=2e-5)


def test_resnet50_lacks_only_the_biases_before_batch_norm():
    biases = 26_560
    for name, options in {
        "resnet50": {},
        "no top": {"include_top": False, "input_shape": (150, 150, 3)},
    }.items():
        model = resnet.ResNet50(weights=None, **options)
        assert model.count_params() + biases == GOLDEN[name]["parameters"]
        assert model.output_shape == tuple(GOLDEN[name]["output_shape"])


def test_the_table_is_keras_table(capsys):
    small(L.Dropout(0.5), L.Dense(2, activation="softmax")).summary()
    assert capsys.readouterr().out.splitlines() == [
        'Model: "sequential"',
        "_" * 65,
        "Layer (type)                 Output Shape              Param #",
        "=" * 65,
        "conv2d (Conv2D)              (None, 10, 10, 4)         40",
        "_" * 65,
        "flatten (Flatten)            (None, 400)               0",
        "_" * 65,
        "dropout (Dropout)            (None, 400)               0",
        "_" * 65,
        "dense (Dense)                (None, 2)                 802",
        "=" * 65,
        "Total params: 842",
        "Trainable params: 842",
        "Non-trainable params: 0",
        "_" * 65,
    ]


def test_arguments_stand_where_the_lecture_has_them():
    assert list(inspect.signature(L.Conv2D).parameters)[:5] == [
        "filters", "kernel_size", "strides", "padding", "activation",
    ]  # fmt: skip
    average = inspect.signature(L.AveragePooling2D).parameters
    assert {k: v.default for k, v in list(average.items())[:3]} == {
        "pool_size": (2, 2), "strides": None, "padding": "valid",
    }  # fmt: skip


# --- learning ---


def test_fit_is_gradient_descent():
    x, y = pictures(n=20)
    model = small(L.Dense(2, activation="softmax"))
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(400, 2))
    with torch.no_grad():
        theirs[0].weight.copy_(model.layers[0].core.weight), theirs[0].bias.zero_(), theirs[3].bias.zero_()
        # Keras flattens rows, columns, channels; torch channels, rows, columns
        theirs[3].weight.copy_(model.layers[2].core.weight.view(2, 10, 10, 4).permute(0, 3, 1, 2).flatten(1))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.5)
    losses = []
    for _ in range(3):
        total = 0.0
        for k in range(0, 20, 8):
            loss = torch.nn.functional.cross_entropy(
                theirs(torch.from_numpy(x[k : k + 8]).permute(0, 3, 1, 2)), torch.from_numpy(y[k : k + 8])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y[k : k + 8])
        losses.append(total / 20)
    model.compile(SGD(lr=0.05, momentum=0.5), metrics=["accuracy"])
    first = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    second = model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)  # goes on with its momentum
    np.testing.assert_allclose(first.history["loss"] + second.history["loss"], losses, rtol=1e-4)
    torch.testing.assert_close(model.layers[0].core.weight.contiguous(), theirs[0].weight, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("last", "loss", "target"),
    [
        (("softmax", 2), "sparse_categorical_crossentropy", lambda y: y),
        (("softmax", 2), "categorical_crossentropy", lambda y: np.eye(2)[y]),
        (("sigmoid", 1), "binary_crossentropy", lambda y: y.astype(float)),
    ],
)
def test_each_loss_learns_and_is_the_cross_entropy_of_the_answers(last, loss, target):
    activation, units = last
    x, y = pictures()
    model = small(L.Dense(units, activation=activation))
    model.compile("adam", loss, ["acc"])
    history = model.fit(x, target(y), epochs=12, batch_size=4, validation_data=(x, target(y)), verbose=0).history
    assert set(history) == {"loss", "acc", "val_loss", "val_acc"}
    assert len(history["loss"]) == 12
    assert history["val_acc"][-1] == 1.0
    answers = model.predict(x)
    right = answers[np.arange(len(y)), y] if units == 2 else np.where(y == 1, answers[:, 0], 1 - answers[:, 0])
    told, accuracy = model.evaluate(x, target(y), verbose=0)
    assert told == pytest.approx(-np.log(right).mean(), rel=1e-3)
    assert told == pytest.approx(history["val_loss"][-1], rel=1e-4)
    assert accuracy == 1.0


def test_fit_says_what_keras_says(capsys):
    x, y = pictures()
    model = small(L.Dense(2, activation="softmax"))
    model.compile(Adam(lr=0.001), metrics=["acc"])
    model.fit(x, y, epochs=2, validation_data=(x, y))
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Epoch 1/2 - 0s - loss: ")
    assert [part.split(": ")[0] for part in second.split(" - ")[2:]] == ["loss", "acc", "val_loss", "val_acc"]


def test_steps_per_epoch_go_on_through_the_flow():
    x, y = pictures()
    model = small(L.Dense(2, activation="softmax"))
    model.compile("sgd")
    flow = keras.batches.flow_of(x, y, batch_size=4, seed=3)
    model.fit(flow, steps_per_epoch=2, epochs=2, verbose=0)
    assert next(flow)[1].tolist() == y[flow.loader.order(0)[16:20]].tolist()


def test_a_frozen_layer_keeps_weights_and_statistics_until_thawed():
    backbone = keras.Model([Part(torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3)))], name="body")
    backbone.trainable = False
    model = keras.Sequential([backbone, L.GlobalAveragePooling2D(), L.Dense(2, activation="softmax")])
    x, y = pictures()

    def state():
        return {k: v.clone() for k, v in backbone.core.state_dict().items()}

    model.compile("sgd")
    model.build((1, 12, 12))
    before = state()
    model.fit(x, y, verbose=0)
    assert all(torch.equal(v, before[k]) for k, v in state().items())
    backbone.trainable = True
    model.compile("sgd")
    model.fit(x, y, verbose=0)
    assert not any(torch.equal(v, before[k]) for k, v in state().items() if "bias" not in k)


def test_a_model_in_a_model_answers_and_learns_as_if_it_were_spread_out():
    x, y = pictures()
    inner = small(L.Dense(2, activation="softmax"))
    outer = keras.Sequential([keras.Sequential([inner])])
    outer.compile("sgd", metrics=["acc"])
    np.testing.assert_array_equal(outer.predict(x), inner.predict(x))
    assert outer.predict(x).sum(1) == pytest.approx(1, abs=1e-6)
    right = outer.predict(x)[np.arange(len(y)), y]
    history = outer.fit(x, y, batch_size=24, verbose=0).history
    assert history["loss"][0] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    np.testing.assert_array_equal(outer.predict(x), inner.predict(x))


def test_the_first_data_tell_the_shape_where_nobody_did():
    x, _ = pictures()
    model = keras.Sequential([L.MaxPooling2D(), L.Flatten(), L.Dense(3)])
    with pytest.raises(UsageError, match="sequential is not built"):
        model.summary()
    assert model.predict(x).shape == (24, 3)
    assert model.layers[1].output_shape == (None, 36)


def test_maps_come_out_with_channels_last():
    x, _ = pictures()
    model = keras.Sequential([L.Conv2D(5, 3, input_shape=(12, 12, 1))])
    ours = model.predict(x)
    assert ours.shape == (24, 10, 10, 5)
    kernel = model.layers[0].core.weight.detach().numpy()
    assert ours[3, 2, 7, 4] == pytest.approx((x[3, 2:5, 7:10, 0] * kernel[4, 0]).sum(), rel=1e-4)


# --- pictures ---


def test_a_flow_gives_pixels_as_they_are_in_natural_order_of_classes(folder, capsys):
    flow = ImageDataGenerator().flow_from_directory(
        folder, target_size=(8, 6), class_mode="sparse", batch_size=5, shuffle=False, color_mode="grayscale"
    )
    assert capsys.readouterr().out == "Found 12 images belonging to 2 classes.\n"
    assert flow.class_indices == {"2": 0, "10": 1}
    assert (len(flow), flow.n, flow.batch_size) == (3, 12, 5)
    x, y = next(flow)
    assert x.shape == (5, 8, 6, 1)
    assert x.dtype == np.float32
    assert y.tolist() == flow.classes[:5].tolist()
    for picture, name in zip(x, flow.filenames, strict=False):
        label, number = Path(name).parts[-2], int(Path(name).stem)
        assert picture[0, 0, 0] == 10 * number + int(label)
        assert picture[7, 5, 0] == 250
    assert [len(next(flow)[0]) for _ in range(3)] == [5, 2, 5]


def test_rescale_and_class_modes(folder):
    datagen = ImageDataGenerator(rescale=1 / 255)
    x, y = next(datagen.flow_from_directory(folder, target_size=(8, 6), batch_size=12))
    assert x.max() == pytest.approx(250 / 255)
    assert y.shape == (12, 2)
    assert y.sum(0).tolist() == [6, 6]
    assert next(datagen.flow_from_directory(folder, class_mode=None)).shape == (12, 256, 256, 3)


@pytest.mark.parametrize(("option", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)])
def test_half_of_the_pictures_are_mirrored(folder, option, axis):
    plain = ImageDataGenerator().flow_from_directory(folder, target_size=(8, 6), batch_size=12, seed=5)
    varied = ImageDataGenerator(**{option: True}).flow_from_directory(folder, target_size=(8, 6), batch_size=12, seed=5)
    mirrored = []
    for _ in range(4):
        for a, b in zip(next(plain)[0], next(varied)[0], strict=True):
            mirrored.append(not np.array_equal(a, b))
            np.testing.assert_array_equal(np.flip(a, axis) if mirrored[-1] else a, b)
    assert 10 < sum(mirrored) < 38


@pytest.mark.parametrize(
    "options",
    [
        {"rotation_range": 30}, {"zoom_range": 0.3}, {"shear_range": 20}, {"brightness_range": (0.5, 1.5)},
        {"width_shift_range": 0.4}, {"height_shift_range": 0.3},
    ],
)  # fmt: skip
def test_the_arguments_of_variation_vary(folder, options):
    plain = ImageDataGenerator().flow_from_directory(folder, target_size=(8, 6), batch_size=12, seed=5)
    varied = ImageDataGenerator(**options).flow_from_directory(folder, target_size=(8, 6), batch_size=12, seed=5)
    before, after = next(plain)[0], next(varied)[0]
    assert (before != after).any((1, 2, 3)).mean() > 0.25
    if "brightness_range" in options:
        assert (after <= np.minimum(before * 1.5, 255) + 1).all()
        assert (after >= before * 0.5 - 1).all()


def test_the_cut_is_the_same_for_every_seed(tmp_path):
    folder = shapes(tmp_path / "shapes", each=6)  # no two of them count as copies, which are never parted
    datagen = ImageDataGenerator(validation_split=0.34)
    parts = {
        (subset, seed): set(datagen.flow_from_directory(folder, (8, 6), seed=seed, subset=subset).filenames)
        for subset in ("training", "validation")
        for seed in (1, 2)
    }
    assert parts["training", 1] == parts["training", 2]
    assert not parts["training", 1] & parts["validation", 2]
    assert 2 <= len(parts["validation", 1]) <= 8  # a third of 12 in expectation, one of each class at least


def test_an_unreadable_file_is_left_out_and_named(folder):
    (folder / "2" / "broken.png").write_bytes((folder / "2" / "1.png").read_bytes()[:40])
    with pytest.warns(UserWarning, match=r"1 of 13 files cannot be read and are left out; the first is .*broken\.png"):
        flow = ImageDataGenerator().flow_from_directory(folder, target_size=(8, 6))
    assert flow.samples == 12


# --- mistakes ---


def test_weights_come_from_the_zoo(monkeypatch):
    asked = {}

    def load(network, what, **options):
        asked.update(network=network, what=what, **options)
        return real(network, None, classes=options["classes"], channels=options["channels"])

    real = zoo_network.load_weights
    monkeypatch.setattr(zoo_network, "load_weights", load)
    resnet.ResNet50(include_top=False, input_shape=(64, 64, 3))
    assert asked == {
        "network": "resnet50",
        "what": "imagenet",
        "classes": 1000,
        "channels": 3,
        "drop_head": True,
    }


@pytest.mark.parametrize(
    ("mistake", "kind", "words"),
    [
        (lambda: small(L.Dense(3)).fit(*pictures()), UsageError, "compile.* comes before fit"),
        (lambda: small(L.Dense(3)).compile("adamm"), UnknownName, "Did you mean adam"),
        (lambda: small(L.Dense(3)).compile(loss="hinge"), UnknownName, "no loss called 'hinge'"),
        (lambda: small(L.Dense(3)).compile(metrics=["f1"]), UnknownName, "no metric called 'f1'"),
        (lambda: small(L.Dense(3)).compile(), UsageError, "in no activation; activation='softmax' there"),
        (lambda: small(L.Dense(3, "softmaxx")), UnknownName, "Did you mean softmax"),
        (lambda: small(L.Conv2D(2, 3)), ShapeError, r"conv2d_1 does not take .*\(None, 400\)"),
        (lambda: keras.Sequential([L.Dense(2, input_shape=(8, 8, 1))]), ShapeError, "Flatten"),
        (lambda: keras.Sequential([L.Conv2D(2, 9, input_shape=(8, 8, 1))]), ShapeError, "does not take"),
        (lambda: small(L.Flatten(), side=12).add(L.Conv2D(1, 1, 1, "a")), UnknownName, "padding"),
        (lambda: keras.Sequential(["relu"]), UsageError, "layers of svertka.keras; received 'relu'"),
        (lambda: taught(SGD(lr=0)), RecipeError, "rate must lie between"),
        (lambda: keras.Sequential().predict(pictures()[0]), UsageError, "has no layers yet"),
        (lambda: small(L.Dense(3)).predict(pictures(side=9)[0]), ShapeError, r"\(9, 9, 1\) .*\(12, 12, 1\)"),
        (lambda: small(L.Dense(3)).predict(np.zeros((3, 5))), ShapeError, r"\(n, height, width, channels\)"),
        (lambda: ImageDataGenerator(rescale=0), RecipeError, "rescale"),
        (lambda: ImageDataGenerator(validation_split=1), RecipeError, "validation_split"),
        (lambda: ImageDataGenerator(width_shift_range=3), RecipeError, "width_shift_range is a share"),
        (lambda: ImageDataGenerator(brightness_range=(-1, 1)), RecipeError, "two factors"),
        (lambda: ImageDataGenerator().flow_from_directory("nowhere"), DataError, "nowhere"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(mistake, kind, words):
    with pytest.raises(kind, match=words):
        mistake()


def test_mistakes_that_need_data(folder):
    x, y = pictures()
    model = small(L.Dense(2, activation="softmax"))
    model.compile()
    with pytest.raises(ShapeError, match="The data have 3 classes, and dense tells 2 apart"):
        model.fit(x, np.arange(24) % 3, verbose=0)
    with pytest.raises(ShapeError, match="24 pictures and labels of shape"):
        model.fit(x, y[:5], verbose=0)
    model.trainable = False
    with pytest.raises(UsageError, match="Every layer of sequential is frozen"):
        model.fit(x, y, verbose=0)
    with pytest.raises(UsageError, match="validation_split"):
        ImageDataGenerator().flow_from_directory(folder, subset="training")
    with pytest.raises(UnknownName, match="Did you mean training"):
        ImageDataGenerator(validation_split=0.2).flow_from_directory(folder, subset="train")
    with pytest.raises(UsageError, match="varied only in a shuffled flow"):
        ImageDataGenerator(horizontal_flip=True).flow_from_directory(folder, shuffle=False)
    shutil.copytree(folder, folder.with_name("test"))
    folder.rename(folder.with_name("train"))
    with pytest.raises(DataError, match="holds parts, not classes"):
        ImageDataGenerator().flow_from_directory(folder.parent)
