"""The way ahead of a training, and how it goes: batches whose reader is timed, the forecast, the number of passes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from svertka.common.messages import message
from svertka.common.torchrun import world
from svertka.hardware import device
from svertka.hardware.plan import Plan
from svertka.pipeline.build import loader
from svertka.pipeline.context import Job
from svertka.pipeline.forecast import WORTH, limit, make_forecast, measure_load
from svertka.records import Epoch, ForecastMade
from svertka.training.monitoring.estimate import Forecast, Load, end_seconds, pass_seconds, used_disk
from svertka.training.monitoring.timed_loader import Timed
from svertka.training.schedules.epoch_budget import Pace
from svertka.training.schedules.progressive_resizing import work

RECENT = 3  # passes whose time tells that of the next
CHANGED = 0.1  # share of the passes from which on a person should know that there are fewer or more


@dataclass
class Course:
    """One training's batches, what was foreseen of it, and how it goes.

    load       what a pass has to do
    forecast   what the run should take, where it was told at its start
    pace       how its number of passes follows the clock, where minutes were given and passes were not
    """

    job: Job
    plan: Plan
    train: Timed
    validation: Timed | None
    load: Load | None = None
    forecast: Forecast | None = None
    pace: Pace | None = None
    limit: dict[str, Any] | None = None
    told: float = 0.0  # seconds spent on records: the log, the screen
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT + 1))  # when the last passes ended

    @classmethod
    def of(cls, job: Job, plan: Plan) -> Course:
        """The batches of a job: this process's share of them."""
        here = world()
        validation = Timed(loader(job, "validation", plan, here=here)) if job.count("validation") else None
        return cls(job, plan, Timed(loader(job, "train", plan, training=True, here=here)), validation)

    def look_ahead(self, net: nn.Module, *, free: bool) -> None:
        """Choose the number of passes where minutes were given and it is `free`, and tell what the run will take.

        Raises:
            TrainingError: the disk has not enough room for it.
        """
        job, load = self.job, self._known_load()
        if free and job.recipe.minutes is not None:
            each, end = pass_seconds(self.plan, load), end_seconds(self.plan, load)
            self.pace = Pace(60 * job.recipe.minutes, job.recipe.epochs or 1, end, job.recipe.grow or 0.0)
            self._take(self.pace.passes(job.clock.elapsed, each), each)
            if job.clock.elapsed + each + end > self.pace.budget:
                job.note(
                    message(
                        "pass-too-long",
                        "One pass takes about {x:.1f} minutes, longer than the {minutes:g} allow.",
                        x=each / 60,
                        minutes=float(job.recipe.minutes),
                    )
                )
        self.forecast = make_forecast(job, net, self.plan, load)
        job.watch(ForecastMade(self.forecast.seconds, self.forecast.memory, self.forecast.disk))

    def fit(self) -> float:
        """Passes over pictures of full size that fit into the minutes of the recipe; 0 where none are given."""
        load = self._known_load()
        left = 60 * (self.job.recipe.minutes or 0.0) - self.job.clock.elapsed - end_seconds(self.plan, load)
        return max(0.0, left / pass_seconds(self.plan, load))

    def _known_load(self) -> Load:
        if self.load is None:
            self.load = measure_load(self.job, self.train)
        return self.load

    def _take(self, passes: int, each: float) -> None:
        job = self.job
        job.recipe = job.recipe.replace(epochs=passes)
        job.reasons["epochs"] = message(
            "epochs.minutes",
            "as many as {minutes:g} minutes allow at {seconds:.1f} seconds a pass",
            minutes=float(job.recipe.minutes or 0),
            seconds=each,
        )

    def start(self) -> None:
        """Training begins now."""
        self.job.clock.now("train")
        self.ends.append(self.job.clock.elapsed)

    def went_back(self) -> None:
        """Training goes on from an earlier pass: what was timed so far is not the time of the passes that count."""
        self.ends.clear()
        self.ends.append(self.job.clock.elapsed)

    def passed(self, record: Epoch) -> bool:
        """A pass is over: say once what holds training up, and whether from here on there are fewer or more passes."""
        job = self.job
        self.ends.append(job.clock.elapsed)
        if self.limit is None:
            self.limit = limit(self.train, self.plan, job)
            if self.forecast is not None and self.forecast.seconds > WORTH:
                job.note(self.limit["advice"])
        if self.pace is None:
            return False
        before, counted = job.recipe.epochs or 1, len(self.ends) - 1
        each = (self.ends[-1] - self.ends[0]) / self._worth(record.epoch - counted, record.epoch)
        passes = self.pace.again(before, job.clock.elapsed, each, record.epoch)
        if passes == before:
            return False
        self._take(passes, each)
        if abs(passes - before) > CHANGED * before:
            job.note(
                message(
                    "passes-changed",
                    "A pass takes {x:.1f} seconds here: {n} of them fit the time, not {before}.",
                    x=each,
                    n=passes,
                    before=before,
                )
            )
        return True

    def _worth(self, first: int, last: int) -> float:
        """The passes after pass `first` up to `last`, as passes over pictures of full size."""
        grow, passes = self.job.recipe.grow or 0.0, self.job.recipe.epochs or 1
        return work(grow, first, passes) - work(grow, last, passes)

    def close(self, checkpoints: float) -> None:
        """Training is over: say where its time went. Forward, backward and step share the rest as the plan measured."""
        seconds = {"load": self.train.waited, "checkpoint": checkpoints, "records": max(0.0, self.told - checkpoints)}
        if self.validation is not None:
            seconds["validation"] = self.validation.waited + self.validation.used
        self.job.clock.now("end")
        self.job.clock.divide("train", seconds, self.plan.shares or {"steps": 1.0})

    def facts(self) -> dict[str, Any]:
        """For metrics.json: what held training up, and the forecast beside the truth."""
        facts: dict[str, Any] = {"limit": limit(self.train, self.plan, self.job)}
        if self.forecast is not None:
            memory = device.peak_allocated(self.plan.device) or device.peak_resident()
            disk = used_disk(self.job.run.path)
            facts["forecast"] = self.forecast.beside(self.job.clock.elapsed, memory, disk)
        return facts
