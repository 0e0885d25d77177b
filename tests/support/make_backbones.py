"""Small networks and folders of pictures for the tests of transfer."""

import numpy as np
import torch
from PIL import Image

from svertka import zoo
from svertka.kinds.image import Preprocess
from svertka.models import describe
from svertka.transfer.backbones import Backbone

SIDE = 32
PREPROCESS = Preprocess(SIDE, SIDE, 3, "crop")


def shaken(name, **options):
    """A small network whose batch norms have something to say."""
    torch.manual_seed(0)
    net = zoo.net(name, classes=3, channels=3, **options)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return net.eval()


def backbone(name="resnet20", mean=(0.5,) * 3):
    net = shaken(name)
    preprocess = Preprocess(SIDE, SIDE, 3, "crop", mean=mean)
    return Backbone(name, net, preprocess, describe(net, name, preprocess.shape))


def photos(folder, each=8, classes=("red", "blue"), gray=False, side=48):
    g = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for k in range(each):
            pixels = g.integers(0, 90, (side, side, 3), dtype=np.uint8)
            pixels[..., number % 3] += 120
            image = Image.fromarray(pixels)
            (image.convert("L") if gray else image).save(folder / name / f"{k}.png")
    return folder


def both_parts(folder, *, each=5, classes=("red", "blue")):
    for part in ("train", "val"):
        photos(folder / part, each=each, classes=classes)
    return folder
