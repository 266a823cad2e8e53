/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an x86 guest reaches by ports, in a VM without KVM: the serial port, beside a model of a 16550A, and
 * configuration space of PCI, with all layers of libsel4vmmplatsupport's helpers.
 */
#include "fuzz.h"

#include <stdbool.h>

#include <sel4vm/boot.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include "../../kvm/src/uart.h"

/* --- the serial port --- */

#define RECEIVED 0x1 /* bits of interrupt enable */
#define TRANSMIT_EMPTY 0x2
#define LINE_STATUS 0x4
#define LOOP 0x10    /* modem control */
#define DIVISOR 0x80 /* line control */

/** The port in other words. */
struct model {
    uint8_t registers[KVM_UART_REGISTERS]; /* as stored */
    uint8_t divisor[2];
    uint8_t queue[KVM_UART_FIFO];
    size_t queued;
    bool overrun, room, tell_room, fifos;
    uint8_t sent; /* the last byte */
    bool interrupt;
};

static struct kvm_uart uart;
static struct model model;

static void transmit(void *cookie, uint8_t byte)
{
    (void)cookie;
    model.sent = byte;
}

static void set_interrupt(void *cookie, bool level)
{
    (void)cookie;
    REQUIRE(level != model.interrupt);
    model.interrupt = level;
}

static void received_read(void *cookie)
{
    (void)cookie;
}

static void model_receive(uint8_t byte)
{
    if (model.queued == KVM_UART_FIFO)
        model.overrun = true;
    else
        model.queue[model.queued++] = byte;
}

static unsigned int model_reason(void)
{
    uint8_t enabled = model.registers[1];

    if (enabled & LINE_STATUS && model.overrun)
        return 6;
    if (enabled & RECEIVED && model.queued)
        return 4;
    return enabled & TRANSMIT_EMPTY && model.tell_room ? 2 : 1;
}

static uint8_t model_load_data(void)
{
    uint8_t byte = model.queue[0];

    if (!model.queued)
        return 0;
    model.queued--;
    memmove(model.queue, model.queue + 1, model.queued);
    return byte;
}

static uint8_t model_load(unsigned int reg)
{
    uint8_t control = model.registers[4], value;

    switch (reg) {
    case 0:
        return model.registers[3] & DIVISOR ? model.divisor[0] : model_load_data();
    case 1:
        return model.registers[3] & DIVISOR ? model.divisor[1] : model.registers[1];
    case 2:
        value = (uint8_t)(model_reason() | (model.fifos ? 0xc0 : 0));
        if ((value & 0xf) == 2)
            model.tell_room = false;
        return value;
    case 5:
        value = (uint8_t)((model.queued ? 1 : 0) | (model.overrun ? 2 : 0) | (model.room ? 0x60 : 0));
        model.overrun = false;
        return value;
    case 6:
        return control & LOOP ? (uint8_t)((control & 2) << 3 | (control & 1) << 5 | (control & 0xc) << 4) : 0xb0;
    default:
        return model.registers[reg];
    }
}

static void model_store(unsigned int reg, uint8_t value)
{
    if (reg < 2 && model.registers[3] & DIVISOR) {
        model.divisor[reg] = value;
        return;
    }
    switch (reg) {
    case 0:
        if (model.registers[4] & LOOP)
            model_receive(value);
        else
            REQUIRE(model.sent == value);
        model.tell_room = model.room;
        break;
    case 1:
        if (value & ~model.registers[1] & TRANSMIT_EMPTY)
            model.tell_room = model.room;
        model.registers[1] = value & 0xf;
        break;
    case 2:
        if (value & 2 || (value & 1) != model.fifos)
            model.queued = 0;
        model.fifos = value & 1;
        break;
    case 4:
        model.registers[4] = value & 0x1f;
        break;
    default:
        model.registers[reg] = value;
        break;
    }
}

static void use_uart(struct input *input)
{
    uint8_t what = input_byte(input), value = input_byte(input);
    unsigned int reg = what & 7;

    switch (what >> 3 & 7) {
    case 0: /* from outside */
        if (kvm_uart_receive_room(&uart)) {
            kvm_uart_receive(&uart, value);
            model_receive(value);
        }
        break;
    case 1:
        kvm_uart_set_transmit_room(&uart, value & 1);
        if (model.room != (value & 1))
            model.room = model.tell_room = value & 1;
        break;
    case 2:
    case 3:
    case 4:
        REQUIRE(kvm_uart_load(&uart, reg) == model_load(reg));
        break;
    default:
        kvm_uart_store(&uart, reg, value);
        if (reg != 5 && reg != 6) /* they are only loaded */
            model_store(reg, value);
        break;
    }
    REQUIRE(model.interrupt == (model_reason() != 1));
    REQUIRE(kvm_uart_receive_room(&uart) == (model.registers[4] & LOOP ? 0 : KVM_UART_FIFO - model.queued));
}

