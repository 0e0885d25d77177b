"""One training in several processes: torchrun starts them, DistributedDataParallel adds up their gradients.

Each process takes its share of every batch. Shares differ by a picture, or one is empty, so losses are weighted: the
sum of all gradients is that of the whole batch. Batch norms measure the whole batch too (norms.py). Losses, right
answers, wishes to stop and a lack of memory are added up before anything is decided by them, so that all processes
decide the same and none waits for one that has gone.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel as Parallel

from svertka.blocks import Net
from svertka.hardware.device import cores
from svertka.training.distributed.collectives import Exchanges
from svertka.training.distributed.sync_batch_norm import Together, apart, together
from svertka.training.distributed.torchrun import MEETING, World, lost, office, silent

# how gloo says that a connection is gone; it raises nothing but RuntimeError
BROKEN = ("Connection closed", "Connection reset", "gloo", "Broken pipe")
LATE = ("Timed out", "timed out", "timeout")  # and that one is there but does not answer


class Short(MemoryError):
    """Memory was not enough for a step in one of the processes: all have heard it, and none has taken the step."""


class Group:
    """The processes that train one network together; by itself, one alone.

    Attributes:
        world: which process this is, of how many.
        wish: says whether this process has been asked to stop.
        parallel: gives the outputs of a network that was taken; a backward pass from there leaves the mean of all
            processes' gradients. None in a single process.
        exchanges: what they say to each other within a step.
    """

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.wish: Callable[[], bool] = lambda: False
        self._agreed = self._short = False
        self.parallel: Parallel | None = None
        self.exchanges = Exchanges()
        self._net: Net | None = None
        self._norms: list[Together] = []

    @property
    def stopping(self) -> bool:
        """Whether any process had been asked to stop by the end of the last step: the same in all of them."""
        return self.wish() if self.world.alone else self._agreed

    @property
    def own(self) -> tuple[int, ...]:
        """What tells this process's random numbers from those of the others."""
        return () if self.world.rank == 0 else (self.world.rank,)

    def take(self, net: Net, device: str) -> None:
        """From here on this network is trained: by the first process's weights, its batch norms together.

        It is taken again after a step that was cut short, since DistributedDataParallel waits for the rest of it.
        """
        if self.world.alone:
            return
        if self._net is not net:
            self._net, self.exchanges = net, Exchanges()
        if self.parallel is not None:
            self.parallel = None
            gc.collect()  # its hooks go with it
        self._norms = together(net, self.exchanges)
        self.exchanges.fresh = True
        place = [self.world.local_rank] if device.startswith("cuda") else None
        # Running statistics are equal everywhere: there is nothing to send around at every step.
        options = signature(Parallel).parameters
        sending = "forward_sync_buffers" if "forward_sync_buffers" in options else "broadcast_buffers"  # its older name
        self.parallel = Parallel(_Outputs(net), device_ids=place, **{sending: False})
        exchanges = self.exchanges
        self.parallel.register_comm_hook(None, lambda _, bucket: exchanges.mean(bucket.buffer()))

    @contextlib.contextmanager
    def piece(self, last: bool) -> Iterator[None]:
        """A piece of a batch passes forwards and backwards; with the last one, gradients meet those of the others."""
        if self.parallel is None:
            yield
            return
        with contextlib.nullcontext() if last else self.parallel.no_sync():
            yield
        self.exchanges.end(last)

    def stop_short(self, pieces: int) -> None:
        """Take no further part in this step for want of memory, but let the others come to its end.

        Args:
            pieces: of the batch that are left, with the one under way.

        Raises:
            MemoryError: in the first steps, where nobody knows yet what the others wait for.
        """
        self.exchanges.finish(pieces)
        self._short = True

    def share(self, y: Tensor, class_weights: Tensor | None) -> tuple[float, int]:
        """How much the mean loss of this process's share of a batch counts, and the pictures of the whole batch.

        Gradients are averaged over processes, so a share counts 1 where all are equal.
        """
        if self.world.alone:
            return 1.0, len(y)
        weighted = class_weights is not None and y.ndim == 1
        weight = float(class_weights[y].sum()) if weighted else float(len(y))  # type: ignore[index]
        whole, seen = self._sum(weight, len(y))
        return weight * self.world.size / whole, round(seen)

    def most_pieces(self, seen: int) -> int:
        """Into how many pieces each share of a batch of `seen` pictures may be cut, equally many in all processes."""
        return max(1, seen // self.world.size // 2)

    def total(self, loss: float, right: int) -> tuple[float, int]:
        """The mean loss of the whole batch and its right answers, from those of the shares; hears of wishes to stop.

        Raises:
            Short: a process could not come so far; this is raised in all.
        """
        if self.world.alone:
            return loss, right
        losses, hits, wishes, short = self._sum(loss, right, float(self.wish()), float(self._short))
        self._agreed, self._short = wishes > 0, False
        if short:
            raise Short
        for norm in self._norms:
            norm.settle()
        return losses / self.world.size, round(hits)

    def short_of_memory(self, here: bool, pictures: int) -> tuple[bool, int]:
        """Whether memory is short in any process, and how many pictures the whole batch has; every process asks."""
        short, seen = self._sum(float(here), pictures)
        return short > 0, round(seen)

    def guilty(self, pictures: Tensor, loss: float) -> Tensor:
        """Of all shares whose `loss` is not a number, the pictures; every process asks, once the whole is not one."""
        if self.world.alone:
            return pictures
        found: list[list[int]] = [[]] * self.world.size
        dist.all_gather_object(found, [] if math.isfinite(loss) else pictures.tolist())
        return torch.tensor([picture for share in found for picture in share], dtype=torch.int64)

    def passes(self, number: int) -> int:
        """How many passes there will be, as the first process has it; each asks after every pass."""
        return number if self.world.alone else int(from_first(torch.tensor([number])))

    def _sum(self, *numbers: float) -> list[float]:
        sums = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(sums)
        return sums.tolist()


def gathered(mine: Tensor, total: int, size: int) -> Tensor:
    """The rows (total, ...) that `size` processes have computed, in order; `mine` is one part of a tensor_split."""
    if size == 1:
        return mine
    sizes = [len(part) for part in torch.empty(total).tensor_split(size)]
    padded = mine.new_zeros(max(sizes), *mine.shape[1:])
    padded[: len(mine)] = mine
    everyone = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(everyone, padded)
    return torch.cat([part[:rows] for part, rows in zip(everyone, sizes, strict=True)])


class _Outputs(nn.Module):
    """A network whose forward pass gives auxiliary heads as well: DistributedDataParallel knows no other method."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.net.outputs(x)


@contextlib.contextmanager
def joined(world: World, device: str, net: Net) -> Iterator[Group]:
    """The group of all processes while they train `net`; where one of them ends, the others end with a sentence.

    Raises:
        TrainingError: another process has ended, or does not answer.
    """
    if world.alone:
        yield Group()
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(world.local_rank)
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    try:
        store = dist.PrefixStore("group", office())
        dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size, timeout=MEETING)
        yield Group(world)
        dist.barrier()
    except RuntimeError as why:
        if any(word in str(why) for word in LATE):
            raise silent() from why
        if isinstance(why, dist.DistError) or any(word in str(why) for word in BROKEN):
            raise lost() from why
        raise
    finally:
        apart(net)
        if dist.is_initialized():
            dist.destroy_process_group()


def use_own_cores(world: World) -> None:
    """Give this process its part of the machine's cores, where torchrun has set it to one for want of knowledge."""
    if not world.alone and os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, cores()[0] // world.local_size))


def from_first(tensor: Tensor) -> Tensor:
    """The first process's tensor, in all of them; the others give one of the same shape and type."""
    dist.broadcast(tensor, 0)
    return tensor


@contextlib.contextmanager
def folder_from_first(world: World, name: str, folder: Path | None) -> Iterator[Path | None]:
    """A folder with file `name` of the first process's `folder`, wherever this process runs; None where it has none."""
    if world.alone:
        yield folder
        return
    content = (folder / name).read_bytes() if world.first and folder is not None else b""
    length = int(from_first(torch.tensor([len(content)])))
    if not length:
        yield None
    elif world.first:
        from_first(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        yield folder
    else:
        data = from_first(torch.empty(length, dtype=torch.uint8))
        with TemporaryDirectory(prefix="svertka-") as place:
            Path(place, name).write_bytes(data.numpy().tobytes())
            yield Path(place)
