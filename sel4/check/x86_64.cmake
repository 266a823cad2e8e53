# SPDX-License-Identifier: BSD-2-Clause
#
# x86-64 with VT-x and 64-bit guests.
set(KernelArch "x86" CACHE STRING "" FORCE)
set(KernelSel4Arch "x86_64" CACHE STRING "" FORCE)
set(KernelPlatform "pc99" CACHE STRING "" FORCE)
set(KernelVTX ON CACHE BOOL "" FORCE)
set(KernelX86_64VTX64BitGuests ON CACHE BOOL "" FORCE)
set(CROSS_COMPILER_PREFIX "x86_64-linux-gnu-" CACHE STRING "")
set(MuslArch "x86_64")
