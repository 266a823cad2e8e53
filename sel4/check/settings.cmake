# SPDX-License-Identifier: BSD-2-Clause
#
# Where kernel and libraries are; then the kernel's platform; then the compiler for it. It is read before the cache is
# there, and again by the project.
cmake_minimum_required(VERSION 3.16.0)

set(workspace ${CMAKE_CURRENT_LIST_DIR}) # or the project's folder there
if(NOT EXISTS ${workspace}/kernel)
    set(workspace ${CMAKE_CURRENT_LIST_DIR}/../..)
endif()
file(GLOB projects ${workspace}/projects/*)
list(
    APPEND
        CMAKE_MODULE_PATH
        ${workspace}/kernel
        ${workspace}/tools/seL4/cmake-tool/helpers
        ${projects}
)
include(${workspace}/projects/crossvm/sel4/check/${SEL4_CHECK_ARCH}.cmake)
set(CMAKE_BUILD_TYPE "Release" CACHE STRING "" FORCE) # some warnings come with optimization only

find_package(seL4 REQUIRED)
sel4_configure_platform_settings()
