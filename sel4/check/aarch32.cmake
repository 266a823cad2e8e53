# SPDX-License-Identifier: BSD-2-Clause
#
# AArch32 with hypervisor support, on a platform whose device tree lies in the workspace.
set(KernelArch "arm" CACHE STRING "" FORCE)
set(KernelSel4Arch "arm_hyp" CACHE STRING "" FORCE)
set(KernelPlatform "exynos5" CACHE STRING "" FORCE)
set(KernelARMPlatform "exynos5422" CACHE STRING "" FORCE)
set(KernelArmHypervisorSupport ON CACHE BOOL "" FORCE)
set(ARM_HYP ON CACHE INTERNAL "" FORCE)
set(CROSS_COMPILER_PREFIX "arm-linux-gnueabi-" CACHE STRING "")
set(MuslArch "arm")
