"""A separation spread over the processes of a cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from distributed import LocalCluster

from napari_bgremove.engine.jobs import SeparateJob
from napari_bgremove.engine.separate_run import run_separation
from napari_bgremove.io.images import read_image
from napari_bgremove.io.results import read_provenance, write_image


def _ignore(event: str, **values: object) -> None:
    pass


def test_two_worker_processes_give_what_one_process_gives(tmp_path: Path, model_file: Path) -> None:
    """Each of them gets the work by pickle and reads the model itself."""
    rng = np.random.default_rng(0)
    stack = rng.poisson(4, (5, 50, 70)) + (rng.random((5, 50, 70)) < 0.03) * rng.uniform(20, 80, (5, 50, 70))
    source = write_image(tmp_path / "stack.tif", stack, provenance={})
    job = SeparateJob(inputs=[str(source)], out=str(tmp_path / "serial"), model=str(model_file), device="cpu")
    (serial,) = run_separation(job, emit=_ignore)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        spread_job = job.model_copy(update={"out": str(tmp_path / "cluster"), "cluster": cluster.scheduler_address})
        (spread,) = run_separation(spread_job, emit=_ignore)
    for name in ("signal", "background", "uncertainty"):
        for frame in range(len(stack)):
            one, two = (read_image(files[name], frame=frame) for files in (serial, spread))
            np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)
    sums = [read_provenance(files["ledger"])["ledger"] for files in (serial, spread)]
    assert len(sums[1]) == len(stack)
    assert [line["measured"] for line in sums[1]] == [line["measured"] for line in sums[0]]
