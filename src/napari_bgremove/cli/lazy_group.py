"""A group of commands that are imported when they are called, so that its help never waits for anything."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """Lists its commands without importing them.

    Parameters
    ----------
    modules : str
        Where the command NAME lives, as "package.{}_command".
    summaries : mapping of str to str
        By name, in the order of the work.
    """

    def __init__(self, *arguments: Any, modules: str, summaries: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._modules, self._summaries = modules, summaries

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names."""
        return list(self._summaries)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in self._summaries:
            return None
        command: click.Command = import_module(self._modules.format(name)).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the help."""
        with formatter.section("Commands, in the order of the work"):
            formatter.write_dl(list(self._summaries.items()))
