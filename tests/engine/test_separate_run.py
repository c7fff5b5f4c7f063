from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.separate_run import run_separation
from napari_bgremove.errors import ComputeError, ModelFileError, ReadError
from napari_bgremove.io.images import read_image
from napari_bgremove.io.masks import write_mask
from napari_bgremove.io.results import read_provenance, write_image
from napari_bgremove.learning.inference import ApplyOptions
from napari_bgremove.learning.lazy import iterate_separations, separate_stack
from napari_bgremove.learning.model_file import ModelDescription, read_model, write_model
from napari_bgremove.learning.networks import NetworkSpec, build_network


@pytest.fixture
def model_file(tmp_path: Path) -> str:
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=2), seed=3)
    path = tmp_path / "model.safetensors"
    write_model(path, network, ModelDescription(network=network.spec, tile=32))
    return str(path)


def _image(seed: int = 0, shape: tuple[int, ...] = (50, 70)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.poisson(4, shape) + (rng.random(shape) < 0.03) * rng.uniform(20, 80, shape)).astype(np.float32)


def _job(inputs: list[Path], out: Path, model: str, **options: Any) -> SeparateJob:
    return SeparateJob(inputs=[str(p) for p in inputs], out=str(out), model=model, device="cpu", **options)


def _ignore(event: str, **values: Any) -> None:
    pass


def test_one_image_gives_three_images_and_a_ledger_that_adds_up(tmp_path: Path, model_file: str) -> None:
    source = write_image(tmp_path / "shot.tif", _image(), provenance={})
    (files,) = run_separation(_job([source], tmp_path / "out", model_file, kev_per_unit=2.0), emit=_ignore)
    assert {p.name for p in files.values()} == {
        "shot-signal.tif", "shot-background.tif", "shot-uncertainty.tif", "shot.json",
    }  # fmt: skip
    record = read_provenance(files["ledger"])
    ledger = record["ledger"]
    assert record["ledger_unit"] == "keV"
    assert ledger["measured"] == pytest.approx(2 * _image().sum(dtype=np.float64))
    assert ledger["measured"] == pytest.approx(ledger["signal"] + ledger["background"] + ledger["residual"])
    signal = read_image(files["signal"])
    assert signal.dtype == np.float32
    assert ledger["signal"] == pytest.approx(2 * signal.sum(dtype=np.float64), rel=1e-6)
    assert read_provenance(files["signal"])["model"]["tensors_sha256"] == read_model(model_file).sha256


def test_a_stack_comes_out_frame_by_frame_as_its_images_would(tmp_path: Path, model_file: str) -> None:
    stack = _image(shape=(3, 50, 70))
    source = write_image(tmp_path / "stack.tif", stack, provenance={})
    singles = [write_image(tmp_path / f"single{i}.tif", frame, provenance={}) for i, frame in enumerate(stack)]
    (files,) = run_separation(_job([source], tmp_path / "out", model_file), emit=_ignore)
    alone = run_separation(_job(singles, tmp_path / "out", model_file), emit=_ignore)
    for i, one in enumerate(alone):
        np.testing.assert_array_equal(read_image(files["signal"], frame=i), read_image(one["signal"]))
    assert len(read_provenance(files["ledger"])["ledger"]) == 3


def test_a_stack_that_is_stopped_leaves_no_half_file(tmp_path: Path, model_file: str) -> None:
    source = write_image(tmp_path / "stack.tif", _image(shape=(3, 50, 70)), provenance={})
    events: list[str] = []
    written = run_separation(
        _job([source], tmp_path / "out", model_file),
        emit=lambda event, **_: events.append(event),
        should_stop=lambda: "frame" in events,
    )
    assert written == []
    assert events[-1] == "stopped"
    assert list((tmp_path / "out").iterdir()) == []


def test_gaps_stay_nan_and_are_in_no_sum(tmp_path: Path, model_file: str) -> None:
    image = _image().astype(np.int32)
    image[20:23] = -1
    np.save(tmp_path / "gaps.npy", image)
    (files,) = run_separation(_job([tmp_path / "gaps.npy"], tmp_path / "out", model_file, residual=True), emit=_ignore)
    for name in ("signal", "background", "uncertainty", "residual"):
        values = read_image(files[name])
        assert np.isnan(values[20:23]).all()
        assert np.isfinite(np.delete(values, (20, 21, 22), axis=0)).all()
    assert read_provenance(files["ledger"])["ledger"]["measured"] == image[image >= 0].sum()


def test_results_that_would_overwrite_each_other_are_refused_before_the_work(tmp_path: Path, model_file: str) -> None:
    inputs = [write_image(tmp_path / folder / "shot.tif", _image(), provenance={}) for folder in "ab"]
    with pytest.raises(ComputeError, match=r"would both be written as 'shot-signal.tif'"):
        run_separation(_job(inputs, tmp_path / "out", model_file), emit=_ignore)


def test_a_cluster_that_does_not_answer_is_said(tmp_path: Path, model_file: str) -> None:
    source = write_image(tmp_path / "shot.tif", _image(), provenance={})
    job = _job([source], tmp_path, model_file, cluster="tcp://127.0.0.1:1")
    with pytest.raises(ComputeError, match="does not answer"):
        run_separation(job, emit=_ignore)


