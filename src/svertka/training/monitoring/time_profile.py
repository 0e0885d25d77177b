"""Where the time of a run goes. No torch: it runs from the first line of the process on."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Clock:
    """At every moment one activity is under way, so that the parts add up to the whole.

    Args:
        started: time.perf_counter() when the run began.
    """

    def __init__(self, started: float | None = None) -> None:
        self.started = time.perf_counter() if started is None else started
        self.parts: dict[str, float] = {}  # activity -> seconds, in the order in which they began
        self._doing, self._since = "start", self.started

    def now(self, activity: str) -> None:
        """From here on it is this."""
        moment = time.perf_counter()
        self.parts[self._doing] = self.parts.get(self._doing, 0.0) + moment - self._since
        self._doing, self._since = activity, moment

    def divide(self, activity: str, parts: Mapping[str, float], shares: Mapping[str, float]) -> None:
        """Say what an activity consisted of: seconds of some parts; the rest of it goes to others by their shares."""
        whole, order = self.parts.pop(activity, 0.0), dict(self.parts)
        rest = max(0.0, whole - sum(parts.values()))
        total = sum(shares.values())
        fine = {**parts, **{k: rest * share / total for k, share in shares.items()}}
        scale = whole / sum(fine.values()) if sum(fine.values()) > whole > 0 else 1.0
        self.parts = order
        for name, seconds in fine.items():
            self.parts[name] = self.parts.get(name, 0.0) + seconds * scale

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.started

    def table(self) -> dict[str, float]:
        """Activity -> seconds so far, together `elapsed`."""
        self.now(self._doing)
        return {name: round(seconds, 3) for name, seconds in self.parts.items() if seconds >= 0.0005}
