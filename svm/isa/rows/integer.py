"""Rows of integer comparison and arithmetic."""

from __future__ import annotations

from svm.isa.numeric import (
    M32,
    M64,
    clz,
    ctz,
    divide,
    divide_signed,
    overflowing,
    remainder,
    remainder_signed,
    rotl,
    s32,
    s64,
    sign_extend,
)
from svm.isa.op import Form, row

__all__ = ["INTEGER"]

INTEGER = (
    row(0x45, "i32.eqz", "i32 -> i32", lambda a: int(a == 0), "%c = icmp eq i32 %a, 0", "1 if zero."),
    row(0x46, "i32.eq", "i32 i32 -> i32", lambda a, b: int(a == b), "%c = icmp eq i32 %a, %b", "1 if equal."),
    row(0x47, "i32.ne", "i32 i32 -> i32", lambda a, b: int(a != b), "%c = icmp ne i32 %a, %b", "1 if different."),
    row(
        0x48, "i32.lt_s", "i32 i32 -> i32",
        lambda a, b: int(s32(a) < s32(b)),
        "%c = icmp slt i32 %a, %b",
        "1 if less, signed.",
    ),
    row(
        0x49, "i32.lt_u", "i32 i32 -> i32",
        lambda a, b: int(a < b),
        "%c = icmp ult i32 %a, %b",
        "1 if less, unsigned.",
    ),
    row(
        0x4A, "i32.gt_s", "i32 i32 -> i32",
        lambda a, b: int(s32(a) > s32(b)),
        "%c = icmp sgt i32 %a, %b",
        "1 if greater, signed.",
    ),
    row(
        0x4B, "i32.gt_u", "i32 i32 -> i32",
        lambda a, b: int(a > b),
        "%c = icmp ugt i32 %a, %b",
        "1 if greater, unsigned.",
    ),
    row(
        0x4C, "i32.le_s", "i32 i32 -> i32",
        lambda a, b: int(s32(a) <= s32(b)),
        "%c = icmp sle i32 %a, %b",
        "1 if less or equal, signed.",
    ),
    row(
        0x4D, "i32.le_u", "i32 i32 -> i32",
        lambda a, b: int(a <= b),
        "%c = icmp ule i32 %a, %b",
        "1 if less or equal, unsigned.",
    ),
    row(
        0x4E, "i32.ge_s", "i32 i32 -> i32",
        lambda a, b: int(s32(a) >= s32(b)),
        "%c = icmp sge i32 %a, %b",
        "1 if greater or equal, signed.",
    ),
    row(
        0x4F, "i32.ge_u", "i32 i32 -> i32",
        lambda a, b: int(a >= b),
        "%c = icmp uge i32 %a, %b",
        "1 if greater or equal, unsigned.",
    ),
    row(
        0x67, "i32.clz", "i32 -> i32",
        lambda a: clz(a, 32),
        "%r = call i32 @llvm.ctlz.i32(i32 %a, i1 false)",
        "Leading zero bits.",
    ),
    row(
        0x68, "i32.ctz", "i32 -> i32",
        lambda a: ctz(a, 32),
        "%r = call i32 @llvm.cttz.i32(i32 %a, i1 false)",
        "Trailing zero bits.",
    ),
    row(
        0x69, "i32.popcnt", "i32 -> i32",
        lambda a: a.bit_count(),
        "%r = call i32 @llvm.ctpop.i32(i32 %a)",
        "One bits.",
    ),
    row(0x6A, "i32.add", "i32 i32 -> i32", lambda a, b: (a + b) & M32, "%r = add i32 %a, %b", "Sum modulo 2**32."),
    row(
        0x6B, "i32.sub", "i32 i32 -> i32",
        lambda a, b: (a - b) & M32,
        "%r = sub i32 %a, %b",
        "Difference modulo 2**32.",
    ),
    row(0x6C, "i32.mul", "i32 i32 -> i32", lambda a, b: (a * b) & M32, "%r = mul i32 %a, %b", "Product modulo 2**32."),
    row(
        0x6D, "i32.div_s", "i32 i32 -> i32",
        lambda a, b: divide_signed(a, b, 32),
        """
        %z = icmp eq i32 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %m = icmp eq i32 %b, -1
        %l = icmp eq i32 %a, -2147483648
        %o = and i1 %m, %l
        trap_if %o, INTEGER_OVERFLOW
        %r = sdiv i32 %a, %b
        """,
        "Signed quotient, towards zero; traps on a zero divisor and on overflow.",
    ),
    row(
        0x6E, "i32.div_u", "i32 i32 -> i32",
        divide,
        """
        %z = icmp eq i32 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %r = udiv i32 %a, %b
        """,
        "Unsigned quotient; traps on a zero divisor.",
    ),
    row(
        0x6F, "i32.rem_s", "i32 i32 -> i32",
        lambda a, b: remainder_signed(a, b, 32),
        """
        %z = icmp eq i32 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %m = icmp eq i32 %b, -1
        %s = select i1 %m, i32 1, i32 %b
        %r = srem i32 %a, %s
        """,
        "Signed remainder, with the sign of the dividend; traps on a zero divisor.",
    ),
    row(
        0x70, "i32.rem_u", "i32 i32 -> i32",
        remainder,
        """
        %z = icmp eq i32 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %r = urem i32 %a, %b
        """,
        "Unsigned remainder; traps on a zero divisor.",
    ),
    row(0x71, "i32.and", "i32 i32 -> i32", lambda a, b: a & b, "%r = and i32 %a, %b", "Bitwise and."),
    row(0x72, "i32.or", "i32 i32 -> i32", lambda a, b: a | b, "%r = or i32 %a, %b", "Bitwise or."),
    row(0x73, "i32.xor", "i32 i32 -> i32", lambda a, b: a ^ b, "%r = xor i32 %a, %b", "Bitwise exclusive or."),
    row(
        0x74, "i32.shl", "i32 i32 -> i32",
        lambda a, b: (a << b % 32) & M32,
        """
        %s = and i32 %b, 31
        %r = shl i32 %a, %s
        """,
        "Shift left by the count modulo 32.",
    ),
    row(
        0x75, "i32.shr_s", "i32 i32 -> i32",
        lambda a, b: (s32(a) >> b % 32) & M32,
        """
        %s = and i32 %b, 31
        %r = ashr i32 %a, %s
        """,
        "Arithmetic shift right by the count modulo 32.",
    ),
    row(
        0x76, "i32.shr_u", "i32 i32 -> i32",
        lambda a, b: a >> b % 32,
        """
        %s = and i32 %b, 31
        %r = lshr i32 %a, %s
        """,
        "Logical shift right by the count modulo 32.",
    ),
    row(
        0x77, "i32.rotl", "i32 i32 -> i32",
        lambda a, b: rotl(a, b, 32),
        "%r = call i32 @llvm.fshl.i32(i32 %a, i32 %a, i32 %b)",
        "Rotate left.",
    ),
    row(
        0x78, "i32.rotr", "i32 i32 -> i32",
        lambda a, b: rotl(a, -b, 32),
        "%r = call i32 @llvm.fshr.i32(i32 %a, i32 %a, i32 %b)",
        "Rotate right.",
    ),
    row(0x50, "i64.eqz", "i64 -> i32", lambda a: int(a == 0), "%c = icmp eq i64 %a, 0", "1 if zero."),
    row(0x51, "i64.eq", "i64 i64 -> i32", lambda a, b: int(a == b), "%c = icmp eq i64 %a, %b", "1 if equal."),
    row(0x52, "i64.ne", "i64 i64 -> i32", lambda a, b: int(a != b), "%c = icmp ne i64 %a, %b", "1 if different."),
    row(
        0x53, "i64.lt_s", "i64 i64 -> i32",
        lambda a, b: int(s64(a) < s64(b)),
        "%c = icmp slt i64 %a, %b",
        "1 if less, signed.",
    ),
    row(
        0x54, "i64.lt_u", "i64 i64 -> i32",
        lambda a, b: int(a < b),
        "%c = icmp ult i64 %a, %b",
        "1 if less, unsigned.",
    ),
    row(
        0x55, "i64.gt_s", "i64 i64 -> i32",
        lambda a, b: int(s64(a) > s64(b)),
        "%c = icmp sgt i64 %a, %b",
        "1 if greater, signed.",
    ),
    row(
        0x56, "i64.gt_u", "i64 i64 -> i32",
        lambda a, b: int(a > b),
        "%c = icmp ugt i64 %a, %b",
        "1 if greater, unsigned.",
    ),
    row(
        0x57, "i64.le_s", "i64 i64 -> i32",
        lambda a, b: int(s64(a) <= s64(b)),
        "%c = icmp sle i64 %a, %b",
        "1 if less or equal, signed.",
    ),
    row(
        0x58, "i64.le_u", "i64 i64 -> i32",
        lambda a, b: int(a <= b),
        "%c = icmp ule i64 %a, %b",
        "1 if less or equal, unsigned.",
    ),
    row(
        0x59, "i64.ge_s", "i64 i64 -> i32",
        lambda a, b: int(s64(a) >= s64(b)),
        "%c = icmp sge i64 %a, %b",
        "1 if greater or equal, signed.",
    ),
    row(
        0x5A, "i64.ge_u", "i64 i64 -> i32",
        lambda a, b: int(a >= b),
        "%c = icmp uge i64 %a, %b",
        "1 if greater or equal, unsigned.",
    ),
    row(
        0x79, "i64.clz", "i64 -> i64",
        lambda a: clz(a, 64),
        "%r = call i64 @llvm.ctlz.i64(i64 %a, i1 false)",
        "Leading zero bits.",
    ),
    row(
        0x7A, "i64.ctz", "i64 -> i64",
        lambda a: ctz(a, 64),
        "%r = call i64 @llvm.cttz.i64(i64 %a, i1 false)",
        "Trailing zero bits.",
    ),
    row(
        0x7B, "i64.popcnt", "i64 -> i64",
        lambda a: a.bit_count(),
        "%r = call i64 @llvm.ctpop.i64(i64 %a)",
        "One bits.",
    ),
    row(0x7C, "i64.add", "i64 i64 -> i64", lambda a, b: (a + b) & M64, "%r = add i64 %a, %b", "Sum modulo 2**64."),
    row(
        0x7D, "i64.sub", "i64 i64 -> i64",
        lambda a, b: (a - b) & M64,
        "%r = sub i64 %a, %b",
        "Difference modulo 2**64.",
    ),
    row(0x7E, "i64.mul", "i64 i64 -> i64", lambda a, b: (a * b) & M64, "%r = mul i64 %a, %b", "Product modulo 2**64."),
    row(
        0x7F, "i64.div_s", "i64 i64 -> i64",
        lambda a, b: divide_signed(a, b, 64),
        """
        %z = icmp eq i64 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %m = icmp eq i64 %b, -1
        %l = icmp eq i64 %a, -9223372036854775808
        %o = and i1 %m, %l
        trap_if %o, INTEGER_OVERFLOW
        %r = sdiv i64 %a, %b
        """,
        "Signed quotient, towards zero; traps on a zero divisor and on overflow.",
    ),
    row(
        0x80, "i64.div_u", "i64 i64 -> i64",
        divide,
        """
        %z = icmp eq i64 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %r = udiv i64 %a, %b
        """,
        "Unsigned quotient; traps on a zero divisor.",
    ),
    row(
        0x81, "i64.rem_s", "i64 i64 -> i64",
        lambda a, b: remainder_signed(a, b, 64),
        """
        %z = icmp eq i64 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %m = icmp eq i64 %b, -1
        %s = select i1 %m, i64 1, i64 %b
        %r = srem i64 %a, %s
        """,
        "Signed remainder, with the sign of the dividend; traps on a zero divisor.",
    ),
    row(
        0x82, "i64.rem_u", "i64 i64 -> i64",
        remainder,
        """
        %z = icmp eq i64 %b, 0
        trap_if %z, DIVIDE_BY_ZERO
        %r = urem i64 %a, %b
        """,
        "Unsigned remainder; traps on a zero divisor.",
    ),
    row(0x83, "i64.and", "i64 i64 -> i64", lambda a, b: a & b, "%r = and i64 %a, %b", "Bitwise and."),
    row(0x84, "i64.or", "i64 i64 -> i64", lambda a, b: a | b, "%r = or i64 %a, %b", "Bitwise or."),
    row(0x85, "i64.xor", "i64 i64 -> i64", lambda a, b: a ^ b, "%r = xor i64 %a, %b", "Bitwise exclusive or."),
    row(
        0x86, "i64.shl", "i64 i64 -> i64",
        lambda a, b: (a << b % 64) & M64,
        """
        %s = and i64 %b, 63
        %r = shl i64 %a, %s
        """,
        "Shift left by the count modulo 64.",
    ),
    row(
        0x87, "i64.shr_s", "i64 i64 -> i64",
        lambda a, b: (s64(a) >> b % 64) & M64,
        """
        %s = and i64 %b, 63
        %r = ashr i64 %a, %s
        """,
        "Arithmetic shift right by the count modulo 64.",
    ),
    row(
        0x88, "i64.shr_u", "i64 i64 -> i64",
        lambda a, b: a >> b % 64,
        """
        %s = and i64 %b, 63
        %r = lshr i64 %a, %s
        """,
        "Logical shift right by the count modulo 64.",
    ),
    row(
        0x89, "i64.rotl", "i64 i64 -> i64",
        lambda a, b: rotl(a, b, 64),
        "%r = call i64 @llvm.fshl.i64(i64 %a, i64 %a, i64 %b)",
        "Rotate left.",
    ),
    row(
        0x8A, "i64.rotr", "i64 i64 -> i64",
        lambda a, b: rotl(a, -b, 64),
        "%r = call i64 @llvm.fshr.i64(i64 %a, i64 %a, i64 %b)",
        "Rotate right.",
    ),
    row(
        0xC0, "i32.extend8_s", "i32 -> i32",
        lambda a: sign_extend(a, 8, 32),
        """
        %n = trunc i32 %a to i8
        %r = sext i8 %n to i32
        """,
        "Sign-extend the low 8 bits.",
    ),
    row(
        0xC1, "i32.extend16_s", "i32 -> i32",
        lambda a: sign_extend(a, 16, 32),
        """
        %n = trunc i32 %a to i16
        %r = sext i16 %n to i32
        """,
        "Sign-extend the low 16 bits.",
    ),
    row(
        0xC2, "i64.extend8_s", "i64 -> i64",
        lambda a: sign_extend(a, 8, 64),
        """
        %n = trunc i64 %a to i8
        %r = sext i8 %n to i64
        """,
        "Sign-extend the low 8 bits.",
    ),
    row(
        0xC3, "i64.extend16_s", "i64 -> i64",
        lambda a: sign_extend(a, 16, 64),
        """
        %n = trunc i64 %a to i16
        %r = sext i16 %n to i64
        """,
        "Sign-extend the low 16 bits.",
    ),
    row(
        0xC4, "i64.extend32_s", "i64 -> i64",
        lambda a: sign_extend(a, 32, 64),
        """
        %n = trunc i64 %a to i32
        %r = sext i32 %n to i64
        """,
        "Sign-extend the low 32 bits.",
    ),
    row(
        0xE000, "i32.add_overflow", "i32 i32 -> i32 i32",
        lambda a, b: overflowing(s32(a) + s32(b), 32),
        """
        %p = call {i32, i1} @llvm.sadd.with.overflow.i32(i32 %a, i32 %b)
        %r = extractvalue {i32, i1} %p, 0
        %c = extractvalue {i32, i1} %p, 1
        """,
        "Sum modulo 2**32, then 1 if the signed result does not fit.",
    ),
    row(
        0xE001, "i32.sub_overflow", "i32 i32 -> i32 i32",
        lambda a, b: overflowing(s32(a) - s32(b), 32),
        """
        %p = call {i32, i1} @llvm.ssub.with.overflow.i32(i32 %a, i32 %b)
        %r = extractvalue {i32, i1} %p, 0
        %c = extractvalue {i32, i1} %p, 1
        """,
        "Difference modulo 2**32, then 1 if the signed result does not fit.",
    ),
    row(
        0xE002, "i32.mul_overflow", "i32 i32 -> i32 i32",
        lambda a, b: overflowing(s32(a) * s32(b), 32),
        """
        %p = call {i32, i1} @llvm.smul.with.overflow.i32(i32 %a, i32 %b)
        %r = extractvalue {i32, i1} %p, 0
        %c = extractvalue {i32, i1} %p, 1
        """,
        "Product modulo 2**32, then 1 if the signed result does not fit.",
    ),
    row(
        0xE003, "i64.add_overflow", "i64 i64 -> i64 i32",
        lambda a, b: overflowing(s64(a) + s64(b), 64),
        """
        %p = call {i64, i1} @llvm.sadd.with.overflow.i64(i64 %a, i64 %b)
        %r = extractvalue {i64, i1} %p, 0
        %c = extractvalue {i64, i1} %p, 1
        """,
        "Sum modulo 2**64, then 1 if the signed result does not fit.",
    ),
    row(
        0xE004, "i64.sub_overflow", "i64 i64 -> i64 i32",
        lambda a, b: overflowing(s64(a) - s64(b), 64),
        """
        %p = call {i64, i1} @llvm.ssub.with.overflow.i64(i64 %a, i64 %b)
        %r = extractvalue {i64, i1} %p, 0
        %c = extractvalue {i64, i1} %p, 1
        """,
        "Difference modulo 2**64, then 1 if the signed result does not fit.",
    ),
    row(
        0xE005, "i64.mul_overflow", "i64 i64 -> i64 i32",
        lambda a, b: overflowing(s64(a) * s64(b), 64),
        """
        %p = call {i64, i1} @llvm.smul.with.overflow.i64(i64 %a, i64 %b)
        %r = extractvalue {i64, i1} %p, 0
        %c = extractvalue {i64, i1} %p, 1
        """,
        "Product modulo 2**64, then 1 if the signed result does not fit.",
    ),
    row(
        0xE006, "i32.add_throw", "i32 i32 -> i32",
        lambda a, b: overflowing(s32(a) + s32(b), 32),
        """
        %p = call {i32, i1} @llvm.sadd.with.overflow.i32(i32 %a, i32 %b)
        %r = extractvalue {i32, i1} %p, 0
        %c = extractvalue {i32, i1} %p, 1
        """,
        "Sum; throws the tag, which has no parameters, if the signed result does not fit.",
        form=Form.CHECKED, immediates="tag",
    ),
    row(
        0xE007, "i32.sub_throw", "i32 i32 -> i32",
        lambda a, b: overflowing(s32(a) - s32(b), 32),
        """
        %p = call {i32, i1} @llvm.ssub.with.overflow.i32(i32 %a, i32 %b)
        %r = extractvalue {i32, i1} %p, 0
        %c = extractvalue {i32, i1} %p, 1
        """,
        "Difference; throws the tag, which has no parameters, if the signed result does not fit.",
        form=Form.CHECKED, immediates="tag",
    ),
    row(
        0xE008, "i32.mul_throw", "i32 i32 -> i32",
        lambda a, b: overflowing(s32(a) * s32(b), 32),
        """
        %p = call {i32, i1} @llvm.smul.with.overflow.i32(i32 %a, i32 %b)
        %r = extractvalue {i32, i1} %p, 0
        %c = extractvalue {i32, i1} %p, 1
        """,
        "Product; throws the tag, which has no parameters, if the signed result does not fit.",
        form=Form.CHECKED, immediates="tag",
    ),
    row(
        0xE009, "i64.add_throw", "i64 i64 -> i64",
        lambda a, b: overflowing(s64(a) + s64(b), 64),
        """
        %p = call {i64, i1} @llvm.sadd.with.overflow.i64(i64 %a, i64 %b)
        %r = extractvalue {i64, i1} %p, 0
        %c = extractvalue {i64, i1} %p, 1
        """,
        "Sum; throws the tag, which has no parameters, if the signed result does not fit.",
        form=Form.CHECKED, immediates="tag",
    ),
    row(
        0xE00A, "i64.sub_throw", "i64 i64 -> i64",
        lambda a, b: overflowing(s64(a) - s64(b), 64),
        """
        %p = call {i64, i1} @llvm.ssub.with.overflow.i64(i64 %a, i64 %b)
        %r = extractvalue {i64, i1} %p, 0
        %c = extractvalue {i64, i1} %p, 1
        """,
        "Difference; throws the tag, which has no parameters, if the signed result does not fit.",
        form=Form.CHECKED, immediates="tag",
    ),
    row(
        0xE00B, "i64.mul_throw", "i64 i64 -> i64",
        lambda a, b: overflowing(s64(a) * s64(b), 64),
        """
        %p = call {i64, i1} @llvm.smul.with.overflow.i64(i64 %a, i64 %b)
        %r = extractvalue {i64, i1} %p, 0
        %c = extractvalue {i64, i1} %p, 1
        """,
        "Product; throws the tag, which has no parameters, if the signed result does not fit.",
        form=Form.CHECKED, immediates="tag",
    ),
)
