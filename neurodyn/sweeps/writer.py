"""Results on their way to the disk: gathered, and written many tasks a file."""

from __future__ import annotations

import os
import socket
import time
import uuid
from typing import Any

from neurodyn.sweeps.folder import SweepFolder, hex_identity, measure_store
from neurodyn.sweeps.shards import SUFFIX, Finished, write_shard

#: Results wait this long, s, or for this part of the time that their worker has run: what is lost
#: with a worker is at most that, and the files of a worker grow as the logarithm of its time.
LEAST_SECONDS, PART = 1.0, 0.05
#: Nor do they wait when they fill this much memory, bytes.
MOST_BYTES = 1 << 26


class Writer:
    """Gathers finished tasks and writes them.

    Parameters
    ----------
    folder : SweepFolder
    about : dict
        Said in every file: code version, engine.
    token : str
        Part of the names of the files, to find them by.

    Attributes
    ----------
    name : str
        Begins the names of the files.
    waiting : list of (int, Finished)
        Tasks that are not yet on the disk, by number.
    """

    def __init__(self, folder: SweepFolder, about: dict[str, Any], token: str = ""):
        self.folder = folder
        host = "".join(c for c in socket.gethostname() if c.isalnum() or c in "-_")[:40]
        self.name = f"{host}-{os.getpid()}-{token + '-' if token else ''}{uuid.uuid4().hex[:8]}"
        self.about = {**about, "host": socket.gethostname(), "process": os.getpid()}
        self.waiting: list[tuple[int, Finished]] = []
        self._bytes, self._files = 0, 0
        self._started = self._written = time.monotonic()

    def add(self, task: int, finished: Finished) -> None:
        """Take a finished task."""
        self.waiting.append((task, finished))
        self._bytes += finished.result.nbytes if finished.result else 0

    @property
    def is_due(self) -> bool:
        """Whether what is waiting should be written now."""
        if not self.waiting:
            return False
        now = time.monotonic()
        patience = max(LEAST_SECONDS, PART * (now - self._started))
        return now - self._written > patience or self.is_full

    @property
    def is_full(self) -> bool:
        """Whether what is waiting takes much memory."""
        return self._bytes > MOST_BYTES

    def write(self) -> list[int]:
        """Write all that is waiting as one file; the numbers of these tasks.

        Raises
        ------
        OSError
            If it cannot be written; all is still waiting then.
        """
        if not self.waiting:
            return []
        streams = {}
        for _, finished in self.waiting:
            path = self.folder.stream(finished.identity)
            if finished.result is not None and path.exists():
                streams[hex_identity(finished.identity)] = measure_store(path)
        path = self.folder.results / f"{self.name}-{self._files:05d}{SUFFIX}"
        about = self.about | ({"streams": streams} if streams else {})
        write_shard(path, [finished for _, finished in self.waiting], about)
        tasks = [task for task, _ in self.waiting]
        self.waiting, self._bytes, self._files = [], 0, self._files + 1
        self._written = time.monotonic()
        return tasks
