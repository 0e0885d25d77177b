"""What the facade has not is named in one sentence, wherever it is asked for: an import, an attribute, an argument."""

from __future__ import annotations

import difflib
import dis
import inspect
import sys
from collections.abc import Callable, Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any, NoReturn

from svertka.errors import UsageError

INSTEAD = {
    "datasets": "svertka reads folders, archives and tables; `svertka train digits` has a set of its own",
    "backend": "PyTorch computes here, so torch has what keras.backend had",
    "regularizers": "`svertka train` has --set weight_decay=",
    "initializers": "layers start as Keras starts them by default",
    "metrics": 'accuracy is asked for by name: compile(metrics=["accuracy"])',
    "image_dataset_from_directory": "ImageDataGenerator().flow_from_directory() reads the same folders",
    "flow_from_dataframe": "svertka.data.batches reads tables of paths and labels",
    "ReduceLROnPlateau": "`svertka train` has --set schedule=plateau",
    "LearningRateScheduler": "`svertka train` has schedules of its own: docs/training.md",
    "TensorBoard": "`svertka train` has --tensorboard",
    "plot_model": "summary() prints the layers, and `svertka table` what each computes",
}


class MissingName(UsageError, ImportError):
    """A name of Keras that the facade has not."""


class MissingAttribute(UsageError, AttributeError):
    """The same, asked for as an attribute, so that `hasattr` is false."""


def refuse(module: str, name: str, known: Iterable[str], error: type[UsageError] = MissingName) -> NoReturn:
    """Say that there is no such name.

    Raises:
        MissingName, MissingAttribute: always one of them, `error`.
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    hint = f": {INSTEAD[name]}." if name in INSTEAD else f"; it has {near[0]}." if near else "."
    raise error(f"{module} has no {name}{hint}")


def getter(module: str, known: Iterable[str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module of the facade."""
    names = tuple(known)

    def __getattr__(name: str) -> Any:
        # `from module import name` makes a sentence of its own of an AttributeError, so it gets another error
        asking = sys._getframe(1)
        imported = dis.opname[asking.f_code.co_code[asking.f_lasti]] == "IMPORT_FROM"
        refuse(module, name, names, MissingName if imported else MissingAttribute)

    return __getattr__


def check_arguments(made: type, arguments: Iterable[str]) -> None:
    """Refuse arguments of Keras that a class of the facade has not.

    Raises:
        UsageError: names the argument and what the class takes.
    """
    signature = inspect.signature(vars(made).get("__init__", object.__init__))
    known = [name for name in signature.parameters if name != "self"]
    for name in arguments:
        if name not in known:
            hint = f": {INSTEAD[name]}" if name in INSTEAD else ""
            raise UsageError(f"{made.__name__} of svertka.keras has no {name}{hint}; it takes {', '.join(known)}.")


class MissingModules(MetaPathFinder):
    """Asked last, for modules of the facade that nobody found."""

    def __init__(self, package: str, known: Iterable[str]) -> None:
        self.package, self.known = package, tuple(known)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Refuse a module of the package by name.

        Raises:
            MissingName: it is a module of Keras that is not here.
        """
        head, _, name = fullname.rpartition(".")
        if head == self.package and not name.startswith("_"):
            refuse(self.package, name, self.known)
        return None


def name_missing_modules(package: str, known: Iterable[str]) -> None:
    """From now on an import of `package.NAME` that finds nothing says so in a sentence."""
    sys.meta_path.append(MissingModules(package, known))
