"""The Spectra panel in a real viewer: open a set, mark lines with the mouse, clean, train, calibrate, copy.

What is asked of the warm engine is answered here, in this process, by the
functions that answer it there; the last test does without that.
"""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_allclose, assert_array_equal
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QFileDialog
from superqt import QCollapsible

from napari_bgremove.cli import main
from napari_bgremove.engine.jobs import TrainJob, TrainSpectraJob, read_job
from napari_bgremove.engine.mailbox import Mailbox
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.engine.spectra_answers import SpectraAnswers
from napari_bgremove.engine.spectra_calibration import RAW, calibrate_cleaned
from napari_bgremove.io.spectra_sets import read_spectra_set, write_spectra_set
from napari_bgremove.spectra.cleaning import clean_spectra
from napari_bgremove.spectra.spectra_set import SpectraSet
from napari_bgremove.spectra.stationarity import measure_stationarity
from napari_bgremove.viewer_layers.spectra_layers import put_spectra
from napari_bgremove.widgets import engine_link, run_follower
from napari_bgremove.widgets.parts.latest_call import LatestCall
from napari_bgremove.widgets.parts.separations_plot import SeparationsPlot
from napari_bgremove.widgets.spectra_panel import SpectraPanel

Click = Callable[[Any, str], None]
PATIENCE = 30_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_link, "POLL_MS", 5)
    monkeypatch.setattr(run_follower, "POLL_MS", 5)


@pytest.fixture
def panel(qtbot: Any, fake_engine: Any, flush: Callable[[], None]) -> Iterator[SpectraPanel]:
    panel = unfolded(SpectraPanel(ViewerModel()))
    panel.resize(480, 800)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    if isalive(panel):
        panel.deleteLater()
    flush()


