"""Fields for the parameters of a method: what is typed, what is chosen, what was found."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_bgremove.widgets.parts.parameter_fields import ParameterFields, describe_parameters

DEFAULTS = {"window": 5, "weight": None, "gamma": 0.8, "decreasing": True, "pad": "reflect"}


@pytest.fixture
def fields(qtbot: Any) -> ParameterFields:
    fields = ParameterFields(DEFAULTS, choices={"pad": ("zero", "reflect")}, tips={"window": "Samples."})
    qtbot.addWidget(fields)
    fields.show()
    return fields


def test_empty_fields_are_the_defaults_in_grey(fields: ParameterFields) -> None:
    assert fields.values == {}
    said = {name: field.placeholderText() for name, field in fields.fields.items()}
    assert said == {"window": "5", "weight": "from the data", "gamma": "0.8", "decreasing": "true"}
    assert fields.words["pad"].currentText() == "reflect"
    assert fields.fields["window"].toolTip() == "Samples."


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("window", "7", 7), ("window", "7.0", 7), ("weight", " 1e-3 ", 0.001), ("weight", "3", 3), ("gamma", "0", 0),
        ("decreasing", "False", False),
    ],
)  # fmt: skip
def test_what_is_typed_is_a_number_of_the_kind_of_the_default(
    fields: ParameterFields, name: str, text: str, value: Any
) -> None:
    fields.fields[name].setText(text)
    assert fields.values == {name: value}
    assert type(fields.values[name]) is type(value)


@pytest.mark.parametrize(("text", "reason"), [("wide", "a number, true or false"), ("7.5", "a whole number")])
def test_what_is_no_such_number_is_refused(fields: ParameterFields, text: str, reason: str) -> None:
    fields.fields["window"].setText(text)
    with pytest.raises(ValueError, match=f"'window' must be {reason}; found '?{text}'?. Empty, it is the default."):
        _ = fields.values


def test_a_word_that_is_chosen_counts_at_once(qtbot: Any, fields: ParameterFields) -> None:
    with qtbot.waitSignal(fields.changed):
        fields.words["pad"].setCurrentText("zero")
    assert fields.values == {"pad": "zero"}
    assert describe_parameters(fields.values) == ", pad zero"


def test_only_what_was_edited_is_a_change(qtbot: Any, fields: ParameterFields) -> None:
    window, weight = fields.fields["window"], fields.fields["weight"]
    told: list[None] = []
    fields.changed.connect(lambda: told.append(None))
    window.setFocus()
    weight.setFocus()
    window.setFocus()
    assert not told, "somebody has only passed through"
    qtbot.keyClicks(window, "9")
    assert not told, "half typed"
    qtbot.keyClick(window, Qt.Key.Key_Return)
    weight.setFocus()
    assert len(told) == 1


def test_what_was_found_is_said_in_grey_and_is_not_set(fields: ParameterFields) -> None:
    fields.show_found("weight", 7.178812, tip="line 1: 7.1788")
    assert fields.fields["weight"].placeholderText() == "auto: 7.1788"
    assert fields.fields["weight"].toolTip() == "line 1: 7.1788"
    assert fields.values == {}
    fields.show_found("weight", None)
    assert fields.fields["weight"].placeholderText() == "from the data"
