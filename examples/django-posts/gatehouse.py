"""Guards views by access tokens of Gatehouse, and follows its ledger.

A token is believed when its signature, type, issuer, audience and times are
right and nothing in the ledger takes it back. A thread keeps the ledger in memory
(docs/wire.md), so that no request waits for Gatehouse. While the thread has not
heard from Gatehouse for ten seconds, each token is asked about (introspection),
and if nobody answers, the request is refused with 503.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import json
import logging
import os
import random
import re
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable, Iterator

import jwt
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from ledger import LEEWAY, NEVER, Ledger, OutOfStep, Token, whole

log = logging.getLogger("gatehouse")

SILENCE = 6.0  # a stream without a frame for this long is dead
MAX_LIFETIME = 3600  # seconds
MAX_TOKEN, MAX_DOCUMENT, MAX_EVENT, MAX_SNAPSHOT = 16 << 10, 256 << 10, 8 << 20, 256 << 20
# Accepted algorithms, and what a key for each has to be. No symmetric one.
ALGORITHMS = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519"), "PS256": ("RSA", None), "RS256": ("RSA", None)}


class Refused(Exception):
    """Why a request may not pass: a status and an error of RFC 6750."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """What comes from where a redirect points is not the issuer's."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Gatehouse:
    """Verifies the access tokens of one API."""

    def __init__(self, issuer: str, audience: str, client_id: str, client_secret: str) -> None:
        self.issuer, self.audience = issuer, audience
        pair = urllib.parse.quote_plus(client_id) + ":" + urllib.parse.quote_plus(client_secret)
        self.basic = "Basic " + base64.b64encode(pair.encode()).decode()
        self.http = urllib.request.build_opener(NoRedirect)
        self.lock, self.keys_lock, self.running = threading.Lock(), threading.Lock(), False
        self.metadata: dict[str, Any] = {}
        self.keys: dict[str, tuple[str, Any]] = {}  # kid -> algorithm, key
        self.gone: set[str] = set()  # kids of sets before
        self.keys_at = self.keys_tried = self.keys_missed = NEVER
        self.access: tuple[str, float] = ("", 0.0)  # the feed's token, and until when
        self.answers: dict[bytes, tuple[bool, float]] = {}  # introspection
        self.ledger: Ledger | None = None
        self.report_after, self.retry = 5.0, 0.0
        os.register_at_fork(after_in_child=self.forked)

    # Requests to the issuer.

    def send(self, url: str, headers: dict[str, str], body: bytes | None = None, timeout: float = 5) -> Any:
        at = urllib.parse.urlsplit(url)
        if at.scheme != "https" and not (at.scheme == "http" and at.hostname in ("localhost", "127.0.0.1", "::1")):
            raise ValueError("the issuer must be https, or http on loopback")
        return self.http.open(urllib.request.Request(url, body, headers), timeout=timeout)

    def document(self, url: str, headers: dict[str, str], body: bytes | None = None, most: int = MAX_DOCUMENT) -> Any:
        with self.send(url, {"Accept": "application/json", **headers}, body) as response:
            text = response.read(most + 1)
        if len(text) > most:
            raise ValueError("the answer is too long")
        return json.loads(text)

    def endpoint(self, name: str) -> str:
        if not self.metadata:
            metadata = self.document(self.issuer.rstrip("/") + "/.well-known/openid-configuration", {})
            if metadata.get("issuer") != self.issuer:
                raise ValueError("metadata of another issuer")
            self.metadata = metadata
        return self.metadata[name]

    def ask(self, endpoint: str, **form: str) -> Any:
        return self.document(self.endpoint(endpoint), {"Authorization": self.basic}, urllib.parse.urlencode(form).encode())

    def bearer(self) -> dict[str, str]:
        with self.lock:
            if time.monotonic() > self.access[1]:
                answer = self.ask(
                    "token_endpoint", grant_type="client_credentials", scope="revocations:read", resource=self.issuer)
                self.access = (answer["access_token"], time.monotonic() + answer["expires_in"] - 30)
            return {"Authorization": "Bearer " + self.access[0]}

    # Following the ledger.

    def forked(self) -> None:
        """Threads do not survive a fork, locks might be held for ever."""
        self.lock, self.keys_lock, self.running, self.ledger = threading.Lock(), threading.Lock(), False, None

    def start(self) -> None:
        """Starts following, unless it has been started."""
        if self.running:
            return
        with self.lock:
            if self.running:
                return
            self.running, self.instance = True, secrets.token_hex(8)
        for work in (self.follow, self.report):
            threading.Thread(target=work, name="gatehouse-" + work.__name__, daemon=True).start()

    def follow(self) -> None:
        ledger, pause = None, 0.2
        while True:
            try:
                if ledger is None:
                    ledger = self.snapshot()
                    self.ledger = ledger  # in one step: requests see the old ledger or this one
                for event, data, cursor in self.events(ledger):
                    frame = json.loads(data)
                    if event == "reset" and frame["v"] == 1 and frame["reason"] != "timeline":
                        ledger = None  # what is known stays true, it only cannot be continued
                        break
                    if event not in ("rows", "head"):
                        raise OutOfStep(f"event {event!r}: {data[:200]!r}")
                    ledger.apply(frame, cursor, time.monotonic())
                    pause = 0.2
            except urllib.error.HTTPError as error:
                error.close()
                log.warning("the feed answered %d", error.code)
                if error.code == 401:
                    self.access = ("", 0.0)
                elif error.code < 500 and error.code != 429:
                    ledger = None
                pause = 30 if error.code in (403, 404) else pause
            except (OSError, http.client.HTTPException) as error:
                log.info("connection to the feed lost: %s", error)
            except Exception as error:  # OutOfStep, or an answer that makes no sense
                log.warning("following anew: %r", error)
                if self.ledger is not None:
                    self.ledger.confirmed = NEVER  # stale until there is a new snapshot
                ledger = None
            time.sleep(self.retry + pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 10)

    def snapshot(self) -> Ledger:
        headers, requested = self.bearer(), time.monotonic()
        known = urllib.parse.urlencode({"after": self.ledger.cursor, "complete": "true"}) if self.ledger else ""
        answer = self.document(self.issuer.rstrip("/") + "/revocations?" + known, headers, most=MAX_SNAPSHOT)
        return Ledger(answer, requested, time.monotonic(), self.ledger)

    def events(self, ledger: Ledger) -> Iterator[tuple[str, str, str]]:
        """Yields name, data and id of each server-sent event until the stream ends."""
        headers = {**self.bearer(), "Accept": "text/event-stream", "Last-Event-ID": ledger.cursor}
        ledger.connect(time.monotonic())
        with self.send(self.issuer.rstrip("/") + "/revocations/stream", headers, timeout=SILENCE) as response:
            if response.headers.get_content_type() != "text/event-stream":
                raise OutOfStep("not a stream of events")
            fields: dict[str, list[str]] = {}
            heard, size = time.monotonic(), 0
            while line := response.readline(MAX_EVENT):
                size += len(line)
                if not line.endswith(b"\n") or size > MAX_EVENT or time.monotonic() - heard > SILENCE:
                    return
                name, _, value = line.decode().rstrip("\r\n").partition(":")
                if line.strip():
                    fields.setdefault(name, []).append(value[1:] if value.startswith(" ") else value)
                    continue
                if "retry" in fields:
                    self.retry = min(int(fields["retry"][-1]) / 1000, 30)
                if "data" in fields:
                    heard = time.monotonic()
                    yield fields.get("event", [""])[-1], "\n".join(fields["data"]), fields.get("id", [ledger.cursor])[-1]
                fields, size = {}, 0

    def report(self) -> None:
        """Tells what was applied, for those who want a receipt. Failures do not matter."""
        while True:
            time.sleep(self.report_after * random.uniform(1, 1.2))
            if (ledger := self.ledger) is None:
                continue
            lag = min(max(time.monotonic() - ledger.confirmed, 0), 86400)
            body = {"instance": self.instance, "cursor": ledger.cursor, "lag": int(lag * 1000),
                    "state": "fresh" if ledger.fresh(time.monotonic()) else "stale"}
            try:
                headers = {**self.bearer(), "Content-Type": "application/json"}
                answer = self.document(self.issuer.rstrip("/") + "/revocations/position", headers, json.dumps(body).encode())
                self.report_after = min(max(answer["report_after"], 5), 3600)
            except urllib.error.HTTPError as error:
                error.close()
                if (asked := error.headers.get("Retry-After", "")).isdecimal():
                    self.report_after = min(max(int(asked), 5), 3600)
            except Exception as error:
                log.debug("report: %s", error)

    # Deciding.

    def key(self, kid: str) -> tuple[str, Any]:
        """Returns algorithm and key. A set serves two hours while no new one can be had."""
        now = time.monotonic()
        if self.outdated(kid, now):
            with self.keys_lock:
                if self.outdated(kid, now):  # nobody else has just done it
                    self.keys_tried = now
                    try:
                        keys = read_keys(self.document(self.endpoint("jwks_uri"), {}))
                        self.gone = (self.gone | self.keys.keys()) - keys.keys()
                        self.keys, self.keys_at = keys, now
                    except Exception as error:
                        self.metadata = {}
                        log.warning("keys: %s", error)
                    if kid not in self.keys:
                        self.keys_missed = now
        if now - self.keys_at > (7200 if kid in self.keys or kid in self.gone else 1):
            # The key may be new: that the token is dead would be a guess.
            raise Refused(503, "temporarily_unavailable", "the issuer's keys cannot be had")
        if kid not in self.keys:
            raise Refused(401, "invalid_token", "the key is unknown")
        return self.keys[kid]

    def outdated(self, kid: str, now: float) -> bool:
        """Whether to ask for the keys: every five minutes, and for one that is not known, of made-up ones each ten seconds."""
        if kid in self.keys:
            return now - self.keys_at > 300 and now - self.keys_tried > 10
        return now - self.keys_at > 1 and now - self.keys_missed > 10

    def verify(self, raw: str, stale: str = "introspect") -> Token:
        """Returns what the token says, or raises Refused. The ledger is asked each time."""
        self.start()
        token = self.read(raw)
        ledger = self.ledger
        if ledger and (why := ledger.refuses(token)):
            raise Refused(401, "invalid_token", REASONS.get(why, REVOKED))
        if ledger and ledger.fresh(time.monotonic()):
            return token
        if stale == "deny":
            raise Refused(503, "temporarily_unavailable", "what was revoked is not known at the moment")
        if self.active(raw):
            return token
        raise Refused(401, "invalid_token", REVOKED)

    def read(self, raw: str) -> Token:
        """Checks all that can be checked without the ledger."""
        try:
            if len(raw) > MAX_TOKEN or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", raw, re.ASCII):
                raise ValueError("no signed JWT")
            header = jwt.get_unverified_header(raw)
            if header.get("typ") not in ("at+jwt", "application/at+jwt") or {"crit", "b64", "zip"} & header.keys():
                raise ValueError("not of the type at+jwt")
            kid = header.get("kid")
            algorithm, key = self.key(kid if isinstance(kid, str) else "")
            claims = jwt.decode(
                raw, key, algorithms=[algorithm], issuer=self.issuer, audience=self.audience, leeway=LEEWAY,
                options={"require": ["iss", "aud", "exp", "iat", "sub", "jti"]})
            if whole(claims, "exp") - whole(claims, "iat") > MAX_LIFETIME or whole(claims, "iat") > time.time() + LEEWAY:
                raise ValueError("its times are not acceptable")
            return Token.of(claims, kid)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            log.debug("token refused: %s", error)
            raise Refused(401, "invalid_token", "the access token is not valid") from error

    def active(self, raw: str) -> bool:
        """Asks the issuer about the token; an answer counts for five seconds."""
        name, now = hashlib.sha256(raw.encode()).digest(), time.monotonic()
        known = self.answers.get(name)
        if known is None or now - known[1] > 5:
            try:
                known = (self.ask("introspection_endpoint", token=raw).get("active") is True, now)
            except Exception as error:
                log.warning("introspection: %s", error)
                raise Refused(503, "temporarily_unavailable", "the issuer does not answer") from error
            if len(self.answers) >= 10_000:
                self.answers = {}
            self.answers[name] = known
        return known[0]