def unfolded(panel: SpectraPanel) -> SpectraPanel:
    for section in panel.findChildren(QCollapsible):
        section.expand(animate=False)
    return panel


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Answer the dialogs that ask for files."""

    def answer(*files: Path) -> None:
        chosen = [str(file) for file in files]
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_args, **_options: (chosen, ""))
        for one in ("getOpenFileName", "getSaveFileName"):
            monkeypatch.setattr(QFileDialog, one, lambda *_args, **_options: (chosen[0], ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args, **_options: chosen[0])

    return answer


@pytest.fixture
def answer(fake_engine: Any) -> Callable[[], list[str]]:
    """Answer what was asked until now, as the engine does; what it was is returned."""
    answers = SpectraAnswers()

    def run() -> list[str]:
        kinds = []
        for folder, process in fake_engine.servers.items():
            if process.poll() is None and folder.exists():
                mailbox = Mailbox(folder)
                for request in mailbox.take_requests():
                    mailbox.reply(answers.kinds.get(request.kind, _devices)(request))
                    kinds.append(request.kind)
        return kinds

    return run


@pytest.fixture
def settle(qtbot: Any, panel: SpectraPanel, answer: Callable[[], list[str]]) -> Callable[[], None]:
    """Answer what was asked until nothing is going on."""

    def is_still() -> bool:
        answer()
        calls = panel.findChildren(LatestCall)
        return not (any(call.is_busy for call in calls) or panel.cleanings.is_busy or panel.comparison.is_busy)

    def run() -> None:
        qtbot.waitUntil(is_still, timeout=PATIENCE)

    return run


def _devices(request: Any) -> Any:
    return replace(request, values={"devices": {"cpu": "CPU (fake)"}}, arrays={})


@pytest.fixture
def opened(panel: SpectraPanel, spectra_file: Path, choose: Any, click: Click, settle: Any) -> SpectraPanel:
    choose(spectra_file)
    click(panel.set_form, "Open...")
    settle()
    return panel


def choose_method(panel: SpectraPanel, name: str) -> None:
    panel.clean_form.method.setCurrentIndex(panel.clean_form.method.findData(name))


def curve(plot: SeparationsPlot, name: str) -> np.ndarray:
    """What is drawn, without the breaks."""
    values = plot.curves[name][1]
    return values[np.isfinite(values)]


def drag(qtbot: Any, plot: SeparationsPlot, start: float, stop: float) -> None:
    """Drag from one place on the axis to another, in the upper third of the plot."""
    viewport, box = plot._plot.viewport(), plot._plot.getViewBox()

    def place(x: float) -> QPoint:
        bottom, top = box.viewRange()[1]
        return plot._plot.mapFromScene(box.mapViewToScene(QPointF(x, (bottom + 2 * top) / 3)))

    def move(x: float, buttons: Any) -> None:
        qtbot.wait(15)  # pyqtgraph leaves out what comes faster
        where = QPointF(place(x)), QPointF(viewport.mapToGlobal(place(x)))
        nothing = Qt.MouseButton.NoButton, buttons, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(viewport, QMouseEvent(QEvent.Type.MouseMove, *where, *nothing))

    move(start, Qt.MouseButton.NoButton)
    qtbot.mousePress(viewport, LEFT, pos=place(start))
    for share in (0.3, 0.6, 1.0):
        move(start + share * (stop - start), LEFT)
    qtbot.mouseRelease(viewport, LEFT, pos=place(stop))
    qtbot.wait(30)


# The set


def test_a_file_is_summed_up_judged_and_drawn(opened: SpectraPanel, spectra_set: SpectraSet) -> None:
    assert opened.set_form.summary.text().startswith("32 spectra of 8 targets, 96 channels from 300 to 347.5 nm")
    assert opened.set_form.verdict.text() == measure_stationarity(spectra_set).message
    assert opened.training.controls.start_button.isEnabled()
    assert opened.view.target.count() == 8
    opened.view.target.setCurrentText("rock 3")
    assert_allclose(curve(opened.view.plot, "measured"), np.mean(spectra_set.spectra[12:16], axis=0), rtol=1e-6)
    opened.view.row.setValue(2)
    assert_allclose(curve(opened.view.plot, "measured"), spectra_set.spectra[13])
    axis, values = opened.view.plot.curves["measured"]
    assert np.isnan(values[48]), "nothing is drawn from one spectrometer to the next"
    assert len(axis) == 97


def test_bands_that_are_left_out_are_gone_from_plot_and_engine(opened: SpectraPanel, settle: Any, click: Click) -> None:
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    settle()
    opened.set_form.left_out.setCurrentIndex(1)
    settle()
    axis, _ = opened.view.plot.curves["measured"]
    assert not ((axis > 338.457) & (axis < 340.797)).any()
    assert "91 channels" in opened.set_form.summary.text()
    assert list(opened.view.plot.curves) == ["measured"], "the cleaning was of other channels"
    click(opened.clean_form, "Clean")
    settle()
    assert opened.cleanings.made["SNIP"].signal.shape == (32, 91)


def test_two_targets_are_too_few_to_train_on_and_the_button_says_so(
    panel: SpectraPanel, spectra_set: SpectraSet, tmp_path: Path, settle: Any
) -> None:
    assert not panel.training.controls.start_button.isEnabled()
    assert panel.training.controls.start_button.toolTip() == "Open spectra first."
    panel.open((str(write_spectra_set(tmp_path / "two.npz", spectra_set.select(slice(8)))),))
    settle()
    start = panel.training.controls.start_button
    assert not start.isEnabled()
    assert start.toolTip() == panel.set_form.verdict.text()
    assert "at least 3 targets to learn from; found 2" in start.toolTip()


def test_a_file_that_is_no_set_is_a_sentence_and_the_set_before_stays(
    opened: SpectraPanel, tmp_path: Path, settle: Any
) -> None:
    (tmp_path / "broken.npz").write_bytes(b"no set")
    opened.open((str(tmp_path / "broken.npz"),))
    settle()
    assert "broken.npz" in opened.message.text
    assert opened.set_form.summary.text().startswith("32 spectra")
    assert opened.clean_form.button.isEnabled()


def test_reference_values_from_a_table_open_the_calibration(
    panel: SpectraPanel, spectra_set: SpectraSet, tmp_path: Path, choose: Any, click: Click, settle: Any
) -> None:
    panel.open((str(write_spectra_set(tmp_path / "bare.npz", replace(spectra_set, composition=None))),))
    settle()
    assert not panel.calibrate_form.button.isEnabled()
    assert "reference values" in panel.calibrate_form.button.toolTip()
    table = tmp_path / "values.csv"
    table.write_text("target,SiO2\n" + "".join(f"rock {n},{n + 1}\n" for n in range(8)))
    choose(table)
    click(panel.set_form.composition, "Choose...")
    settle()
    assert panel.set_form.summary.text().endswith("reference values: SiO2")
    assert panel.calibrate_form.button.isEnabled()


def test_a_layer_that_says_what_it_is_becomes_a_set_and_another_one_a_sentence(
    panel: SpectraPanel, spectra_set: SpectraSet, tmp_path: Path, choose: Any, click: Click, settle: Any
) -> None:
    shot = panel.viewer.add_image(np.zeros((4, 5), np.float32), name="shot")
    choose(tmp_path / "from layer.npz")
    click(panel.set_form, "Use layer...")
    assert "'shot' must say which target each of its rows was measured on" in panel.message.text
    parts = {"signal": spectra_set.spectra}
    layers = put_spectra(panel.viewer, "rocks", spectra_set, parts, method="SNIP", record={}, source={})
    panel.viewer.layers.remove(shot)
    panel.set_form.layer_choice.layer = layers["measured"]
    click(panel.set_form, "Use layer...")
    settle()
    assert panel.loaded is not None
    assert panel.loaded.name == "from layer"
    assert_array_equal(panel.loaded.spectra.spectra, spectra_set.spectra)
    assert_array_equal(read_spectra_set(tmp_path / "from layer.npz").targets, spectra_set.targets)


# Marks


def test_a_mark_is_added_dragged_and_removed_with_the_mouse(qtbot: Any, opened: SpectraPanel, click: Click) -> None:
    assert opened.view.marks_text.text() == "Nothing is marked as signal."
    click(opened.view, "Mark signal")
    ((low, high),) = opened.view.bands
    middle = (low + high) / 2
    assert middle == pytest.approx(323.75, abs=1)
    opened.bring_into_view(opened.view.plot)
    drag(qtbot, opened.view.plot, middle, middle + 10)
    ((moved, end),) = opened.view.bands
    assert moved == pytest.approx(low + 10, abs=0.5)
    assert end - moved == pytest.approx(high - low), "carried as a whole"
    assert opened.source.signal_bands == ((moved, end),)
    assert opened.view.marks_text.text() == f"Marked as signal: {moved:.5g} to {end:.5g} nm"
    click(opened.view, "Mark signal")
    assert len(opened.view.bands) == 2
    click(opened.view, "Remove mark")
    assert opened.view.bands == ((moved, end),), "the one at hand is the newest"
    click(opened.view, "Remove mark")
    assert opened.view.bands == ()
    assert not opened.view.remove_button.isEnabled()


def test_marks_beside_the_axis_of_another_set_are_taken_away_and_said(
    opened: SpectraPanel, spectra_set: SpectraSet, settle: Any, tmp_path: Path
) -> None:
    opened.view.mark_bands(((301.0, 302.0), (330.0, 331.0)))
    opened.open((str(write_spectra_set(tmp_path / "high.npz", spectra_set.keep(spectra_set.axis > 310))),))
    settle()
    assert opened.view.bands == ((330.0, 331.0),)
    assert opened.message.text == "Marks that do not lie on this axis were taken away: 301 to 302."


def test_marks_stay_when_the_set_is_read_anew(opened: SpectraPanel, settle: Any) -> None:
    opened.view.mark_bands(((333.0, 337.0), (320.0, 321.0)))
    opened.set_form.left_out.setCurrentIndex(1)
    settle()
    assert opened.view.bands == ((320.0, 321.0), (333.0, 337.0))


# Cleaning


def test_a_cleaning_is_curves_and_layers_and_honours_the_marks(
    opened: SpectraPanel, spectra_set: SpectraSet, click: Click, settle: Any
) -> None:
    opened.view.mark_bands(((333.0, 337.0),))
    choose_method(opened, "airpls")
    click(opened.clean_form, "Clean")
    assert opened.clean_form.button.text() == "Cleaning..."
    assert not opened.clean_form.button.isEnabled()
    settle()
    assert opened.clean_form.button.text() == "Clean"
    marked = (spectra_set.axis >= 333) & (spectra_set.axis <= 337)
    expected = clean_spectra(
        spectra_set.axis, spectra_set.spectra, method="airpls", blocks=spectra_set.blocks, signal_channels=marked
    )
    names = ["set", "set - background (noise), airPLS", "set - signal, airPLS"]
    assert [layer.name for layer in opened.viewer.layers] == names
    assert_allclose(opened.viewer.layers[names[2]].data, expected.signal, rtol=1e-5, atol=1e-3)
    about = opened.viewer.layers[names[2]].metadata["napari_bgremove"]
    assert about["separation"]["method"] == "airpls"
    assert about["source"]["signal_bands"] == [(333.0, 337.0)] or about["source"]["signal_bands"] == [[333.0, 337.0]]
    assert_allclose(curve(opened.view.plot, "airPLS, background"), expected.background[:4].mean(axis=0))


def test_methods_lie_over_each_other_and_those_of_other_marks_say_so(
    qtbot: Any, opened: SpectraPanel, click: Click, settle: Any, tick: Any
) -> None:
    for method in ("snip", "arpls"):
        choose_method(opened, method)
        click(opened.clean_form, "Clean")
        settle()
    assert len(opened.view.plot.curves) == 5
    assert len(opened.viewer.layers) == 5, "what was measured stands there once"
    click(opened.view, "Mark signal")
    assert "SNIP, other marks, signal" in opened.view.plot.curves
    click(opened.clean_form, "Clean")
    settle()
    assert "arPLS, signal" in opened.view.plot.curves
    (box,) = [b for b in opened.view.findChildren(type(opened.calibrate_form.ticks["snip"])) if b.text() == "Signal"]
    opened.bring_into_view(box)
    tick(box)
    assert not any("signal" in name for name in opened.view.plot.curves)


def test_a_network_without_a_model_and_a_model_that_is_none_are_sentences(
    opened: SpectraPanel, click: Click, settle: Any, tmp_path: Path
) -> None:
    choose_method(opened, "network")
    click(opened.clean_form, "Clean")
    assert "'model' must be a file to clean with a network" in opened.message.text
    assert opened.clean_form.button.isEnabled()


def test_a_failure_of_the_engine_is_said_and_another_cleaning_can_begin(
    qtbot: Any, opened: SpectraPanel, click: Click, fake_engine: Any
) -> None:
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    for folder in fake_engine.servers:
        mailbox = Mailbox(folder)
        for request in mailbox.take_requests():
            mailbox.reply(replace(request, kind="failed", values={"error": "ComputeError", "message": "No."}))
    qtbot.waitUntil(opened.clean_form.button.isEnabled, timeout=PATIENCE)
    assert opened.message.text == "No."


def test_an_answer_about_another_set_is_dropped(qtbot: Any, opened: SpectraPanel, click: Click, settle: Any) -> None:
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    before = opened.loaded
    opened.set_form.left_out.setCurrentIndex(1)
    qtbot.waitUntil(lambda: opened.loaded is not before, timeout=PATIENCE)  # the engine is still at the other set
    settle()
    assert not opened.cleanings.made
    assert len(opened.viewer.layers) == 0
    assert opened.clean_form.button.isEnabled()


def test_a_long_cleaning_goes_in_turns_and_says_how_long_it_still_takes(
    qtbot: Any, opened: SpectraPanel, click: Click, answer: Any
) -> None:
    choose_method(opened, "snip")
    progress = opened.clean_form.progress
    assert not progress.bar.isVisible()
    click(opened.clean_form, "Clean")
    assert progress.bar.isVisible()
    assert progress.status.text() == "Asking the engine..."
    qtbot.waitUntil(lambda: "separate_spectra" in answer(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: "of 32" in progress.status.text(), timeout=PATIENCE)
    assert re.fullmatch(r"4 of 32 spectra, \d+ s left", progress.status.text())
    assert (progress.bar.value(), progress.bar.maximum()) == (4, 32)
    assert not opened.calibrate_form.button.isEnabled()
    assert opened.calibrate_form.button.toolTip() == "A cleaning is going on; wait, or cancel it."
    opened.engine.ask("devices", opened._on_devices)
    asked: list[str] = []
    qtbot.waitUntil(lambda: asked.extend(answer()) or bool(opened.cleanings.made), timeout=PATIENCE)
    assert asked == ["separate_spectra", "devices"], "another question was answered before the set was through"
    assert re.fullmatch(r"SNIP: 32 spectra in \d+ s\.", progress.status.text())
    assert not progress.bar.isVisible()


def test_a_cleaning_is_cancelled_between_two_turns_and_leaves_nothing(
    qtbot: Any, opened: SpectraPanel, click: Click, answer: Any, settle: Any
) -> None:
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    qtbot.waitUntil(lambda: "separate_spectra" in answer(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: "4 of 32" in opened.clean_form.progress.status.text(), timeout=PATIENCE)
    click(opened.clean_form, "Cancel")
    assert opened.clean_form.progress.status.text() == "Cancelled; nothing was changed."
    assert opened.clean_form.button.isEnabled()
    answer()  # the block that was asked for
    folder = opened.cleanings.scratch.path
    assert folder is not None
    qtbot.waitUntil(lambda: not any(folder.iterdir()), timeout=PATIENCE)
    assert answer() == [], "nothing more is asked for"
    assert (opened.cleanings.made, len(opened.viewer.layers)) == ({}, 0)
    click(opened.clean_form, "Clean")
    settle()
    assert list(opened.cleanings.made) == ["SNIP"]


def test_files_that_have_changed_since_are_a_sentence(
    opened: SpectraPanel, spectra_set: SpectraSet, spectra_file: Path, click: Click, settle: Any
) -> None:
    write_spectra_set(spectra_file, spectra_set.select(slice(20)))
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    settle()
    assert opened.message.text == "The files hold other spectra than those that are shown; open them again."
    assert not opened.cleanings.made


def test_parameters_are_typed_named_and_copied(opened: SpectraPanel, click: Click, settle: Any) -> None:
    choose_method(opened, "arpls")
    fields = opened.clean_form.parameters["arpls"].fields
    assert [(name, field.placeholderText()) for name, field in fields.items()] == [
        ("lam", "100000"), ("tol", "0.001"), ("max_iter", "50"),
    ]  # fmt: skip
    assert not opened.clean_form.parameters["snip"].isVisible()
    fields["max_iter"].setText("many")
    click(opened.clean_form, "Clean")
    assert opened.message.text == (
        "'max iter' must be a number, true or false; found 'many'. Empty, it is the default."
    )
    fields["max_iter"].setText(" 1 ")
    fields["lam"].setText("1e6")
    click(opened.clean_form, "Clean")
    settle()
    assert list(opened.cleanings.made) == ["arPLS, lam 1e+06, max iter 1"]
    assert opened.cleanings.made["arPLS, lam 1e+06, max iter 1"].record["parameters"]["lam"] == 1e6
    assert "32 of 32 spectra did not reach the tolerance" in opened.clean_form.progress.status.text()
    click(opened, "Copy as command")
    assert QApplication.clipboard().text().endswith("--method arpls --param lam 1000000.0 --param max_iter 1")


# Training


def do_epoch(run: RunFolder, spectra_set: SpectraSet, epoch: int) -> None:
    """An epoch as the training writes it."""
    for file in (run.best, run.model, run.epoch_model(epoch)):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"weights")
    measured = spectra_set.spectra[0]
    run.write_preview(epoch, {
        "axis": spectra_set.axis, "measured": measured, "predicted_signal": measured * epoch,
        "predicted_background": measured / 2,
    })  # fmt: skip
    run.emit("step", epoch=epoch, step=2, loss=-0.5, samples_per_second=9.0)
    run.emit("epoch", epoch=epoch, training={"loss": -0.1 * epoch}, validation={"loss": -0.2 * epoch})


@pytest.fixture
def training(opened: SpectraPanel, click: Click) -> Iterator[RunFolder]:
    opened.view.mark_bands(((333.0, 337.0),))
    opened.training.form.field("epochs").value = 9
    click(opened.training, "Start")
    run = opened.training.run.folder
    assert run is not None, opened.message.text
    yield run
    opened.training.run.follower.leave()


def test_a_training_is_started_on_the_set_with_its_marks(
    opened: SpectraPanel, training: RunFolder, spectra_file: Path
) -> None:
    job = read_job(training.job)
    assert isinstance(job, TrainSpectraJob)
    assert job.source == opened.source
    assert job.recipe.signal_bands == ((333.0, 337.0),)
    assert (job.recipe.features, job.recipe.epochs, job.recipe.crop) == (16, 9, None)
    assert training.path.parent == spectra_file.parent
    assert not opened.training.controls.start_button.isEnabled()


def test_its_curve_and_the_pinned_spectrum_follow_the_epochs(
    qtbot: Any, opened: SpectraPanel, training: RunFolder, spectra_set: SpectraSet, click: Click
) -> None:
    for epoch in (0, 1):
        do_epoch(training, spectra_set, epoch)
    pinned, view = opened.training.pinned, opened.training.view
    qtbot.waitUntil(lambda: "epoch 2, signal" in pinned.curves, timeout=PATIENCE)
    assert "9.0 triplets/s" in view.status.text()
    assert_allclose(curve(pinned, "epoch 2, background"), spectra_set.spectra[0] / 2)
    view.epoch_slider.setValue(0)
    qtbot.waitUntil(lambda: "epoch 1, signal" in pinned.curves, timeout=PATIENCE)
    click(opened.training, "Use this epoch")
    assert opened.clean_form.how.model == str(training.epoch_model(0))
    assert opened.clean_form.method.currentData() == "network"


def test_a_training_that_was_stopped_offers_its_model(
    qtbot: Any, opened: SpectraPanel, training: RunFolder, spectra_set: SpectraSet, click: Click, fake_engine: Any
) -> None:
    do_epoch(training, spectra_set, 0)
    click(opened.training, "Stop")
    assert training.stop_asked
    fake_engine.train()
    qtbot.waitUntil(lambda: not opened.training.run.is_going_on, timeout=PATIENCE)
    assert opened.training.view.status.text() == "Training stopped; resume goes on."
    assert opened.clean_form.how.model == str(training.best)
    click(opened.training, "Resume")
    assert opened.training.run.is_going_on


def test_a_preset_fills_in_the_network_and_a_crop_can_be_chosen(opened: SpectraPanel) -> None:
    form = opened.training.form
    form.field("epochs").value = 7
    form.preset.setCurrentText("dilated")
    form.crop.tick.setChecked(True)
    form.crop.number.setValue(40)
    recipe = form.make_job(opened.source).recipe
    assert (recipe.depth, recipe.features, recipe.kernel, recipe.dilated) == (12, 16, 5, True)
    form.preset.setCurrentText("smooth")
    recipe = form.make_job(opened.source).recipe
    assert (recipe.linear_background, recipe.smoothing, recipe.same_target, recipe.dilated) == (True, 80, 10.0, False)
    assert (recipe.epochs, recipe.crop) == (7, 40)


def test_a_training_on_images_is_attached_to_elsewhere(
    panel: SpectraPanel, tmp_path: Path, choose: Any, click: Click
) -> None:
    run = RunFolder(tmp_path / "images")
    run.create(TrainJob(signal="s", background="b").model_dump_json())
    choose(run.path)
    click(panel.training, "Attach to run...")
    assert panel.message.text == (
        "'images' learns from patches, which this panel cannot show; attach to it in the panel Model."
    )


# Calibration


def test_raw_cleaned_and_ticked_are_compared_by_standards_left_out(
    qtbot: Any, opened: SpectraPanel, spectra_set: SpectraSet, click: Click, settle: Any, tick: Any
) -> None:
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    settle()
    opened.bring_into_view(opened.calibrate_form.ticks["arpls"])
    tick(opened.calibrate_form.ticks["arpls"])
    click(opened.calibrate_form, "Compare")
    settle()
    table = opened.calibrate_form.table
    assert [table.item(row, 1).text() for row in range(table.rowCount())] == ["raw", "SNIP", "arPLS"]
    sets = {RAW: spectra_set} | {
        name: spectra_set.with_spectra(
            clean_spectra(spectra_set.axis, spectra_set.spectra, method=name, blocks=spectra_set.blocks).signal
        )
        for name in ("snip", "arpls")
    }
    found = calibrate_cleaned(sets)
    rmse = [float(found[name].rmse[0]) for name in sets]
    assert_allclose(table.columns["rmse_nested"], rmse)
    assert [table.item(row, 2).font().bold() for row in range(3)] == [value == min(rmse) for value in rmse]
    for row, name in enumerate(sets):
        cell = table.visualItemRect(table.item(row, 1)).center()
        qtbot.mouseClick(table.viewport(), LEFT, pos=cell)
        values, predictions = opened.calibrate_form.plot.points
        assert_allclose(np.stack([values, predictions]), np.stack(found[name].points(0)))


def test_a_comparison_is_cancelled_while_it_cleans(
    qtbot: Any, opened: SpectraPanel, click: Click, answer: Any, settle: Any, tick: Any
) -> None:
    opened.bring_into_view(opened.calibrate_form.ticks["snip"])
    for name in ("snip", "airpls"):
        tick(opened.calibrate_form.ticks[name])
    click(opened.calibrate_form, "Compare")
    assert opened.clean_form.button.toolTip() == "A comparison is going on; wait, or cancel it."
    qtbot.waitUntil(lambda: "separate_spectra" in answer(), timeout=PATIENCE)
    progress = opened.calibrate_form.progress
    qtbot.waitUntil(lambda: "of 32" in progress.status.text(), timeout=PATIENCE)
    assert re.fullmatch(r"airPLS: 4 of 32 spectra, \d+ s left", progress.status.text())
    click(opened.calibrate_form, "Cancel")
    assert progress.status.text() == "Cancelled; nothing was changed."
    qtbot.wait(50)
    assert set(answer()) <= {"separate_spectra"}
    assert opened.clean_form.button.isEnabled()
    assert not opened.calibrate_form.table.isVisible()
    click(opened.calibrate_form, "Compare")
    settle()
    assert opened.calibrate_form.table.columns["representation"] == ["raw", "airPLS", "SNIP"]
    assert re.match(r"airPLS: \d+ of 32 spectra did not reach the tolerance", progress.status.text())
    assert len(opened.viewer.layers) == 0
    folder = opened.comparison._scratch.path
    assert folder is not None
    assert not any(folder.iterdir())


def test_the_table_is_saved_with_where_it_comes_from(
    opened: SpectraPanel, click: Click, settle: Any, choose: Any, tmp_path: Path
) -> None:
    click(opened.calibrate_form, "Compare")
    settle()
    choose(tmp_path / "table.csv")
    click(opened.calibrate_form, "Save table...")
    text = (tmp_path / "table.csv").read_text()
    assert "set.npz" in text
    assert "\nSiO2,raw,wt%,8," in text


# Without a window


def test_the_command_and_the_script_give_the_same_signal(
    opened: SpectraPanel, click: Click, settle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.view.mark_bands(((333.0, 337.0),))
    opened.set_form.left_out.setCurrentIndex(1)
    settle()
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    settle()
    expected = opened.cleanings.made["SNIP"].signal
    click(opened, "Copy as command")
    words = shlex.split(QApplication.clipboard().text())
    assert words[0] == "bgremove"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="0"):
        main()
    assert_allclose(read_spectra_set(tmp_path / "separated" / "signal.npz").spectra, expected)
    click(opened, "Copy as Python")
    (tmp_path / "script.py").write_text(QApplication.clipboard().text())
    assert_allclose(runpy.run_path(str(tmp_path / "script.py"))["signal"], expected)


def test_without_a_set_nothing_can_be_asked_for_and_copying_says_why(panel: SpectraPanel, click: Click) -> None:
    for button in (panel.clean_form.button, panel.calibrate_form.button, panel.training.controls.start_button):
        assert not button.isEnabled()
        assert button.toolTip()
    click(panel, "Copy as command")
    assert "Open spectra first" in panel.message.text


# The end


def test_a_panel_that_is_closed_over_its_work_leaves_nothing(
    opened: SpectraPanel, click: Click, settle: Any, flush: Callable[[], None]
) -> None:
    choose_method(opened, "snip")
    click(opened.clean_form, "Clean")
    settle()
    folder = opened.cleanings.scratch.path
    assert folder is not None
    assert folder.exists()
    click(opened.clean_form, "Clean")
    opened.view.mark()
    opened.deleteLater()
    flush()
    assert not folder.exists()


def test_with_a_real_engine_a_network_is_trained_and_cleans(
    qtbot: Any, make_napari_viewer_proxy: Any, spectra_file: Path, spectra_set: SpectraSet, click: Click
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    panel = unfolded(SpectraPanel(viewer))
    viewer.window.add_dock_widget(panel, name="Spectra")
    panel.open((str(spectra_file),))
    qtbot.waitUntil(lambda: panel.loaded is not None, timeout=PATIENCE)
    numbers = {"depth": 3, "features": 2, "epochs": 2, "batch_size": 4}
    for name, value in numbers.items():
        panel.training.form.field(name).value = value
    click(panel.training, "Start")
    qtbot.waitUntil(lambda: not panel.training.run.is_going_on, timeout=2 * PATIENCE)
    assert panel.training.view.status.text() == "Training finished.", panel.message.text
    click(panel.clean_form, "Clean")
    qtbot.waitUntil(lambda: bool(panel.cleanings.made), timeout=2 * PATIENCE)
    (made,) = panel.cleanings.made.values()
    assert_allclose(made.signal + made.background, spectra_set.spectra, rtol=1e-5, atol=1e-3)
    assert made.label.endswith(", y - z_n")
    assert made.label.startswith("run-")


# Real spectra


def test_the_fish_oils_go_from_the_file_to_a_verdict_a_cleaning_and_a_calibration(
    panel: SpectraPanel, shared_data: Path, choose: Any, click: Click, settle: Any
) -> None:
    """42 oils, three raw Raman spectra each, in the file as it was published (Liland, Kohler & Afseth 2016)."""
    file = shared_data / "libs" / "raman" / "fishoil_42x3.npz"
    choose(file)
    click(panel.set_form, "Open...")
    settle()
    assert panel.set_form.summary.text() == (
        "126 spectra of 42 targets, 3471 channels from -20 to 3450 1/cm (block 1 3471); reference values: iodine_value"
    )
    assert panel.set_form.verdict.text().startswith("The background follows the target: of the variance between")
    assert panel.set_form.verdict.font().bold()
    choose_method(panel, "arpls")
    panel.clean_form.parameters["arpls"].fields["lam"].setText("1e6")
    click(panel.clean_form, "Clean")
    settle()
    said = panel.clean_form.progress.status.text()
    assert said.startswith("arPLS, lam 1e+06: 126 spectra in ")
    assert "of 126 spectra did not reach the tolerance of the method" in said, "not in 50 rounds"
    loaded, (made,) = panel.loaded, panel.cleanings.made.values()
    assert loaded is not None
    oil = loaded.rows["22"]
    alone = clean_spectra(loaded.spectra.axis, loaded.spectra.spectra[oil], method="arpls", lam=1e6)
    assert_allclose(made.signal[oil], alone.signal)
    click(panel.calibrate_form, "Compare")
    settle()
    table = panel.calibrate_form.table
    assert [table.item(row, 0).text() for row in range(2)] == ["iodine_value"] * 2, "no unit, no brackets"
    raw, cleaned = table.columns["rmse_nested"]
    # The three spectra of an oil are averaged; benchmarks/fish_oil.py takes them one by one (3.58 and 2.87).
    assert 3 < raw < 4.5
    assert cleaned < 0.9 * raw
    assert table.item(1, 2).font().bold()
