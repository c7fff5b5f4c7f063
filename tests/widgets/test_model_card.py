"""The card of a model says what its file says, and that the file does not say the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.server import _Answers
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.widgets.parts.model_card import ModelCard, describe_model

FULL = {
    "file": "/home/me/run/best.safetensors",
    "self_test": 3.1e-7,
    "card": {
        "network": {"family": "c4_unet", "topology": "D", "fields": [8, 16, 32, 64]},
        "recipe": {"preset": "small", "epochs": 40},
        "provenance": {
            "trained_on": "9 signal patches", "started_from": "saxs-small.safetensors", "epochs_done": 37,
            "validation_loss": 0.01234567, "hit_share": 0.2149,
        },
    },
}  # fmt: skip


def test_every_line_comes_from_the_file_or_from_what_was_computed() -> None:
    assert describe_model(FULL) == {
        "Name": "best",
        "Network": "C4-equivariant UNet, topology D, small (8/16/32/64 fields)",
        "Trained on": "9 signal patches; started from saxs-small.safetensors",
        "Epochs": "37 of 40",
        "Validation loss": "0.01235",
        "Pixels hit": "up to 21.5% in its training",
        "Self-test": "passed here, deviation 3.1e-07",
        "File": "best.safetensors",
    }


def test_what_a_file_does_not_say_is_not_made_up() -> None:
    lines = describe_model({"card": {}, "file": "old.safetensors"})
    assert {lines.pop("Name"), lines.pop("File")} == {"old", "old.safetensors"}
    assert set(lines.values()) == {"the file does not say"}


def test_the_card_shows_the_bundled_model_as_the_engine_has_read_it(qtbot: Any) -> None:
    card = ModelCard()
    qtbot.addWidget(card)
    assert not card.isEnabled()
    reply = _Answers().answer(Letter(1, "model"))
    card.show_model(reply.values)
    assert card.isEnabled()
    assert card.lines["Name"] == Path(BUNDLED_MODEL).stem
    assert card.lines["Network"].startswith("C4-equivariant UNet, topology ")
    assert card.lines["Self-test"].startswith("passed here, deviation ")
