"""Which of torchrun's processes this is, and the small store of keys that all of them reach.

torchrun starts the same command several times and says in the environment which is which. Its store carries JSON: what
the first process chose, and who may tell a person about an error. Torch is imported only where the store is used.
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
    from torch.distributed.distributed_c10d import Store

ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
NUMBERS = {"rank": "RANK", "size": "WORLD_SIZE", "local_rank": "LOCAL_RANK", "local_size": "LOCAL_WORLD_SIZE"}
WORK = timedelta(hours=6)  # decoding a large data set takes long; who dies meanwhile is noticed by torchrun
LOOK = 0.02  # seconds between two looks for what is waited for
ANSWER = timedelta(minutes=10)  # for the others to be started and reached, and to take part in a step


@dataclass(frozen=True, slots=True)
class World:
    """The processes of one training.

    rank        this one's number among all; number 0, the main one, writes the run and speaks
    size        how many there are
    local_rank  its number on this machine; number 0 decodes the pictures here
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
    def is_main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0


def world() -> World:
    """The world as torchrun describes it in the environment; a single process where it does not.

    Raises:
        UsageError: the description is damaged.
    """
    if any(name not in os.environ for name in (*NUMBERS.values(), *ADDRESS)):
        return World()
    variables = {**NUMBERS, "machine": "GROUP_RANK"}
    try:
        here = World(**{field: int(os.environ.get(name, "0")) for field, name in variables.items()})
    except ValueError as why:
        raise UsageError(f"The environment of torchrun is damaged: {why}.") from None
    if not (0 <= here.rank < here.size and 0 <= here.local_rank < here.local_size <= here.size):
        raise UsageError(f"The environment of torchrun contradicts itself: it describes {here}.")
    return here


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


@functools.cache
def key_value_store() -> Store:
    """The store of keys that all processes reach.

    Raises:
        TrainingError: nobody answers at the address.
    """
    from torch.distributed.rendezvous import rendezvous

    try:
        store: Store = next(rendezvous("env://", timeout=ANSWER))[0]
    except (RuntimeError, ValueError) as why:
        where = ":".join(os.environ.get(name, "") for name in ADDRESS)
        raise TrainingError(f"The other processes cannot be reached at {where}: {str(why).splitlines()[0]}.") from why
    return store


def publish(key: str, message: dict[str, Any]) -> None:
    """Let all other processes know something, once; nothing where there are none."""
    if not world().alone:
        key_value_store().set(key, json.dumps(message))


def wait_for(key: str, doing: str, patience: timedelta = WORK) -> dict[str, Any]:
    """Wait until a process has published something.

    Args:
        key: what it is published under.
        doing: what that process does meanwhile, for the sentence when it takes too long.
        patience: how long to wait.

    Raises:
        TrainingError: it was not published in time.
    """
    store, end = key_value_store(), time.monotonic() + patience.total_seconds()
    try:
        while not store.check([key]):  # not `wait`, in which no signal is heard
            if time.monotonic() > end:
                raise TrainingError(
                    f"Waited {_in_words(patience)} for another process {doing}; it does not seem to finish."
                )
            time.sleep(LOOK)
        message: dict[str, Any] = json.loads(store.get(key))
    except RuntimeError as why:  # the store has gone with the process that kept it
        raise lost() from why
    return message


@functools.cache
def may_report() -> bool:
    """Whether this process tells the person of an error: the first of all that has met one, and asked."""
    if world().alone:
        return True
    try:
        return bool(key_value_store().add("reported", 1) == 1)
    except (RuntimeError, TrainingError):  # nobody is left to ask
        return world().is_main


def silent() -> TrainingError:
    """The error of whoever waits for a process that has not ended but does not answer either."""
    return TrainingError(
        f"Another process of this training has not answered for {_in_words(ANSWER)}, so all end; `svertka train "
        "--resume RUN` goes on from the last checkpoint."
    )


def lost() -> TrainingError:
    """The error of whoever waits for a process that has ended."""
    return TrainingError(
        "Another process of this training has ended, so all end; `svertka train --resume RUN` goes on from the last "
        "checkpoint, with any number of processes."
    )


def _in_words(patience: timedelta) -> str:
    seconds = patience.total_seconds()
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} seconds"
