"""Many HTTP clients in one thread, light enough to share two cores with what they ask."""

from __future__ import annotations

import asyncio
import json
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Self

# What a client does before it asks again after a failure, so that failing is not the busiest thing to do.
PAUSE_AFTER_FAILURE_SECONDS = 0.1
Ask = Callable[[int], tuple[str, bytes]]
Kept = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. Without an answer the status is 0 and `trouble` says what happened."""

    name: str
    began: float
    seconds: float
    status: int = 0
    trouble: str = ""
    retry_after: str = ""


def get(path: str) -> Ask:
    """Ask for a path."""
    words = f"GET {path} HTTP/1.1\r\nHost: load\r\n\r\n".encode()
    return lambda number: (path, words)


def post(path: str, prefix: str) -> Ask:
    """Write rows whose names nobody else writes."""

    def ask(number: int) -> tuple[str, bytes]:
        name = f"{prefix} {number}"
        body = json.dumps({"name": name}).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        return name, head.encode() + b"\r\n\r\n" + body

    return ask


@dataclass
class Load:
    """Clients that ask one request after another, each on a connection that it keeps; ends with its block.

    With a `total`, they end by themselves once so many requests were made; with a `rate`, all of them together make
    no more requests in a second. A client that gets no answer
    within `patience` seconds gives up: nothing that is tested may take so long.
    """

    port: int
    ask: Ask
    clients: int
    total: int | None = None
    pause: float = 0.0
    patience: float = 120.0
    rate: float | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = count()
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 8192:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self.wait()

    def wait(self) -> Self:
        """Wait until every client has its last answer."""
        self._thread.join()
        return self

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers of each status."""
        return dict(Counter(each.status for each in list(self.outcomes) if each.status))

    @property
    def troubles(self) -> dict[str, int]:
        """How many requests without an answer, by reason."""
        return dict(Counter(each.trouble for each in list(self.outcomes) if each.trouble))

    @property
    def acknowledged(self) -> list[str]:
        """The ledger: names of rows that the server said are stored."""
        return [each.name for each in list(self.outcomes) if each.status == 201]

    @property
    def slowest(self) -> float:
        """The longest time for one request, in seconds."""
        return max(each.seconds for each in list(self.outcomes))

    async def _run(self) -> None:
        self._started = time.monotonic()
        await asyncio.gather(*(self._client() for _ in range(self.clients)))

    async def _client(self) -> None:
        kept: Kept | None = None
        while not self._stopping:
            number = next(self._numbers)
            if self.total is not None and number >= self.total:
                break
            if self.rate is not None:
                await asyncio.sleep(self._started + number / self.rate - time.monotonic())
            kept, outcome = await self._request(kept, *self.ask(number))
            self.outcomes.append(outcome)
            failed = outcome.trouble or outcome.status >= 500
            await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS if failed else self.pause)
        if kept:
            kept[1].close()

    async def _request(self, kept: Kept | None, name: str, words: bytes) -> tuple[Kept | None, Outcome]:
        began = time.monotonic()
        trouble = "refused"
        try:
            async with asyncio.timeout(self.patience):
                kept = kept or await asyncio.open_connection("127.0.0.1", self.port)
                trouble = "broken"
                kept[1].write(words)
                status, headers = await _answer(kept[0])
        except (OSError, asyncio.IncompleteReadError) as error:
            if kept:
                kept[1].close()
            # An expired timeout is an OSError too.
            trouble = "hung" if isinstance(error, TimeoutError) else trouble
            return None, Outcome(name, began, time.monotonic() - began, trouble=trouble)
        outcome = Outcome(name, began, time.monotonic() - began, status, "", headers.get("retry-after", ""))
        if headers.get("connection") == "close":
            kept[1].close()
            return None, outcome
        return kept, outcome


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The status and the headers of one whole answer."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {key.lower(): value.strip() for key, _, value in pairs}
    await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split(" ")[1]), headers
