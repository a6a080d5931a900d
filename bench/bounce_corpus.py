"""How well bounce mail is read: Sisimai's corpus of real bounces, beside flufl.bounce alone.

    python -m bench.bounce_corpus SET_OF_EMAILS RB_SISIMAI

The arguments are Git repositories (or bare clones) of sisimai/set-of-emails, which has the messages, and of
sisimai/rb-sisimai, whose tests have the status, the reason and the number of recipients of each. `--check` reads a few
messages of its own instead.

The rules were tuned on this corpus, so the shares say how well they cover its kinds of reports, not what to expect of
mail that nobody has seen. Some labels are disputable, and no rule follows them:

- "rejected" for "550 Unknown user" and for Office 365's "550 5.4.1 Recipient address rejected: Access denied", which
  its servers answer for unknown recipients: B.
- "blocked" for connections that are refused or for "421, try later", which say nothing about the sender: D.
- "hostunknown" where the unknown domain is the sender's: not the contact's fault, so not B.
- "toomanyconn" for "sender rejected": Z.
- "mailboxfull" where the delivery status says 5.1.1, user unknown: B.
- The loop alert of a mailing list, which names no recipient, counts as one.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from flufl.bounce import all_failures

from rapport.activity import ActivityType, BounceCode
from rapport.capture.bounces.message import parse_message
from rapport.capture.bounces.reader import read_bounce
from rapport.capture.event import Event
from rapport.instant import Instant

NOW = Instant(1_772_000_000_000)

AGREEING: dict[str, str] = {
    "userunknown hostunknown hasmoved suspend notaccept": "B",
    "mailboxfull": "F",
    "expired toomanyconn speeding ratelimited": "D",
    "networkerror": "DB",
    "systemerror": "DX",
    "systemfull": "DF",
    "mailererror": "XDB",
    "filtered": "BZX",
    "blocked rejected spamdetected policyviolation norelaying badreputation authfailure": "Z",
    "virusdetected securityerror requireptr failedstarttls": "Z",
    "notcompliantrfc": "ZX",
    "contenterror mesgtoobig exceedlimit emailtoolarge": "X",
    "syntaxerror": "XZD",
    "suppressed": "S",
    "vacation": "V",
}
LETTERS = {
    reason: {BounceCode[letter] for letter in letters}
    for reasons, letters in AGREEING.items()
    for reason in reasons.split()
}
"""Sisimai's reasons, and the codes that agree with each. Reasons that say nothing, such as 'undefined', aren't here."""

NO_BOUNCE = {"feedback", "delivered", "vacation"}
_ENTRY = re.compile(r"'(\d+)'\s*=>\s*\[(.*?\])\s*\],?\s*(?:#.*)?$", re.MULTILINE | re.DOTALL)
_LABEL = re.compile(r"\[\s*'([^']*)',\s*'([^']*)',\s*'([^']*)',\s*(?:true|false)(?:,\s*'([^']*)')?")
_IGNORED = {"auth-failure", "fraud", "virus", "not-spam"}
"""Types of feedback that say nothing about what the recipient wants."""


class Label(NamedTuple):
    """What is expected of a message: the reasons of its recipients, in their order."""

    reasons: list[str]


def git_files(repository: Path, folder: str) -> dict[str, bytes]:
    """Return the files of a folder of a repository's newest commit."""
    names = (
        subprocess.run(
            ["git", "-C", repository, "ls-tree", "-r", "--name-only", "HEAD", folder], capture_output=True, check=True
        )
        .stdout.decode()
        .split()
    )
    return {
        name.rpartition("/")[2]: subprocess.run(
            ["git", "-C", repository, "show", f"HEAD:{name}"], capture_output=True, check=True
        ).stdout
        for name in names
    }


def read_labels(files: dict[str, bytes]) -> dict[str, Label]:
    """Return the label of each message by the name of its file, without the ending."""
    labels = {}
    for name, content in files.items():
        kind = name.removesuffix(".rb")
        for number, entry in _ENTRY.findall(content.decode()):
            labels_of_entry = _LABEL.findall(f"{entry}]")
            reasons = ["delivered" if match[3].strip() in _IGNORED else match[2] for match in labels_of_entry]
            if reasons:
                labels[f"{kind}-{number}"] = Label(reasons)
    return labels


