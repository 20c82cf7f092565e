#!/usr/bin/env python3
"""Our toolstack on Debian's stock Xen 4.17: the cases of our_tools.py. TAP."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import our_tools  # noqa: E402

if __name__ == "__main__":
    sys.exit(our_tools.main("xen"))
