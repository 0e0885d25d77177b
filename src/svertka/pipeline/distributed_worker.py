"""A training in several processes: what the main one publishes, and what the others do.

The main process reads the pictures, chooses, writes the run folder and speaks. The others hear from it as JSON what was
chosen, compute their share of every batch, and neither write nor speak. On each machine one of them decodes the
pictures there; the others wait for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from svertka import data as rooms
from svertka.common.messages import message
from svertka.common.torchrun import World, publish, wait_for, world
from svertka.data.prepare import Dataset
from svertka.errors import DataError, NotFinite, UsageError
from svertka.kinds import preprocess_from
from svertka.kinds.base import Preprocess
from svertka.pipeline.context import Context, Journal, Trained
from svertka.records import Epoch, silent
from svertka.runs.run_folder import Run
from svertka.training.monitoring.time_profile import Clock
from svertka.training.recipe import Recipe

if TYPE_CHECKING:
    from svertka.blocks import Net
    from svertka.data.loading.loader import Loader
    from svertka.data.store.builder import StoreJob
    from svertka.hardware.plan import Plan
    from svertka.training.state import State


# --- what the main process publishes; nothing where it is the only one ---


def broadcast_source(source: dict[str, Any], preprocess: Preprocess) -> None:
    """Which pictures are read (as `Source.to_dict` has it) and how, so that other machines begin to read them too."""
    publish("source", {"source": source, "preprocess": preprocess.to_dict()})


def signal_decoded(reading: StoreJob) -> None:
    """That the pictures of this machine are decoded, once they lie where its other processes find them."""
    if not world().alone:
        reading.settle()
        publish(f"decoded on {world().machine}", {})


def broadcast_config(context: Context, plan: Plan, network: dict[str, Any], structure: dict[str, Any]) -> None:
    """What is trained, and how; the network as `models.describe` and `models.outline` have it.

    Raises:
        UsageError: the batch is too small to be shared.
    """
    size, batch = world().size, min(context.recipe.batch_size or 1, context.data.count("train"))
    if batch < size:
        raise UsageError(
            f"A batch of {batch} cannot be shared by {size} processes: start fewer, or set batch_size higher."
        )
    publish(
        "config",
        {
            "run": str(context.run.path),
            "recipe": context.recipe.to_dict(),
            "preprocess": context.preprocess.to_dict(),
            "plan": plan.to_dict(),
            "network": network,
            "structure": structure,
            "classes": list(context.classes),
            "pictures": _fingerprint(context.data.store),
        },
    )


def signal_done(done: Trained) -> Trained:
    """That the run folder is complete; passes it on."""
    publish("done", {"path": str(done.path), "summary": done.summary, "stopped": done.stopped})
    return done


def leave_to_main(context: Context) -> None:
    """The others only wait: transfer is the work of one process, whose features are computed once."""
    if not world().alone:
        publish("config", {})
        context.note(
            message("transfer-alone", "Transfer is the work of one process: the other {n} wait.", n=world().size - 1)
        )


# --- what all do together ---


@contextmanager
def joint_state(context: Context, plan: Plan, net: Net, saved: Path | None) -> Iterator[State]:
    """A state that is the same in each process, from a checkpoint where there is one, while they train together.

    Args:
        context: in the processes beside the main one, without labels and parts: they come from there.
        plan: how to compute.
        net: the main process's weights are taken.
        saved: folder of the checkpoint, which only the main process needs to see.

    Raises:
        TrainingError: another process has ended.
        RunError: the checkpoint is damaged.
    """
    from svertka.training import checkpoint, class_balance, loop
    from svertka.training.distributed import folder_from_main, joined

    with joined(world(), plan.device, net) as group:
        for column in (context.data.manifest.labels, context.data.manifest.parts):
            values = group.from_main(column)
            if not group.world.is_main:
                column[:] = values
        state = loop.begin(net, context.recipe, plan, group)
        with folder_from_main(group.world, checkpoint.NAME, saved) as folder:
            if folder is not None:
                checkpoint.restore(state, folder)
        class_balance.weigh(state, context.recipe, context.data.labels("train"), len(context.classes))
        if group.separate_norms and group.world.is_main:
            context.note(
                message(
                    "separate-norms",
                    "On CPUs the batch norms of each process measure its own share of a batch: what is learned "
                    "depends on the number of processes.",
                )
            )
        yield state


# --- what the processes beside the main one do ---


def follow(here: World) -> Trained:
    """Take part in the training of the main process until its run is complete.

    Raises:
        DataError: the pictures of this machine are others than those of the main process.
        TrainingError: another process has ended, or takes too long.
    """
    message = wait_for("source", "to look at the pictures")
    source = rooms.reopen_source(message["source"])
    store = _decode(here, source, preprocess_from(message["preprocess"]))
    config = wait_for("config", "to choose a network")
    if config:
        if config["pictures"] != _fingerprint(store):
            raise DataError(f"{source.where} holds other pictures on machine {here.machine} than on the first.")
        _train(config, source, store)
    done = wait_for("done", "to complete the run")
    return Trained(Path(done["path"]), done["summary"], done["stopped"])


def _decode(here: World, source: rooms.Source, preprocess: Preprocess) -> rooms.Store:
    if here.local_rank:
        wait_for(f"decoded on {here.machine}", "to read the pictures on this machine")
    with rooms.begin_store(source, preprocess) as reading:
        store = reading.finish()
        if not here.local_rank:
            signal_decoded(reading)
    return store


def _train(config: dict[str, Any], source: rooms.Source, store: rooms.Store) -> None:
    from svertka.hardware.plan import Plan
    from svertka.models import build
    from svertka.pipeline.build import loader
    from svertka.pipeline.checkpointing import stop_on_signal

    n, plan, recipe = len(store), Plan(**config["plan"]), Recipe.from_dict(config["recipe"])
    labels, parts = np.zeros(n, np.int32), np.zeros(n, np.uint8)  # the main process fills them
    manifest = rooms.Manifest(
        tuple(config["classes"]), source.paths, labels, parts, store.digests, recipe.seed, dict(store.reasons)
    )
    preprocess, run = preprocess_from(config["preprocess"]), Run(Path(config["run"]))
    data = Dataset(source, store, manifest)
    context = Context(Journal(run, silent), data, preprocess, recipe, {}, Clock(), "")
    net = build(config["network"], len(manifest.classes), config["structure"])
    with stop_on_signal(patiently=True) as stop, plan.torch_settings(), joint_state(context, plan, net, None) as state:
        state.group.stop_requested = stop.is_set
        train = loader(context, "train", plan, training=True, here=state.group.world)
        validation = (
            loader(context, "validation", plan, here=state.group.world) if context.data.count("validation") else None
        )
        epochs = recipe.epochs
        while (changed := _passes(state, train, validation, context, plan)) != epochs:
            epochs = changed
            context = context.replace(recipe=context.recipe.replace(epochs=epochs))


def _passes(state: State, train: Loader, validation: Loader | None, context: Context, plan: Plan) -> int | None:
    """Train until the end, or until the main process changes the number of passes; the number that holds now."""
    from svertka.training import loop

    epochs = context.recipe.epochs
    try:
        for record in loop.fit(state, train, validation, context.recipe, plan):
            if state.group.stopping:
                return epochs
            if isinstance(record, Epoch):
                changed = state.group.from_main(epochs)
                if changed != epochs:
                    return changed
    except NotFinite as trouble:  # in the main process too; whichever is quicker says it
        raise context.training_error(trouble) from trouble
    return epochs


def _fingerprint(store: rooms.Store) -> str:
    return hashlib.blake2b(np.ascontiguousarray(store.digests).tobytes(), digest_size=16).hexdigest()
