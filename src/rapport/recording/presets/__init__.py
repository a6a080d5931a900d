"""Presets: how the files of other systems are read, chosen by their columns or by name."""

from collections.abc import Collection
from typing import Final

from rapport.recording.presets.amazon_ses import AMAZON_SES
from rapport.recording.presets.base import Preset, Record
from rapport.recording.presets.brevo import BREVO
from rapport.recording.presets.constant_contact import CONSTANT_CONTACT
from rapport.recording.presets.contacts import CONTACT_PRESETS, ContactPreset
from rapport.recording.presets.hubspot import HUBSPOT
from rapport.recording.presets.listmonk import LISTMONK
from rapport.recording.presets.mailchimp import MAILCHIMP
from rapport.recording.presets.mailgun import MAILGUN
from rapport.recording.presets.mautic import MAUTIC
from rapport.recording.presets.postmark import POSTMARK
from rapport.recording.presets.sendgrid import SENDGRID

PRESETS: Final = {
    preset.name: preset
    for preset in (
        *(SENDGRID, POSTMARK, AMAZON_SES, MAILGUN, BREVO),
        *(HUBSPOT, LISTMONK, MAUTIC, CONSTANT_CONTACT, MAILCHIMP),
    )
}
"""By name, the more specific ones first."""


def find_by_header(columns: Collection[str]) -> Preset | None:
    """Return the preset of a table with these columns, given by their normal names."""
    names = frozenset(columns)
    return next((preset for preset in PRESETS.values() if preset.is_header(names)), None)


def find_contacts(columns: Collection[str]) -> ContactPreset | None:
    """Return how a list of contacts with these columns is read, given by their normal names."""
    names = frozenset(columns)
    return next((preset for preset in CONTACT_PRESETS if preset.is_header(names)), None)


def find_by_object(record: Record) -> Preset | None:
    """Return the preset of a JSON object."""
    return next((preset for preset in PRESETS.values() if preset.is_object(record)), None)
