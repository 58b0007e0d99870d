"""What is known of a body that was checked: what later stages take, apart from what checks (`svm.module.body`).

A `ValidFunction` comes from `ValidModule.function` only.
"""

from __future__ import annotations

from collections.abc import Sequence

from svm.hints import TYPE_CHECKING
from svm.isa import FuncType, ValueType
from svm.module.model import GlobalType, MemoryType, TableType
from svm.record import record

if TYPE_CHECKING:
    from svm.module.code import Instruction

__all__ = ["FUNCTION", "Block", "Context", "ValidFunction"]

FUNCTION = -1
"""Key of the block that is the whole function, in `ValidFunction.blocks`; other blocks have the index of their start.
"""


@record
class Context:
    """The index spaces of a module, imports first.

    declared: functions that `ref.func` may name, those that stand outside of bodies too.  constants: how many of the
    globals (the imported ones) constant expressions may read.  widest: the most operands that an instruction of two
    bytes may give, at least 1.  extensions: whether svm's own instructions may be used.
    data_count: whether bodies may name data segments, which a `.wasm` must have counted before.
    """

    types: tuple[FuncType, ...]
    functions: tuple[FuncType, ...]
    tables: tuple[TableType, ...]
    memories: tuple[MemoryType, ...]
    globals: tuple[GlobalType, ...]
    tags: tuple[FuncType, ...]
    elements: tuple[ValueType, ...]
    data: int
    declared: frozenset[int]
    constants: int
    widest: int = 1
    extensions: bool = True
    data_count: bool = True


@record
class Block:
    """A structured block.  start, otherwise (its `else`), end: indices of instructions.  height: operands beneath its
    parameters.

    catches: (tag or None for all, key of the block branched to), for a `try_table`.  parent: key of the enclosing
    block.
    """

    kind: str
    start: int
    otherwise: int | None
    end: int
    height: int
    type: FuncType
    parent: int
    catches: tuple[tuple[int | None, int], ...] = ()

    @property
    def branch_types(self) -> tuple[ValueType, ...]:
        """What a branch to the block carries."""
        return self.type.params if self.kind == "loop" else self.type.results


@record
class ValidFunction:
    """A checked body.

    index: in the module's function space.  locals: types of all locals, parameters first.  blocks: by the index of
    their first instruction, the function's own by `FUNCTION`.  targets: keys of the blocks that a branch may go to,
    by the index of the branch.  heights: operands before each instruction, -1 where control never comes.  max_height:
    the most there are.
    """

    index: int
    type: FuncType
    locals: Sequence[ValueType]
    code: tuple[Instruction, ...]
    blocks: dict[int, Block]
    targets: dict[int, tuple[int, ...]]
    heights: tuple[int, ...]
    max_height: int
