"""What the commands that train have in common: what they print, how a run is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from napari_bgremove._model_header import check_model_file
from napari_bgremove.cli.options import write_json
from napari_bgremove.cli.progress import TrainingProgress

if TYPE_CHECKING:
    from napari_bgremove.engine.jobs import TrainingJob
    from napari_bgremove.engine.run_folder import RunFolder

__all__ = ["RESUME", "TrainingListener", "changed_job", "conclude", "flag", "hidden_of", "refuse"]

AnyJob = TypeVar("AnyJob", bound="TrainingJob")
# What --resume can change of a run.
_CHANGEABLE = ("device", "precision", "threads", "epochs")
RESUME = click.option(
    "--resume", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Go on with this run; only --device, --precision, --threads and more --epochs can change.",
)  # fmt: skip


class TrainingListener:
    """Shows the events of the run of a job, and keeps the figures it has shown."""

    def __init__(self, job: TrainingJob) -> None:
        self._show = TrainingProgress(job.samples)
        self.figures: dict[str, Any] = {"epochs": []}

    @property
    def heard(self) -> bool:
        """True once the run has started."""
        return "device" in self.figures

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "started":
            self.figures["device"] = event["device"]
        elif kind == "epoch":
            self.figures["epochs"].append(
                {name: event[name] for name in ("epoch", "seconds", "training", "validation")}
            )
        elif kind == "memory":
            click.echo(f"\nThe memory does not suffice for a batch: {event['at_once']} samples at once from here on.")
        self._show(event)


def conclude(
    job: TrainingJob, folder: RunFolder, outcome: str, figures: Mapping[str, Any], json_file: Path | None
) -> None:
    """Say how a training ended, and how to go on with it."""
    click.echo(f"{'Finished' if outcome == 'finished' else 'Stopped'}: the newest model is {folder.model}")
    if outcome == "stopped":
        click.echo(f"Go on with: {job.command} --resume {folder.path}")
    files = {"run": str(folder.path), "model": str(folder.model), "best": str(folder.best)}
    write_json(json_file, {"outcome": outcome, **files, **figures})


def _given() -> dict[str, Any]:
    """Return the options of this call that were given, with their values."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return {name: value for name, value in context.params.items() if context.get_parameter_source(name) is not default}


def changed_job(folder: RunFolder, kind: type[AnyJob]) -> AnyJob:
    """Return the job of a run, with what the options of this call change of it."""
    from napari_bgremove.engine.jobs import read_job
    from napari_bgremove.engine.train_plan import change_run

    given = _given()
    others = sorted(flag(name) for name in given if name not in ("resume", "json_file", *_CHANGEABLE))
    if others:
        changeable = ", ".join(flag(name) for name in _CHANGEABLE)
        refuse(
            f"--resume goes on with the run's own job, of which only {changeable} can change; leave out "
            f"{', '.join(others)}."
        )
    job = read_job(folder.job)
    if not isinstance(job, kind):
        refuse(f"'{folder.path}' is no run of this command.")
    return change_run(folder, job, **{name: given[name] for name in _CHANGEABLE if name in given})


def hidden_of(start_from: str | None) -> tuple[int, ...]:
    """Return how many hidden units are left in the model to start from: no option, as only a removal changes them."""
    network = {} if start_from is None else check_model_file(Path(start_from)).get("network", {})
    return tuple(network.get("hidden", ()))


def refuse(sentence: str) -> NoReturn:
    """End with a usage error; the context of the call lets it name the command's help."""
    click.get_current_context().fail(sentence)


def flag(name: str) -> str:
    """Return the option that sets a field."""
    return f"--{name.replace('_', '-')}"
