"""A recipe as a form, made by magicgui from the fields of its dataclass."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from magicgui.widgets import Container, Widget, create_widget
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_bgremove.recipes.documentation import attribute_docs
from napari_bgremove.widgets.parts.fields import make_section

__all__ = ["RecipeForm"]


class RecipeForm(QWidget):
    """Edits a recipe.

    Parameters
    ----------
    recipe : dataclass type
    start : recipe
        The values shown first.
    first : tuple of str
        Fields at the top; the others are folded away.
    leave_out : tuple of str
        Fields that are decided elsewhere.
    """

    def __init__(self, recipe: type, start: Any, *, first: tuple[str, ...], leave_out: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._recipe, self._start = recipe, start
        hints, docs = typing.get_type_hints(recipe), attribute_docs(recipe)
        names = [f.name for f in dataclasses.fields(recipe) if f.name not in leave_out]
        self._widgets: dict[str, Any] = {
            name: _make_widget(name, hints[name], getattr(start, name), docs.get(name, ""))
            for name in names
            if _is_editable(hints[name])
        }
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        main = Container(widgets=[self._widgets[name] for name in first], labels=True)
        rest = Container(widgets=[w for name, w in self._widgets.items() if name not in first], labels=True)
        for container in (main, rest):
            container.margins = (0, 0, 0, 0)
        layout.addWidget(main.native)
        layout.addWidget(make_section("More", rest.native))

    @property
    def recipe(self) -> Any:
        """The recipe as it is filled in.

        Raises
        ------
        ValueError
            When a field breaks a rule of the recipe.
        """
        return dataclasses.replace(self._start, **{name: w.value for name, w in self._widgets.items()})

    def field(self, name: str) -> Any:
        """Return the magicgui widget of a field."""
        return self._widgets[name]

    def on_change(self, callback: Any) -> None:
        """Call back whenever a field changes."""
        for widget in self._widgets.values():
            widget.changed.connect(callback)


def _is_editable(hint: Any) -> bool:
    """Tuples of tuples and optional numbers are left to the command line."""
    if isinstance(hint, types.UnionType):
        return False
    return not (typing.get_origin(hint) is tuple and typing.get_origin(typing.get_args(hint)[0]) is tuple)


def _make_widget(name: str, hint: Any, value: Any, tip: str) -> Widget:
    options: dict[str, Any] = {"tooltip": tip}
    if hint is float:
        options |= {"min": -1e9, "max": 1e9, "step": None}
        kind: str | None = "LiteralEvalLineEdit"  # 1e-4 has no place in a spin box
        options = {"tooltip": tip}
    elif hint is int:
        kind, options = "SpinBox", {"min": 0, "max": 2**31 - 1, "tooltip": tip}
    elif typing.get_origin(hint) is tuple:
        kind = "LiteralEvalLineEdit"
    else:
        kind = None
    return create_widget(
        value=value, annotation=None if kind else hint, name=name, label=name.replace("_", " "), widget_type=kind,
        options=options,
    )  # fmt: skip
