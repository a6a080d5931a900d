"""All providers, by their names. To add a provider, write a module and add it here."""

from typing import Final

from rapport.capture.webhooks.amazon_ses import AmazonSES
from rapport.capture.webhooks.brevo import Brevo
from rapport.capture.webhooks.generic import Generic
from rapport.capture.webhooks.mailersend import MailerSend
from rapport.capture.webhooks.mailgun import Mailgun
from rapport.capture.webhooks.mailjet import Mailjet
from rapport.capture.webhooks.mandrill import Mandrill
from rapport.capture.webhooks.postal import Postal
from rapport.capture.webhooks.postmark import Postmark
from rapport.capture.webhooks.provider import Provider
from rapport.capture.webhooks.resend import Resend
from rapport.capture.webhooks.sendgrid import SendGrid
from rapport.capture.webhooks.sparkpost import SparkPost

PROVIDERS: Final[dict[str, Provider]] = {
    provider.name: provider
    for provider in (
        AmazonSES(),
        Brevo(),
        Generic(),
        MailerSend(),
        Mailgun(),
        Mailjet(),
        Mandrill(),
        Postal(),
        Postmark(),
        Resend(),
        SendGrid(),
        SparkPost(),
    )
}
