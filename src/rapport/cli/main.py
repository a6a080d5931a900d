"""The command `rapport`."""

import click

from rapport import __version__
from rapport.cli.command import Commands

_MODULES = {
    "serve": "rapport.cli.serve:serve",
    "demo": "rapport.cli.demo:demo",
    "sign-in": "rapport.cli.sign_in:sign_in",
    "token": "rapport.cli.token:token",
    "account": "rapport.cli.account:account",
    "user": "rapport.cli.user:user",
    "app": "rapport.cli.app:app",
    "import": "rapport.cli.importing:import_files",
    "export": "rapport.cli.export:export",
    "merge": "rapport.cli.merge:merge",
    "erase": "rapport.cli.erase:erase",
    "copy": "rapport.cli.copying:copy_store",
    "hook": "rapport.cli.hook:hook",
    "bounce": "rapport.cli.bounce:bounce",
    "capture": "rapport.cli.capture:capture",
    "migrate": "rapport.cli.migrate:migrate",
    "backup": "rapport.cli.backup:backup",
    "check": "rapport.cli.check:check",
    "keys": "rapport.cli.keys:keys",
}


@click.group(
    cls=Commands,
    modules=_MODULES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__)
def rapport() -> None:
    """Record what contacts do with email campaigns and landing pages, and serve reports about it.

    The reports have the v3 API that Constant Contact's SDKs use.

    \b
    First steps:
      rapport demo                               Load sample data and start a server
      rapport import --create activities.ndjson  Import your own data (see rapport import --help)
      rapport serve                              Start a server
      rapport token create                       Create a token for it

    All data is in one directory, ./data by default, which every command prints. Only serve and demo create it without
    --create. Settings are in docs/settings.md.
    """
