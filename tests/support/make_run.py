"""Run folders for tests of the report, in the documented form, with numbers that a real classifier produced.

The classifier is scikit-learn's, trained on its digits by gradient descent, epoch by epoch; `invented` makes
folders of any size from a seed where no learning is needed.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np

from svertka.data import Manifest
from svertka.evaluation import evaluate

TRAIN, VALIDATION, TEST = 1, 2, 3


def write_run(
    folder: Path,
    *,
    classes,
    paths,
    labels,
    parts,
    scored,  # {"validation": (index, probability), ...}
    pixels=None,
    example_index=None,
    epochs=(),
    steps=(),
    recipe=None,
    reasons=None,
    net="small",
    parameters=12_345,
    preprocess=None,
    unreadable=(),  # (place in paths, reason), ...
    skipped=(),  # (path, reason), ...
    notes=(),
    where="digits",
    kind="built-in",
    command="svertka train digits",
) -> Path:
    """One run folder; everything that the caller does not say is plausible."""
    labels = np.asarray(labels)
    (folder / "model").mkdir(parents=True)
    put = lambda name, thing: (folder / name).write_text(json.dumps(thing), encoding="utf-8")  # noqa: E731
    put(
        "recipe.json",
        {
            "svertka": "0.1.0",
            "command": command,
            "data": {"where": where, "kind": kind, "files": len(paths)},
            "recipe": {"net": net, "epochs": len(epochs), "seed": 0, **(recipe or {})},
            "reasons": reasons or {},
        },
    )
    g = np.random.default_rng(0)
    Manifest(
        tuple(classes),
        list(paths),
        labels.astype(np.int32),
        np.asarray(parts, dtype=np.uint8),
        g.integers(0, 256, (len(paths), 16), dtype=np.uint8),
        seed=0,
        reasons=dict(unreadable),
    ).save(folder / "manifest.json")
    records = [{"kind": "plan", "threads": 2}, *steps, *epochs]
    (folder / "log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    put(
        "model/model.json",
        {
            "network": {"name": net, "shape": [1, 8, 8]},
            "classes": list(classes),
            "preprocess": preprocess
            or {"height": 8, "width": 8, "channels": 1, "fit": "stretch", "mean": [0.3053], "std": [0.3761]},
        },
    )
    (folder / "model" / "weights.safetensors").write_bytes(bytes(4 * parameters))
    results = {
        part: evaluate(probability, labels[index], classes).to_dict() for part, (index, probability) in scored.items()
    }
    put(
        "metrics.json",
        {
            "validation": results.get("validation"),
            "test": results.get("test"),
            "parameters": parameters,
            "epochs": len(epochs),
            "best_epoch": next((e["epoch"] for e in reversed(epochs) if e["best"]), None),
            "seconds": {"total": 6.41, "read": 0.62, "train": 4.87},
            "images_per_second": 5210.4,
            "plan": {"memory": "channels last", "threads": 2, "batch": 64, "precision": "float32"},
            "machine": {
                "processor": platform.machine(),
                "cores": 2,
                "system": platform.system(),
                "python": platform.python_version(),
            },
            "unreadable": [{"path": paths[i], "reason": reason} for i, reason in unreadable],
            "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
            "stopped": False,
            "notes": list(notes),
        },
    )
    if scored:
        arrays = {}
        for part, (index, probability) in scored.items():
            arrays[f"{part}_index"], arrays[f"{part}_probability"] = index, probability.astype(np.float32)
        np.savez(folder / "predictions.npz", **arrays)
    if pixels is not None:
        np.savez(folder / "examples.npz", pixels=pixels, index=np.asarray(example_index))
    return folder


def digits_run(folder: Path, *, test_share=0.0, epochs=14, **options) -> Path:
    """Learns digits with a linear classifier; the curves, probabilities and pictures are its own."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss

    found = load_digits()
    images, labels = found.images, found.target
    g = np.random.default_rng(0)
    parts = g.choice([TRAIN, VALIDATION, TEST], len(labels), p=[0.8 - test_share, 0.2, test_share])
    x = images.reshape(len(labels), -1) / 16.0
    index = {part: np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION, TEST)}
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, random_state=0, alpha=1e-5)
    epochs_log, steps_log, best, kept = [], [], -1.0, None
    train, valid = index[TRAIN], index[VALIDATION]
    for epoch in range(1, epochs + 1):
        order = g.permutation(train)
        for k, batch in enumerate(np.array_split(order, 20), 1):
            model.partial_fit(x[batch], labels[batch], classes=range(10))
            loss = log_loss(labels[batch], model.predict_proba(x[batch]), labels=range(10))
            step = 20 * (epoch - 1) + k
            steps_log.append({"kind": "step", "step": step, "steps": 20 * epochs, "epoch": epoch, "loss": loss})
        p_train, p_valid = model.predict_proba(x[train]), model.predict_proba(x[valid])
        accuracy = float((p_valid.argmax(1) == labels[valid]).mean())
        is_best = accuracy > best
        if is_best:
            best, kept = accuracy, {part: model.predict_proba(x[i]) for part, i in index.items() if len(i)}
        epochs_log.append(
            {
                "kind": "epoch",
                "epoch": epoch,
                "epochs": epochs,
                "loss": log_loss(labels[train], p_train),
                "accuracy": float((p_train.argmax(1) == labels[train]).mean()),
                "validation_loss": log_loss(labels[valid], p_valid, labels=range(10)),
                "validation_accuracy": accuracy,
                "rate": 0.05,
                "images": len(train),
                "seconds": 0.35 * epoch,
                "best": is_best,
            }
        )
    scored = {"validation": (valid, kept[VALIDATION])}
    if test_share:
        scored["test"] = (index[TEST], kept[TEST])
    wrong = valid[kept[VALIDATION].argmax(1) != labels[valid]]
    shown = np.concatenate([wrong, [train[labels[train] == c][0] for c in range(10)]])
    return write_run(
        folder,
        **{
            "classes": [str(c) for c in range(10)],
            "paths": [f"digits/{label}/{i:04}.png" for i, label in enumerate(labels)],
            "labels": labels,
            "parts": parts,
            "scored": scored,
            "pixels": (images[shown] * 255 / 16).round().astype(np.uint8)[..., None],
            "example_index": shown,
            "epochs": epochs_log,
            "steps": steps_log,
            "net": "linear",
            "parameters": 650,
            "recipe": {
                "optimizer": "sgd",
                "learning_rate": 0.05,
                "batch_size": 64,
                "label_smoothing": 0.0,
                "ema_decay": None,
            },
            "reasons": {
                "net": "1,797 pictures of 8 x 8 gray pixels are too small for a network with pooling.",
                "epochs": "The validation loss of such small data settles within about a dozen passes.",
                "size": "All pictures are 8 x 8, so none is resized.",
            },
            **options,
        },
    )


