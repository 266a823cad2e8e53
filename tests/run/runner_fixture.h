/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of the runner share: a shell script instead of crossvm-vm, and runners of topologies with it.
 *
 * Include after cmocka.h.
 */
#pragma once

#include "topology_file.h"

/** cmocka set-up: topology_file.h's folder, with the script. What a VM does is a file of commands with its name. */
int runner_set_up(void **state);

#define RUNNER_TEST(function) cmocka_unit_test_setup_teardown(function, runner_set_up, folder_tear_down)

/** A VM of a topology; more begins with a comma. */
#define VM(name, more) "  - {name: " name ", kernel: kernel" more "}\n"

/** Starts a runner of a topology with these VMs. */
pid_t start(const char *vms);
