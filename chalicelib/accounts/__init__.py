"""The people: their accounts, passwords and browser sessions. Knows no HTTP."""
