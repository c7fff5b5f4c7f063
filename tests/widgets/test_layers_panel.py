"""The Layers panel in a window: look into models, go over the epochs of a run, compare, remove units, put to use.

What is asked of the warm engine is answered here, in this process, by the
functions that answer it there; the last test does without that.
"""

from __future__ import annotations

import runpy
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_allclose
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton
from superqt import QCollapsible

from napari_bgremove.cli import group
from napari_bgremove.engine.jobs import TrainSignalsJob
from napari_bgremove.engine.layer_answers import LayerAnswers
from napari_bgremove.engine.layer_report import inspect_layers
from napari_bgremove.engine.mailbox import Letter, Mailbox
from napari_bgremove.engine.run_folder import RunFolder
from napari_bgremove.errors import EXPECTED
from napari_bgremove.io.bundled import BUNDLED_MODEL
from napari_bgremove.learning.hidden_layers import find_hidden_layers, outgoing_weights
from napari_bgremove.learning.model_file import read_signal_model, write_model
from napari_bgremove.recipes.denoiser import DenoiserRecipe
from napari_bgremove.spectra.layer_spectrum import NO_PEAK, make_layer_spectrum
from napari_bgremove.widgets import engine_link
from napari_bgremove.widgets.layers_inspection import ModelLayers
from napari_bgremove.widgets.layers_panel import REMOVAL, LayersPanel
from napari_bgremove.workspace import workspace_of

Click = Callable[[Any, str], None]
PATIENCE = 30_000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_link, "POLL_MS", 5)


@pytest.fixture
def viewer(model_file: Path) -> ViewerModel:
    """A viewer that uses the smallest network."""
    viewer = ViewerModel()
    workspace_of(viewer).model_file = str(model_file)
    return viewer


@pytest.fixture
def panel(qtbot: Any, viewer: ViewerModel, fake_engine: Any, flush: Callable[[], None]) -> Iterator[LayersPanel]:
    panel = LayersPanel(viewer)
    panel.resize(520, 900)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    if isalive(panel):
        panel.deleteLater()
    flush()


@pytest.fixture
def answer(fake_engine: Any) -> Callable[[], list[Letter]]:
    """Answer what was asked until now, as the engine does; what it was is returned."""
    answers = LayerAnswers()

    def run() -> list[Letter]:
        asked = []
        for folder, process in fake_engine.servers.items():
            if process.poll() is None and folder.exists():
                mailbox = Mailbox(folder)
                for request in mailbox.take_requests():
                    mailbox.reply(_answer(answers, request))
                    asked.append(request)
        return asked

    return run


def _answer(answers: LayerAnswers, request: Letter) -> Letter:
    try:
        return answers.kinds[request.kind](request)
    except EXPECTED as error:
        return replace(request, kind="failed", values={"error": type(error).__name__, "message": str(error)}, arrays={})


@pytest.fixture
def settle(qtbot: Any, panel: LayersPanel, answer: Callable[[], list[Letter]]) -> Callable[[], list[str]]:
    """Answer until nothing is going on; return which models were looked into."""

    def run() -> list[str]:
        asked: list[Letter] = []

        def is_still() -> bool:
            asked.extend(answer())
            return not (panel.inspection.is_busy or panel.removal.is_busy)

        qtbot.waitUntil(is_still, timeout=PATIENCE)
        return [letter.values["model"] for letter in asked if letter.kind == "inspect_layers"]

    return run


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Answer the dialogs that ask for a file or a folder."""

    def answer(path: Path) -> None:
        for one in ("getOpenFileName", "getSaveFileName"):
            monkeypatch.setattr(QFileDialog, one, lambda *_args, **_options: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args, **_options: str(path))

    return answer


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of a denoiser that has kept three epochs, with fewer and fewer units alive."""
    recipe = DenoiserRecipe(width=4, pairs=20, batch_size=4, epochs=3)
    folder = RunFolder(tmp_path / "run")
    folder.create(TrainSignalsJob(recipe=recipe, device="cpu").model_dump_json())
    network = recipe.build_network()
    description = recipe.build_description(recipe.build_datasets()[0])
    for epoch in range(3):
        silence(network, epoch)
        write_model(folder.epoch_model(epoch), network, description)
    write_model(folder.best, network, description)
    return folder


