"""The command `rapport`."""

import click

from rapport import __version__
from rapport.cli.backup import backup
from rapport.cli.command import Commands
from rapport.cli.demo import demo
from rapport.cli.export import export
from rapport.cli.importing import import_files
from rapport.cli.keys import keys
from rapport.cli.serve import serve
from rapport.cli.token import token


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def rapport() -> None:
    """What did this contact do, when?

    Rapport records what contacts do with email campaigns and landing pages, and answers with the v3 reporting API
    that Constant Contact's SDKs speak.

    \b
    First steps:
      rapport demo                      sample data, a server, and a request to paste
      rapport import activities.ndjson  your own data (rapport import --help shows its form)
      rapport serve                     the server
      rapport token                     a token for it

    Everything lies in one directory: --data, ./data if you don't say. Settings are in docs/settings.md.
    """


for command in (serve, demo, token, import_files, export, backup, keys):
    rapport.add_command(command)
