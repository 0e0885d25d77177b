"""From a run folder to one HTML file that explains it: self-contained, without network, scripts or torch."""

from svertka.reporting.report import write_report

__all__ = ["write_report"]
