"""Is a forward pass of ours as fast as the same network written in plain PyTorch?

    PYTHONPATH=src python bench/forward.py [--batch 8] [--runs 20] [--threads 2]

Both networks get the same weights and must give the same logits; then their passes alternate, each first in
every other round, so that whatever else the machine does meets both. Printed are the medians, and the median
of the ratios of neighbors: below 1 ours is faster. Pictures are 224 x 224, memory is channels-last.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

from svertka import zoo
from svertka.zoo.weights.rename_tensors import load_state


class PlainBottleneck(nn.Module):
    """As every textbook on PyTorch writes it, under torchvision's names."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        c_out = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(c_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, c_out, 1, bias=False), nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class PlainResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        c_in = 64
        for number, (width, depth) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            layer = nn.Sequential()
            for block in range(depth):
                layer.append(PlainBottleneck(c_in, width, 2 if number > 1 and block == 0 else 1))
                c_in = 4 * width
            self.add_module(f"layer{number}", layer)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def conv_bn_relu6(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU6(inplace=True))


class PlainInvertedResidual(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = c_in * expansion
        self.residual = stride == 1 and c_in == c_out
        layers: list[nn.Module] = [conv_bn_relu6(c_in, hidden, 1)] if expansion > 1 else []
        layers.append(conv_bn_relu6(hidden, hidden, 3, stride, groups=hidden))
        self.conv = nn.Sequential(*layers, nn.Conv2d(hidden, c_out, 1, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class PlainMobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_bn_relu6(3, 32, 3, 2)]
        c_in = 32
        rows = (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        )
        for expansion, c, depth, stride in rows:
            for block in range(depth):
                layers.append(PlainInvertedResidual(c_in, c, 1 if block else stride, expansion))
                c_in = c
        self.features = nn.Sequential(*layers, conv_bn_relu6(320, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(torch.flatten(x, 1))


def seconds(net: nn.Module, x: Tensor) -> float:
    start = time.perf_counter()
    net(x)
    return time.perf_counter() - start


@torch.inference_mode()
def compare(name: str, plain: nn.Module, batch: int, runs: int) -> None:
    began = time.perf_counter()
    ours = zoo.net(name)
    building = time.perf_counter() - began
    load_state(ours, plain.state_dict(), zoo.variant(name).renames["torchvision"])
    ours, plain = (net.eval().to(memory_format=torch.channels_last) for net in (ours, plain))
    x = torch.randn(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    torch.testing.assert_close(ours(x), plain(x))

    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for run in range(runs):
        for who, net in [("ours", ours), ("plain", plain)][:: 1 if run % 2 else -1]:
            times[who].append(seconds(net, x))
    ratio = statistics.median(a / b for a, b in zip(times["ours"], times["plain"], strict=True))
    ms = {who: 1000 * statistics.median(t) / batch for who, t in times.items()}
    print(
        f"{name}: ours {ms['ours']:.1f} ms a picture, plain {ms['plain']:.1f} ms, ratio {ratio:.3f}; "
        f"least of all runs {min(times['ours']) / min(times['plain']):.3f}; built in {building:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8, help="pictures a pass")
    parser.add_argument("--runs", type=int, default=20, help="passes of each network")
    parser.add_argument("--threads", type=int, default=2, help="cores")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    zoo.variants()  # what importing costs is not building
    compare("resnet50", PlainResNet50(), args.batch, args.runs)
    compare("mobilenet_v2", PlainMobileNetV2(), args.batch, args.runs)


if __name__ == "__main__":
    main()
