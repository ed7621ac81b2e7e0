"""Run as a module: tries one fault, then dies as a process does that reads foreign memory."""

import json
import os

from jcnn.faults import FAULTS, try_fault

if __name__ == "__main__":
    print(json.dumps(try_fault(FAULTS[2])._asdict()), flush=True)  # noqa: T201 (the parent process reads it)
    os.abort()
