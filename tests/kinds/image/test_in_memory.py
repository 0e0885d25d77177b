"""Pictures in memory: the forms that are one, the same pixels in each, and a sentence for all else."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from svertka.errors import ReadError, UsageError
from svertka.kinds.image.decoder import decode
from svertka.kinds.image.in_memory import pixels_of

COLOR = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
GRAY = COLOR[..., 0].copy()


@pytest.mark.parametrize(
    "form",
    [
        COLOR,
        COLOR / 255,
        (COLOR / 255).astype(np.float32),
        torch.from_numpy(COLOR),
        torch.from_numpy(COLOR) / 255,
        (torch.from_numpy(COLOR) / 255).requires_grad_(),
        Image.fromarray(COLOR),
        Image.fromarray(COLOR).convert("RGBA"),
        np.dstack([COLOR, np.full((9, 11), 255, np.uint8)]),
        np.asfortranarray(COLOR),
        COLOR[:, ::-1][:, ::-1],
    ],
)
def test_every_form_of_a_color_picture_is_the_same_pixels(form):
    assert np.array_equal(pixels_of(form, "x"), COLOR)


@pytest.mark.parametrize(
    "form",
    [
        GRAY,
        GRAY[..., None],
        GRAY / 255,
        torch.from_numpy(GRAY),
        torch.from_numpy(GRAY)[..., None],
        Image.fromarray(GRAY),
    ],
)
def test_every_form_of_a_gray_picture_is_the_same_pixels(form):
    assert np.array_equal(pixels_of(form, "x"), GRAY)


def test_half_precision_is_off_by_a_level_at_most():
    for kind in (torch.float16, torch.bfloat16):
        found = pixels_of((torch.from_numpy(COLOR) / 255).to(kind), "x")
        assert np.abs(found.astype(int) - COLOR).max() <= 1


def test_what_is_seen_through_is_shown_on_white():
    clear = np.dstack([COLOR, np.zeros((9, 11), np.uint8)])
    assert (pixels_of(clear, "x") == 255).all()
    assert (pixels_of(clear / 255, "x") == 255).all()


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_of_pillow_is_upright_as_its_file_is(turn):
    image, file = Image.fromarray(COLOR), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = turn
    image.save(file, "PNG", exif=exif)
    assert np.array_equal(pixels_of(Image.open(file), "x"), decode(file.getvalue(), "x"))


def test_a_damaged_file_that_pillow_only_opened_is_unreadable():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (99, 99, 3), np.uint8)).save(file, "PNG")
    image = Image.open(io.BytesIO(file.getvalue()[:900]))
    with pytest.raises(ReadError, match="cannot be read"):
        pixels_of(image, "x")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (COLOR.astype(np.float32), ["(9, 11, 3)", "float32", "from 0 to 255", "x / 255"]),
        (COLOR.astype(np.int64), ["int64", "astype('uint8')"]),
        (GRAY.astype(np.uint16) * 257, ["uint16", "x / 65535"]),
        (GRAY > 9, ["bool"]),
        (np.arange(64.0).reshape(8, 8) % 17, ["from 0 to 16", "x / 16"]),
        (COLOR / 127.5 - 1, ["float64", "from -1 to 1"]),
        (np.full((4, 4), np.nan), ["nan"]),
        (np.full((4, 4), np.inf), ["inf"]),
        (COLOR.transpose(2, 0, 1), ["(3, 9, 11)", "permute(1, 2, 0)"]),
        (np.zeros((100, 28, 28), np.uint8), ["(100, 28, 28)", "x[..., None]"]),
        (np.zeros((9, 9, 2), np.uint8), ["(9, 9, 2)"]),
        (np.zeros((0, 9, 3), np.uint8), ["empty"]),
        (np.zeros((9, 0), np.float32), ["empty"]),
        (np.zeros(9, np.uint8), ["(9,)"]),
        (np.zeros((), np.uint8), ["()"]),
        (np.zeros((2, 2, 9, 9, 3), np.uint8), ["(2, 2, 9, 9, 3)"]),
        (COLOR.astype(complex), ["complex128"]),
        (torch.zeros(3, 8, 8), ["(3, 8, 8)", "permute(1, 2, 0)"]),
        (torch.zeros(8, 8, dtype=torch.int64), ["int64"]),
    ],
)
def test_all_else_is_one_sentence_with_shape_type_and_range(array, words):
    with pytest.raises(UsageError) as found:
        pixels_of(array, "picture 3")
    message = str(found.value)
    assert message.startswith("picture 3 has shape")
    assert "floats from 0 to 1" in message
    assert all(word in message for word in words), message
    assert "\n" not in message


@settings(max_examples=300, deadline=None)
@given(
    hnp.arrays(
        st.one_of(hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(), hnp.boolean_dtypes(),
                  hnp.complex_number_dtypes(), hnp.datetime64_dtypes()),
        hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    )
)  # fmt: skip
def test_any_array_is_pixels_or_a_sentence(array):
    try:
        found = pixels_of(array, "it")
    except UsageError:
        return
    assert found.dtype == np.uint8
    assert found.shape[:2] == array.shape[:2]
