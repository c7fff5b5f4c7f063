"""Laws of a job: what it refuses is one sentence of ours, never one of a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from napari_bgremove.engine.jobs import SeparateJob, TrainJob, describe_invalid, read_job
from napari_bgremove.errors import ReadError

TRAIN = {"signal": "s.npz", "background": "b.npz"}


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (SeparateJob, {"inputs": [], "out": "o", "kev_per_unit": 0}, "'kev_per_unit' must be greater than 0; found 0."),
        (SeparateJob, {"inputs": [], "out": "o", "merge": "max"},
         "'merge' must be 'weighted', 'median' or 'mean'; found max."),
        (SeparateJob, {"out": "o"}, "'inputs' must be given; it is missing."),
        (TrainJob, {**TRAIN, "threads": 0}, "'threads' must be greater than or equal to 1; found 0."),
        (TrainJob, {**TRAIN, "thread": 1}, "'thread' must be left out; there is no such option."),
        (TrainJob, {**TRAIN, "recipe": {"seed": -1}}, "'seed' must lie between 0 and 4294967295; found -1."),
        (TrainJob, {**TRAIN, "recipe": {"preset": "huge"}},
         "'recipe.preset' must be 'paper', 'medium', 'small' or 'tiny'; found huge."),
    ],
)  # fmt: skip
def test_a_value_that_is_refused_is_one_sentence_of_ours(kind: Any, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kind(**values)
    assert describe_invalid(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "'job.json' is not a valid job: it must be JSON; found EOF while parsing an object at line 1 column 1."),
        ("{}", "'job.json' is not a valid job: 'kind' must be given; it is missing."),
        (
            '{"kind": "x"}',
            "'job.json' is not a valid job: 'kind' must be one of 'train', 'train_spectra', 'train_signals', "
            "'separate'; found x.",
        ),
        ('{"kind": "train"}', "'job.json' is not a valid job: 'signal' must be given; it is missing."),
    ],
)
def test_a_job_file_that_is_refused_is_one_sentence_of_ours(
    text: str, sentence: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text(text)
    with pytest.raises(ReadError) as caught:
        read_job(Path("job.json"))
    assert str(caught.value) == sentence
