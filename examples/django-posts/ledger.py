"""What was taken back: the memory of a follower of Gatehouse's ledger, version 1.

Nothing here talks to anybody; gatehouse.py feeds it. docs/wire.md has the rules.
"""

from __future__ import annotations

import base64
import hmac
import time
from dataclasses import dataclass
from typing import Any

FRESH = 10.0  # seconds for which what was confirmed counts
LEEWAY = 30  # seconds by which clocks may differ
MAX_ROWS = 2_000_000
# Kind of row -> the claim that it matches, and whether it does so whatever the token's rev is.
KINDS = {
    "token": ("jti", True), "session": ("sid", True), "grant": ("gid", True), "key": ("kid", True),
    "user": ("sub", False), "membership": ("sub", False), "permission": ("scope", False),
    "client": ("client_id", False), "all": ("", False),
}
ABSOLUTE = {claim for claim, absolute in KINDS.values() if absolute}
NEVER = float("-inf")


class OutOfStep(Exception):
    """The feed says what this follower does not understand or cannot continue."""


class Late(OSError):
    """Times do not fit together: a new connection has to measure them anew."""


def whole(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{name} is no whole number")
    return value


def unpadded(text: str) -> bytes:
    """Decodes base64url without padding, in its one spelling."""
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != text:
        raise ValueError("not base64url")
    return decoded


def digest(hash_key: bytes, claim: str, value: str) -> bytes:
    """What rows carry in place of a claim's value."""
    return hmac.digest(hash_key, claim.encode() + b"\0" + value.encode(), "sha256")[:16]


@dataclass(frozen=True)
class Token:
    """What a verified access token says."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    rev: int
    expires: int  # Unix seconds
    keys: tuple[tuple[str, str], ...]  # (claim, value) of all that a row can match

    @classmethod
    def of(cls, claims: dict[str, Any], kid: str) -> Token:
        texts = {name: claims.get(name, "") for name in ("jti", "sid", "gid", "sub", "client_id", "scope")}
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError("a claim is no text")
        if not (texts["sub"] and texts["jti"] and texts["client_id"] and kid):
            raise ValueError("it lacks a subject, an id, a client or a key")
        if "cnf" in claims:
            raise ValueError("it is bound to its sender and is no bearer token")
        scopes = frozenset(texts.pop("scope").split(" ")) - {""}
        keys = [(name, value) for name, value in {**texts, "kid": kid}.items() if value]
        if texts["gid"]:  # rows of the kind permission are about what groups give to people
            keys += [("scope", scope) for scope in scopes]
        return cls(texts["sub"], texts["client_id"], scopes, whole(claims, "rev"), whole(claims, "exp"), tuple(keys))


class Ledger:
    """The rows of one timeline, and how fresh they are.

    One thread writes, any number read without a lock: a row is in place before the
    frame that brought it counts, and the floor rises before a row is dropped.
    """

    def __init__(self, snapshot: dict[str, Any], requested: float, now: float, old: Ledger | None = None) -> None:
        if snapshot.get("complete") is not True:
            raise OutOfStep("the snapshot is not complete")
        self.timeline, self.position = snapshot["timeline"], whole(snapshot, "prev")
        if old and old.timeline == self.timeline and old.position > whole(snapshot, "position"):
            raise OutOfStep("the snapshot is of a node that lags")  # it may lack what is known already
        self.hash_key = unpadded(snapshot["hash_key"])
        if not 16 <= len(self.hash_key) <= 64:
            raise OutOfStep("a malformed hash key")
        self.rows: dict[tuple[str, bytes], tuple[int, int]] = {}  # (claim, digest) -> position, expires
        self.floor, self.confirmed, self.next_drop = 0, NEVER, now + 60
        self.ahead: tuple[int, float] | None = None  # a rev above position, and when it was seen
        self.quiet = old.quiet if old else NEVER
        self.offset = time.time() - time.monotonic()
        self.connect(requested)
        self.apply(snapshot, snapshot["cursor"], now)

    def connect(self, requested: float) -> None:
        """A new request is sent at that time; its first frame becomes the anchor."""
        if self.jumped():
            self.confirmed = NEVER
        self.offset = time.time() - time.monotonic()
        self.requested, self.first, self.gained = requested, 0, 0.0

    def apply(self, frame: dict[str, Any], cursor: str, now: float) -> None:
        """Takes in a frame. After Late a new connection is needed, after any other error a snapshot."""
        if frame.get("v") != 1 or frame.get("timeline") != self.timeline or whole(frame, "prev") != self.position:
            raise OutOfStep("another version, timeline or position")
        position, served, age = whole(frame, "position"), whole(frame, "time"), whole(frame, "age")
        if position < self.position:
            raise OutOfStep("the position runs backwards")
        for row in frame.get("rows") or ():
            self.add(row)
        self.floor = max(self.floor, whole(frame, "floor"))
        self.position, self.cursor, self.server = position, cursor, served / 1000 - now
        if now >= self.next_drop:
            self.drop(served / 1000)
            self.next_drop = now + 60
        self.confirm(served, age, now)
        ahead = self.ahead
        if ahead and position >= ahead[0]:
            self.ahead = None
        elif ahead and self.confirmed >= ahead[1] + FRESH and now >= self.quiet:
            self.ahead, self.quiet = None, now + 60
            raise OutOfStep("tokens are ahead of the ledger: it may have lost a part")

    def confirm(self, served: int, age: int, now: float) -> None:
        """Works out since when what is known is true.

        The first frame was made after its request was sent. So any frame, however
        long it lay in a buffer, counts as made as long after that request as its
        server time is after the first one's.
        """
        first = self.first or served
        since = (served - first) / 1000 - self.gained
        late = now - self.requested - since
        if late > 5 and self.first or late < -1 or self.jumped():
            self.confirmed = NEVER
            raise Late("frames come late, or a clock has jumped")
        if late < 0:  # before it can have been made: the server's clock has gained
            self.gained, since = self.gained - late, since + late
        self.first = first
        self.confirmed = max(self.confirmed, self.requested + since - age / 1000)

    def add(self, row: dict[str, Any]) -> None:
        if row.get("kind") not in KINDS:
            raise OutOfStep(f"unknown kind {row.get('kind')!r}")
        claim, _ = KINDS[row["kind"]]
        text, position, expires = row.get("key", ""), whole(row, "position"), whole(row, "expires")
        if claim and not text:
            return  # it matches no token
        key = (claim, unpadded(text))
        if len(key[1]) != (16 if claim else 0):
            raise OutOfStep("a malformed key")
        if len(self.rows) >= MAX_ROWS and key not in self.rows:
            raise OutOfStep("more rows than allowed")
        known = self.rows.get(key, (0, 0))
        self.rows[key] = (max(known[0], position), max(known[1], expires))

    def drop(self, unix: float) -> None:
        """Forgets rows that no token needs any more; what is older is refused by the floor."""
        dead = [(key, position) for key, (position, expires) in self.rows.items() if expires < unix]
        self.floor = max([self.floor, *(position for key, position in dead if key[0] != "jti")])
        for key, _ in dead:
            del self.rows[key]

    def refuses(self, token: Token) -> str:
        """Says by which claim the token is taken back; "all", "floor", or nothing."""
        for claim, value in token.keys:
            row = self.rows.get((claim, digest(self.hash_key, claim, value)))
            if row and (claim in ABSOLUTE or row[0] > token.rev):
                return claim
        if self.rows.get(("", b""), (0, 0))[0] > token.rev:
            return "all"
        if token.expires + LEEWAY <= self.server + time.monotonic():  # its row may be gone, this clock slow
            return "exp"
        if token.rev < self.floor:  # after the rows: drop raises it before it forgets one
            return "floor"
        if token.rev > self.position and self.ahead is None:
            self.ahead = (token.rev, time.monotonic())
        return ""

    def jumped(self) -> bool:
        """Whether the machine slept or its clock was set since the request was sent."""
        return abs(time.time() - time.monotonic() - self.offset) > 2

    def fresh(self, now: float) -> bool:
        return now - self.confirmed <= FRESH and not self.jumped()
