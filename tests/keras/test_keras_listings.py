"""Every Keras listing of lecture 001 runs with only its import lines (and the folder) changed.

Where the lecture shows a listing as a picture, it is the usual one for the words around it. The listings
share one namespace, as the cells of a notebook.
"""

import numpy as np
import pytest
from PIL import Image

LISTINGS = {
    "convolution": """
from tensorflow.keras import Sequential
from tensorflow.keras.layers import Conv2D, Flatten, Dense

model = Sequential()

# здесь у тензора размер (None, 32, 32, 3)
model.add(Conv2D(filters=4, kernel_size=(3, 3), input_shape=(32, 32, 3)))

# здесь у тензора размер (None, 30, 30, 4)
model.add(Flatten())

# здесь у тензора размер (None, 3600)
model.add(Dense(12))
""",
    "lenet": """
from tensorflow import keras
from tensorflow.keras.layers import AveragePooling2D, Conv2D, Dense, Flatten
from tensorflow.keras.models import Sequential

keras.layers.AveragePooling2D(pool_size=(2, 2), strides=None, padding='valid')

model = Sequential()
model.add(Conv2D(6, (5, 5), padding='same', activation='tanh', input_shape=(28, 28, 1)))
model.add(AveragePooling2D(pool_size=(2, 2)))
model.add(Conv2D(16, (5, 5), padding='valid', activation='tanh'))
model.add(AveragePooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(120, activation='tanh'))
model.add(Dense(84, activation='tanh'))
model.add(Dense(10, activation='softmax'))
model.compile(loss='sparse_categorical_crossentropy', optimizer='sgd', metrics=['acc'])
model.summary()
""",
    "adam": """
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['acc'])

from tensorflow.keras.optimizers import Adam

optimizer = Adam(lr=0.01)
model.compile(optimizer=optimizer, loss='sparse_categorical_crossentropy', metrics=['acc'])
""",
    "a network for pictures of 150 pixels": """
model = Sequential()
model.add(Conv2D(6, (5, 5), activation='relu', input_shape=(150, 150, 3)))
model.add(keras.layers.MaxPooling2D(pool_size=(8, 8)))
model.add(Flatten())
model.add(Dense(12, activation='softmax'))
model.compile(optimizer=Adam(), loss='sparse_categorical_crossentropy', metrics=['acc'])
""",
    "loading": """
from tensorflow.keras.preprocessing.image import ImageDataGenerator

# от англ. data generator
datagen = ImageDataGenerator()

datagen_flow = datagen.flow_from_directory(
    # папка, в которой хранится датасет
    '/dataset/',
    # к какому размеру приводить изображения
    target_size=(150, 150),
    # размер батча
    batch_size=16,
    # в каком виде выдавать метки классов
    class_mode='sparse',
    # фиксируем генератор случайных чисел (от англ. random seed)
    seed=12345)

# англ. индексы классов
print(datagen_flow.class_indices)

features, target = next(datagen_flow)
print(features.shape)

model.fit(datagen_flow, steps_per_epoch=len(datagen_flow))
""",
    "validation": """
# указываем загрузчику, что валидация содержит
# 25% случайных объектов
datagen = ImageDataGenerator(validation_split=0.25)
train_datagen_flow = datagen.flow_from_directory(
    '/datasets/fruits_small/',
   target_size=(150, 150),
   batch_size=16,
   class_mode='sparse',
   # указываем, что это загрузчик для обучающей выборки
   subset='training',
   seed=12345)
val_datagen_flow = datagen.flow_from_directory(
    '/datasets/fruits_small/',
   target_size=(150, 150),
   batch_size=16,
   class_mode='sparse',
   # указываем, что это загрузчик для валидационной выборки
   subset='validation',
   seed=12345)

model.fit(train_datagen_flow,
    validation_data=val_datagen_flow,
    steps_per_epoch=len(train_datagen_flow),
    validation_steps=len(val_datagen_flow))
""",
    "augmentation": """
datagen = ImageDataGenerator(vertical_flip=True)

train_datagen = ImageDataGenerator(
   validation_split=0.25,
   rescale=1./255,
   horizontal_flip=True)
validation_datagen = ImageDataGenerator(
   validation_split=0.25,
   rescale=1./255)
train_datagen_flow = train_datagen.flow_from_directory(
   '/dataset/',
   target_size=(150, 150),
   batch_size=16,
   class_mode='sparse',
   subset='training',
   seed=12345)
val_datagen_flow = validation_datagen.flow_from_directory(
   '/dataset/',
   target_size=(150, 150),
   batch_size=16,
   class_mode='sparse',
   subset='validation',
   seed=12345)
""",
    "resnet": """
from tensorflow.keras.applications.resnet import ResNet50

model = ResNet50(input_shape=None, classes=1000, include_top=True, weights=None)
""",
    "backbone": """
from tensorflow.keras.layers import GlobalAveragePooling2D

backbone = ResNet50(input_shape=(150, 150, 3), weights=None, include_top=False)

model = Sequential()
model.add(backbone)
model.add(GlobalAveragePooling2D())
model.add(Dense(12, activation='softmax'))
""",
    "freezing": """
backbone = ResNet50(input_shape=(150, 150, 3), weights=None, include_top=False)

# замораживаем ResNet50 без верхушки
backbone.trainable = False

model = Sequential([
    backbone,
    GlobalAveragePooling2D(),
    Dense(12, activation='softmax')])
model.compile(optimizer=Adam(lr=0.001), loss='sparse_categorical_crossentropy', metrics=['acc'])
model.fit(train_datagen_flow, validation_data=val_datagen_flow,
    steps_per_epoch=len(train_datagen_flow), validation_steps=len(val_datagen_flow), epochs=1, verbose=2)
""",
}
FRUIT = ("apple", "banana", "cherry")


