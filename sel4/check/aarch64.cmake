# SPDX-License-Identifier: BSD-2-Clause
#
# AArch64 with hypervisor support, on a platform whose device tree lies in the workspace.
set(KernelArch "arm" CACHE STRING "" FORCE)
set(KernelSel4Arch "aarch64" CACHE STRING "" FORCE)
set(KernelPlatform "zynqmp" CACHE STRING "" FORCE)
set(KernelARMPlatform "zcu102" CACHE STRING "" FORCE)
set(KernelArmHypervisorSupport ON CACHE BOOL "" FORCE)
set(CROSS_COMPILER_PREFIX "aarch64-linux-gnu-" CACHE STRING "")
set(MuslArch "aarch64")
