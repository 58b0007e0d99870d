"""The reference engine: the oracle.  Plain Python over the frames of record, one step for each instruction."""

from svm.engines.reference.engine import ReferenceEngine

__all__ = ["ReferenceEngine"]
