"""What files call their axes: binding or kinetic energy, wavelength, and in which unit."""

from __future__ import annotations

import re

__all__ = ["name_axis"]

# Most telling first. Abbreviations are read in capitals alone: 'be' is a word of English.
_KINDS = (
    ("binding energy", r"(?i:binding|\bE_bin)|\bB\.?\s?E\b|\bE_?B\b"),
    ("kinetic energy", r"(?i:kinetic|\bE_kin)|\bK\.?\s?E\b|\bE_?K\b"),
    ("wavelength", r"(?i:wave\s?length|lambda)"),
    ("Raman shift", r"(?i:raman|wave\s?number)"),
    ("photon energy", r"(?i:photon\s?energy)"),
    ("energy", r"(?i:energ)|\bE\b"),
)
_UNITS = (
    ("meV", r"\bmeV\b"), ("keV", r"\bkeV\b"), ("eV", r"\beV\b"), ("nm", r"\bnm\b"), ("Å", r"Å|\bAngstroms?\b"),
    ("1/cm", r"\bcm\^?-1\b|\b1/cm\b"), ("px", r"\bpx\b|\bpixels?\b"),
)  # fmt: skip


def name_axis(text: str) -> tuple[str, str]:
    """Return name and unit of an axis from what a file writes about it; '' for what it does not say.

    Binding and kinetic energies are in eV where nothing else is said.
    """
    kind = next((name for name, pattern in _KINDS if re.search(pattern, text)), "")
    unit = next((name for name, pattern in _UNITS if re.search(pattern, text)), "")
    if not unit and kind in ("binding energy", "kinetic energy"):
        unit = "eV"
    return kind, unit
