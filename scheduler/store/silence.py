"""PostgreSQL that falls silent: every wait for it has an end, by its own settings and, where it is stopped, by ours."""

import time
from collections.abc import Generator
from typing import Any, Final

from psycopg import Connection, OperationalError
from psycopg.abc import RV, PQGen

CONNECT_S: Final = 3
"""Longest time until a connection is made, to one address."""
STATEMENT_S: Final = 5
"""Longest that the server works on one statement."""
LOCK_S: Final = 3
"""Longest that the server waits for somebody else's lock."""
IDLE_S: Final = 60
"""Longest that the server keeps a transaction open in which nothing is asked."""
SILENCE_S: Final = 6.0
"""Longest that we wait without hearing anything; longer than the server's own limits, so that they are heard first."""

CONNECT_ARGUMENTS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 1000 * int(SILENCE_S),
    "options": f"-c statement_timeout={STATEMENT_S}s -c lock_timeout={LOCK_S}s"
    f" -c idle_in_transaction_session_timeout={IDLE_S}s",
}
"""What a connection is opened with where its URL does not say otherwise."""


class PatientConnection(Connection[Any]):
    """A connection that is given up when the server says nothing for `SILENCE_S`.

    The server's own limits do nothing when it is stopped, and TCP's do nothing while its machine still answers.
    """

    def wait(self, gen: PQGen[RV], *rest: Any, **named: Any) -> RV:
        """Consume a generator as `Connection.wait`.

        Raises:
            OperationalError: the server fell silent; the connection is closed.
        """
        return super().wait(self._heard(gen), *rest, **named)

    def _heard(self, gen: PQGen[RV]) -> Generator[Any, Any, RV]:
        """Pass on what a generator waits for, and end it when nothing has come for too long."""
        last_s = time.monotonic()
        try:
            asked = next(gen)
            while True:
                ready = yield asked
                now_s = time.monotonic()
                if ready:
                    last_s = now_s
                elif now_s - last_s > SILENCE_S:
                    self.pgconn.finish()
                    raise OperationalError(f"the server has said nothing for {SILENCE_S:g} s")
                asked = gen.send(ready)
        except StopIteration as done:
            found: RV = done.value
            return found
