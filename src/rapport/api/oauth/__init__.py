"""The endpoints of the authorization server, at the paths that clients of Constant Contact use."""
