"""How many units each hidden layer of a network still has: what its specification says when some were taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_bgremove._validation import check_range

__all__ = ["check_hidden", "name_widths"]


def check_hidden(hidden: Sequence[int], whole: Mapping[str, int]) -> None:
    """Raise ValueError unless `hidden` says how many units of each hidden layer are left.

    Parameters
    ----------
    hidden : sequence of int
        In the order of `whole`, one or more each; empty where none was taken out.
    whole : mapping of str to int
        Units of each hidden layer before any was taken out, by name.
    """
    if hidden and len(hidden) != len(whole):
        msg = f"'hidden' must be empty or hold one width for each of {len(whole)} hidden layers; found {len(hidden)}."
        raise ValueError(msg)
    for name, width in name_widths(hidden, whole).items():
        if not isinstance(width, int) or isinstance(width, bool):
            msg = f"'hidden' must hold whole numbers; found {width!r} for {name}."
            raise ValueError(msg)
        check_range(f"hidden: {name}", width, 1, whole[name], unit="units")


def name_widths(hidden: Sequence[int], whole: Mapping[str, int]) -> dict[str, int]:
    """Return the units of each hidden layer by name."""
    return dict(zip(whole, hidden or whole.values(), strict=True))
