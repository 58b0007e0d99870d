"""Files as blocks against files as bytes, and images that nothing changes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from svm.devices.blocks import BLOCK
from svm.devices.tree import CHARGE, ROOT, Directory, File, Image, Tree

EDGES = [0, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 255 * BLOCK, 256 * BLOCK + 1]
PLACE = st.one_of(st.integers(0, 3 * BLOCK), st.sampled_from(EDGES))
DATA = st.one_of(
    st.binary(max_size=20), st.builds(lambda byte, size: bytes([byte]) * size, st.sampled_from([0, 7]), PLACE)
)
CHANGE = st.one_of(
    st.tuples(st.just("write"), PLACE, DATA), st.tuples(st.just("resize"), PLACE, st.just(b"")),
    st.tuples(st.just("read"), PLACE, DATA),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(CHANGE, max_size=12))
def test_a_file_is_what_its_bytes_are(changes: list[tuple[str, int, bytes]]) -> None:
    file, model = File(), bytearray()
    for what, at, data in changes:
        if what == "write":
            model.extend(bytes(max(at - len(model), 0)) if data else b"")
            model[at : at + len(data)] = data
            if data:
                file.write(at, data)
        elif what == "resize":
            del model[at:]
            model.extend(bytes(at - len(model)))
            file.resize(at)
        else:
            assert file.read(at, len(data)) == model[at : at + len(data)]
        assert (file.size, file.read(0, file.size)) == (len(model), model)
    assert not any(block.endswith(b"\0") or not block or len(block) > BLOCK for _, block in file.blocks)
    assert all(number * BLOCK + len(block) <= file.size for number, block in file.blocks)


def seen(image: Image) -> list[object]:
    """All that an image holds, in a form that shares nothing with it."""
    found: list[object] = [image.following, image.used]
    for number, node in sorted(image.nodes.items()):
        what = (node.size, list(node.blocks)) if isinstance(node, File) else (node.parent, dict(node.entries))
        found.append((number, node.linked, node.accessed, node.modified, what))
    return found


def test_an_image_stays_as_it_was() -> None:
    tree = Tree()
    d = tree.create(ROOT, "d", Directory, 1)
    f = tree.create(d, "f", File, 2)
    tree.write(f, 0, b"x" * 10_000, 3)
    image = tree.image()
    before = seen(image)
    other = Tree(image)
    for each in (tree, other):
        each.write(f, 5000, b"other", 4)
        each.resize(f, 6000, 5)
        each.set_times(d, 6, None)
        each.rename((d, "f"), (ROOT, "g"), 7)
        each.create(d, "h", File, 8)
        assert each.unlink(ROOT, "g", 9) == f
        each.drop(f)
    assert seen(image) == before
    assert seen(tree.image()) == seen(other.image()) != before
    tree.put(image)
    assert seen(tree.image()) == before


def test_what_is_not_changed_is_shared() -> None:
    tree = Tree()
    numbers = [tree.create(ROOT, name, File, 0) for name in "abc"]
    for number in numbers:
        tree.write(number, 0, bytes([number]) * (1 << 20), 0)
    first = tree.image()
    assert tree.image().nodes is first.nodes
    tree.write(numbers[0], 0, b"changed", 0)
    second = tree.image()
    assert [first.nodes[number] is second.nodes[number] for number in numbers] == [False, True, True]
    old, new = first.nodes[numbers[0]], second.nodes[numbers[0]]
    assert isinstance(old, File) and isinstance(new, File)
    assert [old.blocks[at] is new.blocks[at] for at in range(256)] == [False] + [True] * 255


def test_a_change_copies_no_more_than_a_part_of_a_list() -> None:
    file = File()
    file.write(0, b"x" * (3 << 20))
    copy = file.copy()
    copy.write(1 << 20, b"changed")
    shared = [
        mine is theirs for mine, theirs in zip(file.blocks._parts.values(), copy.blocks._parts.values(), strict=True)
    ]
    assert shared == [True, False, True]
    copy.resize(5000)
    copy.resize(3 << 20)
    assert file.read(0, 4 << 20) == b"x" * (3 << 20) and copy.read(0, 4 << 20) == b"x" * 5000 + bytes((3 << 20) - 5000)


def test_what_is_charged() -> None:
    tree = Tree()
    assert tree.used == 0
    f = tree.create(ROOT, "é", File, 0)
    assert tree.used == CHARGE + 2
    tree.write(f, 100, b"x", 0)
    assert tree.used == CHARGE + 2 + 101
    tree.write(f, 0, b"y", 0)
    tree.resize(f, 50, 0)
    assert tree.used == CHARGE + 2 + 50
    tree.rename((ROOT, "é"), (ROOT, "long"), 0)
    assert tree.used == CHARGE + 4 + 50
    tree.unlink(ROOT, "long", 0)
    assert tree.used == CHARGE + 50
    tree.drop(f)
    assert tree.used == 0


def test_walks_are_in_order_and_not_recursive() -> None:
    tree = Tree()
    number = ROOT
    for _ in range(100):
        number = tree.create(number, "d", Directory, 0)
    tree.create(number, "f", File, 0)
    tree.create(ROOT, "a", File, 0)
    paths = [path for path, _ in tree.walk()]
    assert paths[:2] == ["d", "d/d"] and paths[-2:] == ["d/" * 100 + "f", "a"]
    assert (tree.depth(number), tree.height(ROOT), tree.height(number)) == (100, 101, 1)
