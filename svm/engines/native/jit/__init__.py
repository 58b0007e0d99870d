"""The compiler: functions to machine code through LLVM, in the place of their code in the interpreter's stream."""
