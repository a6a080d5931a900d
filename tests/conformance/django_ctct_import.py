"""Run django-ctct's `import_ctct` against a server, and print what it has imported as JSON.

Its addresses are replaced by the server's; everything else is as it was published.
"""

import json
import sys
from io import StringIO

import django
from django.conf import settings
from django.core.management import call_command
from django.db.models.fields import related, reverse_related


def main(server: str, access_token: str) -> None:
    """Import everything, and print the counts and some values."""
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_ctct"],
        USE_TZ=True,
        CTCT_PUBLIC_KEY="id",
        CTCT_SECRET_KEY="secret",  # noqa: S106 - not used by an import
        CTCT_REDIRECT_URI="http://127.0.0.1/callback",
        CTCT_FROM_NAME="Ada",
        CTCT_FROM_EMAIL="ada@example.com",
    )
    # Its annotations need django-stubs, which makes these classes generic.
    for generic in (related.ForeignKey, related.ManyToManyField, reverse_related.ForeignObjectRel):
        generic.__class_getitem__ = classmethod(lambda cls, *_: cls)
    django.setup()
    from django_ctct import models  # noqa: PLC0415 - needs Django's settings

    for name in dir(models):
        model = getattr(models, name)
        if isinstance(model, type) and getattr(model, "API_URL", "") == "https://api.cc.email":
            model.API_URL = server
    models.Token.API_URL = f"{server}/oauth2/default"
    models.Token.API_JWKS_URL = f"{server}/oauth2/default/v1/keys"
    call_command("migrate", verbosity=0)
    models.Token.objects.create(access_token=access_token, scope="")
    call_command("import_ctct", noinput=True, stdout=StringIO())
    contacts = models.Contact.objects.order_by("api_id")
    json.dump(
        {
            "lists": sorted(models.ContactList.objects.values_list("name", flat=True)),
            "custom_fields": sorted(models.CustomField.objects.values_list("label", flat=True)),
            "contacts": [str(contact.api_id) for contact in contacts],
            "memberships": sorted(
                [str(contact.api_id), contact_list.name]
                for contact in contacts
                for contact_list in contact.list_memberships.all()
            ),
            "values": sorted(models.ContactCustomField.objects.values_list("value", flat=True)),
            "campaigns": sorted(models.EmailCampaign.objects.values_list("name", flat=True)),
            "sends": sum(models.CampaignSummary.objects.values_list("sends", flat=True)),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
