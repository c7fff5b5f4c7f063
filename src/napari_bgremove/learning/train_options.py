"""How to train: the numbers of the loop, and the optimizer and the learning rate they ask for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from napari_bgremove._validation import check_choice, check_positive, check_range

__all__ = ["TrainOptions", "build_optimizer", "find_learning_rate"]

SCHEDULES = ("constant", "cosine", "staircase")


@dataclass(frozen=True)
class TrainOptions:
    """How to train; the defaults are those of Starke & Smid.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate, weight_decay : float
    optimizer : {"adamw", "sgd"}
        Without weight decay AdamW is Adam.
    momentum : float
        Of SGD; AdamW has none.
    clip_norm : float
        The gradient of a step is scaled down to this Euclidean norm where it is
        larger; infinity leaves it alone.
    warmup_steps : int
        Steps over which the learning rate rises linearly from zero.
    schedule : {"constant", "cosine", "staircase"}
        The paper's is constant; cosine falls to zero at the last step;
        staircase stays for `stair_epochs` epochs on each stair of a cosine that
        reaches `lowest_rate` after `stairs` of them, and rises again.
    stair_epochs, stairs : int
    lowest_rate : float
    seed : int
        Order of the samples; the same for every process of a run.
    precision : {"float32", "bfloat16"}
        bfloat16 computes the convolutions in mixed precision.
    at_once : int, optional
        Samples of a batch computed at a time; None takes all of them. The
        gradients add up to that of the whole batch, except through batch
        normalisation, which then knows only the samples of its part.
    """

    epochs: int = 400
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    optimizer: str = "adamw"
    momentum: float = 0.0
    clip_norm: float = math.inf
    warmup_steps: int = 0
    schedule: str = "constant"
    stair_epochs: int = 10
    stairs: int = 10
    lowest_rate: float = 0.0
    seed: int = 0
    precision: str = "float32"
    at_once: int | None = None

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, ("adamw", "sgd"))
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("precision", self.precision, ("float32", "bfloat16"))
        for name in ("epochs", "batch_size", "learning_rate", "stair_epochs", "stairs"):
            check_positive(name, getattr(self, name))
        for name in ("weight_decay", "warmup_steps", "lowest_rate", "seed"):
            check_range(name, getattr(self, name), 0, math.inf)
        check_range("momentum", self.momentum, 0, 1)
        if not self.clip_norm > 0:
            msg = f"'clip_norm' must be above zero; found {self.clip_norm}."
            raise ValueError(msg)
        if self.at_once is not None:
            check_positive("at_once", self.at_once)


def build_optimizer(network: nn.Module, options: TrainOptions) -> torch.optim.Optimizer:
    """Build the optimizer of a network's parameters, with the rate of the first step."""
    parameters, rate, decay = network.parameters(), options.learning_rate, options.weight_decay
    if options.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=options.momentum, weight_decay=decay)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)


def find_learning_rate(options: TrainOptions, *, done: int, steps: int) -> float:
    """Return the rate of the coming step: warm-up, then the schedule.

    Parameters
    ----------
    options : TrainOptions
    done : int
        Steps before it, counted from the first epoch.
    steps : int
        Of an epoch.
    """
    rate = options.learning_rate
    if done < options.warmup_steps:
        return rate * (done + 1) / options.warmup_steps
    if options.schedule == "cosine":
        total = options.epochs * steps
        left = (done - options.warmup_steps) / max(total - options.warmup_steps, 1)
        return rate * 0.5 * (1 + math.cos(math.pi * min(left, 1)))
    if options.schedule == "staircase":
        stair = done // (steps * options.stair_epochs)
        height = 0.5 * (1 + math.cos(math.pi * stair / options.stairs))
        return options.lowest_rate + (rate - options.lowest_rate) * height
    return rate
