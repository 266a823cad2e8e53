/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of libcrossvm on the host share: a directory of sockets of their own, the process of a VM "alpha" with its
 * socket there, and a check after each case that it left no descriptor, mapping or file behind.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <crossvm/crossvm.h>

#include "fake_vm.h"

/** A case with the VM serving, and one that bends the VM first and calls fake_vm_start() by itself. */
#define lib_case(function) cmocka_unit_test_setup_teardown(function, lib_fixture_set_up_served, lib_fixture_tear_down)
#define lib_case_unserved(function) cmocka_unit_test_setup_teardown(function, lib_fixture_set_up, lib_fixture_tear_down)

int lib_fixture_set_up(void **state);
int lib_fixture_set_up_served(void **state);
int lib_fixture_tear_down(void **state);

struct fake_vm *lib_fixture_vm(void **state);
const char *lib_fixture_directory(void **state);

/** Opens "alpha"; the case fails when that does. */
crossvm_end_t *lib_fixture_open(void **state);

/** Descriptors and mappings of memfds that this process has now. */
size_t lib_fixture_count_held(void);
