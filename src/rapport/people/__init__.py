"""People: users, invitations, sign-in and sessions."""
