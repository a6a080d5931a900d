"""What each operation takes and answers, for the published description: an entry a route and method."""
