# SPDX-License-Identifier: BSD-2-Clause
"""The module's version: the project's. The first two numbers are those of the library's ABI that it calls."""

__version__ = "1.0.0"
