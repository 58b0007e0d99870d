"""Modules whose interface lies, or whose functions do not keep to it: the host gets an error, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

import svm
from svm.module import Custom, Module, from_text
from tests.conftest import Spawn

MODULE = """
module $liar version 1
import "host" "ask" func $ask (param i32) (result i32)
memory $m 1 1
export "memory" memory $m
export "give" func $give
export "plain" func $plain
export "asks" func $asks
export "krait:room" func $room
data $d active at (i32.const 0) "{data}"
func $give (result i32)
  i32.const {give}
end
func $plain (param i64) (result i64)
  local.get 0
end
func $asks (param i64) (result i64)
  i32.const {give}
  call $ask
  i64.extend_i32_u
end
func $room (param i32) (result i32)
{room}
end
"""
INTERFACE = """
class Color(Enum):
    RED = 1

@dataclass
class Node:
    next: Node | None

def give({params}) -> {result}: ...
def plain(a: int) -> int: ...
def asks(a: int) -> int: ...

@host("host")
def ask(text: str) -> str: ...
"""


NO_ROOM = "  i32.const 0"


def module(interface: str, data: bytes, give: int, room: str) -> Module:
    text = MODULE.replace("{data}", "".join(f"\\{byte:02x}" for byte in data))
    model = from_text(text.replace("{give}", str(give)).replace("{room}", room))
    return replace(model, customs=(Custom("svm.interface", interface.encode()),))


def liar(
    spawn: Spawn, result: str = "str", *, data: bytes = b"", give: int = 0, room: str = NO_ROOM, params: str = ""
) -> svm.Guest:
    interface = INTERFACE.replace("{params}", params).replace("{result}", result)
    return spawn(module(interface, data, give, room), host={"ask": lambda text: text})


def value(data: bytes, length: int | None = None) -> bytes:
    return (len(data) if length is None else length).to_bytes(4, "little") + data


TRUTH = value(b"\1" + (2).to_bytes(4, "little") + b"ab")


def test_one_that_tells_the_truth(spawn: Spawn) -> None:
    guest = liar(spawn, data=TRUTH, room="  i32.const 100")
    assert guest.call("give") == "ab"
    assert guest.call("asks", 1) == 0  # the host function's result lies at 100
    assert guest.read_bytes(100, 7) == TRUTH[4:]


@pytest.mark.parametrize(
    ("result", "data", "give"),
    [
        ("str", b"", -1),
        ("str", b"", 65533),
        ("str", value(b"", 0xFFFF_FFFF), 0),
        ("str", value(b"", 65536), 0),
        ("str", value(b"\1\xff\xff\xff\xffab"), 0),
        ("str", value(b"\3\1\0\0\0abc"), 0),
        ("str", value(b"\4\1\0\0\0\xff\xff\xff\xff"), 0),
        ("int | None", value(b"\7"), 0),
        ("list[int]", value(b"\xff\xff\xff\xff"), 0),
        ("Color", value(b"\1\0\0\0"), 0),
        ("Node", value(b"\1" * 60_000), 0),
        ("Node", value(b"\0\0"), 0),
        ("str | int", value(b"\2"), 0),
    ],
)
def test_what_is_handed_out_is_looked_at(spawn: Spawn, result: str, data: bytes, give: int) -> None:
    guest = liar(spawn, result, data=data, give=give)
    with pytest.raises(svm.InterfaceError, match="the guest handed out"):
        guest.call("give")
    assert guest.task is None
    assert guest.call("plain", 5) == 5


def test_arguments_of_host_functions_too(spawn: Spawn) -> None:
    for data, give in [(b"", 65533), (value(b"\1\xff\xff\xff\xffab"), 0)]:
        guest = liar(spawn, data=data, give=give, room="  i32.const 100")
        with pytest.raises(svm.InterfaceError, match="the guest handed out"):
            guest.call("asks", 1)
        assert guest.call("plain", 5) == 5


@pytest.mark.parametrize(
    ("room", "error", "message"),
    [
        ("  i32.const 0", svm.LimitError, "the guest has no room for a value of 7 bytes"),
        ("  unreachable", svm.LimitError, "the guest has no room"),
        ("  loop $l\n    br $l\n  end\n  unreachable", svm.LimitError, "the guest has no room"),
        ("  i32.const -1", svm.InterfaceError, "the guest gives room at 0xffffffff, beyond its memory of 65536 bytes"),
        ("  i32.const 65530", svm.InterfaceError, "beyond its memory"),
    ],
)
def test_room_that_is_none(spawn: Spawn, room: str, error: type[svm.Error], message: str) -> None:
    guest = liar(spawn, data=TRUTH, room=room, params="text: str")
    with pytest.raises(error, match=message):
        guest.call("give", "ab")
    with pytest.raises(error, match=message):
        guest.call("asks", 1)
    assert guest.task is None
    assert guest.call("plain", 5) == 5


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("def give() -> int: ...", r"`give` is no exported function of the type \(\) -> \(i64\)"),
        ("def plain(a: float) -> int: ...", "`plain` is no exported function of the type"),
        ("def nowhere() -> str: ...", "`nowhere` is no exported function"),
        ('@host("host")\ndef other(a: str) -> str: ...', "`other` is no import of 'host'"),
        ("def give() -> dict[list[int], int]: ...", r"a list\[int\] cannot be a key"),
        ("def give() -> nothing: ...", "there is no type `nothing`"),
        ("def give(", "expected"),
        ("$", "no part of a signature"),
    ],
)
def test_an_interface_that_is_none(spawn: Spawn, interface: str, message: str) -> None:
    def use() -> None:
        spawn(module(interface, b"", 0, NO_ROOM), host={"ask": print}).call("give")

    with pytest.raises(svm.ModuleError, match=message):
        use()
