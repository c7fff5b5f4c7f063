"""bgremove spectra: sets of spectra, from the first look to the calibration."""

from __future__ import annotations

import click

from napari_bgremove.cli.lazy_group import LazyGroup

COMMANDS = {
    "inspect": "Say what a set holds, and whether its background is the same for every target.",
    "train": "Train a network on uncleaned spectra, or resume a run.",
    "separate": "Take spectra apart, by a network or a classical method.",
    "calibrate": "Judge cleanings by predicting standards that were left out.",
    "report": "Draw the figures of a set: patches, whole spectra, predictions, errors.",
}


@click.group(cls=LazyGroup, modules="napari_bgremove.cli.spectra_{}_command", summaries=COMMANDS)
def command() -> None:
    """Clean spectra without clean data (Castorena & Oyen): LIBS, Raman, anything with repeats.

    A set is read from files and folders: ChemCam CCS and raw shots, SuperCam,
    HDF5 and netCDF-4 rasters, NPZ, text. A folder per target is read as it
    lies there.
    """