@pytest.fixture(scope="module")
def fruits(tmp_path_factory):
    """A small folder of pictures, 8 of each of 3 classes, of different sizes."""
    root, rng = tmp_path_factory.mktemp("fruits"), np.random.default_rng(0)
    for number, name in enumerate(FRUIT):
        (root / name).mkdir()
        for i in range(8):
            pixels = rng.integers(0, 100, (40 + i, 60, 3)) + np.array([70 * number, 30, 0])
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def notebook(fruits):
    """The namespace after all listings, and what each printed."""
    names: dict = {}
    printed: dict = {}
    for title, text in LISTINGS.items():
        text = text.replace("tensorflow.keras", "svertka.keras").replace(
            "from tensorflow import", "from svertka import"
        )
        text = text.replace("/datasets/fruits_small/", str(fruits)).replace("/dataset/", str(fruits))
        lines: list = []
        names["print"] = lambda *words, lines=lines: lines.append(" ".join(map(str, words)))
        exec(compile(text, f"<{title}>", "exec"), names)
        names[title], printed[title] = names.get("model"), lines
    return names, printed


def test_no_listing_still_needs_tensorflow(notebook):
    names, _ = notebook
    assert not [
        line
        for text in LISTINGS.values()
        for line in text.splitlines()
        if "tensorflow" in line and "import" not in line
    ]
    assert {type(v).__module__.split(".")[0] for v in names.values()}.isdisjoint({"tensorflow", "keras"})


def test_shapes_are_as_the_comments_say(notebook):
    layers = notebook[0]["convolution"].layers
    assert [layer.output_shape for layer in layers] == [(None, 30, 30, 4), (None, 3600), (None, 12)]


def test_lenet_has_61706_parameters(notebook):
    assert notebook[0]["lenet"].count_params() == 61_706


def test_loading_prints_classes_and_shape(notebook):
    assert notebook[1]["loading"] == ["{'apple': 0, 'banana': 1, 'cherry': 2}", "(16, 150, 150, 3)"]


def test_a_quarter_validates_and_nothing_is_shared(notebook):
    names, _ = notebook
    train, validation = names["train_datagen_flow"], names["val_datagen_flow"]
    assert train.samples + validation.samples == 24
    held = np.bincount(validation.classes, minlength=3)  # a quarter of 8 in expectation, of each class one at least
    assert held.min() >= 1
    assert held.max() <= 7
    assert not set(train.filenames) & set(validation.filenames)


def test_the_frozen_backbone_has_learned_nothing_and_dense_has(notebook):
    names, _ = notebook
    model, backbone = names["model"], names["backbone"]
    assert model.layers[0] is backbone
    assert not [p for p in backbone.core.parameters() if p.requires_grad]
    assert all((b == (1 if "var" in n else 0)).all() for n, b in backbone.core.named_buffers() if "running" in n)
    assert (model.layers[2].core.bias != 0).any()
    assert model.counts() == (backbone.count_params() + 2048 * 12 + 12, 2048 * 12 + 12)
