"""A process that reads image files for another: a line of JSON for the task, then one for every few files, and their answers.

An answer is a line of JSON, an entry a file, followed by the pixels of those that have some. It ends with the one who asks.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from jcnn.data.pictures import Header, PictureError
from jcnn.data.pixels import Pixels
from jcnn.data.reading import Read, Task


def main() -> None:
    """Reads until nobody asks."""
    # Whatever else prints shall not get among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    said = json.loads(sys.stdin.buffer.readline())
    pixels, size = said["pixels"], said["size"]
    task = Task(None if pixels is None else Pixels(**pixels), None if size is None else tuple(size))
    for line in sys.stdin.buffer:
        found = [task.read(Path(name)) for name in json.loads(line)]
        answers.write(json.dumps([_described(read) for read in found]).encode() + b"\n")
        for read in found:
            if not isinstance(read, Header | PictureError):
                answers.write(read.pixels.tobytes())
        answers.flush()


def _described(read: Read) -> dict[str, Any]:
    if isinstance(read, PictureError):
        return {"error": str(read)}
    if isinstance(read, Header):
        return {"size": read.size, "channels": read.channels}
    return {"shape": read.pixels.shape, "size": read.size, "notes": read.notes}
