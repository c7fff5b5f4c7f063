"""What the headers of ChemCam's cleaned spectra state of their cleaning, for `clean_spectra(method="chemcam")`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_bgremove.spectra.chemcam_pipeline import read_parameters

__all__ = ["StatedParameters", "describe_stated", "find_stated_parameters"]

#: Which names of the header state a parameter of the method.
_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "clips": ("dnoiseiter",),
        "sigmas": ("dnoisesig",),
        "lowest_levels": ("continuumuvmin", "continuumvismin", "continuumvnirmin"),
    }
)

# In a provenance.
_STATED, _CONTESTED = "stated_in_header", "contested_in_header"


@dataclass(frozen=True)
class StatedParameters:
    """What headers state, and what they do not agree in.

    Attributes
    ----------
    values : mapping
        Parameters of the method; none that no header states.
    stated : mapping
        Names of the header to numbers, in small letters.
    contested : tuple of str
        Names in which the files of one set differ; the defaults hold there.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    stated: Mapping[str, float] = field(default_factory=dict)
    contested: tuple[str, ...] = ()

    def without(self, parameters: Mapping[str, Any]) -> StatedParameters:
        """Return the same without what a person has set otherwise."""
        names = {name for parameter in parameters for name in _NAMES.get(parameter, ())}
        return StatedParameters(
            {name: value for name, value in self.values.items() if name not in parameters},
            {name: value for name, value in self.stated.items() if name not in names},
            tuple(name for name in self.contested if name not in names),
        )

    def as_record(self) -> dict[str, Any]:
        """Return what was taken, as a provenance holds it; nothing where headers state nothing."""
        record = {_STATED: dict(self.stated), _CONTESTED: list(self.contested)}
        return {name: value for name, value in record.items() if value}


def find_stated_parameters(provenance: Mapping[str, Any]) -> StatedParameters:
    """Find the parameters of the mission's cleaning that the headers of a set state.

    Parameters
    ----------
    provenance : mapping
        Of a `SpectraSet` of one CCS file, or of several, joined.

    Returns
    -------
    StatedParameters
        Empty for spectra of another kind. A name counts when all headers that
        have it agree in it.
    """
    headers = [part.get("parameters", {}) for part in provenance.get("parts", (provenance,))]
    found = {
        name: {header[name] for header in headers if name in header} for names in _NAMES.values() for name in names
    }
    stated = {name: float(min(values)) for name, values in found.items() if len(values) == 1}
    known = read_parameters(stated)
    taken = {parameter for parameter, names in _NAMES.items() if any(name in stated for name in names)}
    contested = tuple(name for name, values in found.items() if len(values) > 1)
    return StatedParameters({name: known[name] for name in _NAMES if name in taken}, stated, contested)


def describe_stated(record: Mapping[str, Any]) -> str:
    """Say what a cleaning has taken from headers, by the provenance that holds `StatedParameters.as_record`."""
    said = []
    if record.get(_STATED):
        pairs = ", ".join(f"{name.upper()} {value:g}" for name, value in record[_STATED].items())
        said.append(f"ChemCam's steps with the parameters of the header: {pairs}.")
    if record.get(_CONTESTED):
        names = ", ".join(name.upper() for name in record[_CONTESTED])
        said.append(f"The headers differ in {names}; the default is taken.")
    return " ".join(said)