def letters_agree(events: list[Event], label: Label) -> tuple[int, int, list[str]]:
    """Return how many letters can be compared, how many agree, and those that don't."""
    left = [event.bounce_code for event in events if event.type is ActivityType.EM_BOUNCES]
    compared, agreed, wrong = 0, 0, []
    for reason in label.reasons:
        allowed = LETTERS.get(reason)
        if allowed is None or not left:
            continue
        compared += 1
        code = next((code for code in left if code in allowed), None)
        if code is None:
            wrong.append(f"{reason} is {left[0].name if left[0] is not None else None}")
            left.pop(0)
        else:
            agreed += 1
            left.remove(code)
    return compared, agreed, wrong


def flufl_count(raw: bytes) -> int:
    """Return how many recipients flufl.bounce finds by itself."""
    try:
        temporary, permanent = all_failures(parse_message(raw))
    except Exception:  # noqa: BLE001 - its detectors raise whatever a malformed message makes them raise
        return 0
    return len(temporary) + len(permanent)


def measure(messages: dict[str, bytes], labels: dict[str, Label], *, is_verbose: bool) -> dict[str, float]:
    """Print and return the shares."""
    totals: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for name, raw in sorted(messages.items()):
        label = labels.get(name.removesuffix(".eml"))
        if label is None:
            continue
        events = read_bounce(raw, NOW)
        acted = [event for event in events if event.type is not None or event.name == "delay"]
        expected = sum(reason != "delivered" for reason in label.reasons)
        bounces = [reason for reason in label.reasons if reason not in NO_BOUNCE]
        totals["messages"] += 1
        totals["recipients"] += expected
        found = min(expected, len(acted))
        totals["surplus"] += max(0, len(acted) - expected)
        totals["found"] += found
        totals["flufl expected"] += len(bounces)
        totals["flufl found"] += min(len(bounces), flufl_count(raw))
        if not bounces and any(event.bounce_code not in {None, BounceCode.V} for event in events):
            totals["false"] += 1
            missed[f"{name}: a false bounce"] += 1
        totals["not bounces"] += not bounces
        compared, agreed, wrong = letters_agree(events, label)
        totals["letters"] += compared
        totals["right"] += agreed
        if found < expected:
            missed[f"{name}: {found} of {expected} ({', '.join(label.reasons)})"] += 1
        for text in wrong:
            missed[f"{name}: {text}"] += 1
    if is_verbose:
        sys.stdout.write("".join(f"  {line}\n" for line in sorted(missed)))
    shares = {
        "recipients": totals["found"] / max(1, totals["recipients"]),
        "letters": totals["right"] / max(1, totals["letters"]),
        "false": totals["false"] / max(1, totals["not bounces"]),
        "flufl": totals["flufl found"] / max(1, totals["flufl expected"]),
    }
    print(f"{totals['messages']} messages with {totals['recipients']} recipients, {totals['not bounces']} not bounces")
    print(f"recipients found: {shares['recipients']:.1%} (goal 99%); flufl.bounce alone: {shares['flufl']:.1%}")
    print(f"recipients too many: {totals['surplus']}")
    print(f"right code: {shares['letters']:.1%} of {totals['letters']} (goal 97%)")
    print(f"false bounces: {totals['false']} (goal 0)")
    return shares


def check() -> None:
    """Check the bench itself on messages whose result is known."""
    report = (
        b"From: mailer-daemon@example.org\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        b"Final-Recipient: rfc822; grace@example.net\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    )
    labels = read_labels(
        {"made.rb": b"'01' => [['5.1.1', '550', 'userunknown', true]],\n'02' => [['', '', 'x', false]],\n"}
    )
    assert labels == {"made-01": Label(["userunknown"]), "made-02": Label(["x"])}, labels
    shares = measure({"made-01.eml": report}, labels, is_verbose=True)
    assert shares == {"recipients": 1, "letters": 1, "false": 0, "flufl": 1}, shares


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emails", type=Path, nargs="?")
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
        return
    messages = git_files(arguments.emails, "maildir/bsd")
    labels = read_labels(git_files(arguments.labels, "test/public"))
    measure(messages, labels, is_verbose=arguments.verbose)


if __name__ == "__main__":
    main()
