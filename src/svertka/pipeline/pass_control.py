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
from svertka.pipeline.context import Context
from svertka.pipeline.forecast import WORTH, limit, make_forecast, measure_load
from svertka.records import Epoch, ForecastMade
from svertka.training.monitoring.estimate import Forecast, Load, end_seconds, pass_seconds, used_disk
from svertka.training.monitoring.timed_loader import Timed
from svertka.training.schedules.epoch_budget import Pace
from svertka.training.schedules.progressive_resizing import work

RECENT = 3  # passes whose time tells that of the next
CHANGED = 0.1  # share of the passes from which on a person should know that there are fewer or more


@dataclass
class PassControl:
    """One training's batches, what was foreseen of it, and how it goes.

    load       what a pass has to do
    forecast   what the run should take, where it was told at its start
    pace       how its number of passes follows the clock, where minutes were given and passes were not
    """

    context: Context  # replaced where the number of passes changes
    plan: Plan
    train: Timed
    validation: Timed | None
    load: Load | None = None
    forecast: Forecast | None = None
    pace: Pace | None = None
    limit: dict[str, Any] | None = None
    logging_seconds: float = 0.0  # spent on records: the log, the screen
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT + 1))  # when the last passes ended

    @classmethod
    def from_context(cls, context: Context, plan: Plan) -> PassControl:
        """The batches of a training: this process's share of them."""
        here = world()
        judged = context.data.count("validation")
        validation = Timed(loader(context, "validation", plan, here=here)) if judged else None
        return cls(context, plan, Timed(loader(context, "train", plan, training=True, here=here)), validation)

    def foresee(self, net: nn.Module, *, free: bool) -> Forecast:
        """Choose the number of passes where minutes were given and it is `free`, and tell what the run will take.

        Raises:
            TrainingError: the disk has not enough room for it.
        """
        load, clock, recipe = self._known_load(), self.context.clock, self.context.recipe
        if free and recipe.minutes is not None:
            each, end = pass_seconds(self.plan, load), end_seconds(self.plan, load)
            self.pace = Pace(60 * recipe.minutes, recipe.epochs or 1, end, recipe.grow or 0.0)
            self._take(self.pace.passes(clock.elapsed, each), each)
            if clock.elapsed + each + end > self.pace.budget:
                self.context.note(
                    message(
                        "pass-too-long",
                        "One pass takes about {x:.1f} minutes, longer than the {minutes:g} allow.",
                        x=each / 60,
                        minutes=float(recipe.minutes),
                    )
                )
        self.forecast = make_forecast(self.context, net, self.plan, load)
        self.context.journal.watch(ForecastMade(self.forecast.seconds, self.forecast.memory, self.forecast.disk))
        return self.forecast

    def passes_in_time(self) -> float:
        """Passes over pictures of full size that fit into the minutes of the recipe; 0 where none are given."""
        load = self._known_load()
        left = 60 * (self.context.recipe.minutes or 0.0) - self.context.clock.elapsed - end_seconds(self.plan, load)
        return max(0.0, left / pass_seconds(self.plan, load))

    def _known_load(self) -> Load:
        if self.load is None:
            self.load = measure_load(self.context, self.train)
        return self.load

    def _take(self, passes: int, each: float) -> None:
        recipe = self.context.recipe.replace(epochs=passes)
        reason = message(
            "epochs.minutes",
            "as many as {minutes:g} minutes allow at {seconds:.1f} seconds a pass",
            minutes=float(recipe.minutes or 0),
            seconds=each,
        )
        self.context = self.context.choose((recipe, {"epochs": reason}))

    def start(self) -> None:
        """Training begins now."""
        self.context.clock.now("train")
        self.ends.append(self.context.clock.elapsed)

    def on_restore(self) -> None:
        """Training goes on from an earlier pass: what was timed so far is not the time of the passes that count."""
        self.ends.clear()
        self.ends.append(self.context.clock.elapsed)

    def on_epoch_end(self, record: Epoch) -> bool:
        """A pass is over: say once what holds training up, and whether from here on there are fewer or more passes."""
        context = self.context
        self.ends.append(context.clock.elapsed)
        if self.limit is None:
            self.limit = limit(self.train, self.plan, context)
            if self.forecast is not None and self.forecast.seconds > WORTH:
                context.note(self.limit["advice"])
        if self.pace is None:
            return False
        before, counted = context.recipe.epochs or 1, len(self.ends) - 1
        each = (self.ends[-1] - self.ends[0]) / self._worth(record.epoch - counted, record.epoch)
        passes = self.pace.again(before, context.clock.elapsed, each, record.epoch)
        if passes == before:
            return False
        self._take(passes, each)
        if abs(passes - before) > CHANGED * before:
            context.note(
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
        grow, passes = self.context.recipe.grow or 0.0, self.context.recipe.epochs or 1
        return work(grow, first, passes) - work(grow, last, passes)

    def close(self, checkpoints: float) -> None:
        """Training is over: say where its time went. Forward, backward and step share the rest as the plan measured."""
        seconds = {
            "load": self.train.waited,
            "checkpoint": checkpoints,
            "records": max(0.0, self.logging_seconds - checkpoints),
        }
        if self.validation is not None:
            seconds["validation"] = self.validation.waited + self.validation.used
        self.context.clock.now("end")
        self.context.clock.divide("train", seconds, self.plan.shares or {"steps": 1.0})

    def facts(self) -> dict[str, Any]:
        """For metrics.json: what held training up, and the forecast beside the truth."""
        facts: dict[str, Any] = {"limit": limit(self.train, self.plan, self.context)}
        if self.forecast is not None:
            memory = device.peak_allocated(self.plan.device) or device.peak_resident()
            disk = used_disk(self.context.run.path)
            facts["forecast"] = self.forecast.beside(self.context.clock.elapsed, memory, disk)
        return facts
