"""A set survives that its labels travel as JSON beside its table; what is missing is said."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.spectra.composition import Composition
from napari_bgremove.spectra.set_records import describe_set, labels_of_set, set_of_labels
from napari_bgremove.spectra.spectra_set import SpectraSet


def test_labels_go_through_json_and_give_the_same_set(spectra_set: SpectraSet) -> None:
    known = spectra_set.composition
    assert known is not None
    values = known.values.copy()
    values[3] = np.nan
    given = replace(spectra_set, composition=Composition(known.targets, known.names, values, "ppm"), axis_unit="1/cm")
    back = set_of_labels(given.spectra, json.loads(json.dumps(labels_of_set(given), allow_nan=False)))
    for name in ("axis", "spectra", "targets", "locations", "shots"):
        assert_array_equal(getattr(back, name), getattr(given, name))
        assert getattr(back, name).dtype == getattr(given, name).dtype
    assert (back.blocks, back.axis_unit, back.value_unit) == (given.blocks, "1/cm", given.value_unit)
    assert_array_equal(back.composition_of_rows(), given.composition_of_rows())
    assert back.composition is not None
    assert back.composition.unit == "ppm"


def test_a_set_without_reference_values_stays_without(spectra_set: SpectraSet) -> None:
    back = set_of_labels(spectra_set.spectra, labels_of_set(replace(spectra_set, composition=None)))
    assert back.composition is None


def test_labels_that_are_missing_or_of_another_table_are_refused(spectra_set: SpectraSet) -> None:
    with pytest.raises(ValueError, match="must hold axis, targets, locations, shots, blocks; found nothing"):
        set_of_labels(spectra_set.spectra, {})
    with pytest.raises(ValueError, match="'targets' must give a text for each of the 31 spectra"):
        set_of_labels(spectra_set.spectra[1:], labels_of_set(spectra_set))


def test_a_set_is_described_in_a_line(spectra_set: SpectraSet) -> None:
    assert describe_set(spectra_set) == (
        "32 spectra of 8 targets, 96 channels from 300 to 347.5 nm (UV 48, VIS 48); reference values: SiO2"
    )
    alone = replace(spectra_set.select([0]), composition=None)
    assert describe_set(alone) == "1 spectrum of 1 target, 96 channels from 300 to 347.5 nm (UV 48, VIS 48)"
