"""Denoise what the spectrum panel shows: at once by a filter, by a network as soon as the engine answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_bgremove.engine.signal_denoising import DenoisingMethod
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.preferences import read_preferences
from napari_bgremove.widgets.engine_link import EngineLink
from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.parts.denoising_table import DenoisedCurve, DenoisedRow
from napari_bgremove.widgets.profile_denoise_form import DenoiseForm
from napari_bgremove.widgets.profile_denoise_maps import DenoisedImages
from napari_bgremove.widgets.profile_denoise_network import NetworkCurves
from napari_bgremove.widgets.profile_denoise_work import (
    LABELS,
    NORMS,
    NOT_DENOISED,
    Denoised,
    denoise_by_filter,
    refuse_denoising,
)
from napari_bgremove.widgets.profile_fits import Fit
from napari_bgremove.widgets.profile_work import Source
from napari_bgremove.workspace import workspace_of

__all__ = ["ProfileDenoising"]

Array = NDArray[np.float64]


class ProfileDenoising(QObject):
    """The section "Denoise" of the spectrum panel, with what it needs.

    Parameters
    ----------
    viewer : napari.Viewer
    engine : EngineLink
    connections : Connections
        Of the panel: cut when it goes.
    image : callable
        Returns the layer whose rows are denoised, and a mask of its usable
        pixels or None; raises ValueError, in a sentence, where there is none.

    Attributes
    ----------
    changed : Signal
        What is shown is to be denoised anew.
    failed : Signal of mapping
        What the engine said of a network.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(
        self, viewer: Any, engine: EngineLink, connections: Connections, image: Callable[[], Any], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.form = DenoiseForm(device=read_preferences().device)
        self.network = NetworkCurves(engine, self)
        self.images = DenoisedImages(viewer, engine, self.form, image, self)
        self.form.changed.connect(self._on_changed)
        self.network.answered.connect(self.changed)
        self.network.failed.connect(self.failed)
        self.images.failed.connect(self.failed)
        workspace = workspace_of(viewer)
        connections.connect(workspace.events.signal_model_file, self._take_model)
        if workspace.signal_model_file:
            self.form.take_model(workspace.signal_model_file)

    @property
    def how(self) -> DenoisingMethod | None:
        """How what is shown is denoised, with the mode of a network that goes on; None where it is not.

        Raises
        ------
        ValueError
            When there is no model to a network, or a parameter is no number.
        """
        if not self.form.is_on:
            return None
        how = self.form.how
        return how if how.model is None else how.model_copy(update={"norm": self.form.chosen_norm})

    def take(self, sources: Sequence[Source]) -> list[Denoised]:
        """Denoise spectra as the form says; what is not known yet comes with `changed`."""
        if not self.form.is_on or not sources:
            return [NOT_DENOISED] * len(sources)
        taken = self._denoise([source.profile.values for source in sources])
        return [replace(one, is_fitted=True) for one in taken] if self.form.fits_denoised else taken

    def show(self, fits: Sequence[Fit]) -> None:
        """Say what was found."""
        if not self.form.is_on:
            return
        self.form.table.set_rows([_to_row(fit) for fit in fits])
        self.form.show_found({fit.name: _found(fit.denoised) for fit in fits})

    def _denoise(self, spectra: list[Array]) -> list[Denoised]:
        try:
            how = self.form.how
        except ValueError as error:
            return [refuse_denoising("", str(error)) for _ in spectra]
        if how.model is not None:
            return self.network.take(spectra, how, chosen=self.form.chosen_norm)
        return [denoise_by_filter(measured, how) for measured in spectra]

    def _take_model(self, path: str) -> None:
        self.network.forget()  # the file may be another by now
        self.form.take_model(path)

    def _on_changed(self) -> None:
        self.images.refresh()
        self.changed.emit()


def _to_row(fit: Fit) -> DenoisedRow:
    sigma = float(estimate_sigma(fit.profile.values))
    curves = {_name_column(key): _measure(part.signal, part.background) for key, part in fit.denoised.parts.items()}
    return DenoisedRow(fit.name, fit.colour, sigma, curves)


def _name_column(key: str) -> str:
    return key if key in NORMS else LABELS[key]


def _measure(signal: NDArray[Any], noise: NDArray[Any]) -> DenoisedCurve:
    known = noise[np.isfinite(noise)]
    if not known.size:
        return DenoisedCurve()
    return DenoisedCurve(float(np.sqrt(np.mean(np.square(known)))), float(estimate_sigma(signal)))


def _found(denoised: Denoised) -> Mapping[str, float]:
    """Return the numbers that were found for one spectrum."""
    part = denoised.parts.get(denoised.chosen)
    lists = {} if part is None else part.provenance.get("found", {})
    return {name: float(values[0]) for name, values in lists.items() if values[0] is not None}
