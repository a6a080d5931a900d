"""Record activities, contacts and campaigns: decode, group, commit, import and export."""
