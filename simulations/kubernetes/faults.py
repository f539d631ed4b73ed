"""What can be made to go wrong, for tests: requests refused or throttled, watches that fall silent or lag."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulations.kubernetes.failures import PlainRefusal, Refused
from simulations.kubernetes.requests import Request

THROTTLED = "Too many requests, please try again later.\n"
Which = Callable[[Request], bool]


@dataclass
class Faults:
    """The faults that are switched on; with none the API is healthy."""

    throttled: Which | None = None
    retry_after_s: int = 1
    broken: Which | None = None
    forbidden: Which | None = None
    slow: Callable[[Request], float] | None = None
    silent_watches: bool = False
    late_events_s: float = 0.0
    seen: list[Request] = field(default_factory=list)
    records: bool = False

    def check(self, request: Request, user: str) -> None:
        """Refuse a request as the fault that is on demands; note it if that is asked for."""
        if self.records:
            self.seen.append(request)
        if self.throttled and self.throttled(request):
            raise PlainRefusal(429, THROTTLED, {"Retry-After": str(self.retry_after_s)})
        if self.forbidden and self.forbidden(request):
            words = f'{request.path} is forbidden: User "{user}" was told so by a test'
            raise Refused(403, "Forbidden", words, {})
        if self.broken and self.broken(request):
            raise PlainRefusal(500, "Internal Server Error\n")
