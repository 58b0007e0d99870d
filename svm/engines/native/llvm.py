"""LLVM: text IR to an object file.  The only module that imports llvmlite, and itself imported only to compile."""

from __future__ import annotations

import llvmlite.binding as llvm

__all__ = ["compile_object", "version"]

_TRIPLE = "x86_64-unknown-linux-gnu"


def version() -> str:
    """LLVM's version."""
    return ".".join(map(str, llvm.llvm_version_info))


def compile_object(ir: str, cpu: str, *, level: int = 1) -> bytes:
    """An ELF object of a module of IR for a processor, without undefined symbols if the IR needs none."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(ir)
    module.triple = _TRIPLE
    module.verify()
    target = llvm.Target.from_triple(_TRIPLE)
    machine = target.create_target_machine(cpu=cpu, opt=level, reloc="static", codemodel="small")
    compiled: bytes = machine.emit_object(module)
    return compiled
