"""Parse the scopes of a token or an application."""

import click

from rapport.auth.scope import Scope

_SCOPES = {scope.value: scope for scope in Scope}


def parse_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes with these names, separated by spaces or `+`. Raises BadParameter."""
    names = text.replace("+", " ").split()
    for name in names:
        if name not in _SCOPES:
            raise click.BadParameter(
                f"unknown scope {name!r}; expected one or more of {', '.join(_SCOPES)}", param_hint="--scope"
            )
    if not names:
        raise click.BadParameter(f"expected at least one of {', '.join(_SCOPES)}", param_hint="--scope")
    return frozenset(_SCOPES[name] for name in names)
