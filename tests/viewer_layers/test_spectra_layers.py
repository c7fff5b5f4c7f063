"""A set of spectra as layers: what is measured once, parts beside it, and the way back to a set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_array_equal

from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.synthetic.samples import make_chemcam_sample
from napari_bgremove.viewer_layers.spectra_layers import SPECTRA_ROLE, put_spectra, set_of_layer


def put(viewer: ViewerModel, spectra: SpectraSet, share: float = 0.25, method: str = "airPLS") -> dict:
    parts = {"signal": (1 - share) * spectra.spectra, "background": share * spectra.spectra}
    return put_spectra(
        viewer, "rocks", spectra, parts, method=method, record={"method": "airpls"}, source={"paths": ["a"]}
    )


def test_parts_stand_beside_what_was_measured_and_say_what_they_are(spectra_set: SpectraSet) -> None:
    viewer = ViewerModel()
    layers = put(viewer, spectra_set)
    assert [layer.name for layer in viewer.layers] == [
        "rocks", "rocks - signal, airPLS", "rocks - background (noise), airPLS",
    ]  # fmt: skip
    assert_array_equal(layers["signal"].data, 0.75 * spectra_set.spectra)
    for part, role in (("measured", SPECTRA_ROLE), ("signal", "signal"), ("background", "background")):
        about = layers[part].metadata["napari_bgremove"]
        assert about["role"] == role
        assert about["source"] == {"paths": ["a"]}
        assert about["spectra"]["axis"] == spectra_set.axis.tolist()
        assert json.dumps(about)
    assert layers["signal"].metadata["napari_bgremove"]["separation"] == {"method": "airpls"}


def test_the_columns_are_the_axis_where_it_is_even(spectra_set: SpectraSet) -> None:
    layers = put(ViewerModel(), spectra_set)
    for layer in layers.values():
        assert layer.data_to_world((0, 95))[1] == pytest.approx(347.5)
        assert tuple(layer.axis_labels) == ("spectrum", "axis (nm)")
    gapped = spectra_set.keep(np.arange(96) != 40)
    layers = put(ViewerModel(), gapped)
    assert layers["signal"].data_to_world((0, 94))[1] == 94
    assert tuple(layers["signal"].axis_labels) == ("spectrum", "channel")


def test_a_second_cleaning_adds_its_parts_alone_and_the_same_one_updates_its_own(spectra_set: SpectraSet) -> None:
    viewer = ViewerModel()
    put(viewer, spectra_set)
    put(viewer, spectra_set, share=0.5)
    assert len(viewer.layers) == 3
    assert_array_equal(viewer.layers["rocks - signal, airPLS"].data, 0.5 * spectra_set.spectra)
    put(viewer, spectra_set, method="SNIP")
    assert len(viewer.layers) == 5


def test_no_layer_shares_the_memory_of_the_set(spectra_set: SpectraSet) -> None:
    before = np.array(spectra_set.spectra)
    for layer in put(ViewerModel(), spectra_set).values():
        layer.data[:] = 0
    assert_array_equal(spectra_set.spectra, before)


def test_what_nobody_else_holds_is_not_copied(spectra_set: SpectraSet) -> None:
    parts = {"signal": np.array(spectra_set.spectra)}
    own = spectra_set.with_spectra(np.array(spectra_set.spectra))
    layers = put_spectra(ViewerModel(), "rocks", own, parts, method="SNIP", record={}, source={}, copy=False)
    assert layers["signal"].data is parts["signal"]
    assert layers["measured"].data is own.spectra


def test_what_was_measured_is_drawn_anew_only_when_it_is_other(spectra_set: SpectraSet) -> None:
    viewer, drawn = ViewerModel(), []
    measured = put(viewer, spectra_set)["measured"]
    measured.events.data.connect(drawn.append)
    measured.translate = (5, 5)
    put_spectra(viewer, "rocks", spectra_set, {}, method="SNIP", record={}, source={"paths": ["b"]})
    assert not drawn
    assert tuple(measured.translate) == (5, 5)
    assert measured.metadata["napari_bgremove"]["source"] == {"paths": ["b"]}
    put(viewer, spectra_set.with_spectra(2 * spectra_set.spectra))
    assert len(drawn) == 1
    assert_array_equal(viewer.layers["rocks"].data, 2 * spectra_set.spectra)


def test_a_layer_gives_its_set_back(spectra_set: SpectraSet) -> None:
    for layer in put(ViewerModel(), spectra_set).values():
        back = set_of_layer(layer)
        assert_array_equal(back.spectra, layer.data)
        assert_array_equal(back.targets, spectra_set.targets)
        assert back.blocks == spectra_set.blocks


def test_a_layer_without_labels_or_with_other_rows_is_no_set(spectra_set: SpectraSet) -> None:
    viewer = ViewerModel()
    with pytest.raises(ValueError, match="'shot' must say which target each of its rows was measured on; found no"):
        set_of_layer(viewer.add_image(np.zeros((4, 5)), name="shot"))
    layer = put(viewer, spectra_set)["signal"]
    layer.data = layer.data[:5]
    with pytest.raises(ValueError, match="'targets' must give a text for each of the 5 spectra"):
        set_of_layer(layer)


def test_the_sample_is_a_set_with_its_truth() -> None:
    viewer = ViewerModel()
    for values, attributes, _ in make_chemcam_sample():
        viewer.add_image(values, **attributes)
    assert [layer.visible for layer in viewer.layers] == [False, False, True]
    background, signal, measured = (set_of_layer(layer) for layer in viewer.layers)
    assert measured.n_spectra == 120
    assert len(measured.distinct_targets) == 12
    assert measured.composition is not None
    assert [block.name for block in measured.blocks] == ["UV", "VIO", "VNIR"]
    # What neither part holds is noise, a few DN of hundreds.
    assert np.median(np.abs(measured.spectra - signal.spectra - background.spectra)) < 20
