/* SPDX-License-Identifier: BSD-2-Clause */
#include "uart.h"

#include <string.h>

/* Registers; the first two are the divisor's while line control has DIVISOR set. */
enum {
    REG_DATA,
    REG_INTERRUPT_ENABLE,
    REG_INTERRUPT_IDENTITY, /* store: FIFO control */
    REG_LINE_CONTROL,
    REG_MODEM_CONTROL,
    REG_LINE_STATUS,
    REG_MODEM_STATUS,
    REG_SCRATCH,
};

#define ENABLE_RECEIVED 0x01
#define ENABLE_TRANSMIT_EMPTY 0x02
#define ENABLE_LINE_STATUS 0x04
#define ENABLE_ALL 0x0f

#define IDENTITY_NONE 0x01
#define IDENTITY_TRANSMIT_EMPTY 0x02
#define IDENTITY_RECEIVED 0x04
#define IDENTITY_LINE_STATUS 0x06
#define IDENTITY_FIFOS 0xc0

#define FIFO_ENABLE 0x01
#define FIFO_CLEAR_RECEIVED 0x02

#define LINE_CONTROL_DIVISOR 0x80

#define MODEM_CONTROL_DTR 0x01
#define MODEM_CONTROL_RTS 0x02
#define MODEM_CONTROL_OUT1 0x04
#define MODEM_CONTROL_OUT2 0x08
#define MODEM_CONTROL_LOOP 0x10
#define MODEM_CONTROL_ALL 0x1f

#define LINE_STATUS_READY 0x01
#define LINE_STATUS_OVERRUN 0x02
#define LINE_STATUS_HOLDING_EMPTY 0x20
#define LINE_STATUS_EMPTY 0x40

#define MODEM_STATUS_CTS 0x10
#define MODEM_STATUS_DSR 0x20
#define MODEM_STATUS_RI 0x40
#define MODEM_STATUS_DCD 0x80

/* The most urgent reason for an interrupt. */
static uint8_t identity(const struct kvm_uart *uart)
{
    if (uart->interrupt_enable & ENABLE_LINE_STATUS && uart->overrun)
        return IDENTITY_LINE_STATUS;
    if (uart->interrupt_enable & ENABLE_RECEIVED && uart->num_received)
        return IDENTITY_RECEIVED;
    if (uart->interrupt_enable & ENABLE_TRANSMIT_EMPTY && uart->transmit_empty_interrupt)
        return IDENTITY_TRANSMIT_EMPTY;
    return IDENTITY_NONE;
}

static void update_interrupt(struct kvm_uart *uart)
{
    bool level = identity(uart) != IDENTITY_NONE;

    if (level == uart->interrupt)
        return;
    uart->interrupt = level;
    uart->set_interrupt(uart->cookie, level);
}

void kvm_uart_reset(struct kvm_uart *uart)
{
    uart->interrupt_enable = 0;
    uart->line_control = 0;
    uart->modem_control = 0;
    uart->scratch = 0;
    uart->divisor_low = 12; /* 9600 baud */
    uart->divisor_high = 0;
    uart->fifo_enabled = false;
    uart->overrun = false;
    uart->num_received = 0;
    uart->transmit_empty = true;
    uart->transmit_empty_interrupt = false;
    update_interrupt(uart);
}

/* --- bytes --- */

size_t kvm_uart_receive_room(const struct kvm_uart *uart)
{
    /* In loopback the outside is disconnected. */
    return uart->modem_control & MODEM_CONTROL_LOOP ? 0 : KVM_UART_FIFO - uart->num_received;
}

void kvm_uart_receive(struct kvm_uart *uart, uint8_t byte)
{
    if (uart->num_received == KVM_UART_FIFO)
        uart->overrun = true;
    else
        uart->received[uart->num_received++] = byte;
    update_interrupt(uart);
}

static uint8_t take_received(struct kvm_uart *uart)
{
    uint8_t byte = uart->received[0];

    if (!uart->num_received)
        return 0;
    uart->num_received--;
    memmove(uart->received, uart->received + 1, uart->num_received);
    uart->received_read(uart->cookie);
    return byte;
}

static void send(struct kvm_uart *uart, uint8_t byte)
{
    if (uart->modem_control & MODEM_CONTROL_LOOP)
        kvm_uart_receive(uart, byte);
    else
        uart->transmit(uart->cookie, byte); /* may call kvm_uart_set_transmit_room() */
    uart->transmit_empty_interrupt = uart->transmit_empty;
}

