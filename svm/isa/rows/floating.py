"""Rows of floating-point comparison and arithmetic (IEEE 754 binary32 and binary64)."""

from __future__ import annotations

from svm.isa.numeric import (
    ceil,
    f32,
    f32_bits,
    f64,
    f64_bits,
    float_divide,
    floor,
    maximum,
    minimum,
    nearest,
    sqrt,
    trunc,
)
from svm.isa.op import row

__all__ = ["FLOATING"]

FLOATING = (
    row(
        0x5B, "f32.eq", "f32 f32 -> i32",
        lambda a, b: int(f32(a) == f32(b)),
        "%c = fcmp oeq float %a, %b",
        "1 if equal.",
    ),
    row(
        0x5C, "f32.ne", "f32 f32 -> i32",
        lambda a, b: int(f32(a) != f32(b)),
        "%c = fcmp une float %a, %b",
        "1 if different or unordered.",
    ),
    row(
        0x5D, "f32.lt", "f32 f32 -> i32",
        lambda a, b: int(f32(a) < f32(b)),
        "%c = fcmp olt float %a, %b",
        "1 if less.",
    ),
    row(
        0x5E, "f32.gt", "f32 f32 -> i32",
        lambda a, b: int(f32(a) > f32(b)),
        "%c = fcmp ogt float %a, %b",
        "1 if greater.",
    ),
    row(
        0x5F, "f32.le", "f32 f32 -> i32",
        lambda a, b: int(f32(a) <= f32(b)),
        "%c = fcmp ole float %a, %b",
        "1 if less or equal.",
    ),
    row(
        0x60, "f32.ge", "f32 f32 -> i32",
        lambda a, b: int(f32(a) >= f32(b)),
        "%c = fcmp oge float %a, %b",
        "1 if greater or equal.",
    ),
    row(
        0x8B, "f32.abs", "f32 -> f32",
        lambda a: a & 0x7FFF_FFFF,
        "%r = call float @llvm.fabs.f32(float %a)",
        "Clear the sign bit; a NaN keeps its payload.",
    ),
    row(
        0x8C, "f32.neg", "f32 -> f32",
        lambda a: a ^ 0x8000_0000,
        "%r = fneg float %a",
        "Flip the sign bit; a NaN keeps its payload.",
    ),
    row(
        0x8D, "f32.ceil", "f32 -> f32",
        lambda a: f32_bits(ceil(f32(a))),
        "%r = call float @llvm.ceil.f32(float %a)",
        "Round towards positive infinity.",
    ),
    row(
        0x8E, "f32.floor", "f32 -> f32",
        lambda a: f32_bits(floor(f32(a))),
        "%r = call float @llvm.floor.f32(float %a)",
        "Round towards negative infinity.",
    ),
    row(
        0x8F, "f32.trunc", "f32 -> f32",
        lambda a: f32_bits(trunc(f32(a))),
        "%r = call float @llvm.trunc.f32(float %a)",
        "Round towards zero.",
    ),
    row(
        0x90, "f32.nearest", "f32 -> f32",
        lambda a: f32_bits(nearest(f32(a))),
        "%r = call float @llvm.roundeven.f32(float %a)",
        "Round to nearest, ties to even.",
    ),
    row(
        0x91, "f32.sqrt", "f32 -> f32",
        lambda a: f32_bits(sqrt(f32(a))),
        "%r = call float @llvm.sqrt.f32(float %a)",
        "Square root.",
    ),
    row(0x92, "f32.add", "f32 f32 -> f32", lambda a, b: f32_bits(f32(a) + f32(b)), "%r = fadd float %a, %b", "Sum."),
    row(
        0x93, "f32.sub", "f32 f32 -> f32",
        lambda a, b: f32_bits(f32(a) - f32(b)),
        "%r = fsub float %a, %b",
        "Difference.",
    ),
    row(
        0x94, "f32.mul", "f32 f32 -> f32",
        lambda a, b: f32_bits(f32(a) * f32(b)),
        "%r = fmul float %a, %b",
        "Product.",
    ),
    row(
        0x95, "f32.div", "f32 f32 -> f32",
        lambda a, b: f32_bits(float_divide(f32(a), f32(b))),
        "%r = fdiv float %a, %b",
        "Quotient.",
    ),
    row(
        0x96, "f32.min", "f32 f32 -> f32",
        lambda a, b: f32_bits(minimum(f32(a), f32(b))),
        "%r = call float @llvm.minimum.f32(float %a, float %b)",
        "The lesser; NaN if either is; -0 is less than +0.",
    ),
    row(
        0x97, "f32.max", "f32 f32 -> f32",
        lambda a, b: f32_bits(maximum(f32(a), f32(b))),
        "%r = call float @llvm.maximum.f32(float %a, float %b)",
        "The greater; NaN if either is; +0 is greater than -0.",
    ),
    row(
        0x98, "f32.copysign", "f32 f32 -> f32",
        lambda a, b: a & 0x7FFF_FFFF | b & 0x8000_0000,
        "%r = call float @llvm.copysign.f32(float %a, float %b)",
        "Magnitude of the first with the sign of the second.",
    ),
    row(
        0x61, "f64.eq", "f64 f64 -> i32",
        lambda a, b: int(f64(a) == f64(b)),
        "%c = fcmp oeq double %a, %b",
        "1 if equal.",
    ),
    row(
        0x62, "f64.ne", "f64 f64 -> i32",
        lambda a, b: int(f64(a) != f64(b)),
        "%c = fcmp une double %a, %b",
        "1 if different or unordered.",
    ),
    row(
        0x63, "f64.lt", "f64 f64 -> i32",
        lambda a, b: int(f64(a) < f64(b)),
        "%c = fcmp olt double %a, %b",
        "1 if less.",
    ),
    row(
        0x64, "f64.gt", "f64 f64 -> i32",
        lambda a, b: int(f64(a) > f64(b)),
        "%c = fcmp ogt double %a, %b",
        "1 if greater.",
    ),
    row(
        0x65, "f64.le", "f64 f64 -> i32",
        lambda a, b: int(f64(a) <= f64(b)),
        "%c = fcmp ole double %a, %b",
        "1 if less or equal.",
    ),
    row(
        0x66, "f64.ge", "f64 f64 -> i32",
        lambda a, b: int(f64(a) >= f64(b)),
        "%c = fcmp oge double %a, %b",
        "1 if greater or equal.",
    ),
    row(
        0x99, "f64.abs", "f64 -> f64",
        lambda a: a & 0x7FFF_FFFF_FFFF_FFFF,
        "%r = call double @llvm.fabs.f64(double %a)",
        "Clear the sign bit; a NaN keeps its payload.",
    ),
    row(
        0x9A, "f64.neg", "f64 -> f64",
        lambda a: a ^ 0x8000_0000_0000_0000,
        "%r = fneg double %a",
        "Flip the sign bit; a NaN keeps its payload.",
    ),
    row(
        0x9B, "f64.ceil", "f64 -> f64",
        lambda a: f64_bits(ceil(f64(a))),
        "%r = call double @llvm.ceil.f64(double %a)",
        "Round towards positive infinity.",
    ),
    row(
        0x9C, "f64.floor", "f64 -> f64",
        lambda a: f64_bits(floor(f64(a))),
        "%r = call double @llvm.floor.f64(double %a)",
        "Round towards negative infinity.",
    ),
    row(
        0x9D, "f64.trunc", "f64 -> f64",
        lambda a: f64_bits(trunc(f64(a))),
        "%r = call double @llvm.trunc.f64(double %a)",
        "Round towards zero.",
    ),
    row(
        0x9E, "f64.nearest", "f64 -> f64",
        lambda a: f64_bits(nearest(f64(a))),
        "%r = call double @llvm.roundeven.f64(double %a)",
        "Round to nearest, ties to even.",
    ),
    row(
        0x9F, "f64.sqrt", "f64 -> f64",
        lambda a: f64_bits(sqrt(f64(a))),
        "%r = call double @llvm.sqrt.f64(double %a)",
        "Square root.",
    ),
    row(0xA0, "f64.add", "f64 f64 -> f64", lambda a, b: f64_bits(f64(a) + f64(b)), "%r = fadd double %a, %b", "Sum."),
    row(
        0xA1, "f64.sub", "f64 f64 -> f64",
        lambda a, b: f64_bits(f64(a) - f64(b)),
        "%r = fsub double %a, %b",
        "Difference.",
    ),
    row(
        0xA2, "f64.mul", "f64 f64 -> f64",
        lambda a, b: f64_bits(f64(a) * f64(b)),
        "%r = fmul double %a, %b",
        "Product.",
    ),
    row(
        0xA3, "f64.div", "f64 f64 -> f64",
        lambda a, b: f64_bits(float_divide(f64(a), f64(b))),
        "%r = fdiv double %a, %b",
        "Quotient.",
    ),
    row(
        0xA4, "f64.min", "f64 f64 -> f64",
        lambda a, b: f64_bits(minimum(f64(a), f64(b))),
        "%r = call double @llvm.minimum.f64(double %a, double %b)",
        "The lesser; NaN if either is; -0 is less than +0.",
    ),
    row(
        0xA5, "f64.max", "f64 f64 -> f64",
        lambda a, b: f64_bits(maximum(f64(a), f64(b))),
        "%r = call double @llvm.maximum.f64(double %a, double %b)",
        "The greater; NaN if either is; +0 is greater than -0.",
    ),
    row(
        0xA6, "f64.copysign", "f64 f64 -> f64",
        lambda a, b: a & 0x7FFF_FFFF_FFFF_FFFF | b & 0x8000_0000_0000_0000,
        "%r = call double @llvm.copysign.f64(double %a, double %b)",
        "Magnitude of the first with the sign of the second.",
    ),
)
