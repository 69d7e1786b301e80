"""A client for snakk in one file: standard library only, asyncio, Python 3.10 and later.

    async with Client("127.0.0.1:9998", username="robot") as robot:
        await robot.join("lobby", backlog=10)
        async for event in robot.events():
            if event.name == "message" and event["text"] == "!ping":
                await robot.send(event.room, "pong", reply_to=event.seq)

What it promises: `send` returns when the message is on the server's disk, once, whatever happens to the connection
meanwhile (it is repeated under the same nonce). A lost connection is made again, with a back-off that two clients never
share; each room goes on behind the entry that was seen last, so that nothing is missing and nothing comes twice. What
the server refuses raises `Refused`, with its `code`.

Copy it into your project; docs/protocol.md says what else can be asked, with `ask`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

__all__ = ["Client", "Event", "Refused", "Closed"]

#: The longest line that is taken from a server; its largest answers are about a quarter of this.
MAX_LINE_BYTES = 1 << 20
#: How many events may wait to be read. Then nothing more is taken from the server, which keeps them; only while a request
#: waits for its answer, which stands behind them, a few more are.
MAX_EVENTS, MAX_EVENTS_WHILE_ASKED = 1000, 16_000
#: The first and the longest pause between two attempts to connect, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: After so many seconds of silence the server is asked whether it is there; after twice as many it is given up.
SILENCE = 30.0
#: What comes back by itself: the server is busy, stops, or cannot write at the moment.
PASSING = {"rate_limited", "storage_unavailable", "internal", "shutting_down"}


class Refused(Exception):
    """The server said no. `code` is for programs, the text for people, `retry_after` (seconds) where waiting helps."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("error", "refused")))
        self.code = str(answer.get("code", ""))
        wait = answer.get("retry_after_ms")
        self.retry_after = wait / 1000 if isinstance(wait, (int, float)) else None


class Closed(Exception):
    """The client was closed, or will not get a session any more."""


@dataclass(frozen=True)
class Event:
    """Something that happened. An entry of a room's log has a `seq`; a hint has none."""

    name: str
    room: str
    seq: int | None
    data: Mapping[str, Any] = field(repr=False)

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.data.get(key, default)


@dataclass
class _Place:
    """How far a room has come, and what changes when it begins anew."""

    seq: int
    epoch: str


@dataclass
class _Asked:
    """A request under way."""

    request: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]]
    repeatable: bool


