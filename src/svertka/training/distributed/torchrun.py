"""Which of torchrun's processes this is, and what the processes say to each other before and after they compute.

torchrun starts the same command several times and says in the environment which is which; it also keeps a small store
of keys that all of them reach. Here it carries JSON: what the first process chose, and who may tell a person about an
error. Torch is imported only where a word is said.
"""

from __future__ import annotations

import functools
import json
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from svertka.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from torch.distributed import Store

ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
NUMBERS = {"rank": "RANK", "size": "WORLD_SIZE", "local_rank": "LOCAL_RANK", "local_size": "LOCAL_WORLD_SIZE"}
PATIENCE = timedelta(hours=6)  # decoding a large data set takes long; who dies meanwhile is noticed by torchrun
MEETING = timedelta(minutes=10)  # for the others to be started and reached


@dataclass(frozen=True, slots=True)
class World:
    """The processes of one training.

    rank        this one's number among all; number 0, the first, writes the run and speaks
    size        how many there are
    local_rank  its number on this machine; number 0 reads the pictures here
    local_size  how many there are on this machine
    machine     number of this machine
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    machine: int = 0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0


def world() -> World:
    """The world as torchrun describes it in the environment; a single process where it does not.

    Raises:
        UsageError: the description is damaged.
    """
    told = {**NUMBERS, "machine": "GROUP_RANK"}
    if any(name not in os.environ for name in (*NUMBERS.values(), *ADDRESS)):
        return World()
    try:
        found = World(**{field: int(os.environ.get(name, "0")) for field, name in told.items()})
    except ValueError as why:
        raise UsageError(f"The environment of torchrun is damaged: {why}.") from None
    if not (0 <= found.rank < found.size and 0 <= found.local_rank < found.local_size <= found.size):
        raise UsageError(f"The environment of torchrun contradicts itself: it describes {found}.")
    return found


@functools.cache
def office() -> Store:
    """The store of keys that all processes reach.

    Raises:
        TrainingError: nobody answers at the address.
    """
    import torch.distributed as dist

    try:
        store, _, _ = next(dist.rendezvous("env://", timeout=MEETING))
    except (RuntimeError, ValueError) as why:
        where = ":".join(os.environ.get(name, "") for name in ADDRESS)
        raise TrainingError(f"The other processes cannot be reached at {where}: {str(why).splitlines()[0]}.") from why
    return store


def tell(key: str, what: dict[str, Any]) -> None:
    """Let all processes know something, once."""
    office().set(key, json.dumps(what))


def hear(key: str, doing: str, patience: timedelta = PATIENCE) -> dict[str, Any]:
    """Wait until a process has told something.

    Args:
        key: what it is told under.
        doing: what the others do meanwhile, for the sentence when that takes too long.
        patience: how long to wait.

    Raises:
        TrainingError: it was not told in time.
    """
    begun = time.monotonic()
    try:
        office().wait([key], patience)
    except RuntimeError as why:  # a time-out, or a store that has gone with the process that kept it
        if time.monotonic() - begun < patience.total_seconds():
            raise lost() from why
        raise TrainingError(
            f"Waited {span(patience)} for another process {doing}; it does not seem to finish."
        ) from why
    heard: dict[str, Any] = json.loads(office().get(key))
    return heard


def may_speak() -> bool:
    """Whether this process is the one that tells the person of an error: the first of all that has met one."""
    if world().alone:
        return True
    try:
        return bool(office().add("spoken", 1) == 1)
    except (RuntimeError, TrainingError):  # nobody is left to ask
        return world().first


def refuse_several(what: str) -> None:
    """Refuse what several processes cannot share.

    Args:
        what: begins the sentence, such as "--verify".

    Raises:
        UsageError: torchrun has started several.
    """
    if not world().alone:
        raise UsageError(
            f"{what} is for one process, but torchrun has started {world().size}: start it without torchrun."
        )


def silent(patience: timedelta = MEETING) -> TrainingError:
    """The error of whoever waits for a process that has not ended but does not answer either."""
    return TrainingError(
        f"Another process of this training has not answered for {span(patience)}, so all end; `svertka train --resume "
        "RUN` goes on from the last checkpoint."
    )


def lost() -> TrainingError:
    """The error of whoever waits for a process that has ended."""
    return TrainingError(
        "Another process of this training has ended, so all end; `svertka train --resume RUN` goes on from the last "
        "checkpoint, with any number of processes."
    )


def span(patience: timedelta) -> str:
    """A time in words."""
    seconds = patience.total_seconds()
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} seconds"
