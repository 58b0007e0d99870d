"""LLVM: text IR to an object file.  The only module that imports llvmlite, and itself imported only to compile."""

from __future__ import annotations

import llvmlite.binding as llvm

__all__ = ["compile_object", "version"]

_TRIPLE = "x86_64-unknown-linux-gnu"


def version() -> str:
    """LLVM's version."""
    return ".".join(map(str, llvm.llvm_version_info))


def compile_object(ir: str, cpu: str, *, level: int = 1, optimise: bool = False) -> bytes:
    """An ELF object of a module of IR for a processor, without undefined symbols if the IR needs none.

    optimise: run the passes over IR of that level too, not only the code generator's.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(ir)
    module.triple = _TRIPLE
    module.verify()
    target = llvm.Target.from_triple(_TRIPLE)
    machine = target.create_target_machine(cpu=cpu, opt=level, reloc="pic", codemodel="small")
    if optimise:
        llvm.set_option("", "-x86-cmov-converter=false")  # it turns selects of loops over data into branches: slower
        llvm.set_option("", "-runtime-memory-check-threshold=24")  # comparisons before a vectorised loop; else 8
        llvm.set_option("", "-post-RA-scheduler=false")  # a twentieth of the time, for nothing that can be measured
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        builder = llvm.create_pass_builder(machine, options)
        passes = builder.getModulePassManager()
        passes.run(module, builder)
        # From 0.45 on llvmlite forgets to: its class inherits the empty `_dispose` first. It is 80 KB for each call.
        llvm.ffi.lib.LLVMPY_DisposeNewModulePassManger(passes)
        passes.detach()
    compiled: bytes = machine.emit_object(module)
    return compiled
