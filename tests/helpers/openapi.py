"""The OpenAPI document that the server publishes."""

import functools
from typing import Any

from rapport.api.oauth.description import OAUTH_PATHS
from rapport.api.openapi import describe
from rapport.api.resources import RESOURCES


@functools.cache
def get_openapi() -> dict[str, Any]:
    """Return the document."""
    return describe(RESOURCES, OAUTH_PATHS)
