"""Digests of contents: BLAKE2b of 256 bits (RFC 7693).

In: bytes. Out: their digest, which names modules and cached files, and tells whole ones from damaged ones.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b  # what hashlib gives out; but that loads OpenSSL too, which takes milliseconds
except ImportError:
    from hashlib import blake2b

__all__ = ["DIGEST_BYTES", "digest"]

DIGEST_BYTES = 32


def digest(*parts: bytes) -> bytes:
    """The digest of the parts, one behind the other."""
    state = blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        state.update(part)
    return state.digest()
