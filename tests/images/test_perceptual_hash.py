from __future__ import annotations

from shopvision.images.perceptual_hash import alike_pairs

BASE = 0x0F0F0F0F0F0F0F0F


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def test_hashes_within_four_bits_are_alike_and_five_are_not() -> None:
    hashes = [BASE, BASE ^ 0b1111, BASE ^ 0b11111, None, signed(BASE ^ (1 << 63))]
    assert list(alike_pairs(hashes)) == [(0, 1), (0, 4), (1, 2)]  # 4 bits, 1 bit, 1 bit; 5 bits are too many


def test_a_picture_without_contrast_is_like_nothing() -> None:
    assert list(alike_pairs([0, 0, -1, -1, 0b1111111, 0b1111111])) == []
