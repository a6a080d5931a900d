"""The same things as others do them."""