REVOKED = "the access token was revoked"
REASONS = {
    "sid": "the session has ended", "gid": "the app was disconnected", "kid": "the signing key was withdrawn",
    "scope": "permissions have changed, refresh the token", "sub": "permissions have changed, refresh the token",
    "floor": "the token is from too long ago, refresh it", "all": "all tokens were revoked, refresh it",
}


def read_keys(document: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Returns the usable keys of a JWK set; others make the set no worse."""
    keys = {}
    for jwk in document["keys"]:
        kind, curve = ALGORITHMS.get(jwk.get("alg"), ("none", None))
        if (jwk.get("kty"), jwk.get("crv"), jwk.get("use", "sig")) != (kind, curve, "sig") or "d" in jwk:
            continue
        try:
            key = jwt.PyJWK(jwk, jwk["alg"]).key
        except jwt.PyJWTError:
            continue
        if kind != "RSA" or key.key_size >= 2048:
            keys[jwk["kid"]] = (jwk["alg"], key)
    return keys


# For views.


@functools.lru_cache(maxsize=None)
def gatehouse() -> Gatehouse:
    """The project's own, as settings.GATEHOUSE says."""
    return Gatehouse(**settings.GATEHOUSE)


def permission_required(*permissions: str, stale: str = "introspect") -> Callable[[Callable], Callable]:
    """Lets requests pass whose token carries all of the permissions. The view finds it as request.token.

    stale says what happens while the ledger is not fresh: "introspect" or "deny".
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                token = gatehouse().verify(bearer_of(request), stale)
                if not token.scopes.issuperset(permissions):
                    raise Refused(403, "insufficient_scope", "the access token lacks a permission")
                if "access_token" in request.POST:
                    raise Refused(400, "invalid_request", "the request carries two access tokens")
            except Refused as refused:
                return refusal(refused, permissions)
            request.token = token
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def login_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Lets requests with a valid token pass, whatever it permits."""
    return permission_required()(view)


def bearer_of(request: HttpRequest) -> str:
    """The token of the header Authorization, never one from a query, which logs would keep."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(401, "", "an access token is needed in the Authorization header")
    if not re.fullmatch(r"[^\s,]+", token.strip(" ")):
        raise Refused(400, "invalid_request", "the Authorization header does not hold one access token")
    return token.strip(" ")


def refusal(refused: Refused, permissions: tuple[str, ...]) -> HttpResponse:
    """Answers as RFC 6750 asks."""
    body = {"error": refused.error or "missing_token", "error_description": refused.description}
    response = JsonResponse(body, status=refused.status)
    response["Cache-Control"] = "no-store"
    if refused.status == 503:
        response["Retry-After"] = "10"
        return response
    parts = [f'realm="{settings.GATEHOUSE["audience"]}"']
    if refused.error:
        parts += [f'error="{refused.error}"', f'error_description="{refused.description}"']
    if permissions and refused.status != 400:
        parts.append(f'scope="{" ".join(permissions)}"')
    response["WWW-Authenticate"] = "Bearer " + ", ".join(parts)
    return response