def silence(network: Any, count: int) -> None:
    """Let the first units of every layer lead nowhere."""
    for layer in find_hidden_layers(network):
        layer.norm.weight.data[:count] = 0
        outgoing_weights(layer).data[:count] = 0


def run_script(text: str, folder: Path) -> None:
    (folder / "script.py").write_text(text)
    runpy.run_path(str(folder / "script.py"))


def button(panel: LayersPanel, text: str) -> QPushButton:
    (found,) = [each for each in panel.findChildren(QPushButton) if each.text() == text]
    return found


def open_removal(qtbot: Any, panel: LayersPanel) -> None:
    """Click the title of the section."""
    (section,) = [each for each in panel.findChildren(QCollapsible) if each.text() == REMOVAL]
    section.setDuration(1)
    panel._scroll.ensureWidgetVisible(section)
    qtbot.wait(20)
    qtbot.mouseClick(section._toggle_btn, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.removal_form.predict_button.visibleRegion().boundingRect().isValid(), timeout=5000)


def test_the_layers_of_the_model_in_use_are_listed_and_drawn(panel: LayersPanel, settle: Any, model_file: Path) -> None:
    assert settle() == [str(model_file)]
    layers = inspect_layers(model_file)
    table = panel.view.table
    rows = [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount())]
    assert [row[:2] for row in rows] == [[layer.name, layer.shape] for layer in layers]
    assert [row[4] for row in rows] == [f"{int(layer.alive.sum())} / {layer.units}" for layer in layers]
    table.setCurrentCell(2, 0)
    assert_allclose(panel.view.plot.strokes[0], layers[2].into.spectrum.x)
    panel.view.side.setCurrentIndex(1)
    assert_allclose(panel.view.plot.strokes[0], layers[2].out.spectrum.x)
    assert_allclose(panel.view.plot.curves[panel.source.name(str(model_file))][1], layers[2].out.spectrum.spectrum)
    assert panel.view.sentence.text() == layers[2].out.spectrum.sentence


def test_nothing_is_asked_while_nobody_looks(viewer: ViewerModel, fake_engine: Any, flush: Any) -> None:
    panel = LayersPanel(viewer)
    flush()
    assert not fake_engine.servers
    panel.deleteLater()
    flush()
    workspace_of(viewer).model_file = str(BUNDLED_MODEL)
    assert not fake_engine.servers


def test_a_spectrum_without_a_peak_is_told_and_no_background_is_drawn(panel: LayersPanel, settle: Any) -> None:
    settle()
    falling = np.linspace(1, 0.02, 20_000) ** -0.5  # of density e^-3, without gaps
    assert make_layer_spectrum(falling).status == "no_peak"
    energies = {"energies": falling.tolist()}
    row = {"name": "a", "shape": "", "units": 20_000, "snr": 0.0, "participation_ratio": 0.5, "alive": 20_000}
    panel.view.show_models({"falling": ModelLayers([{**row, "into": energies, "out": energies}])})
    assert panel.view.sentence.text() == NO_PEAK
    assert panel.view.plot.shaded == 0
    assert set(panel.view.plot.curves) == {"falling"}
    assert (panel.view.gate.curves["falling"][1] == 1).all()