def test_a_lazy_stack_is_computed_only_when_asked_for(model_file: str) -> None:
    frames = da.from_array(_image(shape=(4, 40, 40)), chunks=(1, 40, 40))
    model = read_model(model_file)
    parts = separate_stack(frames, model, ApplyOptions(tile=32))
    assert parts.shape == (4, 4, 40, 40)
    for i, separation in enumerate(iterate_separations(parts)):
        np.testing.assert_allclose(separation.measured, frames[i].compute())


def test_a_model_that_changed_meanwhile_is_refused(model_file: str) -> None:
    frames = da.from_array(_image(shape=(1, 40, 40)), chunks=(1, 40, 40))
    parts = separate_stack(frames, read_model(model_file), ApplyOptions(tile=32))
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=2), seed=4)
    write_model(model_file, network, ModelDescription(network=network.spec, tile=32))
    with pytest.raises(ModelFileError, match="has changed since"):
        next(iterate_separations(parts))


def test_an_input_is_never_overwritten(tmp_path: Path, model_file: str) -> None:
    inputs = [write_image(tmp_path / name, _image(), provenance={}) for name in ("foo.tif", "foo-signal.tif")]
    before = inputs[1].read_bytes()
    with pytest.raises(ComputeError, match=r"would overwrite the input 'foo-signal.tif'; choose another folder"):
        run_separation(_job(inputs, tmp_path, model_file), emit=_ignore)
    assert inputs[1].read_bytes() == before


@pytest.mark.parametrize("name", ["foo.json", "foo-signal.tif"])
def test_a_file_no_separation_wrote_is_never_overwritten(tmp_path: Path, model_file: str, name: str) -> None:
    source = write_image(tmp_path / "foo.tif", _image(), provenance={})
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(ComputeError, match="is no result of a separation; it would be overwritten"):
        run_separation(_job([source], tmp_path, model_file), emit=_ignore)
    assert (tmp_path / name).read_text() == '{"mine": 1}'


def test_results_of_the_same_input_are_replaced(tmp_path: Path, model_file: str) -> None:
    source = write_image(tmp_path / "foo.tif", _image(), provenance={})
    first = run_separation(_job([source], tmp_path, model_file), emit=_ignore)
    assert run_separation(_job([source], tmp_path, model_file), emit=_ignore) == first


def test_a_stop_between_images_is_heard(tmp_path: Path, model_file: str) -> None:
    sources = [write_image(tmp_path / f"{i}.tif", _image(i), provenance={}) for i in range(3)]
    events: list[str] = []
    written = run_separation(
        _job(sources, tmp_path / "out", model_file),
        emit=lambda event, **_: events.append(event),
        should_stop=lambda: "written" in events,
    )
    assert len(written) == 1
    assert events[-1] == "stopped"


def test_one_bad_input_does_not_cost_the_others(tmp_path: Path, model_file: str) -> None:
    good = [write_image(tmp_path / f"good{i}.tif", _image(i), provenance={}) for i in range(2)]
    (tmp_path / "broken.tif").write_bytes(good[0].read_bytes()[:200])
    empty = write_image(tmp_path / "empty.tif", np.full((50, 70), np.nan, np.float32), provenance={})
    skipped: list[str] = []

    def note(event: str, **values: Any) -> None:
        if event == "skipped":
            skipped.append(values["reason"])

    inputs = [good[0], tmp_path / "broken.tif", empty, good[1]]
    with pytest.raises(
        ComputeError, match=r"2 of 4 inputs could not be separated, the others are written. 'broken.tif"
    ):
        run_separation(_job(inputs, tmp_path / "out", model_file), emit=note)
    assert {p.name for p in (tmp_path / "out").glob("*.json")} == {"good0.json", "good1.json"}
    assert "'empty.tif': 'image' must have usable pixels" in skipped[1]


def test_an_empty_frame_of_a_stack_stays_empty_and_the_others_come_out(tmp_path: Path, model_file: str) -> None:
    stack = _image(shape=(3, 50, 70))
    stack[1] = np.nan
    source = write_image(tmp_path / "stack.tif", stack, provenance={})
    events: list[dict[str, Any]] = []
    (files,) = run_separation(
        _job([source], tmp_path / "out", model_file), emit=lambda event, **v: events.append({"event": event, **v})
    )
    assert np.isnan(read_image(files["signal"], frame=1)).all()
    assert np.isfinite(read_image(files["signal"], frame=2)).all()
    ledger = read_provenance(files["ledger"])["ledger"]
    assert ledger[1] == {"usable_pixels": 0.0, "skipped": "no usable pixel"}
    assert [e["reason"] for e in events if e["event"] == "skipped"] == ["frame 1: no usable pixel"]


def test_a_signal_mask_is_not_taken_for_a_mask_of_usable_pixels(tmp_path: Path, model_file: str) -> None:
    source = write_image(tmp_path / "shot.tif", _image(), provenance={})
    mask = write_mask(tmp_path / "signal-mask.tif", np.eye(50, 70, dtype=bool), role="signal")
    with pytest.raises(ReadError, match=r"'signal-mask.tif' marks signal regions; a mask of usable pixels is needed"):
        run_separation(_job([source], tmp_path / "out", model_file, valid_mask=str(mask)), emit=_ignore)


def test_results_say_what_made_them(tmp_path: Path, model_file: str) -> None:
    source = write_image(tmp_path / "shot.tif", _image(), provenance={})
    (files,) = run_separation(_job([source], tmp_path / "out", model_file), emit=_ignore)
    record = read_provenance(files["signal"])
    assert record["input"]["folder"] == str(tmp_path.resolve())
    assert record["input"]["bytes"] == source.stat().st_size
    assert record["software"]["torch"]
