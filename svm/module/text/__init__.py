"""The `.svmt` format: a module to text and back (docs/svmt.md describes it).

`from_text(to_text(module))` equals the module if its bodies are in the shortest encoding, and
`to_text(from_text(to_text(module)))` always equals `to_text(module)`.
"""

from svm.module.text.reader import from_text
from svm.module.text.writer import to_text

__all__ = ["from_text", "to_text"]
