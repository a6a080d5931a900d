"""django-ctct imports a whole account, in a process of its own.

It requires a version of mypy that differs from ours, so it isn't among the test dependencies:
`pip install --no-deps django-ctct Django pyjwt ratelimit requests sqlparse asgiref tqdm` adds what it needs.
"""

import json
import subprocess
import sys
import uuid
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from rapport.auth.scope import Role, Scope
from tests.helpers.api import make_line
from tests.helpers.oauth import BASE, create_app
from tests.helpers.server import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("django_ctct") is None, reason="django-ctct isn't installed"),
]

SCRIPT = Path(__file__).with_name("django_ctct_import.py")
LIST, FIELD, CAMPAIGN, ACTIVITY = (str(uuid.UUID(int=number)) for number in range(1, 5))
CONTACTS = [str(uuid.UUID(int=number)) for number in range(100, 160)]


def test_import_ctct_imports_everything(server: Server, account: str) -> None:
    with server.client(account, frozenset(Scope)) as client:
        client.post("/track/v1/lists", json=[{"list_id": LIST, "name": "News"}])
        client.post("/track/v1/custom_fields", json=[{"custom_field_id": FIELD, "label": "Color", "type": "string"}])
        contacts = [
            {
                "contact_id": contact_id,
                "email_address": f"c{number}@example.com",
                "permission_to_send": "implicit",
                "list_memberships": [LIST] if number < 2 else [],
                "custom_fields": [{"custom_field_id": FIELD, "value": "red"}] if number == 3 else [],
            }
            for number, contact_id in enumerate(CONTACTS[:-1])
        ]
        assert client.post("/track/v1/contacts", json=contacts).json()["accepted"] == len(contacts)
        # The client fails on empty senders, which Constant Contact doesn't allow.
        sender = {"from_name": "Ada", "from_email": "ada@example.com", "reply_to_email": "ada@example.com"}
        activities = [{"campaign_activity_id": ACTIVITY, "role": "primary_email", "subject": "Hello", **sender}]
        client.post("/track/v1/campaigns", json=[{"campaign_id": CAMPAIGN, "campaign_activities": activities}])
        campaign = {"campaign_id": CAMPAIGN, "campaign_activity_id": ACTIVITY, "campaign_activity_name": "Spring"}
        # The last contact has only an activity.
        client.record(
            *(
                {**make_line(contact_id, "em_sends", email_address=f"{contact_id}@example.com"), **campaign}
                for contact_id in CONTACTS[-2:]
            )
        )
    app = create_app(server, account, scopes=frozenset(Scope), credentials_role=Role.OWNER)
    form = {"grant_type": "client_credentials", "scope": "account_read contact_data campaign_data"}
    tokens = httpx.post(f"{server.url}{BASE}/token", data=form, auth=(app.client_id, app.secret)).json()
    result = subprocess.run(
        [sys.executable, str(SCRIPT), server.url, tokens["access_token"]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "lists": ["News"],
        "custom_fields": ["Color"],
        "contacts": sorted(CONTACTS),
        "memberships": [[CONTACTS[0], "News"], [CONTACTS[1], "News"]],
        "values": ["red"],
        "campaigns": ["Spring"],
        "sends": 2,
    }
