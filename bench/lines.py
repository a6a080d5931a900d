"""`python -m bench.lines COUNT CONTACTS`: made-up activities as NDJSON on standard output, for a pipe."""

import sys

from bench.data import activities
from rapport.recording.activity_codec import encode_activity

if __name__ == "__main__":
    for activity in activities(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.buffer.write(encode_activity(activity) + b"\n")
