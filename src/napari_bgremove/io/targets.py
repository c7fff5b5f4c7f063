"""Where results may be written: never two to one file, never onto an input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_bgremove.errors import ComputeError

__all__ = ["check_targets"]


def check_targets(plan: Sequence[tuple[str, Iterable[Path]]]) -> None:
    """Refuse a plan in which a result overwrites another one or an input.

    Parameters
    ----------
    plan : sequence of (str, iterable of Path)
        Every input, and the files it becomes.

    Raises
    ------
    ComputeError
        Naming the first such file.
    """
    inputs = {Path(source).resolve() for source, _ in plan}
    taken: dict[Path, str] = {}
    for source, targets in plan:
        for target in (path.resolve() for path in targets):
            if target in taken:
                msg = (
                    f"'{source}' and '{taken[target]}' would both be written as '{target.name}'; write them into "
                    "different folders."
                )
                raise ComputeError(msg)
            taken[target] = source
            if target in inputs:
                msg = f"'{source}' would overwrite the input '{target.name}'; choose another folder for the results."
                raise ComputeError(msg)
