"""Rows of conversion between the number types."""

from __future__ import annotations

from svm.isa.numeric import (
    M32,
    convert_f32,
    f32,
    f32_bits,
    f64,
    f64_bits,
    s32,
    s64,
    sign_extend,
    truncate,
    truncate_saturating,
)
from svm.isa.op import row

__all__ = ["CONVERSION"]

CONVERSION = (
    row(0xA7, "i32.wrap_i64", "i64 -> i32", lambda a: a & M32, "%r = trunc i64 %a to i32", "The low 32 bits."),
    row(
        0xA8, "i32.trunc_f32_s", "f32 -> i32",
        lambda a: truncate(f32(a), -(2**31), 2**31 - 1, 32),
        """
        %n = fcmp uno float %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp olt float %a, 0xC1E0000000000000
        %h = fcmp oge float %a, 0x41E0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptosi float %a to i32
        """,
        "Integer part as signed; traps on NaN and out of range.",
    ),
    row(
        0xA9, "i32.trunc_f32_u", "f32 -> i32",
        lambda a: truncate(f32(a), 0, 2**32 - 1, 32),
        """
        %n = fcmp uno float %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp ole float %a, 0xBFF0000000000000
        %h = fcmp oge float %a, 0x41F0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptoui float %a to i32
        """,
        "Integer part as unsigned; traps on NaN and out of range.",
    ),
    row(
        0xAA, "i32.trunc_f64_s", "f64 -> i32",
        lambda a: truncate(f64(a), -(2**31), 2**31 - 1, 32),
        """
        %n = fcmp uno double %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp ole double %a, 0xC1E0000000200000
        %h = fcmp oge double %a, 0x41E0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptosi double %a to i32
        """,
        "Integer part as signed; traps on NaN and out of range.",
    ),
    row(
        0xAB, "i32.trunc_f64_u", "f64 -> i32",
        lambda a: truncate(f64(a), 0, 2**32 - 1, 32),
        """
        %n = fcmp uno double %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp ole double %a, 0xBFF0000000000000
        %h = fcmp oge double %a, 0x41F0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptoui double %a to i32
        """,
        "Integer part as unsigned; traps on NaN and out of range.",
    ),
    row(
        0xAC, "i64.extend_i32_s", "i32 -> i64",
        lambda a: sign_extend(a, 32, 64),
        "%r = sext i32 %a to i64",
        "Sign-extend.",
    ),
    row(0xAD, "i64.extend_i32_u", "i32 -> i64", lambda a: a, "%r = zext i32 %a to i64", "Zero-extend."),
    row(
        0xAE, "i64.trunc_f32_s", "f32 -> i64",
        lambda a: truncate(f32(a), -(2**63), 2**63 - 1, 64),
        """
        %n = fcmp uno float %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp olt float %a, 0xC3E0000000000000
        %h = fcmp oge float %a, 0x43E0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptosi float %a to i64
        """,
        "Integer part as signed; traps on NaN and out of range.",
    ),
    row(
        0xAF, "i64.trunc_f32_u", "f32 -> i64",
        lambda a: truncate(f32(a), 0, 2**64 - 1, 64),
        """
        %n = fcmp uno float %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp ole float %a, 0xBFF0000000000000
        %h = fcmp oge float %a, 0x43F0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptoui float %a to i64
        """,
        "Integer part as unsigned; traps on NaN and out of range.",
    ),
    row(
        0xB0, "i64.trunc_f64_s", "f64 -> i64",
        lambda a: truncate(f64(a), -(2**63), 2**63 - 1, 64),
        """
        %n = fcmp uno double %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp olt double %a, 0xC3E0000000000000
        %h = fcmp oge double %a, 0x43E0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptosi double %a to i64
        """,
        "Integer part as signed; traps on NaN and out of range.",
    ),
    row(
        0xB1, "i64.trunc_f64_u", "f64 -> i64",
        lambda a: truncate(f64(a), 0, 2**64 - 1, 64),
        """
        %n = fcmp uno double %a, 0x0000000000000000
        trap_if %n, INVALID_CONVERSION
        %l = fcmp ole double %a, 0xBFF0000000000000
        %h = fcmp oge double %a, 0x43F0000000000000
        %o = or i1 %l, %h
        trap_if %o, INTEGER_OVERFLOW
        %r = fptoui double %a to i64
        """,
        "Integer part as unsigned; traps on NaN and out of range.",
    ),
    row(
        0xB2, "f32.convert_i32_s", "i32 -> f32",
        lambda a: convert_f32(s32(a)),
        "%r = sitofp i32 %a to float",
        "Nearest float of the signed integer.",
    ),
    row(
        0xB3, "f32.convert_i32_u", "i32 -> f32",
        lambda a: convert_f32(a),
        "%r = uitofp i32 %a to float",
        "Nearest float of the unsigned integer.",
    ),
    row(
        0xB4, "f32.convert_i64_s", "i64 -> f32",
        lambda a: convert_f32(s64(a)),
        "%r = sitofp i64 %a to float",
        "Nearest float of the signed integer.",
    ),
    row(
        0xB5, "f32.convert_i64_u", "i64 -> f32",
        lambda a: convert_f32(a),
        "%r = uitofp i64 %a to float",
        "Nearest float of the unsigned integer.",
    ),
    row(
        0xB6, "f32.demote_f64", "f64 -> f32",
        lambda a: f32_bits(f64(a)),
        "%r = fptrunc double %a to float",
        "Round to f32.",
    ),
    row(
        0xB7, "f64.convert_i32_s", "i32 -> f64",
        lambda a: f64_bits(float(s32(a))),
        "%r = sitofp i32 %a to double",
        "Nearest float of the signed integer.",
    ),
    row(
        0xB8, "f64.convert_i32_u", "i32 -> f64",
        lambda a: f64_bits(float(a)),
        "%r = uitofp i32 %a to double",
        "Nearest float of the unsigned integer.",
    ),
    row(
        0xB9, "f64.convert_i64_s", "i64 -> f64",
        lambda a: f64_bits(float(s64(a))),
        "%r = sitofp i64 %a to double",
        "Nearest float of the signed integer.",
    ),
    row(
        0xBA, "f64.convert_i64_u", "i64 -> f64",
        lambda a: f64_bits(float(a)),
        "%r = uitofp i64 %a to double",
        "Nearest float of the unsigned integer.",
    ),
    row(
        0xBB, "f64.promote_f32", "f32 -> f64",
        lambda a: f64_bits(f32(a)),
        "%r = fpext float %a to double",
        "Widen to f64.",
    ),
    row(0xBC, "i32.reinterpret_f32", "f32 -> i32", lambda a: a, "%r = bitcast float %a to i32", "The same bits."),
    row(0xBD, "i64.reinterpret_f64", "f64 -> i64", lambda a: a, "%r = bitcast double %a to i64", "The same bits."),
    row(0xBE, "f32.reinterpret_i32", "i32 -> f32", lambda a: a, "%r = bitcast i32 %a to float", "The same bits."),
    row(0xBF, "f64.reinterpret_i64", "i64 -> f64", lambda a: a, "%r = bitcast i64 %a to double", "The same bits."),
    row(
        0xFC00, "i32.trunc_sat_f32_s", "f32 -> i32",
        lambda a: truncate_saturating(f32(a), -(2**31), 2**31 - 1, 32),
        "%r = call i32 @llvm.fptosi.sat.i32.f32(float %a)",
        "Integer part as signed, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC01, "i32.trunc_sat_f32_u", "f32 -> i32",
        lambda a: truncate_saturating(f32(a), 0, 2**32 - 1, 32),
        "%r = call i32 @llvm.fptoui.sat.i32.f32(float %a)",
        "Integer part as unsigned, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC02, "i32.trunc_sat_f64_s", "f64 -> i32",
        lambda a: truncate_saturating(f64(a), -(2**31), 2**31 - 1, 32),
        "%r = call i32 @llvm.fptosi.sat.i32.f64(double %a)",
        "Integer part as signed, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC03, "i32.trunc_sat_f64_u", "f64 -> i32",
        lambda a: truncate_saturating(f64(a), 0, 2**32 - 1, 32),
        "%r = call i32 @llvm.fptoui.sat.i32.f64(double %a)",
        "Integer part as unsigned, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC04, "i64.trunc_sat_f32_s", "f32 -> i64",
        lambda a: truncate_saturating(f32(a), -(2**63), 2**63 - 1, 64),
        "%r = call i64 @llvm.fptosi.sat.i64.f32(float %a)",
        "Integer part as signed, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC05, "i64.trunc_sat_f32_u", "f32 -> i64",
        lambda a: truncate_saturating(f32(a), 0, 2**64 - 1, 64),
        "%r = call i64 @llvm.fptoui.sat.i64.f32(float %a)",
        "Integer part as unsigned, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC06, "i64.trunc_sat_f64_s", "f64 -> i64",
        lambda a: truncate_saturating(f64(a), -(2**63), 2**63 - 1, 64),
        "%r = call i64 @llvm.fptosi.sat.i64.f64(double %a)",
        "Integer part as signed, clamped to its range; 0 for NaN.",
    ),
    row(
        0xFC07, "i64.trunc_sat_f64_u", "f64 -> i64",
        lambda a: truncate_saturating(f64(a), 0, 2**64 - 1, 64),
        "%r = call i64 @llvm.fptoui.sat.i64.f64(double %a)",
        "Integer part as unsigned, clamped to its range; 0 for NaN.",
    ),
)
