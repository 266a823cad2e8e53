/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A serial port: its registers, and nothing of where they are or where the bytes go.
 *
 * What owns the port tells it of received bytes and of room for bytes to send, and is told of bytes to send and of the
 * level of the interrupt.
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
    bool transmit_empty_interrupt; /**< and the guest was not told yet */

    void (*transmit)(void *cookie, uint8_t byte);
    void (*set_interrupt)(void *cookie, bool level);
    void (*received_read)(void *cookie); /**< there is room to receive again */
    void *cookie;
    bool interrupt;
};

/** Register contents after power-on. The calls and the cookie are the caller's to set, before. */
void kvm_uart_reset(struct kvm_uart *uart);

/** Accesses of the guest to register 0 to 7. */
uint8_t kvm_uart_load(struct kvm_uart *uart, unsigned int reg);
void kvm_uart_store(struct kvm_uart *uart, unsigned int reg, uint8_t value);

/** How many bytes can be received now. */
size_t kvm_uart_receive_room(const struct kvm_uart *uart);

/** A byte from outside. */
void kvm_uart_receive(struct kvm_uart *uart, uint8_t byte);

/** Whether there is room for bytes to send. */
void kvm_uart_set_transmit_room(struct kvm_uart *uart, bool room);