def test_two_models_lie_over_each_other(
    panel: LayersPanel, settle: Any, click: Click, choose: Any, denoiser_file: Path
) -> None:
    settle()
    choose(BUNDLED_MODEL)
    click(panel.source.other, "File...")
    assert settle() == [str(BUNDLED_MODEL)]
    assert panel.view.table.columnCount() == 8
    assert [len(x) for x in panel.view.plot.strokes] == [1, 8]
    assert panel.view.sentence.text().splitlines()[1].startswith("saxs-small: ")
    choose(denoiser_file)  # of another family: no layer of the same name
    click(panel.source.other, "File...")
    settle()
    assert len(panel.view.plot.strokes) == 1
    assert panel.view.table.item(0, 5).text() == ""
    panel.source.other.combo.setCurrentIndex(0)
    panel.source.other.combo.activated.emit(0)
    assert panel.view.table.columnCount() == 5


def test_the_epochs_of_a_run_are_gone_over(
    panel: LayersPanel, settle: Any, click: Click, choose: Any, run: RunFolder
) -> None:
    settle()
    assert not panel.source.epochs.isVisible(), "a file has no epochs"
    choose(run.path)
    click(panel.source.model, "Run...")
    assert settle() == [str(run.best)]
    assert panel.source.epochs.text.text() == "best"
    alive = [panel.view.table.item(0, 4).text()]
    click(panel, "Before")
    assert settle() == [str(run.epoch_model(0))]
    assert panel.source.epochs.text.text() == "epoch 1"
    panel.source.epochs.slider.setValue(1)
    assert settle() == [str(run.epoch_model(1))]
    alive.append(panel.view.table.item(0, 4).text())
    units = int(alive[0].split("/")[1])
    assert alive == [f"{units - 2} / {units}", f"{units - 1} / {units}"]
    panel.source.epochs.slider.setValue(0)
    assert settle() == [], "what is known is not asked for again"
    click(panel, "After")
    assert panel.source.file == str(run.best)


def test_epochs_that_a_run_saves_meanwhile_are_offered(
    panel: LayersPanel, settle: Any, choose: Any, click: Click, run: RunFolder
) -> None:
    choose(run.path)
    click(panel.source.model, "Run...")
    panel.source.epochs.slider.setValue(1)
    (run.path / "epochs" / "0003.safetensors").write_bytes(run.best.read_bytes())
    panel.hide()
    panel.show()
    assert panel.source.epochs.slider.maximum() == 4
    assert panel.source.file == str(run.epoch_model(1)), "who looks at an epoch goes on looking at it"
    settle()


def test_a_run_without_a_model_is_refused_in_a_sentence(
    panel: LayersPanel, settle: Any, choose: Any, click: Click, tmp_path: Path
) -> None:
    settle()
    (tmp_path / "empty").mkdir()
    choose(tmp_path / "empty")
    click(panel.source.model, "Run...")
    assert "must be a model file, or the folder of a run that has finished an epoch" in panel.message.text
    settle()
    assert not button(panel, "Predict").isEnabled()


def test_a_file_that_is_no_model_is_refused_and_the_next_one_is_shown(
    panel: LayersPanel, settle: Any, choose: Any, click: Click, tmp_path: Path, denoiser_file: Path
) -> None:
    settle()
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    choose(tmp_path / "broken.safetensors")
    click(panel.source.model, "File...")
    settle()
    assert "broken.safetensors" in panel.message.text
    choose(denoiser_file)
    click(panel.source.model, "File...")
    settle()
    assert panel.message.text == ""
    assert "channels" in panel.view.table.item(0, 1).text()


def test_a_model_is_dropped_on_its_choice(panel: LayersPanel, settle: Any, denoiser_file: Path) -> None:
    settle()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(denoiser_file))])
    nothing = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(QPoint(5, 5)), Qt.DropAction.CopyAction, mime, *nothing)
    panel.source.model.dropEvent(event)
    assert event.isAccepted()
    assert panel.source.file == str(denoiser_file)
    assert settle() == [str(denoiser_file)]


def test_who_looks_at_the_model_in_use_looks_at_the_next_one(
    panel: LayersPanel, settle: Any, denoiser_file: Path
) -> None:
    settle()
    panel.workspace.signal_model_file = str(denoiser_file)
    assert panel.source.file == panel.workspace.model_file, "that one is in use for something else"
    panel.workspace.model_file = str(BUNDLED_MODEL)
    assert settle() == [str(BUNDLED_MODEL)]
    labels = [panel.source.model.combo.itemText(number) for number in range(panel.source.model.combo.count())]
    assert labels[:2] == ["saxs-small (in use for images)", "denoiser (in use for signals)"]


