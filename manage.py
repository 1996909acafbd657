#!/usr/bin/env python3
"""The operator's command line. `manage.py --help` tells the rest."""

from management.cli import manage

if __name__ == "__main__":
    manage()
