"""A set of spectra as layers, spectra x channels: measured once, signal and background of every cleaning.

What a row and a column are is in the metadata, as `labels_of_set` writes it,
so that every one of these layers can be taken for a set again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.spectra.pictures import brightness_of_picture, place_of_picture
from napari_bgremove.spectra.set_records import labels_of_set, set_of_labels
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.viewer_layers.results import find_layer, put_image, put_separation

if TYPE_CHECKING:
    from napari import Viewer
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["SPECTRA_ROLE", "put_spectra", "set_of_layer"]

#: Of the layer with what was measured.
SPECTRA_ROLE = "measured_spectra"
_OURS, _LABELS = "napari_bgremove", "spectra"


def put_spectra(
    viewer: Viewer | ViewerModel,
    name: str,
    spectra: SpectraSet,
    parts: Mapping[str, NDArray[Any]],
    *,
    method: str,
    record: Mapping[str, Any],
    source: Mapping[str, Any],
    copy: bool = True,
) -> dict[str, Image]:
    """Show a set and what a cleaning made of it; ours of an earlier run are updated in place.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
    name : str
        Of the measured layer; the others are called after it.
    spectra : SpectraSet
    parts : mapping of str to ndarray
        Keys of `PARTS`, each in the shape of the spectra.
    method : str
        As the layers write it behind their part: 'airPLS'.
    record : mapping
        Provenance of the separation, plain values.
    source : mapping
        Where the set was read, plain values.
    copy : bool
        False when nobody else holds spectra and parts: copying large ones
        holds the window.

    Returns
    -------
    dict of str to Image
        "measured", and the parts.
    """
    about = {"source": dict(source), _LABELS: labels_of_set(spectra)}
    measured = _show_measured(viewer, name, spectra, about, copy)
    record = {**about, "separation": dict(record)}
    made = put_separation(viewer, measured, parts, record=record, suffix=f", {method}", copy=copy)
    return {"measured": measured, **made}


def _show_measured(
    viewer: Viewer | ViewerModel, name: str, spectra: SpectraSet, about: dict[str, Any], copy: bool
) -> Image:
    values = np.asarray(spectra.spectra)
    shown = find_layer(viewer, name, role=SPECTRA_ROLE)
    # Setting what is shown already would draw it anew, which takes longer than to compare it.
    if shown is not None and _shows(shown, values, about):
        shown.metadata = {_OURS: {**shown.metadata[_OURS], **about}}
        return shown
    scale, translate = place_of_picture(spectra.axis, spectra.n_spectra)
    is_axis = translate[1] != 0.0 or scale[1] != 1.0
    return put_image(
        viewer, name, values, role=SPECTRA_ROLE, record=about, copy=copy, colormap="gray",
        contrast_limits=brightness_of_picture(values), scale=scale, translate=translate,
        axis_labels=("spectrum", f"axis ({spectra.axis_unit})" if is_axis else "channel"),
    )  # fmt: skip


def _shows(layer: Any, values: NDArray[Any], about: Mapping[str, Any]) -> bool:
    is_same = layer.metadata[_OURS].get(_LABELS) == about[_LABELS]
    return is_same and np.array_equal(layer.data, values, equal_nan=True)


def set_of_layer(layer: Any) -> SpectraSet:
    """Return the set that a layer shows.

    Raises
    ------
    ValueError
        When the layer does not say what its rows and columns are, or has got others since.
    """
    labels = layer.metadata.get(_OURS, {}).get(_LABELS)
    if labels is None:
        msg = (
            f"'{layer.name}' must say which target each of its rows was measured on; found no such labels. Open the "
            "file the spectra come from."
        )
        raise ValueError(msg)
    return set_of_labels(np.asarray(layer.data), labels)