class Client:
    """A session with a server, which comes back when the connection is lost.

    `address` is HOST:PORT, tls://HOST:PORT or unix:PATH. Without `password` and `token` it is a guest's.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:9998",
        *,
        username: str,
        password: str | None = None,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.username = username
        self._address, self._tls, self._timeout = address, tls, timeout
        self._password, self._token = password, token
        self._is_guest = password is None and token is None
        self._rooms: dict[str, _Place] = {}
        self._asked: dict[int, _Asked] = {}
        self._last_id = 0
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._online = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended: Exception | None = None

    async def __aenter__(self) -> Client:
        """Connects and logs in; the first attempt is made once, and its failure raised."""
        reader = await asyncio.wait_for(self._connect(), self._timeout)
        self._task = asyncio.create_task(self._run(reader))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the session. A guest's name is free at once."""
        if self._writer is not None and self._ended is None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.ask("logout"), 1.0)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._end(Closed("the client was closed"))
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(Exception):
                await self._writer.wait_closed()

    async def events(self) -> AsyncIterator[Event]:
        """What happens, in order. Ends when the client is closed; raises where the session was ended by the server."""
        while (event := await self._events.get()) is not None:
            self._room.set()
            yield event
        if self._ended is not None and not isinstance(self._ended, Closed):
            raise self._ended

    async def join(self, room: str, *, since: int | None = None, backlog: int | None = None) -> dict[str, Any]:
        """Becomes a member of a room and follows it: behind an entry, with the last few, or from now on."""
        where = {"since": since} if since is not None else {"backlog": backlog} if backlog is not None else {}
        return await self.ask("join", room=room, **where)

    async def send(self, room: str, text: str, *, reply_to: int | None = None, nonce: str | None = None) -> int:
        """Says something; returns its number when it is stored."""
        more = {} if reply_to is None else {"reply_to": reply_to}
        nonce = nonce or secrets.token_hex(16)
        while True:
            try:
                answer = await self.ask("message", room=room, text=text, nonce=nonce, **more)
                return int(answer["seq"])
            except Refused as refusal:
                if refusal.code not in PASSING:
                    raise
                await asyncio.sleep(refusal.retry_after or 1.0)

    async def history(self, room: str, **where: int) -> list[dict[str, Any]]:
        """A page of what was said: before=, after= or around= an entry, limit=."""
        return list((await self.ask("history", room=room, **where))["messages"])

    async def ask(self, request: str, **keys: Any) -> dict[str, Any]:
        """Asks anything of the protocol. While there is no connection it waits for one, as long as the timeout."""
        if self._ended is not None:
            raise self._ended
        self._last_id += 1
        # What changes nothing, or has a nonce, is repeated after a lost connection; the rest may have been done or not.
        repeatable = "nonce" in keys or request in {"join", "history", "search", "rooms", "names", "ping", "whoami", "help"}
        asked = _Asked({"request": request, "id": self._last_id, **keys}, asyncio.get_running_loop().create_future(), repeatable)
        self._asked[self._last_id] = asked
        self._room.set()
        try:
            if self._online.is_set():
                self._write(asked.request)
            return await asyncio.wait_for(asked.answer, self._timeout)
        finally:
            self._asked.pop(asked.request["id"], None)

    # What follows is the connection.

    async def _connect(self) -> asyncio.StreamReader:
        """Opens a connection, says hello, logs in."""
        reader, self._writer = await self._open()
        await self._greet(reader, {"request": "hello", "protocol": 1, "client": "snakk.py/1"})
        login: dict[str, Any] = {"request": "login", "username": self.username}
        if self._password is not None:
            login["password"] = self._password
        elif self._token is not None:
            login["token"] = self._token
        try:
            answer = await self._greet(reader, login)
        except Refused as refusal:
            # A guest whom the server has forgotten is a new one of the same name.
            if not (self._is_guest and self._token and refusal.code == "bad_credentials"):
                raise
            self._token = None
            answer = await self._greet(reader, {"request": "login", "username": self.username})
        self.username = str(answer["username"])
        if self._is_guest:
            self._token = answer.get("token")
        return reader

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.startswith("unix:"):
            return await asyncio.open_unix_connection(self._address.removeprefix("unix:"), limit=MAX_LINE_BYTES)
        tls = self._address.startswith("tls://")
        host, _, port = self._address.removeprefix("tls://").rpartition(":")
        context = (self._tls or ssl.create_default_context()) if tls else None
        return await asyncio.open_connection(host.strip("[]"), int(port), limit=MAX_LINE_BYTES, ssl=context)

    async def _greet(self, reader: asyncio.StreamReader, request: dict[str, Any]) -> dict[str, Any]:
        """Asks before anything else happens on the connection."""
        self._write(request)
        while True:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("the server closed the connection")
            answer: dict[str, Any] = json.loads(line)
            if "response" in answer:
                if "error" in answer:
                    raise Refused(answer)
                return answer

    def _write(self, request: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    async def _run(self, reader: asyncio.StreamReader) -> None:
        """Serves one connection after the other, until there will be none."""
        try:
            while True:
                self._online.set()
                self._take_up()
                try:
                    await self._serve(reader)
                except (OSError, ValueError, asyncio.LimitOverrunError):
                    # Lost, or no protocol of ours: either way a new connection is the only way on.
                    pass
                self._online.clear()
                self._lost()
                reader = await self._again()
        except (Refused, Closed) as error:
            self._end(error)

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        asked_alive = False
        while True:
            try:
                line = await asyncio.wait_for(reader.readline(), SILENCE)
            except asyncio.TimeoutError:
                if asked_alive:
                    raise ConnectionError("the server is silent") from None
                asked_alive = True
                self._write({"request": "ping"})
                continue
            if not line.endswith(b"\n"):
                raise ConnectionError("the server closed the connection")
            asked_alive = False
            told: dict[str, Any] = json.loads(line)
            if "event" in told:
                await self._told(told)
            else:
                self._answered(told)

    async def _told(self, told: dict[str, Any]) -> None:
        room, seq = str(told.get("room", "")), told.get("seq")
        if isinstance(seq, int) and told["event"] != "removed":
            place = self._rooms.get(room)
            if place is not None:
                if seq <= place.seq:
                    return
                place.seq = seq
        if told["event"] == "removed":
            self._rooms.pop(room, None)
        # Where nobody reads, this waits, and the server with it.
        while self._events.qsize() >= (MAX_EVENTS_WHILE_ASKED if self._asked else MAX_EVENTS):
            self._room.clear()
            await self._room.wait()
        self._events.put_nowait(Event(str(told["event"]), room, seq if isinstance(seq, int) else None, told))

    def _answered(self, answer: dict[str, Any]) -> None:
        asked = self._asked.get(answer.get("id", -1))
        if "error" not in answer:
            if answer.get("response") == "join":
                self._follow(answer, None if asked is None else asked.request)
            elif answer.get("response") == "resume":
                for room in answer.get("rooms", []):
                    if "error" in room:
                        self._rooms.pop(room.get("room", ""), None)
                    else:
                        self._follow(room, None)
            elif answer.get("response") in {"leave", "unfollow"}:
                self._rooms.pop(str(answer.get("room", "")), None)
        if asked is not None and not asked.answer.done():
            if "error" in answer:
                asked.answer.set_exception(Refused(answer))
            else:
                asked.answer.set_result(answer)

    def _follow(self, joined: dict[str, Any], request: dict[str, Any] | None) -> None:
        """Where the events of a room go on."""
        room, head, first = str(joined["room"]), int(joined["head"]), int(joined.get("first", 1))
        known = self._rooms.get(room)
        if joined.get("reset"):
            seq = head
        elif request is not None and "since" in request:
            seq = max(int(request["since"]), first - 1)
        elif request is not None and "backlog" in request:
            seq = max(head - int(request["backlog"]), first - 1, 0)
        elif known is not None:
            seq = max(known.seq, first - 1)
        else:
            seq = head
        self._rooms[room] = _Place(seq, str(joined.get("epoch", "")))

    def _lost(self) -> None:
        """The connection is gone: what cannot be repeated may have been done or not."""
        for asked in list(self._asked.values()):
            if not asked.repeatable and not asked.answer.done():
                asked.answer.set_exception(ConnectionError("the connection was lost; it may have been done or not"))

    async def _again(self) -> asyncio.StreamReader:
        """Connects again: at once, then after longer and longer pauses, which no two clients share."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause / 2 + random.random() * pause / 2)
            pause = min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
            try:
                return await asyncio.wait_for(self._connect(), self._timeout)
            except Refused as refusal:
                if refusal.code not in PASSING and refusal.code not in {"too_many_connections", "name_taken"}:
                    raise
            except (OSError, ValueError, asyncio.TimeoutError):
                # Nobody is there yet.
                pass

    def _take_up(self) -> None:
        """The rooms first, because a guest becomes a member again with that; then what had been asked."""
        if self._rooms:
            rooms = {room: {"since": place.seq, "epoch": place.epoch} for room, place in self._rooms.items()}
            self._write({"request": "resume", "rooms": rooms})
        for asked in list(self._asked.values()):
            if not asked.answer.done():
                self._write(asked.request)

    def _end(self, why: Exception) -> None:
        if self._ended is None:
            self._ended = why
            for asked in list(self._asked.values()):
                if not asked.answer.done():
                    asked.answer.set_exception(why)
            # Whoever reads gets what waits, then the end.
            self._events.put_nowait(None)


async def _talk() -> None:
    """`python3 snakk.py [ADDRESS [NAME [ROOM]]]`: shows a room, and says what is typed."""
    import sys

    address, name, room = (sys.argv[1:] + ["127.0.0.1:9998", "python", "lobby"][len(sys.argv) - 1 :])[:3]

    def safe(text: object) -> str:
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))

    async with Client(address, username=name) as client:
        await client.join(room, backlog=10)

        async def show() -> None:
            async for event in client.events():
                if event.name == "message":
                    print(f"{safe(event['from'])}: {safe(event.get('text', '(deleted)'))}", flush=True)

        showing = asyncio.create_task(show())
        while line := await asyncio.to_thread(sys.stdin.readline):
            if text := line.strip():
                await client.send(room, text)
        showing.cancel()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_talk())
