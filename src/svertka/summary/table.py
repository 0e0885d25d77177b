"""The layer table as one value: to print, to show as a page, to save."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from svertka.summary.records import Reach, Sheet
from svertka.summary.render import html, rich_table

if TYPE_CHECKING:
    from rich.console import Group


class Table(Sheet):
    """All layers of a network for an input of one shape; the first row is the input itself."""

    __slots__ = ()

    def to_rich(self) -> Group:
        """To print with rich."""
        return rich_table(self)

    def to_html(self) -> str:
        """As one page of HTML that needs nothing else."""
        return html(self)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: {"net", "input", "layers": [...], "totals": {...}}, shapes as lists."""
        return {
            "net": self.net,
            "input": list(self.input),
            "layers": [
                {
                    **asdict(layer),
                    "output": list(layer.output),
                    "receptive_field": _plain(layer.receptive_field),
                }
                for layer in self.layers
            ],
            "totals": asdict(self.totals),
        }


def _plain(reach: Reach) -> int | list[int] | None:
    return list(reach) if isinstance(reach, tuple) else reach
