"""VAMAS (ISO 14976), through the library vamas of the extra `xps`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove.errors import ReadError
from napari_bgremove.io.formats.source import explain_failures
from napari_bgremove.io.spectrum_formats.dialect import decode
from napari_bgremove.io.spectrum_formats.naming import name_axis
from napari_bgremove.io.spectrum_formats.spectrum import Spectrum, check_axis, make_unique

__all__ = ["is_vamas", "read_vamas"]

_FIRST_WORDS = b"VAMAS Surface Chemical Analysis"
# The standard writes 1E+37 for what is not known.
_UNKNOWN = 1e37
_LINES_BEFORE_COMMENTS = 5
_AGAIN = "Copy it again from its source."


def is_vamas(path: Path) -> bool:
    """Tell by its first words whether a file is VAMAS; empty lines may stand before them."""
    with open(path, "rb") as file:
        return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_FIRST_WORDS)


def read_vamas(path: Path) -> list[Spectrum]:
    """Read every block of a VAMAS file."""
    text = decode(path.name, path.read_bytes()).lstrip()
    try:
        from vamas import Vamas
    except ImportError as error:
        msg = (
            f"'{path.name}' is a VAMAS file, and the library that reads them is not installed; "
            'type: pip install "napari-bgremove[xps]"'
        )
        raise ReadError(msg) from error
    with explain_failures(path, "VAMAS"):
        _check_mode(path.name, text.splitlines())
        try:
            file = Vamas(text.encode())
        except (StopIteration, RuntimeError) as error:
            msg = (
                f"'{path.name}' must be complete; it ends after line {len(text.splitlines())}, inside a block. {_AGAIN}"
            )
            raise ReadError(msg) from error
        _check_header(path.name, file.header)
        if not file.blocks:
            msg = f"'{path.name}' must hold at least one block; found none. Export the spectra again."
            raise ReadError(msg)
        labels = make_unique([_label(block) or path.stem for block in file.blocks])
        return [_read_block(path.name, block, label) for block, label in zip(file.blocks, labels, strict=True)]


def _check_mode(name: str, lines: list[str]) -> None:
    """Refuse what the library would read wrongly: it says so by printing only."""
    comments = int(lines[_LINES_BEFORE_COMMENTS])
    scan = lines[_LINES_BEFORE_COMMENTS + comments + 2].strip()
    if scan != "REGULAR":
        msg = f"'{name}' must hold REGULAR scans (equal steps); found {scan[:40]!r}. Export the spectra as text."
        raise ReadError(msg)


def _check_header(name: str, header: Any) -> None:
    shortened = header.num_entries_inclusion_exclusion
    future = header.num_future_upgrade_experiment_entries or header.num_future_upgrade_block_entries
    if shortened or future:
        what = "leaves out items of its blocks" if shortened else "has entries of a future standard"
        msg = f"'{name}' must be VAMAS with complete blocks; it {what}. Save it again, for example with CasaXPS."
        raise ReadError(msg)


def _label(block: Any) -> str:
    parts = (block.sample_identifier, block.block_identifier)
    return " - ".join(dict.fromkeys(part for part in parts if part))


def _read_block(name: str, block: Any, label: str) -> Spectrum:
    variables = block.corresponding_variables
    count = block.num_y_values // len(variables)
    axis = block.x_start + block.x_step * np.arange(count)
    check_axis(f"{name}: {label}", axis, places=[f"sample {i}" for i in range(count)])
    titles = make_unique([variable.label or f"variable {i}" for i, variable in enumerate(variables, 1)])
    values = dict(zip(titles, (np.array(variable.y_values, float) for variable in variables), strict=True))
    kind, unit = name_axis(f"{block.x_label} {block.x_units}")
    return Spectrum(
        axis=axis,
        intensity=values.pop(titles[0]),
        label=label,
        axis_name=kind or block.x_label or "energy",
        axis_unit=unit or block.x_units,
        intensity_name=titles[0],
        columns=values,
        metadata=_describe(block),
    )


def _describe(block: Any) -> dict[str, Any]:
    stated = {
        "technique": block.technique,
        "species": f"{block.species_label} {block.transition_or_charge_state_label}".strip(),
        "source": block.analysis_source_label,
        "photon_energy_ev": block.analysis_source_characteristic_energy,
        "pass_energy_ev": block.analyzer_pass_energy_or_retard_ratio_or_mass_res,
        "work_function_ev": block.analyzer_work_function_or_acceptance_energy,
        "dwell_time_s": block.signal_collection_time,
        "scans": block.num_scans_to_compile_block,
        "comment": block.block_comment,
    }
    return {key: value for key, value in stated.items() if value not in (None, "", _UNKNOWN)}
