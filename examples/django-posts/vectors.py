"""Runs the vectors that all followers share, and prints the names of those that pass as JSON."""

import json
import sys

from ledger import Late, Ledger, OutOfStep, Token, digest, unpadded


def frame(position: int, **more: object) -> dict:
    return {"v": 1, "timeline": "t", "prev": position, "position": position, "floor": 0, "time": 1, "age": 0, **more}


def snapshot(hash_key: str, **more: object) -> dict:
    return {**frame(0), "complete": True, "cursor": "c", "hash_key": hash_key, **more}


def matches(vectors: dict, case: dict) -> bool:
    ledger = Ledger(snapshot(vectors["hash_key"], rows=case["rows"], floor=case["floor"], position=1 << 40), 0, 0)
    return bool(ledger.refuses(Token.of(case["claims"], case["kid"]))) == case["refused"]


def times(vectors: dict, case: dict) -> bool:
    """Plays frames on one connection after a snapshot that is long out of date."""
    ledger = Ledger(snapshot(vectors["hash_key"], age=3_600_000), 0, 0)
    ledger.connect(case["requested"] / 1000)
    for f in case["frames"]:
        try:
            ledger.apply(frame(0, time=f["time"], age=f["age"]), "c", f["received"] / 1000)
        except Late:
            return case["reconnect"]
    return not case["reconnect"] and ledger.fresh(case["now"] / 1000) == case["fresh"]


def steps(vectors: dict, case: dict) -> bool:
    """Applies a frame to position 10 of timeline "t"."""
    ledger = Ledger(snapshot(vectors["hash_key"], position=10), 0, 0)
    try:
        ledger.apply({**frame(10), **case["frame"]}, "c", 0)
    except (OutOfStep, ValueError):
        return case["resync"]
    return not case["resync"]


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    passed = [s["name"] for s in vectors["sums"]
              if digest(unpadded(vectors["hash_key"]), s["claim"], s["value"]) == unpadded(s["key"])]
    for name, run in (("matches", matches), ("times", times), ("steps", steps)):
        passed += [case["name"] for case in vectors[name] if run(vectors, case)]
    print(json.dumps({"passed": passed}))


if __name__ == "__main__":
    main()
