"""`svertka train --find-rate` and `--verify`: questions asked of the first steps of a training, which is not kept."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svertka.cli.options import print_json
from svertka.errors import UsageError


def rehearse(
    data: list[str] | None, out: Path | None, others: Mapping[str, Any], *,
    find: bool, prove: bool, as_json: bool, quiet: bool, **settings: Any,
) -> None:  # fmt: skip
    """Ask one of the two and print the answer; the exit status is 1 where the proof fails.

    `others`: options that are for whole trainings, and what was given for them.
    """
    from svertka.cli.progress import watching

    others = {"--manifest": settings.get("manifest"), "--resume": not data, **others}
    refused = [word for word, given in others.items() if given]
    if find and prove:
        refused.append("--find-rate together with --verify")
    if prove and out is not None:
        refused.append("--out with --verify, which writes nothing")
    if refused:
        raise UsageError(f"The first steps cannot be tried with {', '.join(refused)}.")
    with watching(quiet=quiet) as watch:
        if find:
            from svertka.api.lr_range_test import find_rate

            found = find_rate(data or [], out=out, watch=watch, **settings)
            message = f"{found.reason}\n--set learning_rate={found.peak:g}\n{found.path}"
            if as_json:
                print_json(found.to_dict())
            else:
                print(message)
            return
        from svertka.api.verify import verify

        proof = verify(data or [], watch=watch, **settings)
    if as_json:
        print_json(proof.to_dict())
    else:
        print(proof.sentence)
    if not proof.holds:
        sys.exit(1)
