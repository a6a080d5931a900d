"""Lifetimes of tokens, codes and grants. See docs/oauth.md#lifetimes."""

from typing import Final

from rapport.instant import DAY, HOUR, MINUTE, SECOND

ACCESS_TOKEN_LIFETIME: Final = 24 * HOUR
CODE_LIFETIME: Final = 5 * MINUTE
DEVICE_LIFETIME: Final = 15 * MINUTE
GRANT_LIFETIME: Final = 180 * DAY
"""The time for which a refresh token is valid without being used."""
ROTATION_GRACE: Final = 60 * SECOND
"""The time for which a replaced refresh token can still be exchanged for its successor."""

POLL_INTERVAL: Final = 5 * SECOND
SLOW_DOWN: Final = 5 * SECOND
"""Added to the interval of a device that polls too fast (RFC 8628, section 3.5)."""

RETENTION: Final = DAY
"""The time for which used and expired codes and grants are kept, so that their reuse is detected."""
