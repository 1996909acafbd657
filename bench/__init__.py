"""How fast and how cheap it is, measured: `make bench` writes report.md.

Each module in `sections/` measures one thing and returns a `Section`. What is claimed are counts
and ratios to a floor that was measured in the same run; times are shown as context.
"""
