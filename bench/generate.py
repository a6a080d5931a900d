"""`python -m bench.generate COUNT CONTACTS`: write generated activities as NDJSON to standard output."""

import sys

from bench.data import activities
from rapport.recording.activity_codec import encode_activity

if __name__ == "__main__":
    for activity in activities(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.buffer.write(encode_activity(activity) + b"\n")
