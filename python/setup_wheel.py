# SPDX-License-Identifier: BSD-2-Clause
"""setup.py of a wheel that holds the library: scripts/wheel-pack takes it. Such a wheel is for one platform, and for any
Python 3 there, since the module calls the library by ctypes."""

from setuptools import Distribution, setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before version 70
    from wheel.bdist_wheel import bdist_wheel


class PlatformDistribution(Distribution):
    """It belongs to the folder of modules that are of one platform, where the two folders differ."""

    def has_ext_modules(self):
        return True


class AnyPython(bdist_wheel):
    """Its tag, which bdist_wheel takes for one Python's otherwise."""

    def get_tag(self):
        return "py3", "none", self.plat_name


setup(distclass=PlatformDistribution, cmdclass={"bdist_wheel": AnyPython})
