"""What a specification may say, and that it comes back from plain values."""

from __future__ import annotations

import json

import pytest

from napari_bgremove.numpy_network.spec import PriorGuidedSpec


def test_the_defaults_are_those_of_the_paper() -> None:
    spec = PriorGuidedSpec()
    assert (spec.width, spec.wiener_window, spec.normalized, spec.activation) == (2, 3, True, "relu")


def test_a_specification_survives_json() -> None:
    spec = PriorGuidedSpec(width=8, prior="off", activation="firm", threshold="adaptive", firm_gamma=0.3)
    assert PriorGuidedSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_what_is_missing_has_its_default() -> None:
    assert PriorGuidedSpec.from_dict({"width": 3}) == PriorGuidedSpec(width=3)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(ValueError, match="'values' must hold fields of a PriorGuidedSpec only; found depth"):
        PriorGuidedSpec.from_dict({"depth": 3})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"width": 0}, "'width' must lie between 1 and 256; found 0"),
        ({"width": 2.0}, "'width' must be a whole number; found 2.0"),
        ({"width": True}, "'width' must be a whole number; found True"),
        ({"wiener_window": 4}, "'wiener_window' must be odd, so that it has a middle; found 4 samples"),
        ({"wiener_window": 1}, "'wiener_window' must lie between 3 and"),
        ({"prior": "on"}, "'prior' must be one of off, per-sample, batch-mean; found 'on'"),
        ({"activation": "elu"}, "'activation' must be one of relu, soft, half, hard, firm; found 'elu'"),
        ({"threshold": "fixed"}, "'threshold' must be one of learnt, adaptive; found 'fixed'"),
        ({"family": "unet"}, "'family' must be one of prior_guided; found 'unet'"),
        ({"normalized": 1}, "'normalized' must be True or False; found 1"),
        ({"firm_gamma": 1.0}, "'firm_gamma' must lie between 0 and 1, both excluded; found 1.0"),
        ({"firm_gamma": float("nan")}, "'firm_gamma' must lie between 0 and 1"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PriorGuidedSpec(**fields)  # type: ignore[arg-type]
