"""A cleaning of a set of spectra as text: the command, or the Python lines, that do it again without a window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from napari_bgremove.engine.spectra_separation import SpectraMethod
from napari_bgremove.engine.spectra_source import Bands, SpectraSource
from napari_bgremove.spectra.bands import CHEMCAM_IGNORED_BANDS

__all__ = ["cleaning_as_command", "cleaning_as_python"]


def cleaning_as_command(source: SpectraSource, how: SpectraMethod, *, out: str = "separated") -> str:
    """Return the command that takes a set apart.

    Parameters
    ----------
    source : SpectraSource
    how : SpectraMethod
        Of a classical method with texts or numbers as parameters.
    out : str
        Folder of the results.
    """
    words = ["bgremove", "spectra", "separate", *source.paths, "--out", out]
    for option, value in (
        ("--target", source.target), ("--axis-from", source.axis), ("--composition", source.composition),
    ):  # fmt: skip
        words += [option, value] if value is not None else []
    left_out = tuple(source.leave_out)
    if set(CHEMCAM_IGNORED_BANDS) <= set(left_out):
        left_out = tuple(band for band in left_out if band not in CHEMCAM_IGNORED_BANDS)
        words += ["--chemcam-bands"]
    words += [*_band_options("--leave-out", left_out), *_band_options("--signal", source.signal_bands)]
    if how.model is None:
        words += ["--method", how.method]
        words += [word for name, value in how.parameters.items() for word in ("--param", name, str(value))]
    else:
        words += ["--model", how.model]
        for option in ("output", "device", "precision"):
            value = getattr(how, option)
            words += [f"--{option}", value] if value != SpectraMethod.model_fields[option].default else []
    return shlex.join(words)


def cleaning_as_python(source: SpectraSource, how: SpectraMethod) -> str:
    """Return a script that takes a set apart."""
    marks = ", signal_channels=source.find_signal_channels(spectra)" if source.signal_bands else ""
    return "\n".join(
        [
            "from napari_bgremove.engine.spectra_separation import SpectraMethod, separate_set",
            "from napari_bgremove.engine.spectra_source import SpectraSource",
            "",
            f"source = SpectraSource({_arguments(source)})",
            "spectra = source.read()",
            f"separation = separate_set(spectra, SpectraMethod({_arguments(how)}){marks})",
            "signal, background = separation.signal, separation.background",
            "",
        ]
    )


def _band_options(option: str, bands: Bands) -> Iterator[str]:
    for low, high in bands:
        yield from (option, repr(float(low)), repr(float(high)))


def _arguments(model: SpectraSource | SpectraMethod) -> str:
    """Return what differs from the defaults; the method is always named."""
    given = model.model_dump(exclude_defaults=True)
    if isinstance(model, SpectraMethod) and model.model is None:
        given = {"method": model.method, **given}
    return ", ".join(f"{name}={value!r}" for name, value in given.items())
