# SPDX-License-Identifier: BSD-2-Clause
#
# For a seL4 workspace, whose projects find each other by such files: find_package(crossvm REQUIRED), then
#
#   crossvm_import_libraries()           for a VMM on libsel4vm, after the libraries of seL4_projects_libs
#   crossvm_import_component_libraries() for native components only
#
# docs/sel4.md tells what they make. The CMake package that `make install` installs is another one, for programs on
# Linux.
set(CROSSVM_SOURCE_DIR "${CMAKE_CURRENT_LIST_DIR}" CACHE STRING "")
mark_as_advanced(CROSSVM_SOURCE_DIR)

function(crossvm_import_libraries)
    add_subdirectory(${CROSSVM_SOURCE_DIR}/sel4 crossvm)
endfunction()

function(crossvm_import_component_libraries)
    if(NOT TARGET crossvm_component)
        add_subdirectory(${CROSSVM_SOURCE_DIR}/sel4/component crossvm_component)
    endif()
endfunction()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(crossvm DEFAULT_MSG CROSSVM_SOURCE_DIR)
