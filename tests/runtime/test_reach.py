"""Bytes and texts in the memory of guests that have no interface."""

from __future__ import annotations

import pytest

from svm import LimitError, Limits, UsageError
from tests.conftest import Spawn

MODULE = """
module $texts version 1
import "host" "told" func $told (param i32 i32)
memory $m 1 2
export "memory" memory $m
export "malloc" func $malloc
export "last" func $last
export "tell" func $tell
export "grow" func $grow
global $next mut i32 (i32.const 1024)
func $malloc (param $size i32) (result i32)
  global.get $next
  local.get $size
  i32.add
  i32.const 65536
  i32.gt_u
  if
    i32.const 0
    return
  end
  global.get $next
  global.get $next
  local.get $size
  i32.add
  global.set $next
end
func $last (param $at i32) (param $length i32) (result i32)
  local.get $at
  local.get $length
  i32.add
  i32.const 1
  i32.sub
  i32.load8_u
end
func $tell (param i32 i32)
  local.get 0
  local.get 1
  call $told
end
func $grow (result i32)
  i32.const 1
  memory.grow
end
"""


def test_texts_there_and_back(spawn: Spawn) -> None:
    heard: list[str] = []
    guest = spawn(MODULE, host={"told": lambda at, length: heard.append(guest.read_str(at, length))})
    at, length = guest.write_str("grüße")
    assert (at, length) == (1024, 7)
    assert guest.call("last", at, length) == ord("e")
    guest.call("tell", at, length)
    assert heard == ["grüße"]
    assert guest.write_bytes(b"ab\0cd", 2000) == 2000
    assert guest.read_str(2000) == "ab"
    assert guest.read_bytes(2000, 5) == b"ab\0cd"
    assert guest.read_str(2000, 2, encoding="latin-1") == "ab"
    assert guest.write_bytes(memoryview(b"xyz")) == 1031
    assert guest.read_bytes(65536, 0) == b""


def test_what_lies_beyond_is_refused(spawn: Spawn) -> None:
    guest = spawn(MODULE, host={"told": print})
    for attempt, message in [
        (lambda: guest.read_bytes(65530, 7), "7 bytes at 0xfffa do not lie in the guest's memory, which has 65536"),
        (lambda: guest.read_bytes(-1, 1), "an address and a length are whole numbers from 0"),
        (lambda: guest.read_bytes(0, 1 << 40), "do not lie in the guest's memory"),
        (lambda: guest.read_str(1 << 33), "do not lie in the guest's memory"),
        (lambda: guest.write_bytes(b"ab", 65535), "2 bytes at 0xffff do not lie"),
        (lambda: guest.write_bytes(b"", "a"), "an address and a length are whole numbers"),  # type: ignore[arg-type]  # on purpose
        (lambda: guest.read_str(0, 1, encoding="no"), "no encoding is named 'no'"),
    ]:
        with pytest.raises(UsageError, match=message):
            attempt()
    guest.write_bytes(b"\xff" * (65536 - 3000), 3000)
    with pytest.raises(UsageError, match="the text at 0xbb8 has no zero byte to end it"):
        guest.read_str(3000)
    with pytest.raises(UsageError, match="what lies at 0xbb8 is not utf-8: invalid start byte"):
        guest.read_str(3000, 1)


def test_an_allocator_without_room_and_none_at_all(spawn: Spawn) -> None:
    guest = spawn(MODULE, host={"told": print}, limits=Limits(memory="64 KiB"))
    with pytest.raises(LimitError, match="the guest's `malloc` has no room for 100000 bytes"):
        guest.write_bytes(bytes(100_000))
    bare = spawn('module $bare version 1\nmemory $m 1\nexport "memory" memory $m\n')
    with pytest.raises(UsageError, match="the module exports none of cabi_realloc, malloc, alloc, allocate"):
        bare.write_bytes(b"a")
    assert bare.write_bytes(b"a", 5) == 5


def test_a_view_of_the_memory_keeps_it_from_growing(spawn: Spawn) -> None:
    guest = spawn(MODULE, host={"told": print})
    view = memoryview(guest.memory)
    view[10:12] = b"hi"
    assert guest.read_str(10, 2) == "hi"
    assert guest.call("grow") == -1
    view.release()
    assert guest.call("grow") == 1
    assert len(guest.memory) == 2 * 65536
