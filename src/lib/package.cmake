# SPDX-License-Identifier: BSD-2-Clause
# What is installed of libcrossvm: headers, libraries, and what tells other builds where they are. These files find the rest
# from where they lie, so that an installation may be made anywhere (cmake --install --prefix) and be moved.
include(CMakePackageConfigHelpers)

foreach(header crossvm device end_channel version)
    install(FILES ${PROJECT_SOURCE_DIR}/include/crossvm/${header}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/crossvm)
endforeach()
install(TARGETS crossvm-static crossvm-shared EXPORT crossvm-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# find_package(crossvm): crossvm::crossvm, crossvm::crossvm-static, crossvm::channel
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/crossvm)
install(EXPORT crossvm-targets NAMESPACE crossvm:: DESTINATION ${package_directory})
configure_package_config_file(crossvm-config.cmake.in crossvm-config.cmake INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(crossvm-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/crossvm-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/crossvm-config-version.cmake
        DESTINATION ${package_directory})

# pkg-config: the prefix is so many folders above the file, unless the administrator chose folders with absolute paths.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
    set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
    file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" up ${up})
    set(pc_prefix "\${pcfiledir}/${up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(crossvm.pc.in crossvm.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/crossvm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
