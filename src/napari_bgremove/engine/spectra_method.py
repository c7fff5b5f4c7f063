"""How a set of spectra is taken apart, as plain values."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SpectraMethod"]

Output = Literal["subtract", "synthesis", "both"]


class SpectraMethod(BaseModel):
    """How a set of spectra is taken apart.

    Attributes
    ----------
    model : str or None
        Model file of a network; None takes the classical `method`.
    method : str
        Of `CLEANERS`.
    parameters : dict
        Of the classical method. What "chemcam" is not given here it takes
        from the headers of the spectra, where they state it.
    output : {"subtract", "synthesis", "both"}
        Of a network: the signal is the measured spectrum without the
        background z_n; or the network's own signal z_x; or both parts are the
        network's, and leave a residual.
    device, precision, threads
        Where and how a network computes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    method: str = "arpls"
    parameters: dict[str, Any] = Field(default_factory=dict)
    output: Output = "subtract"
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int | None = Field(default=None, ge=1)
