"""What the Keras peers share: after each epoch the judging pictures are scored and one JSON line is printed."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras
import tensorflow as tf

VERSIONS = f"Python {sys.version.split()[0]}, keras {keras.__version__}, tensorflow {tf.__version__}"


class Score(keras.callbacks.Callback):
    """Prints {"epoch", "accuracy", "evaluating": seconds, "versions"}."""

    def __init__(self, judging: tf.data.Dataset) -> None:
        super().__init__()
        self.judging = judging

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        start = time.perf_counter()
        scored = self.model.evaluate(self.judging, verbose=0)[1]
        point = {"epoch": epoch + 1, "accuracy": scored, "evaluating": time.perf_counter() - start}
        print(json.dumps({**point, "versions": VERSIONS}), flush=True)
