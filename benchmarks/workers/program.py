"""`python program.py FILE.kr`: runs a Krait program as Python; for each line of input, answers `CPU-seconds output`.

A line is the program's argument, or empty for none.  The first runs the whole file, the others its `main` again, so
that from then on a compiler like PyPy's is warm.  The output comes as one line of JSON.  Annotations are not
evaluated: a PyPy of an older Python lacks some of the types that they name.
"""

import __future__

import io
import json
import sys
import time
from contextlib import redirect_stdout


def main() -> None:
    """Serve until the input ends."""
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec", flags=__future__.annotations.compiler_flag)
    names = {"__name__": "__main__"}
    for line in sys.stdin:
        sys.argv = [path, *line.split()]
        printed = io.StringIO()
        with redirect_stdout(printed):
            begun = time.process_time()
            if "main" in names:
                names["main"]()  # type: ignore[operator]  # the programs define it
            else:
                exec(code, names)
            seconds = time.process_time() - begun
        print(f"{seconds:.9f} {json.dumps(printed.getvalue())}", flush=True)


if __name__ == "__main__":
    main()
