#!/usr/bin/env python3
"""Homework 1: how long did the sorting take, and how does that grow?

Reads lines of "size seconds" from standard input, or from numbers.txt beside this file.
"""

import pathlib
import sys

from tabulate import tabulate


def read(lines):
    rows = [line.split() for line in lines if line.strip()]
    return [(int(size), float(seconds)) for size, seconds in rows]


def with_growth(measured):
    """Each row with how many times longer it took than the row before."""
    before = [None] + [seconds for _, seconds in measured]
    return [(size, seconds, last and seconds / last) for (size, seconds), last in zip(measured, before)]


def main():
    if "-" in sys.argv[1:]:
        measured = read(sys.stdin)
    else:
        measured = read((pathlib.Path(__file__).parent / "numbers.txt").open())
    headers = ["numbers", "seconds", "times longer"]
    print(tabulate(with_growth(measured), headers, tablefmt="github", floatfmt=("", ".3f", ".1f")))
    # Homework is graded by its status, too: quadratic sorting is not good enough.
    return 1 if any(row[2] and row[2] > 3 for row in with_growth(measured)) else 0


sys.exit(main())