/* --- a VM's ports --- */

struct world {
    vm_t vm;
    vmm_pci_space_t *pci;
    vmm_pci_device_def_t *header; /* on the heap, where a store behind it is noticed */
};

static void add_layers(struct world *world, uint8_t what)
{
    vmm_pci_bar_t bars[] = {{.mem_type = PREFETCH_MEM, .address = 0xc0000000, .size_bits = 12},
                            {.mem_type = NON_MEM, .address = 0xd000, .size_bits = 4}};
    uint8_t capabilities[] = {0x40, 0x60}, hidden_from[] = {0x50}, hidden_to[] = {0x5f};
    vmm_pci_entry_t entry = {
        .cookie = world->header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};

    if (what & 1)
        entry = vmm_pci_create_bar_emulation(entry, 2, bars);
    if (what & 2)
        entry = vmm_pci_create_irq_emulation(entry, 11);
    if (what & 4)
        entry = vmm_pci_create_cap_emulation(entry, what >> 3 & 1 ? 2 : 0, capabilities, 1, hidden_from, hidden_to);
    REQUIRE(vmm_pci_add_entry(world->pci, entry, NULL) == 0);
}

static uint32_t port(struct world *world, uint16_t number, unsigned int size, bool is_in, uint32_t value)
{
    kvm_test_port(world->vm.vcpus[BOOT_VCPU], number, size, is_in, &value);
    return value;
}

static void use_port(struct world *world, struct input *input)
{
    static const uint16_t ports[] = {0xcf8, 0xcfc, 0x3f8, 0x600, 0xcf9, KVM_EXIT_PORT, 0x64, 0};
    uint8_t what = input_byte(input);
    unsigned int size = 1u << what % 3, select = what >> 5;
    uint16_t number = (uint16_t)(ports[select] + (what >> 2 & 3));
    uint32_t value = (uint32_t)input_number(input, 4);

    if (select == 7)
        number = (uint16_t)value;
    if (select == 0 && !(what & 0x10)) { /* a function that there is */
        number = 0xcf8;
        size = 4;
        value = 1u << 31 | (value & 0x9fc);
    }
    value = port(world, number, size, what & 0x10, value);
    REQUIRE(size == 4 || !(what & 0x10) || value >> 8 * size == 0);
    REQUIRE(number != 0xcf8 || size != 4 || port(world, 0xcf8, 4, true, 0) == (value & 0x80fffffc) || what & 0x10);
}

/* What a guest cannot change */
static void require_bus(struct world *world, uint8_t layers)
{
    (void)port(world, 0xcf8, 4, false, 1u << 31);
    REQUIRE(port(world, 0xcfc, 4, true, 0) == 0x00425e14);
    (void)port(world, 0xcf8, 4, false, 1u << 31 | 2 << 11); /* nobody */
    REQUIRE(port(world, 0xcfc, 4, true, 0) == UINT32_MAX);
    (void)port(world, 0xcf8, 4, false, 1u << 31 | 1 << 16); /* another bus */
    REQUIRE(port(world, 0xcfc, 4, true, 0) == UINT32_MAX);
    (void)port(world, 0xcf8, 4, false, 1u << 31 | 1 << 11 | 0x10);
    if (layers & 1)
        REQUIRE((port(world, 0xcfc, 4, true, 0) & 0xfff) == 8);
    (void)port(world, 0xcf8, 4, false, 1u << 31 | 1 << 11 | 0x3c);
    if (layers & 2)
        REQUIRE(port(world, 0xcfc, 1, true, 0) == 11);
}

static void begin(struct world *world, uint8_t layers)
{
    REQUIRE(vm_init(&world->vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "fuzz") == 0);
    REQUIRE(vm_create_vcpu(&world->vm, 0) && vmm_pci_init(&world->pci) == 0);
    world->header = calloc(1, sizeof(*world->header));
    REQUIRE(world->header && kvm_pci_attach(&world->vm, world->pci) == 0);
    REQUIRE(kvm_console_create(&world->vm, -1, -1) == 0);
    add_layers(world, layers);

    model = (struct model){.room = true, .divisor = {12, 0}};
    uart = (struct kvm_uart){.transmit = transmit, .set_interrupt = set_interrupt, .received_read = received_read};
    kvm_uart_reset(&uart);
}

static void ignore(int level, const char *line, void *cookie)
{
    (void)level;
    (void)line;
    (void)cookie;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world;
    uint8_t layers = input_byte(&input);

    (void)kvm_use_backend_none();
    kvm_log_set_sink(ignore, NULL);
    begin(&world, layers);
    while (input.left) {
        if (input_byte(&input) & 1)
            use_uart(&input);
        else
            use_port(&world, &input);
    }
    require_bus(&world, layers);
    kvm_vm_destroy(&world.vm);
    kvm_pci_free(world.pci);
    free(world.header);
    return 0;
}
