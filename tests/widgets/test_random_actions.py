"""Whatever a person does in whatever order: no exception, and no layer of theirs changes but by their own hand.

The actions are drawn by hypothesis and done to the real panels on a
`ViewerModel`, which needs no screen to draw on; the engine is the fake one of
`conftest.py`. A shadow copy is kept of every layer a person made, masks that
were asked for included.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from napari.components import ViewerModel
from napari.layers import Labels, Shapes
from napari.utils.interactions import mouse_press_callbacks, mouse_release_callbacks
from napari.utils.key_bindings import KeymapHandler
from numpy.testing import assert_array_equal
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QPushButton

from napari_bgremove.io.masks import write_mask
from napari_bgremove.widgets import engine_link, run_follower
from napari_bgremove.widgets.compare_panel import ComparePanel
from napari_bgremove.widgets.main_panel import PANELS
from napari_bgremove.widgets.mask_panel import MaskPanel
from napari_bgremove.widgets.model_panel import ModelPanel
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.layer_combo import LayerCombo
from napari_bgremove.widgets.patches_panel import PatchesPanel
from napari_bgremove.widgets.separate_panel import SeparatePanel

EXAMPLES, STEPS = 26, 30
ACTIONS = 600  # at least; hypothesis ends some series early
MOST_LAYERS, MOST_PANELS = 10, 7

SHAPES = ((48, 64), (40, 40), (3, 48, 64), (2, 2, 40, 40))
DTYPES = ("float32", "uint16", "int16", ">f8", "bool")
NAMES = ("shot", "xray", "mask", "shot - signal", "Mask preview")
PATCH_BUTTONS = ("Extract", "Gallery", "Another pair")
MODEL_BUTTONS = ("How long?", "Start", "Pause", "Stop", "Resume", "Use this epoch", "Equivariant?")
RENAMED = ("Extract", "Separate this frame", "Pause")  # while they are at it
COMPARE_BUTTONS = ("Flip (K)", "Measure", "Draw profiles")
MASK_BUTTONS = ("New mask", "Apply preview", "Invert", "Clear", "Grow", "Shrink", "Imprint", "Combine")

numbers = st.integers(0, 2**16)


@dataclass
class World:
    """What outlives one series of actions."""

    engine: Any
    folder: Path
    errors: list[BaseException] = field(default_factory=list)
    actions: int = 0


@pytest.fixture
def world(qtbot: Any, fake_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(engine_link, "POLL_MS", 1)
    monkeypatch.setattr(run_follower, "POLL_MS", 1)
    world = World(fake_engine, tmp_path)
    for role in ("signal", "background"):
        (tmp_path / f"{role}.npz").write_bytes(b"read by the engine alone")
    write_mask(tmp_path / "mask.npy", np.eye(48, 64, dtype=bool))
    with swallowed_errors(world.errors):
        yield world


@contextmanager
def swallowed_errors(errors: list[BaseException]) -> Iterator[None]:
    """Collect what Qt and threads would print and forget."""
    hooks = sys.excepthook, threading.excepthook
    sys.excepthook = lambda _type, error, _trace: errors.append(error)
    threading.excepthook = lambda arguments: errors.append(arguments.exc_value)
    yield
    sys.excepthook, threading.excepthook = hooks


def make_image(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.poisson(5, shape) + 200 * (rng.random(shape) < 0.02)
    if dtype == "float32" and seed % 3 == 0:
        image = np.where(rng.random(shape) < 0.01, np.nan, image)
    return image.astype(dtype)


class Actions(RuleBasedStateMachine):
    """A person, a viewer, and the panels."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.viewer = ViewerModel()
        self.panels: list[Any] = []
        self.shadows: dict[Any, np.ndarray] = {}
        self.names: dict[Any, str] = {}
        self.replaced: set[Any] = set()  # napari's own undo does not survive that the data are replaced

    # What the person has

    @initialize(names=st.lists(st.sampled_from(sorted(PANELS)), min_size=3, unique=True), in_the_middle=st.booleans())
    def begin(self, names: list[str], in_the_middle: bool) -> None:
        for number, name in enumerate(("shot", "xray")):
            self._adopt(self.viewer.add_image(make_image(SHAPES[0], "float32", 1 + number), name=name))
        for name in names:
            self.open_panel(name)
        if in_the_middle:
            self._do_the_usual_things()

    def _do_the_usual_things(self) -> None:
        """Bring every open panel to where it shows something."""
        if (mask := self._panel(0, MaskPanel)) is not None:
            self._expect_one_undoable_change(mask, lambda: press(mask, "New mask"))
            mask.proposal.tick.setChecked(True)
        if (patches := self._panel(0, PatchesPanel)) is not None:
            self.tick_images(0, 1, 2)
            press(patches, "Extract")
        for kind, text in ((SeparatePanel, "Separate this frame"), (ModelPanel, "Start")):
            if (panel := self._panel(0, kind)) is not None:
                press(panel, text)
        self.let_everything_settle(2)
        if (compare := self._panel(0, ComparePanel)) is not None:
            compare.show_curtain.setChecked(True)

    def _adopt(self, layer: Any) -> None:
        self.shadows[layer] = np.array(layer.data, copy=True) if not isinstance(layer, Shapes) else None
        self.names[layer] = layer.name

    def _pick(self, number: int, among: Callable[[Any], bool]) -> Any | None:
        fitting = [layer for layer in self.viewer.layers if among(layer)]
        return fitting[number % len(fitting)] if fitting else None

    def _own(self, number: int, *kinds: type) -> Any | None:
        return self._pick(number, lambda layer: layer in self.shadows and (not kinds or isinstance(layer, kinds)))

    def _panel(self, number: int, kind: type) -> Any | None:
        panels = [panel for panel in self.panels if isinstance(panel, kind)]
        return panels[number % len(panels)] if panels else None

    # Layers

    @precondition(lambda self: len(self.viewer.layers) < MOST_LAYERS)
    @rule(shape=st.sampled_from(SHAPES), dtype=st.sampled_from(DTYPES), name=st.sampled_from(NAMES), seed=numbers)
    def add_image(self, shape: tuple[int, ...], dtype: str, name: str, seed: int) -> None:
        self._adopt(self.viewer.add_image(make_image(shape, dtype, seed), name=name, scale=(2,) * len(shape)))

    @precondition(lambda self: len(self.viewer.layers) < MOST_LAYERS)
    @rule(shape=st.sampled_from(SHAPES), name=st.sampled_from(NAMES))
    def add_labels(self, shape: tuple[int, ...], name: str) -> None:
        self._adopt(self.viewer.add_labels(np.zeros(shape, np.int32), name=name))

    @precondition(lambda self: len(self.viewer.layers) < MOST_LAYERS)
    @rule(kind=st.sampled_from(["rectangle", "ellipse", "polygon", "line", "none", "points"]))
    def draw(self, kind: str) -> None:
        if kind == "points":
            self.viewer.add_points([[20, 20]], name="centre")
            return
        corners = np.array([[5, 5], [5, 30], [30, 30], [30, 5]], float)
        outline = {"line": [corners[:2]], "none": []}.get(kind, [corners])
        self._adopt(self.viewer.add_shapes(outline or None, shape_type=kind if outline else "rectangle"))

    @rule(number=numbers)
    def remove_any_layer(self, number: int) -> None:
        layer = self._pick(number, lambda _: True)
        if layer is not None:
            self.viewer.layers.remove(layer)
            self.shadows.pop(layer, None)

    @rule(number=numbers, name=st.sampled_from(NAMES))
    def rename_any_layer(self, number: int, name: str) -> None:
        layer = self._pick(number, lambda _: True)
        if layer is not None:
            layer.name = name
            if layer in self.names:
                self.names[layer] = layer.name

    @rule(number=numbers, shape=st.sampled_from(SHAPES), dtype=st.sampled_from(DTYPES))
    def replace_the_data(self, number: int, shape: tuple[int, ...], dtype: str) -> None:
        layer = self._pick(number, lambda layer: hasattr(layer, "contrast_limits") or isinstance(layer, Labels))
        if layer is None:
            return
        if not layer.visible and len(shape) != layer.ndim:
            layer.visible = True  # napari 0.9.2 itself raises over new axes of a layer that is not shown
        image = make_image(shape, dtype, number)
        layer.data = (image > 5).astype(np.uint8) if isinstance(layer, Labels) else image
        if isinstance(layer, Labels):
            self.replaced.add(layer)
        if layer in self.shadows:
            self.shadows[layer] = np.array(layer.data, copy=True)

    @rule(number=numbers, row=st.integers(0, 60), column=st.integers(0, 60), label=st.integers(0, 3))
    def paint(self, number: int, row: int, column: int, label: int) -> None:
        layer = self._own(number, Labels)
        if layer is not None:
            layer.selected_label = label
            layer.paint((*[0] * (layer.ndim - 2), row, column), label)
            self.shadows[layer] = np.array(layer.data, copy=True)

    @rule(number=numbers, back=st.booleans())
    def undo_or_redo(self, number: int, back: bool) -> None:
        layer = self._own(number, Labels)
        if layer is not None and layer not in self.replaced:
            layer.undo() if back else layer.redo()
            self.shadows[layer] = np.array(layer.data, copy=True)

    @rule(position=st.integers(0, 4))
    def move_the_sliders(self, position: int) -> None:
        for axis in range(self.viewer.dims.ndim - 2):
            self.viewer.dims.set_point(axis, position)

    @rule(number=numbers)
    def select(self, number: int) -> None:
        layer = self._pick(number, lambda _: True)
        if layer is not None:
            self.viewer.layers.selection.active = layer

    # Panels

    @precondition(lambda self: len(self.panels) < MOST_PANELS)
    @rule(name=st.sampled_from(sorted(PANELS)))
    def open_panel(self, name: str) -> None:
        panel = PANELS[name](self.viewer)
        if isinstance(panel, PatchesPanel):
            panel.form.patch.setValue(16)
            panel.form.signal_count.setValue(4)
            panel.form.background_count.setValue(4)
        if isinstance(panel, ModelPanel):
            panel.patches.setText(str(self.world.folder))
        panel.show()
        self.panels.append(panel)

    @precondition(lambda self: self.panels)
    @rule(number=numbers)
    def close_panel(self, number: int) -> None:
        panel = self.panels.pop(number % len(self.panels))
        panel.close()
        panel.deleteLater()

    @precondition(lambda self: self.panels)
    @rule(number=numbers, shown=st.booleans())
    def hide_or_show_panel(self, number: int, shown: bool) -> None:
        self.panels[number % len(self.panels)].setVisible(shown)

    @precondition(lambda self: self.panels)
    @rule(number=numbers, choice=numbers)
    def choose_layers(self, number: int, choice: int) -> None:
        for combo in self.panels[number % len(self.panels)].findChildren(LayerCombo):
            combo.setCurrentIndex(choice % max(combo.count(), 1))

    # Masks

    @precondition(lambda self: self._panel(0, MaskPanel) is not None)
    @rule(number=numbers, on=st.booleans(), threshold=st.sampled_from([0.5, 4.0]), which=st.integers(0, 2))
    def tick_a_mask_request(self, number: int, on: bool, threshold: float, which: int) -> None:
        panel = self._panel(number, MaskPanel)
        panel.proposal.threshold.setValue(threshold)
        (panel.proposal.tick, panel.rules.above.tick, panel.rules.gaps)[which].setChecked(on)

    @precondition(lambda self: self._panel(0, MaskPanel) is not None)
    @rule(number=numbers, text=st.sampled_from(MASK_BUTTONS), how=st.integers(0, 3))
    def act_on_a_mask(self, number: int, text: str, how: int) -> None:
        panel = self._panel(number, MaskPanel)
        panel.how.setCurrentIndex(how % panel.how.count())
        self._expect_one_undoable_change(panel, lambda: press(panel, text))

    @precondition(lambda self: self._panel(0, MaskPanel) is not None)
    @rule(number=numbers)
    def load_a_mask(self, number: int) -> None:
        panel = self._panel(number, MaskPanel)
        self._expect_one_undoable_change(panel, lambda: panel.load(self.world.folder / "mask.npy"))

    @precondition(lambda self: self._panel(0, MaskPanel) is not None)
    @rule(number=numbers)
    def keep_the_masks(self, number: int) -> None:
        panel = self._panel(number, MaskPanel)
        panel.keeper.save_all()

    def _expect_one_undoable_change(self, panel: MaskPanel, act: Callable[[], None]) -> None:
        """A mask action makes at most one new mask and changes at most one, which one undo brings back."""
        before = set(self.viewer.layers)
        act()
        made = [layer for layer in self.viewer.layers if layer not in before and isinstance(layer, Labels)]
        made = [layer for layer in made if layer.name != "Mask preview" or layer.editable]
        assert len(made) <= 1
        for layer in made:
            self.names[layer] = layer.name
            self.shadows[layer] = np.zeros_like(layer.data)
        changed = [layer for layer in self.shadows if not self._is_as_remembered(layer)]
        if not changed:
            return
        assert changed == [panel.mask_choice.layer]
        (mask,) = changed
        after = np.array(mask.data, copy=True)
        mask.undo()
        assert_array_equal(mask.data, self.shadows[mask])
        mask.redo()
        assert_array_equal(mask.data, after)
        self.shadows[mask] = after

    def _is_as_remembered(self, layer: Any) -> bool:
        shadow = self.shadows[layer]
        if shadow is None:
            return True
        data = np.asarray(layer.data)
        return data.dtype == shadow.dtype and np.array_equal(data, shadow, equal_nan=data.dtype.kind == "f")

    # Patches, training, separation, comparison

    @precondition(lambda self: self._panel(0, PatchesPanel) is not None)
    @rule(number=numbers, first=numbers, second=numbers)
    def tick_images(self, number: int, first: int, second: int) -> None:
        panel = self._panel(number, PatchesPanel)
        for role, choice in (("signal", first), ("background", second)):
            image = self._pick(choice, lambda layer: hasattr(layer, "contrast_limits"))
            panel.sources[role].tick(image, on=choice % 4 != 0)

    @precondition(lambda self: self._panel(0, PatchesPanel) is not None)
    @rule(number=numbers, text=st.sampled_from(PATCH_BUTTONS), amplitude=st.integers(-30, 30))
    def work_on_patches(self, number: int, text: str, amplitude: int) -> None:
        panel = self._panel(number, PatchesPanel)
        press(panel, text)
        panel.pair_form.slider.setValue(amplitude)

    @rule(number=numbers, row=st.integers(0, 48), column=st.integers(0, 64))
    def click_into_a_drawing(self, number: int, row: int, column: int) -> None:
        layer = self._pick(number, lambda layer: isinstance(layer, Shapes))
        if layer is not None:
            place = layer.data_to_world((row, column))
            event = SimpleNamespace(button=1, modifiers=(), handled=False, pos=(row, column), position=place)
            event.type = "mouse_press"
            mouse_press_callbacks(self.viewer, event)
            event.type = "mouse_release"
            mouse_release_callbacks(self.viewer, event)

    @precondition(lambda self: self._panel(0, ModelPanel) is not None)
    @rule(number=numbers, text=st.sampled_from(MODEL_BUTTONS), epoch=st.integers(0, 9))
    def work_on_the_model(self, number: int, text: str, epoch: int) -> None:
        panel = self._panel(number, ModelPanel)
        panel.view.epoch_slider.setValue(epoch)
        press(panel, text)

    @precondition(lambda self: self._panel(0, SeparatePanel) is not None)
    @rule(number=numbers)
    def separate(self, number: int) -> None:
        panel = self._panel(number, SeparatePanel)
        press(panel, "Separate this frame")

    @precondition(lambda self: self._panel(0, ComparePanel) is not None)
    @rule(number=numbers, text=st.sampled_from(COMPARE_BUTTONS))
    def compare(self, number: int, text: str) -> None:
        panel = self._panel(number, ComparePanel)
        press(panel, text)

    @precondition(lambda self: self._panel(0, ComparePanel) is not None)
    @rule(number=numbers, on=st.booleans(), split=st.integers(-5, 70))
    def draw_the_curtain(self, number: int, on: bool, split: int) -> None:
        panel = self._panel(number, ComparePanel)
        panel.show_curtain.setChecked(on)
        if panel.curtain is not None:
            panel.curtain.split = split

    @precondition(lambda self: self._panel(0, ComparePanel) is not None)
    @rule(number=numbers, on=st.booleans())
    def show_side_by_side(self, number: int, on: bool) -> None:
        panel = self._panel(number, ComparePanel)
        panel.side_by_side.setChecked(on)

    @rule()
    def press_the_key_for_flipping(self) -> None:
        handler = KeymapHandler()
        handler.keymap_providers = [self.viewer]
        handler.press_key("K")

    # What the others do meanwhile

    @rule()
    def let_the_engine_work(self) -> None:
        self.world.engine.answer()
        self.world.engine.train()

    @rule()
    def let_the_engine_crash(self) -> None:
        self.world.engine.kill()

    @rule(epochs=st.integers(1, 3))
    def let_everything_settle(self, epochs: int) -> None:
        for _ in range(epochs):
            self.let_the_engine_work()
            self.let_the_window_work()

    @rule()
    def let_the_window_work(self) -> None:
        until = time.monotonic() + 0.02
        while time.monotonic() < until or any(self._busy()):
            run_events()
            assert time.monotonic() < until + 20, "a thread does not come back"

    def _busy(self) -> Iterator[bool]:
        for panel in self.panels:
            yield from (call.is_busy for call in panel.findChildren(LatestCall))

    @invariant()
    def everything_is_as_the_person_left_it(self) -> None:
        run_events()
        self.world.actions += 1
        if self.world.errors:
            raise self.world.errors.pop()
        for layer in self.shadows:
            assert layer in self.viewer.layers, f"'{layer.name}' was removed"
            assert layer.name == self.names[layer], f"'{self.names[layer]}' was renamed"
            assert self._is_as_remembered(layer), f"'{layer.name}' was changed"

    def teardown(self) -> None:
        while self.panels:
            self.close_panel(0)
        run_events()
        run_events()
        engine_link.engine_of(self.viewer).close()
        left = [layer.name for layer in self.viewer.layers if layer.name.startswith("Curtain")]
        self.viewer.layers.clear()
        self.world.engine.kill()
        assert not left, "a closed panel left its curtain"
        assert not self.viewer.keymap, "a closed panel left its key"
        assert not self.world.errors


def press(panel: Any, text: str) -> None:
    """Click a button as it stands; one that is disabled does nothing."""
    buttons = [button for button in panel.findChildren(QPushButton) if button.text() == text]
    assert buttons or text in RENAMED, f"there is no button '{text}'"
    for button in buttons:
        button.click()


def run_events() -> None:
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_random_actions_change_no_layer_of_a_person_and_raise_nothing(world: World, qtlog: Any) -> None:
    run_state_machine_as_test(
        lambda: Actions(world),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    assert world.actions >= ACTIONS
    complaints = [record.message for record in qtlog.records if record.type_name != "QtDebugMsg"]
    assert not complaints
