"""The numbers of a classical cleaning that a person may set."""

from __future__ import annotations

from napari_bgremove.spectra.cleaning import CLEANERS
from napari_bgremove.widgets.parts.parameter_fields import ParameterFields, describe_parameters

__all__ = ["MethodParameters", "describe_parameters"]

# Curves over the channels, which nobody types.
_CURVES = ("dark", "response")


class MethodParameters(ParameterFields):
    """A field for each number of one method.

    Parameters
    ----------
    method : str
        Of `CLEANERS`.
    """

    def __init__(self, method: str) -> None:
        super().__init__({name: value for name, value in CLEANERS[method].parameters.items() if name not in _CURVES})
