"""Progress in a terminal: bars with time left, and plain lines elsewhere."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from napari_bgremove._validation import describe_duration

__all__ = ["SeparationProgress", "StopRequest", "TrainingProgress", "stop_on_interrupt"]


class StopRequest:
    """Set by ctrl-C; asked by the work after each step."""

    asked = False

    def __call__(self) -> bool:
        """Return True once a stop was asked for."""
        return self.asked


@contextmanager
def stop_on_interrupt() -> Iterator[StopRequest]:
    """Let the first ctrl-C (or SIGTERM) ask for a clean stop, and the second one interrupt."""
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True
        click.echo("\nStopping after this step...", err=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class TrainingProgress:
    """Shows the events of a training run.

    Parameters
    ----------
    samples : str
        What it learns from: "patches".
    """

    def __init__(self, samples: str) -> None:
        self._samples = samples
        self._started = time.monotonic()
        self._steps_here = 0
        self._last = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "started":
            self._epochs = event["epochs"]
            verb = "Resuming" if event["resumed"] else "Training"
            click.echo(
                f"{verb} on {event['device']}: epoch {event['epoch'] + 1} of {event['epochs']}, "
                f"{event['steps']} steps each."
            )
        elif kind == "step":
            self._show_step(event)
        elif kind == "epoch":
            self._clear()
            losses = [f"{name} {event[name]['loss']:.5f}" for name in ("training", "validation") if event[name]]
            click.echo(
                f"epoch {event['epoch'] + 1}/{event['epochs']}  loss: {', '.join(losses)}  "
                f"({describe_duration(event['seconds'])})"
            )
            if "layer_background" in event["training"]:
                click.echo(_describe_layers(event["training"]))

    def _show_step(self, event: dict[str, Any]) -> None:
        self._steps_here += 1
        now = time.monotonic()
        if not sys.stdout.isatty() or now - self._last < 0.5:
            return
        self._last = now
        left_steps = (self._epochs - event["epoch"]) * event["steps"] - event["step"]
        left = left_steps * (now - self._started) / self._steps_here
        text = (
            f"epoch {event['epoch'] + 1}/{self._epochs}  step {event['step']}/{event['steps']}  loss "
            f"{event['loss']:.5f}  {event['samples_per_second']:.1f} {self._samples}/s  "
            f"{describe_duration(left)} left"
        )
        click.echo(f"\r{text[:110]:<110}", nl=False)

    def _clear(self) -> None:
        if sys.stdout.isatty():
            click.echo("\r" + " " * 110 + "\r", nl=False)


def _describe_layers(terms: Mapping[str, float]) -> str:
    """Return what became of the hidden layers in an epoch: the loss above has the term in it, the task's has not."""
    return (
        f"  task {terms['task_loss']:.5f}, layer background R {terms['layer_background']:.4g}, layer SNR "
        f"{terms['layer_snr']:.3g}, {100 * terms['small_units']:.3g} % of the hidden units below 1 % of the rms"
    )


class SeparationProgress:
    """Shows the events of a separation."""

    def __init__(self) -> None:
        self._bar: Any = None
        self.ledgers: list[dict[str, Any]] = []

    def __call__(self, event: str, **values: Any) -> None:
        """Show one event."""
        if event == "started":
            click.echo(f"Model '{values['model']}' on {values['device']}.")
        elif event == "input":
            rows, columns = values["shape"]
            click.echo(f"{values['name']}: {values['frames']} frame(s) of {rows} x {columns}")
            for note in values["notes"]:
                click.echo(f"  {note}")
            self._name, self._frames, self._frame = values["name"], values["frames"], 0
        elif event == "tiles":
            self._advance(self._frame + values["done"] / values["total"])
        elif event == "frame":
            self._frame = values["done"]
            self._advance(self._frame)
            self.ledgers.append({"name": self._name, "frame": values["done"] - 1, **values})
        elif event == "skipped":
            self._close()
            click.echo(f"  skipped: {values['name']}: {values['reason']}", err=True)
        elif event == "written":
            self._close()
            for name, path in values["files"].items():
                click.echo(f"  {name:<12} {path}")

    def _advance(self, done: float) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=1000 * self._frames, label="  separating", show_pos=False)
            self._bar.__enter__()
        self._bar.update(round(1000 * done) - self._bar.pos)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
