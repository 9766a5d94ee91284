#!/usr/bin/env python3
"""Homework 1: how does the time that sorting takes grow with the numbers to sort?

Reads lines of "numbers seconds" from numbers.txt beside this file, or with "-" from standard input.
The exit status is 1 if the sorting is too slow to be a good one.
"""

import pathlib
import sys

from tabulate import tabulate


def read(lines):
    """The measurements, each with how many times longer it took than the one before."""
    rows, before = [], None
    for line in lines:
        numbers, seconds = line.split()
        seconds = float(seconds)
        rows.append((int(numbers), seconds, seconds / before if before else None))
        before = seconds
    return rows


def main():
    beside = pathlib.Path(__file__).with_name("numbers.txt")
    rows = read(sys.stdin if sys.argv[1:] == ["-"] else beside.open())
    print(tabulate(rows, ["numbers", "seconds", "times longer"], floatfmt=("", ".3f", ".1f")))
    # Twice the numbers take a good sort little more than twice the time, and a simple one four times.
    return 1 if any(longer and longer > 3 for _, _, longer in rows) else 0


sys.exit(main())
