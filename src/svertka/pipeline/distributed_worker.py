"""A training in several processes: what the first one tells, and what the others do.

The first reads the pictures, chooses, writes the run folder and speaks. The others hear from it what was chosen,
compute their share of every batch, and neither write nor speak; on each machine one of them reads the pictures there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from svertka import data as rooms
from svertka.errors import DataError, NotFinite
from svertka.kinds.image import Preprocess
from svertka.pipeline.context import Job, Trained
from svertka.records import silent
from svertka.runs.run_folder import Run
from svertka.training.distributed.torchrun import World, hear, tell, world
from svertka.training.recipe import Recipe

if TYPE_CHECKING:
    from svertka.blocks import Net
    from svertka.data.loading.loader import Loader
    from svertka.data.store.builder import StoreJob
    from svertka.hardware.plan import Plan
    from svertka.training.state import State


# --- what the first process tells; nothing where it is the only one ---


def tell_pictures(source: dict[str, Any], preprocess: Preprocess) -> None:
    """Which pictures are read (as `Source.to_dict` has it) and how, so that other machines begin to read them too."""
    if not world().alone:
        tell("pictures", {"source": source, "preprocess": preprocess.to_dict()})


def tell_read(reading: StoreJob) -> None:
    """That the pictures of this machine are decoded, once they lie where its other processes find them."""
    here = world()
    if not here.alone:
        reading.settle()
        tell(f"read on {here.machine}", {})


def tell_work(job: Job, plan: Plan, network: dict[str, Any], structure: dict[str, Any]) -> None:
    """What is trained, and how; the network as `bundle.describe` and `bundle.outline` have it."""
    if not world().alone:
        tell(
            "work",
            {
                "run": str(job.run.path),
                "recipe": job.recipe.to_dict(),
                "preprocess": job.preprocess.to_dict(),
                "plan": plan.to_dict(),
                "network": network,
                "structure": structure,
                "classes": list(job.manifest.classes),
                "pictures": _fingerprint(job.store),
            },
        )


def tell_done(done: Trained) -> Trained:
    """That the run folder is complete; passes it on."""
    if not world().alone:
        tell("done", {"path": str(done.path), "summary": done.summary, "stopped": done.stopped})
    return done


def by_one(work: Callable[..., Trained], job: Job, *how: Any) -> Trained:
    """Work that only one process does, while the others wait: transfer, whose features are computed once."""
    if not world().alone:
        tell("work", {})
        job.note(f"Transfer is the work of one process: the other {world().size - 1} wait.")
    return tell_done(work(job, *how))


# --- what all do together ---


@contextmanager
def at_work(job: Job, plan: Plan, net: Net, saved: Path | None) -> Iterator[State]:
    """A state that is the same in each process, from a checkpoint where there is one, while they train together.

    Args:
        job: in the processes beside the first, without labels and parts: they come from the first.
        plan: how to compute.
        net: the first process's weights are taken.
        saved: folder of the checkpoint, which only the first process needs to see.

    Raises:
        TrainingError: another process has ended.
        RunError: the checkpoint is damaged.
    """
    import torch

    from svertka.training import checkpoint, class_balance, loop
    from svertka.training.distributed.process_group import folder_from_first, from_first, joined

    with joined(world(), plan.device, net) as group:
        if not group.world.alone:
            for column in (job.manifest.labels, job.manifest.parts):
                told = from_first(torch.from_numpy(column.copy()))
                if not group.world.first:
                    column[:] = told.numpy()
        state = loop.begin(net, job.recipe, plan, group)
        with folder_from_first(group.world, checkpoint.NAME, saved) as folder:
            if folder is not None:
                checkpoint.restore(state, folder)
        class_balance.weigh(state, job.recipe, job.labels("train"), len(job.manifest.classes))
        yield state


# --- what the processes beside the first do ---


def follow(here: World) -> Trained:
    """Take part in the training of the first process until its run is complete.

    Raises:
        DataError: the pictures of this machine are others than those of the first.
        TrainingError: another process has ended, or takes too long.
    """
    told = hear("pictures", "to look at the pictures")
    source = rooms.reopen_source(told["source"])
    store = _read(here, source, Preprocess.from_dict(told["preprocess"]))
    work = hear("work", "to choose a network")
    if work:
        if work["pictures"] != _fingerprint(store):
            raise DataError(f"{source.where} holds other pictures on machine {here.machine} than on the first.")
        _train(work, source, store)
    done = hear("done", "to complete the run")
    return Trained(Path(done["path"]), done["summary"], done["stopped"])


def _read(here: World, source: rooms.Source, preprocess: Preprocess) -> rooms.Store:
    if here.local_rank:
        hear(f"read on {here.machine}", "to read the pictures on this machine")
    with rooms.begin_store(source, preprocess) as reading:
        store = reading.finish()
        if not here.local_rank:
            tell_read(reading)
    return store


def _train(work: dict[str, Any], source: rooms.Source, store: rooms.Store) -> None:
    from svertka.hardware.plan import Plan
    from svertka.models import build
    from svertka.pipeline.build import loader
    from svertka.pipeline.checkpointing import asked_to_stop

    n, plan, recipe = len(store), Plan(**work["plan"]), Recipe.from_dict(work["recipe"])
    labels, parts = np.zeros(n, np.int32), np.zeros(n, np.uint8)  # the first process fills them
    manifest = rooms.Manifest(
        tuple(work["classes"]), source.paths, labels, parts, store.digests, recipe.seed, dict(store.reasons)
    )
    preprocess, run = Preprocess.from_dict(work["preprocess"]), Run(Path(work["run"]))
    job = Job(run, source, store, manifest, preprocess, recipe, {}, silent, 0.0, "")
    net = build(work["network"], len(manifest.classes), work["structure"])
    with asked_to_stop(patiently=True) as asked, plan.settled(), at_work(job, plan, net, None) as state:
        state.group.wish = asked.is_set
        train = loader(job, "train", plan, training=True, here=state.group.world)
        validation = loader(job, "validation", plan, here=state.group.world) if job.count("validation") else None
        while _passes(state, train, validation, job, plan):
            pass


def _passes(state: State, train: Loader, validation: Loader | None, job: Job, plan: Plan) -> bool:
    """Train until the end, or until the first process changes the number of passes; whether it did."""
    from svertka.records import Epoch
    from svertka.training import loop

    try:
        for record in loop.fit(state, train, validation, job.recipe, plan):
            if state.group.stopping:
                return False
            if isinstance(record, Epoch):
                number = state.group.passes(job.recipe.epochs or 1)
                if number != job.recipe.epochs:
                    job.recipe = job.recipe.replace(epochs=number)
                    return True
    except NotFinite as trouble:  # in the first process too; whichever is quicker says it
        raise job.unfit(trouble) from trouble
    return False


def _fingerprint(store: rooms.Store) -> str:
    return hashlib.blake2b(np.ascontiguousarray(store.digests).view(np.uint8), digest_size=16).hexdigest()
