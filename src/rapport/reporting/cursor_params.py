"""The parameters of a page that the cursor of the next page contains."""

import msgspec


class CursorParams(msgspec.Struct, frozen=True, array_like=True):
    """Base class of the parameters in cursors, which clients hold while they page, also across an upgrade.

    Cursors contain values without names, so that they are short: a field is identified by its position. Add a field as
    the last one and with a default, and never remove or reorder fields. A test compares them with those of earlier
    versions.
    """
