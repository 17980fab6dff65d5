"""pgbench's hash functions and its pseudorandom permutation, equal to its own for every value and seed.

FNV-1a is by Fowler, Noll and Vo, MurmurHash2 (64A) by Appleby. Both read the 8 bytes of a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotrow.script.prng import seeded, signed

if TYPE_CHECKING:
    from hotrow.script.prng import Prng

_MASK = (1 << 64) - 1
_FNV_PRIME = 0x100000001B3
_FNV_BASIS = 0xCBF29CE484222325
_MURMUR = 0xC6A4A7935BD1E995
_MURMUR_SHIFT = 47
_BYTES = 8
_ROUNDS = 6


def fnv1a(value: int, seed: int) -> int:
    """`hash_fnv1a`."""
    result = (_FNV_BASIS ^ seed) & _MASK
    for byte in (value & _MASK).to_bytes(_BYTES, "little"):
        result = (result ^ byte) * _FNV_PRIME & _MASK
    return signed(result)


def murmur2(value: int, seed: int) -> int:
    """`hash` and `hash_murmur2`."""
    block = (value & _MASK) * _MURMUR & _MASK
    block = (block ^ block >> _MURMUR_SHIFT) * _MURMUR & _MASK
    result = (seed ^ _BYTES * _MURMUR) & _MASK
    result = (result ^ block) * _MURMUR & _MASK
    result = (result ^ result >> _MURMUR_SHIFT) * _MURMUR & _MASK
    return signed(result ^ result >> _MURMUR_SHIFT)


def permute(value: int, size: int, seed: int) -> int:
    """The new position of `value` (modulo `size`) in a permutation of the numbers from 0 to `size` - 1.

    Each round scrambles the lower part of the range, then the upper part (both as long as the largest power
    of 2 that fits), and shifts everything.

    Raises:
        ValueError: the size is not above 0.
    """
    if size <= 0:
        raise ValueError(f"the size {size} must be above 0")
    if size == 1:
        return 0
    prng = seeded(seed)
    bits = size.bit_length() - 1
    mask = (1 << bits) - 1
    position = (value & _MASK) % size
    for _ in range(_ROUNDS):
        position = _scramble(position, prng, bits, mask)
        position = size - 1 - _scramble(size - 1 - position, prng, bits, mask)
        position = (position + prng.below(size)) % size
    return position


def _scramble(position: int, prng: Prng, bits: int, mask: int) -> int:
    """Multiply, flip and rotate a position that is within the mask; leave any other."""
    factor, flipped = prng.bits() & mask | 1, prng.bits() & mask
    if position > mask:
        return position
    position = (position * factor ^ flipped) & mask
    return (position << 1 & mask) | position >> (bits - 1)
