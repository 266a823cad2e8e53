# SPDX-License-Identifier: BSD-2-Clause
# Tests of libcrossvm on the host and of the tool, against a stand-in for the process of a VM.
find_package(cmocka REQUIRED)
find_package(Threads REQUIRED)

add_library(lib_fixture STATIC ${CMAKE_CURRENT_LIST_DIR}/../tool/fake_vm.c ${CMAKE_CURRENT_LIST_DIR}/../tool/lib_fixture.c)
target_link_libraries(lib_fixture PUBLIC crossvm-static ${CMOCKA_LIBRARIES} Threads::Threads)

foreach(name devices guest host list names news peer_watch process registers replies)
    add_executable(test_lib_${name} ${CMAKE_CURRENT_LIST_DIR}/test_lib_${name}.c)
    target_link_libraries(test_lib_${name} PRIVATE lib_fixture)
    add_test(NAME lib/${name} COMMAND test_lib_${name})
endforeach()

target_link_options(test_lib_devices PRIVATE -Wl,--wrap=open,--wrap=readlink,--wrap=access,--wrap=stat)
target_link_libraries(test_lib_peer_watch PRIVATE channel_fixture)
target_link_options(test_lib_peer_watch PRIVATE -Wl,--wrap=clock_gettime)
target_link_options(test_lib_process PRIVATE -Wl,--wrap=getsockopt,--wrap=geteuid)
target_link_options(test_lib_news PRIVATE -Wl,--wrap=clock_gettime,--wrap=poll)

add_executable(test_tool ${CMAKE_CURRENT_LIST_DIR}/../tool/test_tool.c)
target_include_directories(test_tool PRIVATE ${JANSSON_INCLUDE_DIR})
target_link_libraries(test_tool PRIVATE lib_fixture ${JANSSON_LIBRARY})
add_test(NAME lib/tool COMMAND test_tool $<TARGET_FILE:crossvm>)

add_unit_test(socket_directory ${CMAKE_CURRENT_LIST_DIR}/test_socket_directory.c)
target_link_libraries(test_socket_directory PRIVATE crossvm_wire)
