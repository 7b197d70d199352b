from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import FileSystemStorage
from django.db.models.fields.files import FieldFile, FileField
from PIL import Image

from shopvision.images.decode import DecodeLimits, decode
from shopvision.images.preprocess import fit_inside
from shopvision.indexing.photos import Photo, look


def stored(folder: Path, side: int, orientation: int = 1) -> FieldFile:
    """A JPEG of soft blobs, twice as wide as it is high."""
    rng = np.random.default_rng(3)
    blobs = Image.fromarray(rng.integers(0, 255, (6, 12, 3), np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    out = io.BytesIO()
    blobs.resize((side, side // 2), Image.Resampling.BICUBIC).save(out, "JPEG", quality=95, exif=exif)
    (folder / "photo.jpg").write_bytes(out.getvalue())
    field = FileField(storage=FileSystemStorage(folder))
    return FieldFile(None, field, "photo.jpg")  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "seen"), [(200, (200, 100)), (600, (600, 300)), (3000, (1024, 512))])
def test_a_photo_is_decoded_no_larger_than_needed_and_keeps_its_size(
    tmp_path: Path, side: int, seen: tuple[int, int]
) -> None:
    """Within three grey levels of decoding all of it: the decoder's own scaling is a mean of cells."""
    file = stored(tmp_path, side)
    found = look(Photo(1, file), ("digest",), DecodeLimits(), 224)
    assert (found.facts["width"], found.facts["height"]) == seen
    assert (found.facts["quality"]["width"], found.facts["quality"]["height"]) == seen
    whole = fit_inside(decode((tmp_path / "photo.jpg").read_bytes()), 224)
    assert found.pixels is not None
    assert found.pixels.size == whole.size
    difference = np.abs(np.asarray(found.pixels, int) - np.asarray(whole, int))
    assert difference.mean() < 3


def test_a_photo_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    found = look(Photo(1, stored(tmp_path, 600, 6)), ("digest",), DecodeLimits(), 224)
    assert (found.facts["width"], found.facts["height"]) == (300, 600)
    assert found.pixels is not None
    assert found.pixels.size == (112, 224)


def test_encoders_of_different_squares_get_the_whole_photo(tmp_path: Path) -> None:
    found = look(Photo(1, stored(tmp_path, 600)), ("digest",), DecodeLimits())
    assert found.pixels is not None
    assert found.pixels.size == (600, 300)


def test_what_is_no_photo_has_its_code(tmp_path: Path) -> None:
    file = stored(tmp_path, 100)
    (tmp_path / "photo.jpg").write_bytes(b"nothing of the kind")
    assert look(Photo(1, file), ("digest",), DecodeLimits(), 224).code == "unsupported_format"
