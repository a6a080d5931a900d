"""HTTP in the vendor's words, and the ways in: parse, ask, shape. No decision and no SQL."""