def test_units_are_predicted_removed_written_and_put_to_use_by_the_mouse(
    qtbot: Any, panel: LayersPanel, settle: Any, click: Click, choose: Any, run: RunFolder, tmp_path: Path
) -> None:
    choose(run.path)
    click(panel.source.model, "Run...")
    settle()
    open_removal(qtbot, panel)
    form = panel.removal_form
    layers = inspect_layers(run.best)
    alive, units = sum(int(layer.alive.sum()) for layer in layers), sum(layer.units for layer in layers)
    assert form.keep.value() == pytest.approx(100 * alive / units, abs=0.05), "the kept estimate is suggested"
    assert not button(panel, "Write new model...").isEnabled()
    assert "Predict first" in button(panel, "Write new model...").toolTip()
    assert button(panel, "Use it").toolTip() == "Write the new model first."
    click(panel, "Predict")
    assert button(panel, "Predict").toolTip() == "The engine is at work; wait."
    settle()
    text = form.prediction.text()
    assert f"{alive} of {units} hidden units would stay" in text
    assert "6 signals held out" in text
    form.keep.setValue(form.keep.value() - 20)
    assert not button(panel, "Write new model...").isEnabled(), "the prediction is of another share"
    form.keep.setValue(100 * alive / units)
    out = tmp_path / "smaller.safetensors"
    choose(out)
    click(panel, "Write new model...")
    settle()
    assert panel.message.text == ""
    assert f"Written to {out}" in form.outcome.text()
    whole, smaller = read_signal_model(run.best).network, read_signal_model(out).network
    measured = np.random.default_rng(0).normal(size=(3, 128)).astype(np.float32)
    assert_allclose(_apply(smaller, measured), _apply(whole, measured), atol=1e-5)
    assert panel.source.other_file == str(out), "before and after lie over each other"
    click(panel, "Use it")
    assert panel.workspace.signal_model_file == str(out)
    before = out.read_bytes()
    click(panel, "Write new model...")  # again, to the same name
    settle()
    assert "exists already" in panel.message.text
    assert out.read_bytes() == before


def test_who_looks_at_the_model_in_use_goes_on_with_the_smaller_one(
    qtbot: Any, panel: LayersPanel, settle: Any, click: Click, choose: Any, run: RunFolder, tmp_path: Path
) -> None:
    panel.workspace.signal_model_file = str(run.best)
    panel.source.model.choose(run.best)
    settle()
    open_removal(qtbot, panel)
    click(panel, "Predict")
    settle()
    choose(tmp_path / "smaller.safetensors")
    click(panel, "Write new model...")
    settle()
    click(panel, "Use it")
    assert panel.message.text == "'smaller.safetensors' is what this viewer uses for signals now."
    settle()
    assert panel.source.file == str(tmp_path / "smaller.safetensors")
    assert panel.message.text == "'smaller.safetensors' is what this viewer uses for signals now."
    assert panel.removal_form.prediction.text() == ""


def _apply(network: Any, measured: np.ndarray) -> np.ndarray:
    import torch

    network.eval()
    with torch.no_grad():
        result = network(torch.from_numpy(measured))
    return (result[0] if isinstance(result, tuple) else result).numpy()


def test_without_a_judge_sizes_are_predicted_and_nothing_is_written(
    qtbot: Any, panel: LayersPanel, settle: Any, click: Click
) -> None:
    settle()
    open_removal(qtbot, panel)
    judge = panel.removal_form.judge
    assert [judge.by.itemData(number) for number in range(judge.by.count())] == ["patches", "nothing"]
    assert button(panel, "Predict").toolTip() == "Choose the patches the error is judged by, or nothing."
    judge.by.setCurrentIndex(1)
    click(panel, "Predict")
    settle()
    assert "Its error is not known" in panel.removal_form.prediction.text()
    assert not button(panel, "Write new model...").isEnabled()
    assert "Choose what the error is judged by" in button(panel, "Write new model...").toolTip()
    click(panel, "Copy as command")
    assert "Choose what the error is judged by" in panel.message.text


