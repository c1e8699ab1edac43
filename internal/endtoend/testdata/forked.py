"""Forks a process that follows, and checks that parent and child do so on their own."""

import os
import sys
import time

sys.path.insert(0, sys.argv[1])

from gatehouse import Gatehouse  # noqa: E402


def await_fresh(follower):
    end = time.monotonic() + 10
    while follower.ledger is None or not follower.ledger.fresh(time.monotonic()):
        if time.monotonic() > end:
            raise SystemExit("not fresh within ten seconds, process %d" % os.getpid())
        time.sleep(0.02)


follower = Gatehouse(os.environ["ISSUER"], os.environ["AUDIENCE"], os.environ["API_CLIENT_ID"], os.environ["API_CLIENT_SECRET"])
follower.start()
await_fresh(follower)
before = follower.instance
with follower.lock, follower.keys_lock:  # as threads of the parent may hold them
    child = os.fork()
if child == 0:
    if follower.ledger is not None:
        sys.exit("the child believes what its parent knew")
    follower.start()
    await_fresh(follower)
    sys.exit("both report under one name" if follower.instance == before else 0)
_, status = os.waitpid(child, 0)
if follower.instance != before or not follower.ledger.fresh(time.monotonic()):
    sys.exit("the parent stopped following")
sys.exit(os.waitstatus_to_exitcode(status))
