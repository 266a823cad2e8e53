/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a 16550A serial port. Their addresses and the source and destination of the bytes are its owner's.
 *
 * The owner tells the port of bytes that come in and of room for bytes that go out. Callbacks tell the owner of bytes
 * to send and of the level of the interrupt.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVM_UART_REGISTERS 8
#define KVM_UART_FIFO 16

struct kvm_uart {
    uint8_t interrupt_enable;
    uint8_t line_control;
    uint8_t modem_control;
    uint8_t scratch;
    uint8_t divisor_low;
    uint8_t divisor_high;
    bool fifo_enabled;
    bool overrun;

    uint8_t received[KVM_UART_FIFO];
    size_t num_received;

    bool transmit_empty;           /**< there is room to send */
    bool transmit_empty_interrupt; /**< the guest is yet to be told of the room */

    void (*transmit)(void *cookie, uint8_t byte);
    void (*set_interrupt)(void *cookie, bool level);
    void (*received_read)(void *cookie); /**< there is room to receive again */
    void *cookie;
    bool interrupt;
};

/** Sets the registers to power-on values. The owner must set the callbacks and the cookie before. */
void kvm_uart_reset(struct kvm_uart *uart);

/** Carries out a load of register 0 to 7. */
uint8_t kvm_uart_load(struct kvm_uart *uart, unsigned int reg);

/** Carries out a store to register 0 to 7. */
void kvm_uart_store(struct kvm_uart *uart, unsigned int reg, uint8_t value);

/** How many bytes the port can receive now. */
size_t kvm_uart_receive_room(const struct kvm_uart *uart);

/** Receives a byte from outside. */
void kvm_uart_receive(struct kvm_uart *uart, uint8_t byte);

/** Sets whether there is room for bytes to send. */
void kvm_uart_set_transmit_room(struct kvm_uart *uart, bool room);
