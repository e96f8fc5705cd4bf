"""`imagewatch completion`: shell completion of commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from uploader.errors import CommandError
from uploader.help import Command, argument


@click.command(cls=Command)
@argument("shell", type=click.Choice(("bash", "zsh", "fish")), help="The shell to print the script for.")
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print a script that completes `imagewatch` in a shell.

    \b
    Examples:
      eval "$(imagewatch completion bash)"               (in ~/.bashrc)
      eval "$(imagewatch completion zsh)"                (in ~/.zshrc)
      imagewatch completion fish > ~/.config/fish/completions/imagewatch.fish
    """
    root = ctx.find_root()
    found = get_completion_class(shell)
    if found is None:
        raise CommandError(f"click has no completion for {shell}.")
    click.echo(found(root.command, {}, "imagewatch", "_IMAGEWATCH_COMPLETE").source())
    return 0