void kvm_uart_set_transmit_room(struct kvm_uart *uart, bool room)
{
    if (room == uart->transmit_empty)
        return;
    uart->transmit_empty = room;
    uart->transmit_empty_interrupt = room;
    update_interrupt(uart);
}

/* --- registers --- */

static uint8_t line_status(struct kvm_uart *uart)
{
    uint8_t status = (uart->num_received ? LINE_STATUS_READY : 0) | (uart->overrun ? LINE_STATUS_OVERRUN : 0) |
                     (uart->transmit_empty ? LINE_STATUS_HOLDING_EMPTY | LINE_STATUS_EMPTY : 0);

    uart->overrun = false; /* reading clears it */
    return status;
}

/* Always connected; in loopback, the outputs of modem control come back as inputs. */
static uint8_t modem_status(const struct kvm_uart *uart)
{
    uint8_t control = uart->modem_control;

    if (!(control & MODEM_CONTROL_LOOP))
        return MODEM_STATUS_CTS | MODEM_STATUS_DSR | MODEM_STATUS_DCD;
    return (control & MODEM_CONTROL_RTS ? MODEM_STATUS_CTS : 0) | (control & MODEM_CONTROL_DTR ? MODEM_STATUS_DSR : 0) |
           (control & MODEM_CONTROL_OUT1 ? MODEM_STATUS_RI : 0) | (control & MODEM_CONTROL_OUT2 ? MODEM_STATUS_DCD : 0);
}

static uint8_t take_identity(struct kvm_uart *uart)
{
    uint8_t reason = identity(uart);

    if (reason == IDENTITY_TRANSMIT_EMPTY)
        uart->transmit_empty_interrupt = false; /* reading it is what tells the guest */
    return reason | (uart->fifo_enabled ? IDENTITY_FIFOS : 0);
}

uint8_t kvm_uart_load(struct kvm_uart *uart, unsigned int reg)
{
    bool divisor = uart->line_control & LINE_CONTROL_DIVISOR;
    uint8_t value = 0;

    switch (reg) {
    case REG_DATA:
        value = divisor ? uart->divisor_low : take_received(uart);
        break;
    case REG_INTERRUPT_ENABLE:
        value = divisor ? uart->divisor_high : uart->interrupt_enable;
        break;
    case REG_INTERRUPT_IDENTITY:
        value = take_identity(uart);
        break;
    case REG_LINE_CONTROL:
        value = uart->line_control;
        break;
    case REG_MODEM_CONTROL:
        value = uart->modem_control;
        break;
    case REG_LINE_STATUS:
        value = line_status(uart);
        break;
    case REG_MODEM_STATUS:
        value = modem_status(uart);
        break;
    case REG_SCRATCH:
        value = uart->scratch;
        break;
    }
    update_interrupt(uart);
    return value;
}

static void store_interrupt_enable(struct kvm_uart *uart, uint8_t value)
{
    /* A guest that enables the interrupt is told at once that it can send. */
    if (value & ENABLE_TRANSMIT_EMPTY && !(uart->interrupt_enable & ENABLE_TRANSMIT_EMPTY))
        uart->transmit_empty_interrupt = uart->transmit_empty;
    uart->interrupt_enable = value & ENABLE_ALL;
}

static void store_fifo_control(struct kvm_uart *uart, uint8_t value)
{
    bool enable = value & FIFO_ENABLE;

    if (value & FIFO_CLEAR_RECEIVED || enable != uart->fifo_enabled) {
        uart->num_received = 0;
        uart->received_read(uart->cookie);
    }
    uart->fifo_enabled = enable;
}

static void store_modem_control(struct kvm_uart *uart, uint8_t value)
{
    uart->modem_control = value & MODEM_CONTROL_ALL;
    uart->received_read(uart->cookie); /* leaving loopback connects the outside again */
}

void kvm_uart_store(struct kvm_uart *uart, unsigned int reg, uint8_t value)
{
    bool divisor = uart->line_control & LINE_CONTROL_DIVISOR;

    switch (reg) {
    case REG_DATA:
        if (divisor)
            uart->divisor_low = value;
        else
            send(uart, value);
        break;
    case REG_INTERRUPT_ENABLE:
        if (divisor)
            uart->divisor_high = value;
        else
            store_interrupt_enable(uart, value);
        break;
    case REG_INTERRUPT_IDENTITY:
        store_fifo_control(uart, value);
        break;
    case REG_LINE_CONTROL:
        uart->line_control = value;
        break;
    case REG_MODEM_CONTROL:
        store_modem_control(uart, value);
        break;
    case REG_SCRATCH:
        uart->scratch = value;
        break;
    }
    update_interrupt(uart);
}
