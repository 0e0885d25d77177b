"""Transfer from published weights: whole runs on hymenoptera.zip, and how fast features are extracted.

    python bench/transfer.py [--quick] [--epochs 25] [--only runs|auto|features]

Whole processes, one after the other: `svertka train ... --weights FILE` with an empty cache and again with the
features it kept; one plain forward pass over the same pictures (peers/frozen_head.py --forward); the usual tutorial
(peers/frozen_head.py); the same in Keras 3 (peers/keras_frozen.py, in the environment that BENCH_KERAS_VENV names).
`svertka train` on hymenoptera and flowers with nothing but the weights that it finds, and with `--minutes 3`: by how
much that beats the linear head on one network, with its interval.
Then pictures a second through the backbone alone, ours against plain eager PyTorch and ONNX Runtime, in the
environment that BENCH_ONNX_VENV names, or in this one.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common

FILE = "mobilenetv2_035_imagenet_notop.npz"
PEERS = Path(__file__).parent / "peers"
KERAS = os.environ.get("BENCH_KERAS_VENV")
ONNX = os.environ.get("BENCH_ONNX_VENV")
LIMIT = 1200.0
MINUTES = 3.0  # of the longer runs by `auto`
ALONE = {"hymenoptera.zip": 0.935, "flowers.zip": 0.83}  # promised of auto; what a regression on plain features gives
PICTURES = 128  # of one round of extraction; 32 in a rehearsal
PIECES = (1, 4, 8, 32)  # pictures at once; each peer is shown at its best


def python(folder: str | None) -> str | None:
    """The interpreter of a peer's virtual environment."""
    return str(Path(folder, "bin", "python")) if folder else None


def whole_runs(weights: Path, epochs: int, limit: int | None) -> None:
    with (
        common.unpacked(common.archive("hymenoptera.zip"), limit) as (folder, packed),
        tempfile.TemporaryDirectory() as temporary,
    ):
        env = common.environment(SVERTKA_CACHE=str(Path(temporary, "cache")))
        ours = ["train", str(packed), "--weights", str(weights), "--out"]
        first = common.race_svertka(*ours, str(Path(temporary, "first")), env=env)
        second = common.race_svertka(*ours, str(Path(temporary, "second")), env=env)
        root = next(p.parent for p in folder.rglob("train") if p.is_dir())
        plain = [sys.executable, str(PEERS / "frozen_head.py"), str(root), str(weights)]
        forward = common.race_peer([*plain, "--forward"], limit=LIMIT, enough=2, env=env)
        tutorial = common.race_peer([*plain, "--epochs", str(epochs)], limit=LIMIT, enough=2, env=env)
        print(f"svertka {first.seconds:.2f} s, again {second.seconds:.2f} s; the tutorial is done", flush=True)
        rows = [
            ("svertka train", first.seconds, (first.best.accuracy,)),
            ("svertka train, again", second.seconds, (second.best.accuracy,)),
            ("one plain pass: its process", forward.seconds, ()),
            ("one plain pass: looking alone", forward.last["looking"], ()),
            (f"the usual tutorial, {epochs} epochs", tutorial.points[-1].seconds, best_and_last(tutorial)),
        ]
        peers = {f"the usual tutorial, {epochs} epochs": 20, f"Keras 3, {epochs} epochs": 10}
        if keras := python(KERAS):
            command = [keras, str(PEERS / "keras_frozen.py"), str(root), str(weights), "--epochs", str(epochs)]
            race = common.race_peer(command, limit=LIMIT, enough=2, env=env)
            rows.append((f"Keras 3, {epochs} epochs", race.points[-1].seconds, best_and_last(race)))
            print(f"Keras peer: {race.last['versions']}")
    cells = [
        (name, f"{s:.2f}", f"{s / first.seconds:.2f}x", *(f"{a:.1%}" for a in scored), *[""] * (2 - len(scored)))
        for name, s, scored in rows
    ]
    print(common.table(("", "seconds", "to ours", "best validation", "last epoch"), cells))
    bound, ours = 1.3 * forward.last["looking"] + 3, first.best.accuracy
    print("\nPromised:")
    promise("1.3 plain passes and 3 s", f"{bound:.2f} s", f"{first.seconds:.2f} s", first.seconds <= bound)
    promise("again", "under 3 s", f"{second.seconds:.2f} s", second.seconds < 3)
    for name, seconds, scored in rows:
        if name in peers:
            ratio, (best, last) = seconds / first.seconds, scored
            promise(f"quicker than {name}", f"{peers[name]}x", f"{ratio:.1f}x", ratio >= peers[name])
            promise("at its best validation accuracy or above", f"{best:.1%}", f"{ours:.1%}", ours >= best)
            print(f"  Its best is the best of {epochs} measurements on the pictures that judge; it ends at {last:.1%}.")
    if KERAS is None:
        print("Keras was not run: BENCH_KERAS_VENV names no virtual environment with it.")