def invented(
    folder: Path, *, names=None, classes=10, files=1000, scored=200, test=0, skill=2.5, seed=0, **options
) -> Path:
    """A run of any size; probabilities are drawn from a seed, and no network was trained."""
    g = np.random.default_rng(seed)
    names = names or [f"class {c:03}" for c in range(classes)]
    classes = len(names)
    labels = g.integers(0, classes, files)
    cuts = {"validation": np.arange(scored), "test": np.arange(scored, scored + test)}
    parts = np.full(files, TRAIN)
    parts[cuts["validation"]], parts[cuts["test"]] = VALIDATION, TEST
    results = {}
    for part, index in cuts.items():
        if len(index):
            logits = g.normal(size=(len(index), classes))
            # neighbors are alike, so that mistakes have a pattern
            logits += (
                skill * np.eye(classes)[labels[index]] + 0.5 * skill * np.eye(classes)[(labels[index] + 1) % classes]
            )
            e = np.exp(logits - logits.max(1, keepdims=True))
            results[part] = (index, (e / e.sum(1, keepdims=True)).astype(np.float32))
    epochs = [
        {
            "kind": "epoch",
            "epoch": n,
            "epochs": 8,
            "loss": 2.3 * 0.6**n,
            "accuracy": 1 - 0.8 * 0.6**n,
            "validation_loss": 2.3 * 0.65**n + 0.05,
            "validation_accuracy": 0.98 - 0.8 * 0.62**n,
            "rate": 0.01,
            "images": files,
            "seconds": 1.5 * n,
            "best": n in (1, 4, 6),
        }
        for n in range(1, 9)
    ]
    shown = next(iter(cuts.values()))[:24]
    return write_run(
        folder,
        **{
            "classes": names,
            "paths": [f"{names[label]}/picture {i:05}.jpg" for i, label in enumerate(labels)],
            "labels": labels,
            "parts": parts,
            "scored": results,
            "pixels": g.integers(0, 256, (len(shown), 32, 32, 3), dtype=np.uint8),
            "example_index": shown,
            "epochs": epochs,
            "where": "pictures.zip",
            "kind": "archive",
            "command": "svertka train pictures.zip",
            **options,
        },
    )


def with_map(run: Path, *, seed=0) -> Path:
    """Put a map.npz into a run: classes lie around a circle, and every mistake has three alike."""
    manifest, g = Manifest.load(run / "manifest.json"), np.random.default_rng(seed)
    with np.load(run / "predictions.npz") as found:
        judged, probability = found["validation_index"], found["validation_probability"]
    learned = manifest.indices("train")
    index = np.concatenate([learned, judged])[:1500]
    angle = 2 * np.pi * manifest.labels[index] / len(manifest.classes)
    points = 3 * np.stack([np.cos(angle), np.sin(angle)], 1) + g.normal(size=(len(index), 2))
    asked = judged[probability.argmax(1) != manifest.labels[judged]][:6]
    similar = g.choice(learned, (len(asked), 3))
    np.savez(
        run / "map.npz",
        points=points.astype(np.float32),
        index=index,
        share=np.float32(0.42),
        asked=asked,
        similar=similar,
        cosine=g.uniform(0.6, 1, similar.shape).astype(np.float32),
        pixels=g.integers(0, 256, (len(asked), 4, 40, 48, 3), dtype=np.uint8),
    )
    return run
