"""Take every picture of the tutorial from a real window.

    make screenshots        (or: python docs/make_screenshots.py, with a display)
    python docs/make_screenshots.py --theme light --out FOLDER

Each panel is used the way the tutorial says, on the generated samples, in a
window of 1366 x 768 pixels, as a small laptop has.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication
from superqt import QCollapsible

from napari_bgremove.synthetic.hits import Hits
from napari_bgremove.synthetic.saxs import make_shot_pair
from napari_bgremove.synthetic.scattering import Scattering
from napari_bgremove.widgets.main_panel import MainPanel

IMAGES = Path(__file__).resolve().parent / "images"
SIZE = (1366, 768)


def wait(seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    """Let the window live for a while, or until something has happened."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--out", type=Path, default=IMAGES)
    a = parser.parse_args()
    a.out = a.out.resolve()
    viewer = napari.Viewer(title="napari")
    viewer.theme = a.theme
    viewer.window.resize(*SIZE)
    make_pictures(viewer, a.out)
    viewer.close()


def make_pictures(viewer: Any, out: Path) -> None:
    """Use every panel once, and write a picture of each to a folder."""

    def take(name: str) -> None:
        viewer.reset_view()  # the layers in full view
        wait(0.5)
        viewer.screenshot(str(out / f"{name}.png"), canvas_only=False, flash=False)
        print(out / f"{name}.png")

    scattering = Scattering(family="saxs", level_kev=60.0, centre=(0.5, 0.15), exponent=3.2)
    shots = make_shot_pair(7, scattering=scattering, hits=Hits(rate=0.05))
    for name, shot in zip(("x-ray only", "full shot"), shots, strict=True):
        viewer.add_image(np.where(shot.valid_mask, shot.measured, np.nan), name=name, contrast_limits=(0, 60))
    main_panel = MainPanel(viewer)
    viewer.window.add_dock_widget(main_panel, name="Background removal")
    panels = {main_panel.tabText(i): main_panel.widget(i) for i in range(main_panel.count())}

    viewer.layers["full shot"].visible = False
    mask = panels["Mask"]
    mask.image_choice.layer = viewer.layers["x-ray only"]
    mask.proposal.threshold.setValue(1.2)  # the tail of the scattering belongs to the signal, too
    mask.proposal.grow.setValue(24)
    mask.proposal.tick.setChecked(True)
    wait(10, lambda: "Mask preview" in viewer.layers)
    wait(2)  # the preview follows the numbers
    take("mask")
    mask.apply()

    main_panel.setCurrentWidget(panels["Patches"])
    patches = panels["Patches"]
    patches.sources["signal"].tick(viewer.layers["x-ray only"])
    patches.sources["background"].tick(viewer.layers["full shot"])
    patches.form.signal_count.setValue(16)
    patches.form.background_count.setValue(16)
    patches.extract()
    wait(30, lambda: "outside the mask" in patches.summary.text())
    wait(1)
    take("patches")

    for layer in list(viewer.layers):
        if layer.name not in ("x-ray only", "full shot"):
            viewer.layers.remove(layer)
    viewer.layers["x-ray only"].visible = False
    viewer.layers["full shot"].visible = True
    main_panel.setCurrentWidget(panels["Separate"])
    separate = panels["Separate"]
    separate.image_choice.layer = viewer.layers["full shot"]
    separate.separate()
    wait(300, separate.button.isEnabled)
    take("separate")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # a picture shows no path of this machine
        _separate_a_stack(viewer, separate, shots[1].measured, Path("separated"))
        take("stack")
        for layer in list(viewer.layers):
            if layer.name.startswith("stack"):
                viewer.layers.remove(layer)
    viewer.layers["full shot"].visible = viewer.layers["full shot - signal"].visible = True

    main_panel.setCurrentWidget(panels["Compare"])
    compare = panels["Compare"]
    compare.before_choice.layer = viewer.layers["full shot"]
    compare.after_choice.layer = viewer.layers["full shot - signal"]
    compare.measure()
    compare.show_curtain.setChecked(True)
    take("compare")
    compare.show_curtain.setChecked(False)

    main_panel.setCurrentWidget(panels["Model"])
    model = panels["Model"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        _train_a_little(viewer, patches, model, Path("patches"))
        take("model")
        model.stop()
        wait(60, lambda: not model.follower.is_following)
    separate.engine.close()
    _read_a_spectrum(viewer, main_panel, panels["Profile"])
    take("profile")
    _take_noise_off(panels["Profile"])
    take("denoise")
    with tempfile.TemporaryDirectory() as folder:
        _clean_spectra(viewer, main_panel, panels["Spectra"], Path(folder))
        take("spectra")
        panels["Spectra"].engine.close()
    _look_into_layers(viewer, main_panel, panels["Layers"])
    take("layers")
    panels["Layers"].engine.close()


def _look_into_layers(viewer: Any, main_panel: Any, layers: Any) -> None:
    """Show a layer of the bundled model, with the units that would stay of it."""
    viewer.layers.clear()
    main_panel.setCurrentWidget(layers)
    wait(120, lambda: layers.view.table.rowCount() > 0)
    layers.view.table.setCurrentCell(3, 0)
    layers.removal_section.expand(animate=False)
    judge = layers.removal_form.judge
    judge.by.setCurrentIndex(judge.by.findData("nothing"))
    layers.predict()
    wait(120, lambda: not layers.removal.is_busy)
    wait(1)
    layers.bring_into_view(layers.removal_form.prediction)


def _clean_spectra(viewer: Any, main_panel: Any, spectra: Any, folder: Path) -> None:
    """Take generated shots of rocks apart by two methods, with the oxygen line at 777 nm marked as signal."""
    viewer.layers.clear()
    viewer.open_sample("napari-bgremove", "chemcam_shots")
    main_panel.setCurrentWidget(spectra)
    spectra.use_layer(viewer.layers["ChemCam shots"], folder / "rocks.npz")
    wait(60, lambda: spectra.loaded is not None and not spectra.loader.is_busy)
    viewer.layers.clear()
    spectra.view.mark_bands(((775.0, 780.0),))
    for method in ("chemcam", "airpls"):
        spectra.clean_form.method.setCurrentIndex(spectra.clean_form.method.findData(method))
        spectra.clean()
        wait(120, lambda: not spectra.cleanings.is_busy)
    spectra.view.plot._plot.setXRange(600, 850)
    spectra.view.plot._plot.setYRange(-100, 3000)
    wait(0.5)
    spectra.bring_into_view(spectra.view)


def _read_a_spectrum(viewer: Any, main_panel: Any, profile: Any) -> None:
    """Draw a line on a core level, calibrate it by the scale of the image, and lay three backgrounds below it."""
    viewer.layers.clear()
    viewer.open_sample("napari-bgremove", "core_level")
    main_panel.setCurrentWidget(profile)
    profile.band.width_px.setValue(15)
    profile.axis_form.name.setCurrentText("kinetic energy")
    profile.axis_form.source.setCurrentIndex(profile.axis_form.source.findData("columns"))
    for method in ("linear", "tougaard_u2"):
        profile.methods.ticks[method].setChecked(True)
    profile.draw_line()
    wait(2)


def _take_noise_off(profile: Any) -> None:
    """Denoise a single row of pixels by total variation, with the number it finds itself."""
    for method in ("linear", "tougaard_u2"):
        profile.methods.ticks[method].setChecked(False)
    profile.band.width_px.setValue(1)
    form = profile.denoising.form
    form.method.setCurrentIndex(form.method.findData("tv"))
    for section in profile.findChildren(QCollapsible):
        (section.expand if section.text() == "Denoise" else section.collapse)(animate=False)
    wait(2)
    profile.bring_into_view(profile.plot)
    wait(1)


def _separate_a_stack(viewer: Any, separate: Any, shot: Any, folder: Path) -> None:
    """Cut a shot into frames, separate them all, and show the one to look at first."""
    frames = [shot[row : row + 128, column : column + 128] for row in (0, 128, 256) for column in (0, 128, 256)]
    separate.image_choice.layer = viewer.add_image(np.stack(frames), name="stack", contrast_limits=(0, 60))
    for layer in viewer.layers:
        layer.visible = layer.name == "stack"
    separate.ledger.clear()
    separate.batch_form.results.setText(str(folder))
    separate.batch_section.expand(animate=False)
    separate.separate_stack()
    wait(300, separate.batch_form.stack_button.isEnabled)
    separate.show_next()
    wait(1)


def _train_a_little(viewer: Any, patches: Any, model: Any, folder: Path) -> None:
    from napari_bgremove.images.patch_set import join_patch_sets
    from napari_bgremove.io.patch_sets import write_patch_set

    for role, patch_set in patches.patch_sets.items():  # of two shots, as validation needs
        write_patch_set(folder / f"{role}.npz", join_patch_sets([patch_set, patch_set]))
    model.patches.setText(str(folder))
    model.form.field("epochs").value = 40
    model.form.field("warmup_steps").value = 5
    for layer in viewer.layers:
        layer.visible = False
    model.start(folder / "run")
    wait(300, lambda: len(model.view.plot.curves.get("training", ((), ()))[1]) >= 6)


if __name__ == "__main__":
    main()