def by_auto(minutes: float, limit: int | None) -> None:
    """`svertka train DATA` with the weights beside the data, quick and with more time, and what that gains."""
    cells, kept = [], []
    for name, least in ALONE.items():
        with (
            common.unpacked(common.archive(name), limit) as (_, packed),
            tempfile.TemporaryDirectory() as temporary,
        ):
            env = common.environment(SVERTKA_CACHE=str(Path(temporary, "cache")), SVERTKA_DATA=str(common.DATA.parent))
            for asked in ((), ("--minutes", f"{minutes:g}")):
                out = str(Path(temporary, f"run{len(asked)}"))
                race = common.race_svertka("train", str(packed), *asked, "--out", out, env=env)
                told = race.last
                best = max(told["ladder"], key=lambda rung: (rung["kept"], rung["accuracy"]))
                plain = next(rung["accuracy"] for rung in told["ladder"] if rung["rung"] == "linear head")
                cells.append((
                    " ".join((name, *asked)), f"{race.seconds:.1f}", f"{best['rung']}, {best['backbone']}",
                    f"{race.best.accuracy:.1%}", f"{plain:.1%}", gained(told["gain"]),
                ))  # fmt: skip
                kept.append((cells[-1][0], least, race.best.accuracy))
    print("\n" + common.table(("auto", "seconds", "winner", "validation", "linear head", "gain"), cells))
    print("\nPromised of auto:")
    for what, least, reached in kept:
        promise(f"{what}: accuracy", f"{least:.1%}", f"{reached:.1%}", reached >= least)


def gained(gain: dict[str, float] | None) -> str:
    """Points of accuracy above the linear head on one network, on the same pictures, with their interval."""
    if gain is None:
        return "none: it won"
    return f"{100 * gain['difference']:+.1f} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"


def best_and_last(race: common.Race) -> tuple[float, float]:
    """The highest accuracy that a peer has shown, and the one that it ends with."""
    return race.best.accuracy, race.points[-1].accuracy


def promise(what: str, promised: str, measured: str, kept: bool) -> None:
    """One line of what was promised, and whether this run keeps it."""
    print(f"- {what}: promised {promised}, measured {measured}: {'kept' if kept else 'NOT kept'}", flush=True)


def extraction(weights: Path, rounds: int, pictures: int) -> None:
    """Least seconds over rounds in which all take turns, so that noise meets all."""
    import torch

    from svertka.hardware.parallel_inference import Streams, ways
    from svertka.models.fold_batch_norm import folded, quick
    from svertka.transfer.backbones import open_backbone

    opened = open_backbone(weights)
    x = torch.rand(pictures, *opened.preprocess.shape)
    lying = x.contiguous(memory_format=torch.channels_last)
    net = quick(opened.net, opened.preprocess.shape).to(memory_format=torch.channels_last)

    def see(which: slice) -> torch.Tensor:
        with torch.inference_mode():
            return net.embed(lying[which])

    def pieces(run: Callable[[slice], object], size: int) -> Callable[[], object]:
        return lambda: [run(slice(k, k + size)) for k in range(0, pictures, size)]

    runners: dict[str, Callable[[], object]] = {
        f"plain eager PyTorch, {size} at once": pieces(lambda some: opened.net.embed(x[some]), size) for size in PIECES
    }
    for way in ways("cpu"):
        runners[f"svertka, {way}"] = lambda way=way: list(Streams("look", [way]).run(see, pictures))
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        seen = onnx_runner(folded(opened.net, opened.preprocess.shape), x)
        runners |= {f"ONNX Runtime, {size} at once": pieces(seen, size) for size in PIECES}
    else:
        print("\nONNX Runtime is not here, and BENCH_ONNX_VENV names no virtual environment with it.")
    least = dict.fromkeys(runners, float("inf"))
    with torch.inference_mode():
        for _ in range(rounds):
            for name, run in runners.items():
                begun = time.perf_counter()
                run()
                least[name] = min(least[name], time.perf_counter() - begun)
    ours = min(s for name, s in least.items() if name.startswith("svertka"))
    cells = [(name, f"{pictures / s:.0f}", f"{s / ours:.2f}x") for name, s in least.items()]
    print("\n" + common.table(("features", "pictures a second", "of our time"), cells))
    print("\nPromised, each peer at its best batch:")
    for peer, times in (("plain eager PyTorch", 3), ("ONNX Runtime", 1)):
        if found := [s for name, s in least.items() if name.startswith(peer)]:
            ratio = min(found) / ours
            promise(f"features against {peer}", f"{times}x", f"{ratio:.2f}x", ratio >= times)


def onnx_runner(net: object, x: object) -> Callable[[slice], object]:
    """The folded backbone in ONNX Runtime with its usual settings: all cores, all optimizations."""
    import warnings

    import onnxruntime
    import torch

    class Embedding(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return net.embed(x)

    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the exporter which needs no onnxscript is the older one
        path = str(Path(temporary, "net.onnx"))
        names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
        torch.onnx.export(Embedding().eval(), (x[:2],), path, dynamo=False, **names)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    whole = x.numpy()
    return lambda some: session.run(None, {"x": whole[some]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=25, help="of the peers")
    parser.add_argument("--rounds", type=int, default=10, help="of extraction; the least time counts")
    parser.add_argument("--only", choices=("runs", "auto", "features"))
    parser.add_argument("--quick", action="store_true", help="a rehearsal: few pictures, one epoch, two rounds")
    options = parser.parse_args()
    weights = common.DATA.parent / "weights" / FILE
    epochs, rounds = (1, 2) if options.quick else (options.epochs, options.rounds)
    limit = 12 if options.quick else None
    if options.only != "features":
        print(common.machine() + "\n", flush=True)
    if options.only in (None, "runs"):
        whole_runs(weights, epochs, limit)
    if options.only in (None, "auto"):
        by_auto(0.3 if options.quick else MINUTES, limit)
    if options.only in (None, "features"):
        other = python(ONNX)
        if other is None or options.only == "features":
            extraction(weights, rounds, 32 if options.quick else PICTURES)
        else:
            command = [other, __file__, "--only", "features", "--rounds", str(rounds)]
            command += ["--quick"] if options.quick else []
            subprocess.run(command, env=common.environment(), check=True)


if __name__ == "__main__":
    sys.path.insert(0, str(common.ROOT / "src"))
    main()
