"""Write keras_golden.json, what Keras itself computes: `python tests/support/make_keras_golden.py` beside Keras 3.

Each case is a chain of layers by name and arguments, so that the test builds the same one from svertka.keras.
Weights and inputs are `wave`s, numbers that every program makes alike.
"""

import json
from pathlib import Path

import numpy as np

CASES = {
    "valid": ((7, 6, 3), [("Conv2D", {"filters": 4, "kernel_size": (3, 2), "activation": "relu"})]),
    "same, stride": (
        (8, 7, 2),
        [("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"})],
    ),
    "same, even": (
        (6, 5, 2),
        [("Conv2D", {"filters": 3, "kernel_size": (4, 2), "padding": "same", "activation": "tanh"})],
    ),
    "max, same": ((7, 6, 2), [("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"})]),
    "max, valid": ((7, 6, 2), [("MaxPooling2D", {"pool_size": (2, 3)})]),
    "average, same": ((7, 6, 2), [("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"})]),
    "average, valid": ((7, 6, 2), [("AveragePooling2D", {"pool_size": 2})]),
    "global": ((5, 4, 3), [("GlobalAveragePooling2D", {})]),
    "flatten": ((4, 3, 2), [("Flatten", {}), ("Dense", {"units": 5, "activation": "softmax"})]),
    "sigmoid": (
        (2, 3, 1),
        [("Flatten", {}), ("Dense", {"units": 1, "activation": "sigmoid", "use_bias": False})],
    ),
    "lenet": (
        (28, 28, 1),
        [
            ("Conv2D", {"filters": 6, "kernel_size": 5, "padding": "same", "activation": "tanh"}),
            ("AveragePooling2D", {"pool_size": 2}),
            ("Conv2D", {"filters": 16, "kernel_size": 5, "activation": "tanh"}),
            ("AveragePooling2D", {"pool_size": 2}),
            ("Flatten", {}),
            ("Dense", {"units": 120, "activation": "tanh"}),
            ("Dense", {"units": 84, "activation": "tanh"}),
            ("Dense", {"units": 10, "activation": "softmax"}),
        ],
    ),
}


def wave(shape, k):
    """Numbers between -1 and 1, other ones for another k."""
    return np.sin(np.arange(np.prod(shape)) * 0.7 + k).reshape(shape).astype(np.float32)


def main():
    import keras

    told = {"keras": keras.__version__, "cases": {}}
    for name, (shape, rows) in CASES.items():
        layers = [getattr(keras.layers, kind)(**arguments) for kind, arguments in rows]
        model = keras.Sequential([keras.Input(shape), *layers])
        for k, weight in enumerate(model.weights):
            weight.assign(wave(weight.shape, k) / 2)
        y = model.predict(wave((2, *shape), 9), verbose=0)
        told["cases"][name] = {
            "output_shape": list(model.output_shape),
            "parameters": model.count_params(),
            "answer": [round(float(v), 5) for v in y.ravel()],
        }
    for name, options in {
        "resnet50": {},
        "no top": {"include_top": False, "input_shape": (150, 150, 3)},
    }.items():
        model = keras.applications.ResNet50(weights=None, **options)
        told["cases"][name] = {"output_shape": list(model.output_shape), "parameters": model.count_params()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in told["cases"].items())
    text = f'{{"keras": "{told["keras"]}", "cases": {{\n{lines}\n}}}}\n'
    Path(__file__).with_name("keras_golden.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
