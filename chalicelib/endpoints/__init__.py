"""HTTP in, HTTP out: parse, call `chalicelib.oauth`, render. No decisions."""
