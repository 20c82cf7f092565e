#!/usr/bin/env python3
"""Debian's stock Xen tools on build/hospes: the cases of debian_tools.py. TAP. With HYPERVISOR=xen the same on Debian's
own Xen 4.17, which tells a fault of the test from one of ours."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian_tools  # noqa: E402

if __name__ == "__main__":
    sys.exit(debian_tools.main(os.environ.get("HYPERVISOR", "hospes")))
