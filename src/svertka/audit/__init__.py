"""The audit: what is wrong with labeled pictures, before it costs anyone a training.

oddities   pictures unlike the rest: placeholders, empty, dark, blurred, tiny, oddly long
shortcuts  can a class be told from what is no part of its pictures?
findings   all of it as plain data, and in sentences; copies are those of `svertka.data.splitting.near_duplicates`
"""

from __future__ import annotations

from svertka.audit.findings import Audit, audit
from svertka.audit.oddities import Oddity
from svertka.audit.shortcuts import Shortcut

__all__ = ["Audit", "Oddity", "Shortcut", "audit"]
