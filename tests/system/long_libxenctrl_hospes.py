#!/usr/bin/env python3
"""libxenctrl on our own hypervisor: the cases of long_libxenctrl.py, unchanged."""

import os
import sys

os.environ["HYPERVISOR"] = "hospes"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import long_libxenctrl  # noqa: E402

if __name__ == "__main__":
    sys.exit(long_libxenctrl.main())
