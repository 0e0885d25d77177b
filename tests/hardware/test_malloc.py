"""Memory that stays: fewer page faults in a step, and given back in the end."""

import os
import subprocess
import sys

import pytest

from svertka.data.store.worker_process import _ENVIRONMENT
from svertka.hardware import malloc

# Blocks as a step allocates and frees them, in a process of its own: what other tests did to its heap must not count.
# Some blocks stay allocated between the freed ones, as weights do.
CODE = """
import contextlib, resource, torch
from pathlib import Path
from svertka.hardware.malloc import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        blocks = [torch.ones(1_000_000) for _ in range(10)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

plainly = faults()
with kept_memory():
    faults()
    kept, during = faults(), resident()
print(plainly, kept, during, resident())
"""


@pytest.mark.skipif(malloc._functions() is None, reason="not glibc")
def test_freed_memory_is_used_again_and_given_back_in_the_end():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    plainly, kept, during, after = map(int, done.stdout.split())
    assert plainly > 5_000
    assert kept < plainly / 20
    assert after < during - 5_000  # pages


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_another_c_library_is_left_alone(monkeypatch, platform):
    class Musl:
        """Has no mallopt."""

    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: Musl())
    monkeypatch.setattr(malloc.sys, "platform", platform)
    assert malloc._functions() is None
    inside = False
    with malloc.kept_memory():
        inside = True
    assert inside


# Photographs as a decode worker brings them to size, in a process with the environment of one.
READING = """
import io, resource, numpy as np
from PIL import Image
from svertka.kinds.image import Preprocess, read
noise = np.random.default_rng(0).integers(0, 256, (47, 63, 3), dtype=np.uint8)
file = io.BytesIO()
Image.fromarray(noise).resize((500, 375)).save(file, "JPEG", quality=90)
for _ in range(3):
    read(file.getvalue(), Preprocess(224, 224, 3, "crop"), "x")
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    read(file.getvalue(), Preprocess(224, 224, 3, "crop"), "x")
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(malloc._functions() is None, reason="not glibc")
def test_a_decode_worker_finds_the_memory_of_the_picture_before():
    environment = os.environ | _ENVIRONMENT
    done = subprocess.run([sys.executable, "-c", READING], capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) < 20 * 10  # each picture takes 1.4 MB, 350 pages
