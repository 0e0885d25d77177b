"""One training in several processes: torchrun starts them, DistributedDataParallel averages their gradients.

Each process takes its share of every batch. Shares may differ by a picture, so losses are weighted: the mean of all
gradients is that of the whole batch. Whether a record is due, and whether to stop, is agreed upon after every step, so
that all processes decide alike and none waits for one that has gone.

On GPUs batch norms measure the whole batch (torch's SyncBatchNorm, Ioffe and Szegedy 2015, arXiv:1502.03167). On CPUs
there is none: each measures its own share, and the running statistics are those of the first process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from svertka.blocks import Net
from svertka.common.torchrun import ANSWER, World, key_value_store, lost, may_report, silent
from svertka.errors import TrainingError
from svertka.hardware.device import cores

T = TypeVar("T")
# how gloo says that a connection is gone; it raises nothing but RuntimeError
BROKEN = ("Connection closed", "Connection reset", "gloo", "Broken pipe")
LATE = ("Timed out", "timed out", "timeout")  # and that one is there but does not answer


class Group:
    """The processes that train one network together; by itself, one alone.

    Attributes:
        world: which process this is, of how many.
        stop_requested: says whether this process has been asked to stop.
        parallel: gives the outputs of the wrapped network; a backward pass from there leaves the mean of all
            processes' gradients. None in a single process.
        separate_norms: whether batch norms learn that measure the share of their own process only.
    """

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.stop_requested: Callable[[], bool] = lambda: False
        self.parallel: DistributedDataParallel | None = None
        self.separate_norms = False
        self._stopping = False
        self._usual: list[tuple[nn.Module, str, nn.Module]] = []  # (parent, name, norm) that SyncBatchNorm replaced

    @property
    def stopping(self) -> bool:
        """Whether any process had been asked to stop by the end of the last step: the same in all of them."""
        return self.stop_requested() if self.world.alone else self._stopping

    @property
    def rank_seed(self) -> tuple[int, ...]:
        """What tells this process's random numbers from those of the others."""
        return () if self.world.rank == 0 else (self.world.rank,)

    def wrap(self, net: Net, device: str) -> None:
        """From here on gradients of this network, which is in learning mode, are averaged over all processes."""
        on_gpu = device.startswith("cuda")
        if on_gpu:
            self.sync_batch_norms(net)
        else:
            self.separate_norms = bool(_learning_norms(net))
        self.parallel = DistributedDataParallel(_Outputs(net), device_ids=[self.world.local_rank] if on_gpu else None)

    def sync_batch_norms(self, net: nn.Module) -> None:
        """Batch norms that learn measure the whole batch; what is frozen stays as it is."""
        self._usual = _learning_norms(net)
        for parent, name, norm in self._usual:
            setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(norm))

    def unwrap(self) -> None:
        """The usual batch norms again, with the weights and statistics that have been learned."""
        for parent, name, norm in self._usual:
            setattr(parent, name, norm)  # which shares its tensors with what replaced it
        self._usual, self.parallel = [], None

    @contextlib.contextmanager
    def piece(self, *, last: bool) -> Iterator[None]:
        """A piece of a batch passes forwards and backwards; with the last one, gradients meet those of the others."""
        with contextlib.nullcontext() if last or self.parallel is None else self.parallel.no_sync():
            yield

    def share(self, y: Tensor, class_weights: Tensor | None) -> tuple[float, int]:
        """How much the mean loss of this process's share of a batch counts, and the pictures of the whole batch.

        Gradients are averaged over processes, so a share counts 1 where all are equal.
        """
        if self.world.alone:
            return 1.0, len(y)
        weight = float(len(y) if class_weights is None or y.ndim > 1 else class_weights[y].sum())
        whole, seen = self.sum(weight, len(y))
        return weight * self.world.size / whole, round(seen)

    def agree(self, due: bool) -> bool:
        """Whether a record is due in any process, or any has been asked to stop; every process asks after a step."""
        if self.world.alone:
            return due or self.stop_requested()
        due_anywhere, requests = self.sum(due, self.stop_requested())
        self._stopping = requests > 0
        return due_anywhere > 0 or self._stopping

    def sum(self, *numbers: float) -> list[float]:
        """Each of the numbers, added up over all processes."""
        if self.world.alone:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(sums)
        return sums.tolist()

    def same_statistics(self, net: nn.Module) -> None:
        """Take the running statistics of the first process, where norms have measured apart."""
        if self.separate_norms:
            for buffer in net.buffers():
                dist.broadcast(buffer, 0)

    def from_main(self, value: T) -> T:
        """What the main process has, in all of them."""
        return value if self.world.alone else from_main(value)


def _learning_norms(net: nn.Module) -> list[tuple[nn.Module, str, nn.Module]]:
    """(parent, name, norm) of each batch norm that is in learning mode."""
    return [
        (parent, name, norm)
        for parent in net.modules()
        for name, norm in parent.named_children()
        if isinstance(norm, _BatchNorm) and norm.training
    ]


class _Outputs(nn.Module):
    """A network whose forward pass gives auxiliary heads as well: DistributedDataParallel knows no other method."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.net.outputs(x)


@contextlib.contextmanager
def joined(world: World, device: str, net: Net) -> Iterator[Group]:
    """The group of all processes while they train `net`, from the first one's weights.

    Raises:
        TrainingError: one of them has ended, or does not answer.
    """
    if world.alone:
        yield Group()
        return
    on_gpu, group = device.startswith("cuda"), Group(world)
    if on_gpu:
        torch.cuda.set_device(world.local_rank)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=dist.distributed_c10d.PrefixStore("group", key_value_store()),
            rank=world.rank,
            world_size=world.size,
            timeout=ANSWER,
        )
        for tensor in net.state_dict().values():
            dist.broadcast(tensor, 0)
        yield group
        dist.barrier()
    except BaseException as why:
        error = _from_broken_connection(why)
        may_report()  # asked before the others hear of it, so that the cause is told and not that somebody has ended
        if error is None:
            raise
        raise error from why
    finally:
        group.unwrap()
        if dist.is_initialized():
            dist.destroy_process_group()


def _from_broken_connection(why: BaseException) -> TrainingError | None:
    if not isinstance(why, RuntimeError):
        return None
    if any(words in str(why) for words in LATE):
        return silent()
    broken = isinstance(why, dist.DistError) or any(words in str(why) for words in BROKEN)
    return lost() if broken else None


def from_main(value: T) -> T:
    """What the main process has, in all of the joined processes."""
    box = [value]
    dist.broadcast_object_list(box, 0)
    return box[0]


def gathered(mine: Tensor, size: int) -> Tensor:
    """The rows (n, ...) that `size` processes have computed, in the order of the processes."""
    if size == 1:
        return mine
    parts = [mine] * size
    dist.all_gather_object(parts, mine.cpu())
    return torch.cat(parts)


@contextlib.contextmanager
def folder_from_main(world: World, name: str, folder: Path | None) -> Iterator[Path | None]:
    """A folder with file `name` of the main process's `folder`, wherever this process runs; None where it has none."""
    if world.alone:
        yield folder
        return
    content = from_main((folder / name).read_bytes() if world.is_main and folder is not None else None)
    if world.is_main or content is None:
        yield folder
        return
    with TemporaryDirectory(prefix="svertka-") as place:
        Path(place, name).write_bytes(content)
        yield Path(place)


def use_own_cores(world: World) -> None:
    """Give this process its part of the machine's cores, where torchrun has set it to one for want of knowledge."""
    if not world.alone and os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, cores()[0] // world.local_size))
