"""What a specification may say, and that it comes back from plain values."""

from __future__ import annotations

import json

import pytest

from napari_bgremove.numpy_network.spec import PriorGuidedSpec
from napari_bgremove.numpy_network.weights import list_shapes


def test_the_defaults_are_those_of_the_paper() -> None:
    spec = PriorGuidedSpec()
    assert (spec.width, spec.wiener_window, spec.normalized, spec.activation) == (2, 3, True, "relu")


def test_a_specification_survives_json() -> None:
    spec = PriorGuidedSpec(width=8, prior="off", activation="firm", threshold="adaptive", firm_gamma=0.3)
    assert PriorGuidedSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_a_narrowed_specification_survives_json() -> None:
    spec = PriorGuidedSpec(hidden=(1, 2, 3, 4, 5, 6, 4, 2))
    assert PriorGuidedSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert hash(spec) != hash(PriorGuidedSpec())


def test_a_whole_specification_says_nothing_of_hidden_layers() -> None:
    """Files of whole networks read as before there was the word."""
    assert "hidden" not in PriorGuidedSpec().to_dict()


def test_hidden_widths_have_names() -> None:
    """The deepest block, which a prior guides channel by channel, keeps its own."""
    whole = {"inc": 3, "down1": 6, "down2": 12, "down3": 24, "up1": 24, "up2": 12, "up3": 6, "up4": 3}
    assert PriorGuidedSpec(width=3).whole_widths == PriorGuidedSpec(width=3).hidden_widths == whole
    assert list(PriorGuidedSpec(prior="off").whole_widths)[3:6] == ["down3", "down4", "up1"]
    narrowed = PriorGuidedSpec(width=3, hidden=(1, 2, 3, 4, 5, 6, 6, 3))
    assert list(narrowed.hidden_widths.items())[2:5] == [("down2", 3), ("down3", 4), ("up1", 5)]
    assert narrowed.whole_widths == whole


def test_weights_have_the_hidden_widths() -> None:
    shapes = list_shapes(PriorGuidedSpec(hidden=(1, 3, 2, 5, 7, 1, 4, 2), activation="soft"))
    whole = list_shapes(PriorGuidedSpec(activation="soft"))
    changed = {name: shape for name, shape in shapes.items() if name.startswith("down1.") and shape != whole[name]}
    assert changed == {
        "down1.conv1.weight": (3, 2, 3), "down1.conv1.bias": (3,), "down1.norm1.weight": (3,),
        "down1.norm1.bias": (3,), "down1.norm1.running_mean": (3,), "down1.norm1.running_var": (3,),
        "down1.shrink1.theta": (3,), "down1.conv2.weight": (4, 3, 3),
    }  # fmt: skip
    untouched = [name for name in whole if name.startswith(("prior.", "down4.", "up4.", "outc."))]
    assert all(shapes[name] == whole[name] for name in untouched)


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
        ({"hidden": (1, 2)}, "'hidden' must be empty or hold one width for each of 8 hidden layers; found 2"),
        ({"hidden": (1,) * 9}, "'hidden' must be empty or hold one width for each of 8 hidden layers; found 9"),
        ({"hidden": (1,) * 8, "prior": "off"}, "one width for each of 9 hidden layers; found 8"),
        ({"hidden": (1, 0, *(1,) * 6)}, "'hidden: down1' must lie between 1 and 4 units; found 0 units"),
        ({"hidden": (3, *(1,) * 7)}, "'hidden: inc' must lie between 1 and 2 units; found 3 units"),
        ({"hidden": (1.0, *(1,) * 7)}, "'hidden' must hold whole numbers; found 1.0 for inc"),
        ({"hidden": (True, *(1,) * 7)}, "'hidden' must hold whole numbers; found True for inc"),
        ({"hidden": [1] * 8}, r"'hidden' must be a tuple of whole numbers; found \[1, 1"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PriorGuidedSpec(**fields)  # type: ignore[arg-type]
