"""Transfer from published weights: whole runs on hymenoptera.zip, and how fast features are extracted.

    python bench/transfer.py [--epochs 25] [--rounds 10] [--skip-peer]

Whole processes, side by side: `svertka train ... --weights FILE` with an empty cache and again with the
features it kept; one plain forward pass over the same pictures (peers/frozen_head.py --forward); the usual
tutorial (peers/frozen_head.py). Then pictures a second through the backbone alone, ours against plain eager
PyTorch and, where it is installed, ONNX Runtime.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common

FILE = "mobilenetv2_035_imagenet_notop.npz"
PEER = Path(__file__).parent / "peers" / "frozen_head.py"
LIMIT = 1200.0
BATCH = 32


def whole_runs(weights: Path, epochs: int, skip_peer: bool) -> None:
    source = common.archive("hymenoptera.zip")
    with common.unpacked(source) as (folder, _), tempfile.TemporaryDirectory() as temporary:
        env = common.environment(SVERTKA_CACHE=str(Path(temporary, "cache")))
        ours = ["train", str(source), "--weights", str(weights), "--out"]
        first = common.race_svertka(*ours, str(Path(temporary, "first")), env=env)
        second = common.race_svertka(*ours, str(Path(temporary, "second")), env=env)
        root = next(p.parent for p in folder.rglob("train") if p.is_dir())
        peer = [sys.executable, str(PEER), str(root), str(weights)]
        forward = common.race_peer([*peer, "--forward"], limit=LIMIT, enough=2, env=env)
        rows = [
            ("svertka train", first.seconds, first.best.accuracy),
            ("svertka train, again", second.seconds, second.best.accuracy),
            ("one plain pass: its process", forward.seconds, None),
            ("one plain pass: looking alone", forward.last["looking"], None),
        ]
        if not skip_peer:
            tutorial = common.race_peer([*peer, "--epochs", str(epochs)], limit=LIMIT, enough=2, env=env)
            rows.append((f"the usual tutorial, {epochs} epochs", tutorial.seconds, tutorial.best.accuracy))
    cells = [(name, f"{s:.2f}", f"{s / first.seconds:.2f}x", "" if a is None else f"{a:.1%}") for name, s, a in rows]
    print(common.table(("", "seconds", "to ours", "validation"), cells))
    bound = 1.3 * forward.last["looking"] + 3
    print(f"\n1.3 plain passes and 3 s are {bound:.2f} s; svertka took {first.seconds:.2f} s.")


def extraction(weights: Path, rounds: int) -> None:
    import torch

    from svertka.transfer.backbones import open_backbone
    from svertka.transfer.folding import folded

    opened = open_backbone(weights)
    x = torch.rand(BATCH, *opened.preprocess.shape)
    quick = folded(opened.net, opened.preprocess.shape).to(memory_format=torch.channels_last)
    lying = x.to(memory_format=torch.channels_last)
    runners: dict[str, Callable[[], object]] = {
        "plain eager PyTorch": lambda: opened.net.embed(x),
        "svertka": lambda: quick.embed(lying),
    }
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        runners["ONNX Runtime"] = onnx_runner(quick, x)
    least = dict.fromkeys(runners, float("inf"))
    with torch.inference_mode():
        for _ in range(rounds):  # they take turns, so that noise meets all
            for name, run in runners.items():
                begun = time.perf_counter()
                run()
                least[name] = min(least[name], time.perf_counter() - begun)
    plain = least["plain eager PyTorch"]
    cells = [(name, f"{BATCH / s:.0f}", f"{plain / s:.2f}x") for name, s in least.items()]
    print("\n" + common.table(("features", "pictures a second", "to plain"), cells))


def onnx_runner(net: object, x: object) -> Callable[[], object]:
    import onnxruntime
    import torch

    class Embedding(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return net.embed(x)

    with tempfile.TemporaryDirectory() as temporary:
        path = str(Path(temporary, "net.onnx"))
        torch.onnx.export(Embedding().eval(), (x,), path, dynamo=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy()}
    return lambda: session.run(None, feed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=25, help="of the peer")
    parser.add_argument("--rounds", type=int, default=10, help="of extraction; the least time counts")
    parser.add_argument("--skip-peer", action="store_true", help="leave the usual tutorial out")
    options = parser.parse_args()
    weights = common.DATA.parent / "weights" / FILE
    print(common.machine() + "\n")
    whole_runs(weights, options.epochs, options.skip_peer)
    extraction(weights, options.rounds)


if __name__ == "__main__":
    sys.path.insert(0, str(common.ROOT / "src"))
    main()
