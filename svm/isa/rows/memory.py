"""Rows that read and write linear memory."""

from __future__ import annotations

from svm.isa.numeric import copy, fill, find, sign_extend, three_way, unsigned
from svm.isa.op import Form, row

__all__ = ["MEMORY"]

MEMORY = (
    row(
        0x28, "i32.load", "i32 -> i32",
        unsigned,
        "%r = load i32, ptr %p, align 1",
        "Load 32 bits.",
        form=Form.LOAD, immediates="memarg", size=4,
    ),
    row(
        0x29, "i64.load", "i32 -> i64",
        unsigned,
        "%r = load i64, ptr %p, align 1",
        "Load 64 bits.",
        form=Form.LOAD, immediates="memarg", size=8,
    ),
    row(
        0x2A, "f32.load", "i32 -> f32",
        unsigned,
        "%r = load float, ptr %p, align 1",
        "Load 32 bits.",
        form=Form.LOAD, immediates="memarg", size=4,
    ),
    row(
        0x2B, "f64.load", "i32 -> f64",
        unsigned,
        "%r = load double, ptr %p, align 1",
        "Load 64 bits.",
        form=Form.LOAD, immediates="memarg", size=8,
    ),
    row(
        0x2C, "i32.load8_s", "i32 -> i32",
        lambda data: sign_extend(unsigned(data), 8, 32),
        """
        %n = load i8, ptr %p, align 1
        %r = sext i8 %n to i32
        """,
        "Load 8 bits, sign-extended.",
        form=Form.LOAD, immediates="memarg", size=1,
    ),
    row(
        0x2D, "i32.load8_u", "i32 -> i32",
        unsigned,
        """
        %n = load i8, ptr %p, align 1
        %r = zext i8 %n to i32
        """,
        "Load 8 bits, zero-extended.",
        form=Form.LOAD, immediates="memarg", size=1,
    ),
    row(
        0x2E, "i32.load16_s", "i32 -> i32",
        lambda data: sign_extend(unsigned(data), 16, 32),
        """
        %n = load i16, ptr %p, align 1
        %r = sext i16 %n to i32
        """,
        "Load 16 bits, sign-extended.",
        form=Form.LOAD, immediates="memarg", size=2,
    ),
    row(
        0x2F, "i32.load16_u", "i32 -> i32",
        unsigned,
        """
        %n = load i16, ptr %p, align 1
        %r = zext i16 %n to i32
        """,
        "Load 16 bits, zero-extended.",
        form=Form.LOAD, immediates="memarg", size=2,
    ),
    row(
        0x30, "i64.load8_s", "i32 -> i64",
        lambda data: sign_extend(unsigned(data), 8, 64),
        """
        %n = load i8, ptr %p, align 1
        %r = sext i8 %n to i64
        """,
        "Load 8 bits, sign-extended.",
        form=Form.LOAD, immediates="memarg", size=1,
    ),
    row(
        0x31, "i64.load8_u", "i32 -> i64",
        unsigned,
        """
        %n = load i8, ptr %p, align 1
        %r = zext i8 %n to i64
        """,
        "Load 8 bits, zero-extended.",
        form=Form.LOAD, immediates="memarg", size=1,
    ),
    row(
        0x32, "i64.load16_s", "i32 -> i64",
        lambda data: sign_extend(unsigned(data), 16, 64),
        """
        %n = load i16, ptr %p, align 1
        %r = sext i16 %n to i64
        """,
        "Load 16 bits, sign-extended.",
        form=Form.LOAD, immediates="memarg", size=2,
    ),
    row(
        0x33, "i64.load16_u", "i32 -> i64",
        unsigned,
        """
        %n = load i16, ptr %p, align 1
        %r = zext i16 %n to i64
        """,
        "Load 16 bits, zero-extended.",
        form=Form.LOAD, immediates="memarg", size=2,
    ),
    row(
        0x34, "i64.load32_s", "i32 -> i64",
        lambda data: sign_extend(unsigned(data), 32, 64),
        """
        %n = load i32, ptr %p, align 1
        %r = sext i32 %n to i64
        """,
        "Load 32 bits, sign-extended.",
        form=Form.LOAD, immediates="memarg", size=4,
    ),
    row(
        0x35, "i64.load32_u", "i32 -> i64",
        unsigned,
        """
        %n = load i32, ptr %p, align 1
        %r = zext i32 %n to i64
        """,
        "Load 32 bits, zero-extended.",
        form=Form.LOAD, immediates="memarg", size=4,
    ),
    row(
        0x36, "i32.store", "i32 i32 ->",
        lambda value: value.to_bytes(4, "little"),
        "store i32 %b, ptr %p, align 1",
        "Store 32 bits.",
        form=Form.STORE, immediates="memarg", size=4,
    ),
    row(
        0x37, "i64.store", "i32 i64 ->",
        lambda value: value.to_bytes(8, "little"),
        "store i64 %b, ptr %p, align 1",
        "Store 64 bits.",
        form=Form.STORE, immediates="memarg", size=8,
    ),
    row(
        0x38, "f32.store", "i32 f32 ->",
        lambda value: value.to_bytes(4, "little"),
        "store float %b, ptr %p, align 1",
        "Store 32 bits.",
        form=Form.STORE, immediates="memarg", size=4,
    ),
    row(
        0x39, "f64.store", "i32 f64 ->",
        lambda value: value.to_bytes(8, "little"),
        "store double %b, ptr %p, align 1",
        "Store 64 bits.",
        form=Form.STORE, immediates="memarg", size=8,
    ),
    row(
        0x3A, "i32.store8", "i32 i32 ->",
        lambda value: (value & 0xFF).to_bytes(1, "little"),
        """
        %n = trunc i32 %b to i8
        store i8 %n, ptr %p, align 1
        """,
        "Store the low 8 bits.",
        form=Form.STORE, immediates="memarg", size=1,
    ),
    row(
        0x3B, "i32.store16", "i32 i32 ->",
        lambda value: (value & 0xFFFF).to_bytes(2, "little"),
        """
        %n = trunc i32 %b to i16
        store i16 %n, ptr %p, align 1
        """,
        "Store the low 16 bits.",
        form=Form.STORE, immediates="memarg", size=2,
    ),
    row(
        0x3C, "i64.store8", "i32 i64 ->",
        lambda value: (value & 0xFF).to_bytes(1, "little"),
        """
        %n = trunc i64 %b to i8
        store i8 %n, ptr %p, align 1
        """,
        "Store the low 8 bits.",
        form=Form.STORE, immediates="memarg", size=1,
    ),
    row(
        0x3D, "i64.store16", "i32 i64 ->",
        lambda value: (value & 0xFFFF).to_bytes(2, "little"),
        """
        %n = trunc i64 %b to i16
        store i16 %n, ptr %p, align 1
        """,
        "Store the low 16 bits.",
        form=Form.STORE, immediates="memarg", size=2,
    ),
    row(
        0x3E, "i64.store32", "i32 i64 ->",
        lambda value: (value & 0xFFFFFFFF).to_bytes(4, "little"),
        """
        %n = trunc i64 %b to i32
        store i32 %n, ptr %p, align 1
        """,
        "Store the low 32 bits.",
        form=Form.STORE, immediates="memarg", size=4,
    ),
    row(0x3F, "memory.size", "-> i32", None, "", "Size of the memory in pages.", form=Form.NAMED, immediates="memory"),
    row(
        0x40, "memory.grow", "i32 -> i32",
        None,
        "",
        "Grow by pages; the size before, or -1 where the limit refuses.",
        form=Form.NAMED, immediates="memory",
    ),
    row(
        0xFC08, "memory.init", "i32 i32 i32 ->",
        None,
        "",
        "Copy from a data segment: destination, source, length.",
        form=Form.NAMED, immediates="data memory",
    ),
    row(0xFC09, "data.drop", "->", None, "", "Give up a data segment.", form=Form.NAMED, immediates="data"),
    row(
        0xFC0A, "memory.copy", "i32 i32 i32 ->",
        copy,
        """
        %to = getelementptr i8, ptr %m, i64 %a
        %from = getelementptr i8, ptr %m, i64 %b
        call void @llvm.memmove.p0.p0.i64(ptr %to, ptr %from, i64 %d, i1 false)
        """,
        "Copy, also where the ranges overlap: destination, source, length.",
        form=Form.BULK, immediates="memory memory",
    ),
    row(
        0xFC0B, "memory.fill", "i32 i32 i32 ->",
        fill,
        """
        %to = getelementptr i8, ptr %m, i64 %a
        %byte = trunc i64 %b to i8
        call void @llvm.memset.p0.i64(ptr %to, i8 %byte, i64 %d, i1 false)
        """,
        "Fill: destination, byte, length.",
        form=Form.BULK, immediates="memory",
    ),
    row(
        0xE00C, "memory.compare", "i32 i32 i32 -> i32",
        three_way,
        """
        entry:
        br label %loop
        loop:
        %i = phi i64 [0, %entry], [%j, %same]
        %end = icmp uge i64 %i, %d
        br i1 %end, label %equal, label %test
        test:
        %x = add i64 %a, %i
        %y = add i64 %b, %i
        %px = getelementptr i8, ptr %m, i64 %x
        %py = getelementptr i8, ptr %m, i64 %y
        %u = load i8, ptr %px, align 1
        %v = load i8, ptr %py, align 1
        %e = icmp eq i8 %u, %v
        br i1 %e, label %same, label %differ
        same:
        %j = add i64 %i, 1
        br label %loop
        differ:
        %lt = icmp ult i8 %u, %v
        %sign = select i1 %lt, i32 -1, i32 1
        br label %done
        equal:
        br label %done
        done:
        %r = phi i32 [0, %equal], [%sign, %differ]
        """,
        "Compare bytes as unsigned: first start, second start, length; -1, 0 or 1.",
        form=Form.BULK, immediates="memory",
    ),
    row(
        0xE00D, "memory.find", "i32 i32 i32 -> i32",
        find,
        """
        entry:
        %last = add i64 %a, %d
        %byte = trunc i64 %b to i8
        %one = insertelement <16 x i8> poison, i8 %byte, i32 0
        %all = shufflevector <16 x i8> %one, <16 x i8> poison, <16 x i32> zeroinitializer
        br label %wide
        wide:
        %w = phi i64 [%a, %entry], [%behind, %absent]
        %behind = add i64 %w, 16
        %fits = icmp ule i64 %behind, %last
        br i1 %fits, label %look, label %loop
        look:
        %pw = getelementptr i8, ptr %m, i64 %w
        %sixteen = load <16 x i8>, ptr %pw, align 1
        %same = icmp eq <16 x i8> %sixteen, %all
        %bits = bitcast <16 x i1> %same to i16
        %none = icmp eq i16 %bits, 0
        br i1 %none, label %absent, label %present
        absent:
        br label %wide
        present:
        %mask = zext i16 %bits to i64
        %offset = call i64 @llvm.cttz.i64(i64 %mask, i1 true)
        %at = add i64 %w, %offset
        br label %done
        loop:
        %i = phi i64 [%w, %wide], [%j, %next]
        %end = icmp uge i64 %i, %last
        br i1 %end, label %done, label %test
        test:
        %px = getelementptr i8, ptr %m, i64 %i
        %u = load i8, ptr %px, align 1
        %e = icmp eq i8 %u, %byte
        br i1 %e, label %done, label %next
        next:
        %j = add i64 %i, 1
        br label %loop
        done:
        %f = phi i64 [%i, %loop], [%i, %test], [%at, %present]
        %r = trunc i64 %f to i32
        """,
        "Find a byte: start, byte, length; the address of the first, or the end of the range (modulo 2**32).",
        form=Form.BULK, immediates="memory",
    ),
)
