"""As many passes as fit into the minutes that a run may take, and fewer or more of them as the machine turns out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from svertka.training.schedules.progressive_resizing import work

AIM = 0.97  # of the time: what is left is for what nobody foresees
MOST = 10  # times the usual number of passes, however many minutes there are
LATE = 0.02  # of the time: a run that is this much late gets shorter
SETTLED = 0.7  # of the passes: from here on none is added, since the rates are on their way to zero
EARLY = 0.05  # and one that would leave this much unused gets longer


@dataclass(frozen=True, slots=True)
class Pace:
    """The number of passes of a run that may take `budget` seconds in all, `end` of which are for its end.

    Args:
        budget: seconds from the start of the process to its end.
        usual: passes that would be taken without a limit; at most MOST times as many are.
        end: seconds from the last pass to the end of the process.
        grow: share of the run whose pictures are smaller, and cost less (`training.progressive`).
    """

    budget: float
    usual: int
    end: float
    grow: float = 0.0

    def passes(self, elapsed: float, each: float, done: int = 0) -> int:
        """How many in all, after `done` and `elapsed` seconds, at `each` seconds a pass of full size; at least one."""
        left = AIM * self.budget - elapsed - self.end
        more = range(max(1, done) + 1, MOST * self.usual + 1)
        return max(1, done) + bisect_right(more, left, key=lambda passes: work(self.grow, done, passes) * each)

    def again(self, planned: int, elapsed: float, each: float, done: int) -> int:
        """How many in all, now that `done` have shown what one takes; small differences change nothing.

        The schedule of rates is drawn out or together over what is left, so it still ends where it should.
        """
        late = elapsed + work(self.grow, done, planned) * each + self.end - AIM * self.budget
        early = -late > max(each, EARLY * self.budget) and done < SETTLED * planned
        if late > LATE * self.budget or early:
            return self.passes(elapsed, each, done)
        return planned
