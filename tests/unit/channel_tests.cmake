# SPDX-License-Identifier: BSD-2-Clause
# Tests of channels with both ends in one thread, and with a hostile process.
add_library(channel_fixture STATIC ${CMAKE_CURRENT_LIST_DIR}/channel_fixture.c)
target_link_libraries(channel_fixture PUBLIC crossvm-channel ${CMOCKA_LIBRARIES})

foreach(name session datagram stream wake hostile)
    add_executable(test_channel_${name} ${CMAKE_CURRENT_LIST_DIR}/test_channel_${name}.c)
    target_link_libraries(test_channel_${name} PRIVATE channel_fixture)
    add_test(NAME unit/channel-${name} COMMAND test_channel_${name})
endforeach()

add_executable(test_channel_watch ${CMAKE_CURRENT_LIST_DIR}/test_channel_watch.c)
target_link_libraries(test_channel_watch PRIVATE channel_fixture crossvm_top)
add_test(NAME unit/channel-watch COMMAND test_channel_watch)

# What is made of it
foreach(name observed rates)
    add_unit_test(${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
    target_link_libraries(test_${name} PRIVATE crossvm_top)
endforeach()
target_link_options(test_observed PRIVATE -Wl,--wrap=connect)
