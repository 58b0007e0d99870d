"""`python -m tests.snapshot.restorer`: a fresh process that goes on with snapshots of a case, each to its end.

In: on standard input as JSON, the paths of `.svms` files, an engine, and the words of the program's command line.  Out:
for each file how it ended, as `tests.engines.cases.Run.end` says, what was printed since among it.
"""

from __future__ import annotations

import io
import json
import sys

from svm import ENGINES, Snapshot
from tests.engines.cases import Run, console


def main() -> None:
    asked = json.load(sys.stdin)
    engine = ENGINES[asked["engine"]]()
    ends = []
    for path in asked["paths"]:
        out = io.BytesIO()
        guest = Snapshot.load(path).restore(engine=engine, devices=[console(out, tuple(asked["words"]))])
        assert guest.task is not None
        ends.append(Run(guest, out, guest.task).end())
        guest.close()
    json.dump(ends, sys.stdout)


if __name__ == "__main__":
    main()