def test_a_judge_of_other_data_is_refused_in_a_sentence(
    qtbot: Any, panel: LayersPanel, settle: Any, click: Click, choose: Any, tmp_path: Path
) -> None:
    panel.workspace.model_file = str(BUNDLED_MODEL)
    settle()
    open_removal(qtbot, panel)
    choose(tmp_path / "signal.npz")
    click(panel.removal_form.judge.patches, "Choose...")
    click(panel, "Predict")
    settle()
    assert "signal.npz" in panel.message.text
    assert panel.removal_form.prediction.text() == ""
    assert panel.removal_form.outcome.text() == ""


def test_another_model_forgets_the_prediction(
    panel: LayersPanel, settle: Any, choose: Any, click: Click, run: RunFolder, answer: Any
) -> None:
    choose(run.path)
    click(panel.source.model, "Run...")
    settle()
    panel.predict()
    panel.source.epochs.flip()
    answer()
    settle()
    assert panel.removal_form.prediction.text() == "", "the answer was about the other epoch"
    assert not button(panel, "Write new model...").isEnabled()


def test_what_is_done_is_copied_as_command_and_python(
    qtbot: Any, panel: LayersPanel, settle: Any, choose: Any, click: Click, run: RunFolder, capsys: Any, tmp_path: Path
) -> None:
    choose(run.path)
    click(panel.source.model, "Run...")
    settle()
    click(panel, "Copy as command")
    words = shlex.split(QApplication.clipboard().text())
    assert words == ["bgremove", "layers", "inspect", str(run.best)]
    assert group.main(words[1:], standalone_mode=False) == 0
    assert "hidden units are alive" in capsys.readouterr().out
    click(panel, "Copy as Python")
    run_script(QApplication.clipboard().text(), tmp_path)
    assert inspect_layers(run.best)[0].name in capsys.readouterr().out
    open_removal(qtbot, panel)
    click(panel, "Copy as command")
    words = shlex.split(QApplication.clipboard().text())
    words[words.index("--out") + 1] = str(tmp_path / "by_command.safetensors")
    assert group.main(words[1:], standalone_mode=False) == 0
    click(panel, "Copy as Python")
    script = QApplication.clipboard().text().replace("smaller.safetensors", str(tmp_path / "by_script.safetensors"))
    run_script(script, tmp_path)
    digests = {read_signal_model(tmp_path / f"by_{way}.safetensors").sha256 for way in ("command", "script")}
    assert len(digests) == 1


def test_a_panel_that_is_closed_hears_nothing_any_more(
    panel: LayersPanel, settle: Any, fake_engine: Any, flush: Callable[[], None], viewer: ViewerModel
) -> None:
    settle()
    panel.predict()
    panel.deleteLater()
    flush()
    assert not fake_engine.living
    workspace_of(viewer).model_file = str(BUNDLED_MODEL)
    workspace_of(viewer).patch_folder = "elsewhere"


def test_the_bundled_model_is_looked_into_by_the_real_engine(qtbot: Any, make_napari_viewer_proxy: Any) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    panel = LayersPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Layers")
    qtbot.waitUntil(lambda: panel.view.table.rowCount() == 11, timeout=120_000)
    assert panel.view.table.item(0, 1).text() == "4-8-8 fields"
    assert panel.view.plot.shaded == 1
    panel.removal_form.judge.by.setCurrentIndex(1)
    panel.predict()
    qtbot.waitUntil(lambda: not panel.removal.is_busy, timeout=120_000)
    assert "148 of 296 hidden units would stay (50 %)" in panel.removal_form.prediction.text()
    panel.engine.close()
