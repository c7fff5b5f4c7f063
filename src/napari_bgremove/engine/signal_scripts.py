"""A denoising as text: the command, or the Python lines, that do it again without a window."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from napari_bgremove.engine.signal_denoising import DenoisingMethod
from napari_bgremove.engine.spectrum_scripts import say_value, source_options
from napari_bgremove.filters.signal_filters import METHODS

__all__ = ["denoising_as_command", "denoising_as_python"]


def denoising_as_command(
    file: str, how: DenoisingMethod, *, source: Mapping[str, Any] = MappingProxyType({}), out: str = "denoised.csv"
) -> str:
    """Return the command that denoises the signals of a file.

    Parameters
    ----------
    file : str
    how : DenoisingMethod
    source : mapping
        Which signals of the file, as for `background_as_command`.
    out : str
        Table of the results.

    Raises
    ------
    ValueError
        When a `source` has another name.
    """
    words = ["bgremove", "signals", "denoise", file, *source_options(source)]
    if how.model is None:
        words += ["--method", how.method]
        words += [word for name, value in _given(how).items() for word in ("--param", name, say_value(value))]
    else:
        words += ["--model", how.model]
        chosen = how.model_dump(include={"norm", "device", "threads"}, exclude_defaults=True)
        words += [word for name, value in chosen.items() for word in (f"--{name}", str(value))]
    return shlex.join([*words, "--out", out])


def denoising_as_python(load: str, how: DenoisingMethod) -> str:
    """Return a script that denoises signals.

    Parameters
    ----------
    load : str
        Lines that make `measured`.
    how : DenoisingMethod
    """
    if how.model is None:
        module, names = "napari_bgremove.filters.signal_filters", "denoise_signals"
        given = {"method": how.method, **_given(how)}
        call = f"denoise_signals(measured, {_as_arguments(given)})"
    else:
        module, names = "napari_bgremove.engine.signal_denoising", "DenoisingMethod, denoise"
        given = how.model_dump(include={"model", "norm", "device", "threads"}, exclude_defaults=True)
        call = f"denoise(measured, DenoisingMethod({_as_arguments(given)}))"
    lines = [f"from {module} import {names}", "", load.rstrip("\n"), f"separation = {call}"]
    return "\n".join([*lines, "denoised, noise = separation.signal, separation.background", ""])


def _given(how: DenoisingMethod) -> dict[str, Any]:
    """Return what differs from the defaults of a filter."""
    defaults = METHODS[how.method].parameters
    return {name: value for name, value in how.parameters.items() if value != defaults[name]}


def _as_arguments(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items())
