/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of a hub's ends share: a connection that the test serves by itself, turn by turn, and whoever comes to its
 * ends. So the order in which the hub sees things is known.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/hub/connection.h"
#include "../../src/wire/wire.h"

/** The ends of a connection between a VM and a program. */
#define VM 0
#define PROGRAM 1

struct ends_fixture {
    char folder[32];
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct hub_door *doors[2];
    int stop; /* polls readable: the loop ends when it has served what was there before */
};

extern struct ends_fixture hub;

/** A test with such a connection, and one with a connection between VMMs that others have made. */
int ends_set_up(void **state);
int ends_set_up_stock(void **state);
int ends_tear_down(void **state);

#define ENDS_TEST(function) cmocka_unit_test_setup_teardown(function, ends_set_up, ends_tear_down)
#define STOCK_TEST(function) cmocka_unit_test_setup_teardown(function, ends_set_up_stock, ends_tear_down)

/** Serves what is there. What one turn sends, the next one receives. */
void serve(void);

/** A client that waits in the queue of a socket until the hub is served; come() is one with packets. */
int come_by(int type, int end);
int come(int end);

void ask(int fd, uint16_t type);

/** The type of the next message, of up to size bytes; 0: there is none, and the socket is open. -1: it is closed. */
int receive(int fd, void *message, size_t size);

/** A program that has its end, and the process of a VM that has been handed the other. */
int attach(struct crossvm_wire_reply *reply);
int join(struct crossvm_wire_join *message);

void report(int vm, uint32_t driver_state, uint32_t generation);

/** The latest news that a socket has; how many there were. */
int take_news(int fd, struct crossvm_wire_driver *last);

/** Whether the hub has closed a socket. What it sent before is taken. */
bool is_closed(int fd);
