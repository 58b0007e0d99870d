"""Static data: string literals, bytes, the table of type descriptors.

In: constants as they are met. Out: their addresses at once, and in the end the bytes of the one data segment.
"""

from __future__ import annotations

import struct

from krait.check.types import ClassType, base_of
from krait.emit.layout import DESCRIPTOR, HEADER, ItemLayout, ObjectLayout, TypeIds

STACK_START = 1024
"""Where the shadow stack begins; what lies below is never used, so that a null reference is not an address."""
STACK_END = STACK_START + (1 << 18)
"""Where it ends: room for 65,536 references, more than a stack of frames of the usual size leads to."""
BASE = STACK_END
"""The address of the first static byte."""
_CLASSES = 127
"""Size classes of the heap, of 16 bytes each (`krait.heap`)."""
_STATIC_MARK = 1
"""In the collector's word: static objects are always marked."""
_ALIGNMENT = 16


class Statics:
    """The static data of a module."""

    def __init__(self, ids: TypeIds, text_class: ClassType, text_layout: ObjectLayout) -> None:
        self._bytes = bytearray()
        self._texts: dict[str, int] = {}
        self._octets: dict[bytes, int] = {}
        self._classes: dict[ClassType, int] = {}
        self._ids = ids
        self._text_id = ids.of(text_class)
        self._text_layout = text_layout
        self.size_classes = self.data(bytes(16 * _CLASSES))
        self.descriptors = self.data(bytes(DESCRIPTOR * (len(ids.order) + len(ids.items) + 1)))

    def data(self, content: bytes) -> int:
        """Place bytes, 8-aligned, and return their address."""
        self._bytes += bytes(-len(self._bytes) % 8)
        address = BASE + len(self._bytes)
        self._bytes += content
        return address

    def text(self, value: str) -> int:
        """Return the address of the string object of a literal; equal literals share one."""
        found = self._texts.get(value)
        if found is None:
            found = self._texts[value] = self.data(self._text_object(value))
        return found

    def octets(self, value: bytes, type_id: int, layout: ObjectLayout) -> int:
        """Return the address of the object of a literal of bytes; equal literals share one."""
        found = self._octets.get(value)
        if found is None:
            head = bytearray(layout.size)
            struct.pack_into("<II", head, 0, type_id, _STATIC_MARK)
            struct.pack_into("<I", head, layout.offsets["length"], len(value))
            struct.pack_into("<I", head, layout.offsets["kind"], 1)
            found = self._octets[value] = self.data(bytes(head) + value)
        return found

    def class_object(
        self, of: ClassType, layout: ObjectLayout, texts: dict[str, str], instances: ClassType | None, base: int
    ) -> int:
        """Return the address of the object that stands for a class, of the type ``type[C]``."""
        found = self._classes.get(of)
        if found is None:
            first, count = self._ids.range_of(instances) if instances is not None else (0, 0)
            values = {name: self.text(text) for name, text in texts.items()}
            values |= {"_first": first, "_count": count, "_base": base}
            content = bytearray(layout.size)
            struct.pack_into("<II", content, 0, self._ids.of(of), _STATIC_MARK)
            for field, value in values.items():
                struct.pack_into("<I", content, layout.offsets[field], value)
            found = self._classes[of] = self.data(bytes(content))
        return found

    def _text_object(self, value: str) -> bytes:
        widest = max(map(ord, value), default=0)
        kind = 1 if widest < 0x100 else 2 if widest < 0x10000 else 4
        encoding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[kind]
        offsets = self._text_layout.offsets
        head = bytearray(self._text_layout.size)
        struct.pack_into("<II", head, 0, self._text_id, _STATIC_MARK)
        struct.pack_into("<I", head, offsets["length"], len(value))
        struct.pack_into("<I", head, offsets["kind"], kind)
        return bytes(head) + value.encode(encoding, "surrogatepass")

    def describe(self, layouts: dict[ClassType, ObjectLayout]) -> None:
        """Fill the table of type descriptors."""
        for index, cls in enumerate(self._ids.order, 1):
            size = layouts[cls].size if cls in layouts else HEADER
            parent = base_of(cls)
            base = self._ids.of(parent) if parent is not None else 0
            name = cls.decl.name.partition(" (")[0]  # without what the compiler calls the class of a mark
            self._describe(index, size, base, self.text(name), self._object_map(layouts.get(cls)))
        for index, items in enumerate(self._ids.items, len(self._ids.order) + 1):
            self._describe(index, HEADER, 0, 0, self._item_map(items))

    def _describe(self, index: int, *entry: int) -> None:
        at = self.descriptors - BASE + DESCRIPTOR * index
        self._bytes[at : at + DESCRIPTOR] = struct.pack("<IIII", *entry)

    def _object_map(self, layout: ObjectLayout | None) -> int:
        """Place the reference map of a class: 0, the offsets of references, 0, those of addresses of items, 0."""
        if layout is None or not (layout.references or layout.owned):
            return 0
        return self._words(0, *layout.references, 0, *layout.owned, 0)

    def _item_map(self, items: ItemLayout) -> int:
        """Place the reference map of items: bytes of one, the offsets of references in the first one, 0, 0."""
        if not items.references:
            return 0
        return self._words(items.size, *(HEADER + offset for offset in items.references), 0, 0)

    def _words(self, *words: int) -> int:
        return self.data(struct.pack(f"<{len(words)}I", *words))

    def finish(self) -> tuple[bytes, int]:
        """Return the bytes of the segment at `BASE`, and the first address behind it that the heap can use."""
        end = BASE + len(self._bytes)
        return bytes(self._bytes), (end + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT


