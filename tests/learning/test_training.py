"""Laws of the training loop: it learns, it resumes bit for bit, and company does not change the result."""

from __future__ import annotations

import hashlib
import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_bgremove.errors import ComputeError
from napari_bgremove.learning.datasets import SyntheticSums
from napari_bgremove.learning.distributed import Ranks, join_ranks
from napari_bgremove.learning.model_file import ModelDescription, read_model, write_model
from napari_bgremove.learning.networks import AdditiveNetwork, NetworkSpec, build_network
from napari_bgremove.learning.objectives.additive import AdditiveObjective
from napari_bgremove.learning.training import DEAD_STEPS, BatchSplit, EpochDone, StepDone, Training, TrainOptions

SPEC = NetworkSpec(fields=(1, 2, 2, 2), latents=4)


def _training(data: Any, *, network: AdditiveNetwork | None = None, validation: Any = None, **options: Any) -> Training:
    options = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2, "seed": 5} | options
    return Training(
        network or build_network(SPEC, seed=1), AdditiveObjective(), data, validation, TrainOptions(**options)
    )


def _sha(network: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _curve(events: Iterator[Any] | list[Any]) -> list[dict[str, float]]:
    """What happened, without the times."""
    return [dict(e.terms) if isinstance(e, StepDone) else {**e.training, **e.validation} for e in events]


def test_the_network_learns_a_planted_separation(planted_sums: SyntheticSums) -> None:
    """Smooth waves plus rare hits: the predicted background follows the true one on samples it has not seen."""
    network = build_network(NetworkSpec(fields=(2, 4, 8, 8)), seed=0)
    training = _training(
        planted_sums, network=network, epochs=12, batch_size=8, learning_rate=2e-3, warmup_steps=15, schedule="cosine"
    )
    events = list(training.run())
    assert sum(isinstance(e, StepDone) for e in events) == 96
    batch = {k: torch.from_numpy(v) for k, v in planted_sums.batch(50, range(32)).items()}
    with torch.inference_mode():
        terms = AdditiveObjective()(network.eval(), batch)
        _, background = network(batch["measured"])
    follows = np.corrcoef(background.ravel().numpy(), batch["background"].ravel().numpy())[0, 1]
    silence = 2 * float(batch["background"].mean())  # the loss of answering n = 0
    assert follows > 0.85
    assert float(terms["loss"]) < 0.5 * silence


# The position in the run: after a step, after the last step of an epoch, after an epoch, inside the second one.
@pytest.mark.parametrize("stop_after", [2, 3, 4, 6])
@pytest.mark.parametrize("by_file", [False, True])
def test_a_stopped_run_goes_on_bit_for_bit(tiny_sums: Any, tmp_path: Path, stop_after: int, by_file: bool) -> None:
    data = tiny_sums(10)  # three steps an epoch, the last of two samples
    whole = _training(data, validation=tiny_sums(3))
    expected = _curve(whole.run())

    first = _training(data, validation=tiny_sums(3))
    events = first.run()
    seen = _curve([next(events) for _ in range(stop_after)])
    tensors, numbers = first.state()
    if by_file:
        path = tmp_path / "model.safetensors"
        description = ModelDescription(network=SPEC, progress=numbers)
        write_model(path, first.network, description, training=tensors)  # type: ignore[arg-type]
        loaded = read_model(path)
        network, tensors, numbers = loaded.network, dict(loaded.training), dict(loaded.description.progress)
    else:
        network = build_network(SPEC, seed=99)
        network.load_state_dict(first.network.state_dict())
    second = _training(data, network=network, validation=tiny_sums(3))
    second.restore(tensors, numbers)
    seen += _curve(second.run())
    assert seen == expected
    assert _sha(second.network) == _sha(whole.network)


def test_what_state_returned_does_not_change_when_training_goes_on(tiny_sums: Any) -> None:
    training = _training(tiny_sums())
    events = training.run()
    next(events)
    tensors, _ = training.state()
    before = {name: value.clone() for name, value in tensors.items()}
    next(events)
    assert all(torch.equal(before[name], tensors[name]) for name in before)


def test_leaving_the_loop_and_coming_back_changes_nothing(tiny_sums: Any) -> None:
    whole, pieces = _training(tiny_sums()), _training(tiny_sums())
    list(whole.run())
    for _ in range(20):
        if next(pieces.run(), None) is None:
            break
    assert _sha(pieces.network) == _sha(whole.network)


def test_every_sample_of_an_epoch_is_used_once_in_a_new_order(tiny_sums: Any) -> None:
    data = tiny_sums(10)
    used: list[tuple[int, int]] = []
    plain = data.batch
    data.batch = lambda epoch, indices: used.extend((epoch, i) for i in indices) or plain(epoch, indices)
    list(_training(data).run())
    orders = [[i for e, i in used if e == epoch] for epoch in (0, 1)]
    assert [sorted(o) for o in orders] == [list(range(10))] * 2
    assert orders[0] != orders[1]


def test_an_epoch_reports_the_means_over_its_samples(tiny_sums: Any) -> None:
    training = _training(tiny_sums(10), validation=tiny_sums(7), epochs=1)
    *steps, epoch = training.run()
    assert isinstance(epoch, EpochDone)
    expected = (4 * steps[0].terms["loss"] + 4 * steps[1].terms["loss"] + 2 * steps[2].terms["loss"]) / 10
    assert epoch.training["loss"] == pytest.approx(expected, rel=1e-12)
    one_by_one = _training(tiny_sums(), network=training.network, validation=tiny_sums(7), batch_size=1)
    assert one_by_one.validate()["loss"] == pytest.approx(epoch.validation["loss"], rel=1e-5)


def test_validation_does_not_train(tiny_sums: Any) -> None:
    training = _training(tiny_sums(), validation=tiny_sums(3))
    before = _sha(training.network)
    assert training.validate() == training.validate()
    assert _sha(training.network) == before


def test_the_learning_rate_warms_up_linearly_and_stays(tiny_sums: Any) -> None:
    training = _training(tiny_sums(10), learning_rate=0.4, warmup_steps=4, epochs=3)
    rates = []
    for event in training.run():
        if isinstance(event, StepDone):
            rates.append(training.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4])


def test_the_cosine_falls_from_the_full_rate_to_zero(tiny_sums: Any) -> None:
    """Loshchilov & Hutter, ICLR 2017: half a cosine over the steps after the warm-up."""
    training = _training(
        tiny_sums(4), learning_rate=0.2, warmup_steps=2, schedule="cosine", epochs=12
    )  # a step an epoch
    rates = []
    for training.epoch in range(13):
        rates.append(training.learning_rate())
    expected = [0.1, 0.2] + [0.1 * (1 + math.cos(math.pi * i / 10)) for i in range(11)]
    assert rates == pytest.approx(expected, abs=1e-12)


def test_the_staircase_follows_a_cosine_in_stairs_down_and_up_again(tiny_sums: Any) -> None:
    """CosineAnnealingLR(T_max=2, eta_min=0.1) of torch, stepped once per 3 epochs."""
    training = _training(
        tiny_sums(4), learning_rate=0.5, schedule="staircase", stair_epochs=3, stairs=2, lowest_rate=0.1, epochs=15
    )
    rates = []
    for training.epoch in range(15):
        rates.append(training.learning_rate())
    assert rates == pytest.approx([0.5] * 3 + [0.3] * 3 + [0.1] * 3 + [0.3] * 3 + [0.5] * 3)


@pytest.mark.parametrize("literal", [True, False])
def test_a_dead_head_stops_the_training_with_its_reason(tiny_sums: Any, literal: bool) -> None:
    network = build_network(SPEC.model_copy(update={"literal_head": literal}), seed=0)
    network.head.conv.bias.data -= 100
    training = _training(tiny_sums(2 * DEAD_STEPS), network=network, batch_size=1, learning_rate=1e-4)
    with pytest.raises(
        ComputeError, match=r"The head is dead: no pixel of the last 50 batches shows background \(live share 0\)"
    ):
        list(training.run())
    assert training.step == DEAD_STEPS - 1


def test_the_watch_over_the_head_survives_a_resume(tiny_sums: Any) -> None:
    network = build_network(SPEC.model_copy(update={"literal_head": True}), seed=0)
    network.head.conv.bias.data -= 100
    data = tiny_sums(2 * DEAD_STEPS)
    first = _training(data, network=network, batch_size=1)
    events = first.run()
    for _ in range(DEAD_STEPS - 2):
        next(events)
    second = _training(data, network=network, batch_size=1)
    second.restore(*first.state())
    events = second.run()
    next(events)
    with pytest.raises(ComputeError, match="The head is dead"):
        next(events)


def test_a_loss_that_is_not_finite_stops_before_it_spoils_the_weights(tiny_sums: Any) -> None:
    data = tiny_sums(8)
    plain = data.batch

    def spoiled(epoch: int, indices: Any) -> dict[str, np.ndarray]:
        batch = plain(epoch, indices)
        batch["signal"] = batch["signal"] * (np.float32(np.nan) if epoch == 1 else 1)
        return batch

    data.batch = spoiled
    training = _training(data)
    events = training.run()
    for _ in range(3):
        next(events)
    before = _sha(training.network)
    with pytest.raises(ComputeError, match=r"The loss is nan at epoch 1, step 0; lower the learning rate."):
        next(events)
    assert _sha(training.network) == before


def test_bfloat16_computes_in_mixed_precision_and_keeps_float32_weights(tiny_sums: Any) -> None:
    training = _training(tiny_sums(), precision="bfloat16", epochs=1)
    losses = [e.terms["loss"] for e in training.run() if isinstance(e, StepDone)]
    reference = [e.terms["loss"] for e in _training(tiny_sums(), epochs=1).run() if isinstance(e, StepDone)]
    assert losses == pytest.approx(reference, rel=0.05)
    assert losses != reference
    assert {p.dtype for p in training.network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"schedule": "linear"}, "'schedule' must be one of constant, cosine, staircase; found 'linear'"),
        ({"precision": "float16"}, "'precision' must be one of float32, bfloat16; found 'float16'"),
        ({"batch_size": 0}, "'batch_size' must be above zero; found 0"),
        ({"epochs": -1}, "'epochs' must be above zero; found -1"),
        ({"learning_rate": float("nan")}, "'learning_rate' must be above zero; found nan"),
        ({"weight_decay": -1.0}, "'weight_decay' must lie between 0 and inf; found -1.0"),
        ({"warmup_steps": -1}, "'warmup_steps' must lie between 0 and inf; found -1"),
        ({"seed": -1}, "'seed' must lie between 0 and inf; found -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainOptions(**options)


class _SmallMemory(AdditiveObjective):
    """An objective for which more than `room` samples at once are too many."""

    room = 3

    def __call__(self, network: torch.nn.Module, batch: Any) -> dict[str, torch.Tensor]:
        if len(batch["measured"]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().__call__(network, batch)


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_a_batch_beyond_the_memory_is_computed_in_parts_with_the_same_curve(tiny_sums: Any, mean: str) -> None:
    data, held = tiny_sums(11), tiny_sums(5)  # steps of 8 and 3 samples; 8 are computed by 2, and 3 by 2 and 1
    objective = AdditiveObjective(mean, rmse_weight=1.0, flux_weight=0.5)
    small = _SmallMemory(mean, rmse_weight=1.0, flux_weight=0.5)
    curves = []
    for one in (objective, small):
        training = _training(data, validation=held, batch_size=8)
        training.objective = one
        events = list(training.run())
        curves.append(_curve([e for e in events if not isinstance(e, BatchSplit)]))
        said = [e for e in events if isinstance(e, BatchSplit)]
    assert said == [BatchSplit(epoch=0, step=1, at_once=2)]  # once, and not at every step
    for whole, parts in zip(*curves, strict=True):
        assert parts == pytest.approx(whole, rel=1e-4, abs=1e-6)


def test_a_sample_that_does_not_fit_alone_is_one_sentence(tiny_sums: Any) -> None:
    training = _training(tiny_sums())
    training.objective = _SmallMemory()
    object.__setattr__(training.objective, "room", 0)
    with pytest.raises(ComputeError, match="Out of memory with a single sample; use the CPU"):
        list(training.run())


# --- several processes ------------------------------------------------------------------------

_WORKER = """
import json, sys, runpy, torch
torch.set_num_threads(1)
here = sys.argv[1]
TinySums = runpy.run_path(here + "/conftest.py")["TinySums"]
laws = runpy.run_path(here + "/test_training.py")
from napari_bgremove.learning.distributed import join_ranks, leave_ranks
training = laws["_training"](TinySums(9), validation=TinySums(3))
training.ranks = join_ranks()
curve = laws["_curve"](training.run())
print(json.dumps({"curve": curve, "sha": laws["_sha"](training.network), "size": training.ranks.size}))
leave_ranks()
"""


def _start(rank: int, size: int, port: int) -> subprocess.Popen[str]:
    here = Path(__file__).resolve().parent
    source = str(here.parents[1] / "src")
    environment = os.environ | {
        "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(here)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    """One process alone, then two that share every batch."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [_start(0, 1, 0), _start(0, 2, port), _start(1, 2, port)]
    return [_answer(p) for p in processes]


def test_the_same_seed_gives_the_same_weights_in_another_process(answers: list[dict[str, Any]], tiny_sums: Any) -> None:
    training = _training(tiny_sums(9), validation=tiny_sums(3))
    curve = _curve(training.run())
    assert answers[0]["size"] == 1
    assert answers[0]["curve"] == curve
    assert answers[0]["sha"] == _sha(training.network)


def test_two_processes_give_the_curve_of_one_even_where_one_of_them_has_no_sample(
    answers: list[dict[str, Any]],
) -> None:
    """9 samples by 4: the last batch holds one sample for two processes."""
    alone, first, second = answers
    assert first["size"] == second["size"] == 2
    assert first["curve"] == second["curve"]
    assert first["sha"] == second["sha"]
    for a, b in zip(alone["curve"], first["curve"], strict=True):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_shares_of_a_batch_are_the_batch(size: int) -> None:
    batch = list(range(100, 105))
    shares = [Ranks(rank, size).share(batch) for rank in range(size)]
    assert sorted(i for share in shares for i in share) == batch
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_without_torchrun_there_is_one_process_and_it_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    ranks = join_ranks()
    assert ranks == Ranks(0, 1)
    assert ranks.is_first
    assert ranks.sum_values({"a": 2.5}) == {"a": 2.5}


def _sgd(data: Any, **options: Any) -> Training:
    return _training(data, optimizer="sgd", momentum=0.9, clip_norm=0.5, schedule="cosine", **options)


def test_sgd_with_momentum_goes_on_bit_for_bit_from_a_file(tiny_sums: Any, tmp_path: Path) -> None:
    whole, first = _sgd(tiny_sums(10)), _sgd(tiny_sums(10))
    expected = _curve(whole.run())
    events = first.run()
    seen = _curve([next(events) for _ in range(2)])
    tensors, numbers = first.state()
    assert {name.split("/")[2] for name in tensors} == {"momentum_buffer"}
    path = tmp_path / "model.safetensors"
    write_model(path, first.network, ModelDescription(network=SPEC, progress=numbers), training=tensors)  # type: ignore[arg-type]
    loaded = read_model(path)
    second = _sgd(tiny_sums(10), network=loaded.network)
    second.restore(loaded.training, loaded.description.progress)
    assert seen + _curve(second.run()) == expected
    assert _sha(second.network) == _sha(whole.network)


def test_a_step_of_sgd_is_no_longer_than_the_clipped_gradient_allows(tiny_sums: Any) -> None:
    def moved(**options: Any) -> float:
        training = _training(tiny_sums(4), optimizer="sgd", learning_rate=0.1, **options)
        before = [p.detach().clone() for p in training.network.parameters()]
        next(training.run())
        after = [p.detach() for p in training.network.parameters()]
        return math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True)))

    free = moved()
    assert moved(clip_norm=free / 0.1 / 10) == pytest.approx(free / 10, rel=1e-4)
    assert moved(clip_norm=free / 0.1 * 10) == pytest.approx(free, rel=1e-6)


def test_parts_of_a_batch_add_up_to_the_gradient_of_the_whole(tiny_sums: Any) -> None:
    whole, parts = _sgd(tiny_sums(10)), _sgd(tiny_sums(10), at_once=3)
    for a, b in zip(_curve(whole.run()), _curve(parts.run()), strict=True):
        assert b == pytest.approx(a, rel=1e-4)
    for p, q in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"optimizer": "adam"}, "'optimizer' must be one of adamw, sgd; found 'adam'"),
        ({"momentum": 1.5}, "'momentum' must lie between 0 and 1; found 1.5"),
        ({"clip_norm": 0.0}, "'clip_norm' must be above zero; found 0.0"),
        ({"at_once": 0}, "'at_once' must be above zero; found 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainOptions(**wrong)
