"""Small pictures, folders and archives of them."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

QUICK = ("--epochs", "2", "--set", "batch_size=8")  # of `svertka train`, for tests that only need a run


def shapes(folder, classes=("disc", "cross"), each=12, side=16, seed=0):
    """A folder of small gray pictures that can be told apart."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for k in range(each):
            cy, cx = g.integers(5, side - 5, 2)
            disc, cross = (y - cy) ** 2 + (x - cx) ** 2 < 12, (abs(y - cy) < 1) | (abs(x - cx) < 1)
            mask = cross if number % 2 else disc
            picture = g.integers(0, 60, (side, side)) + 180 * mask
            Image.fromarray(picture.astype(np.uint8)).save(folder / name / f"{k}.png")
    return folder


def photo(seed: int, size=(120, 90)) -> Image.Image:
    """A picture with the spectrum of a photograph (amplitude 1 / frequency), different for each seed."""
    g = np.random.default_rng(seed)
    w, h = size
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None]
    falloff = 1 / np.maximum(1 / max(h, w), np.hypot(fy, fx))
    noise = np.fft.ifft2(np.fft.fft2(g.normal(size=(3, h, w))) * falloff).real.transpose(1, 2, 0)  # (h, w, 3)
    noise = noise @ (np.eye(3) * 0.3 + 0.7)  # colors go together
    return Image.fromarray(np.clip(125 + 50 * noise / noise.std(), 0, 255).astype(np.uint8))


def photos_twice(root: Path, *, each: int, classes=("a", "b")) -> None:
    """Of each picture k.jpg there is a smaller one, k-again.jpg, saved at another quality."""
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for k in range(each):
            image = photo(500 * number + k)
            image.save(root / name / f"{k:02}.jpg", quality=90)
            image.resize((96, 72)).save(root / name / f"{k:02}-again.jpg", quality=60)


def png(value: int = 0, size: tuple[int, int] = (4, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, value).save(file, "PNG")
    return file.getvalue()


def fill(root: Path, *names: str) -> Path:
    """Write a different picture under every name; a name that ends in a slash is a folder."""
    for i, name in enumerate(names):
        place = root / name
        if name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(png(i % 256, (4, 4 + i // 256)))
    return root


def as_zip(root: Path, target: Path, **options) -> Path:
    with zipfile.ZipFile(target, "w", **options) as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
    return target


def as_tar(root: Path, target: Path, mode: str = "w") -> Path:
    with tarfile.open(target, mode) as archive:
        archive.add(root, ".")
    return target
