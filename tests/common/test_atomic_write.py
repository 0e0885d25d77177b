"""A file is there whole or not at all, and nothing is written through a link."""

import os
import stat

import numpy as np
import pytest

from svertka.common.atomic_write import atomic_write, write_bytes, write_npz


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "f") as file:  # noqa: PT012
        file.write(b"half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["f"]  # noqa: PTH208
    assert (tmp_path / "f").read_bytes() == b"old"


def test_the_file_aside_is_new_and_nobody_can_guess_its_name(tmp_path):
    with atomic_write(tmp_path / "f") as one, atomic_write(tmp_path / "f") as other:
        assert one.name != other.name
    with atomic_write(tmp_path / "f") as file:
        assert stat.S_ISREG(os.lstat(file.name).st_mode)


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "f").symlink_to(tmp_path / "precious")
    write_bytes(tmp_path / "f", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "f").is_symlink()
    assert (tmp_path / "f").read_bytes() == b"new"


def test_arrays_come_back(tmp_path):
    write_npz(tmp_path / "a.npz", {"x": np.arange(3)})
    with np.load(tmp_path / "a.npz") as found:
        assert found["x"].tolist() == [0, 1, 2]


def test_a_long_name_is_no_longer_aside(tmp_path):
    write_bytes(tmp_path / ("n" * 255), b"x")
    assert [len(p.name) for p in tmp_path.iterdir()] == [255]
