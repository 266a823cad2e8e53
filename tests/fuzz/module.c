/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module in a VM without KVM, beside a model of docs/device.md: connections are installed, removed and reset in any
 * sequence, allocations fail, the guest stores and writes anything, and the peer emits. Registers are then as the model
 * has them, and a guest that ends its interrupts hears of all that came.
 */
#include "fuzz.h"

#include <sel4vm/boot.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include "../../src/vmm/connection.h"
#include "module_model.h"

#define BASE 0xc0000000ul
#define MOST 6      /* connections */
#define FRAMES 8    /* of 4 KiB each, which all share */
#define FIRST_IRQ 5 /* of NUM_IRQS, so that some are shared */
#define NUM_IRQS 3
#define MOST_ENDS 2000 /* of interrupts, until nothing is left to be told */

/** A connection and its model. */
struct pair {
    crossvm_connection_t *connection; /* NULL: none is installed */
    struct model model;
    bool emit_fails, removes_itself, routes;
};

static struct world {
    vm_t vm;
    vmm_pci_space_t *pci;
    crossvm_bus_t bus;
    struct pair pairs[MOST];
    int irqs_left;
    bool looked[NUM_IRQS]; /* the guest did, since the interrupt that it has not ended */
} world;

static seL4_CPtr frames[FRAMES];

/* --- failures on demand --- */

static int calloc_countdown;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    if (calloc_countdown > 0 && --calloc_countdown == 0)
        return NULL;
    return __real_calloc(n, size);
}

/* --- the VMM --- */

static int alloc_irq(void)
{
    return world.irqs_left ? FIRST_IRQ + --world.irqs_left : -1;
}

static int send_msi(vm_t *vm, const crossvm_msi_t *message)
{
    (void)vm;
    (void)message;
    return 0;
}

static void gone(struct pair *pair)
{
    crossvm_connection_t *connection = pair->connection;

    pair->connection = NULL;
    crossvm_remove(connection);
}

static int emit(void *cookie)
{
    struct pair *pair = cookie;
    bool fails = pair->emit_fails;

    if (pair->removes_itself)
        gone(pair);
    return fails ? -1 : 0;
}

static void driver_changed(void *cookie, uint32_t state)
{
    struct pair *pair = cookie;

    REQUIRE(state == pair->connection->page.driver);
    if (pair->removes_itself)
        gone(pair);
}

static bool route_msi(void *cookie, const crossvm_msi_t *message)
{
    struct pair *pair = cookie;

    pair->model.status = message && pair->routes;
    return pair->routes;
}

/* --- installing --- */

static void configure(struct pair *pair, crossvm_connection_config_t *config, crossvm_dataport_config_t *dataports,
                      char *name, struct input *input)
{
    uint8_t what = input_byte(input), more = input_byte(input);

    (void)snprintf(name, CROSSVM_FULL_NAME_BYTES, "%s%zu",
                   more & 1 ? "a-name-that-is-longer-than-the-base-block-has-room-for-it" : "x",
                   (size_t)(pair - world.pairs));
    *pair = (struct pair){.emit_fails = more & 2, .removes_itself = more & 4, .routes = more & 8};
    *config = (crossvm_connection_config_t){
        .name = more & 0x80 ? "x/y" : name,
        .dataports = dataports,
        .num_dataports = what & 7,
        .emit = more & 0x10 ? NULL : emit,
        .driver_changed = driver_changed,
        .route_msi = route_msi,
        .emit_counted = emit,
        .cookie = pair,
        .end = what >> 3 & 1,
        .peer_page = what & 0x10 ? frames[0] : seL4_CapNull,
        .own_page = what & 0x20 ? frames[1] : seL4_CapNull,
        .base_block_only = what & 0x40,
    };
    for (size_t i = 0; i < config->num_dataports && i < CROSSVM_MAX_DATAPORTS; i++) {
        uint8_t port = input_byte(input);

        dataports[i] =
            (crossvm_dataport_config_t){.frames = frames, .num_frames = port & 7, .guest_rights = port >> 4 & 3};
    }
}

static void note(struct pair *pair, const crossvm_connection_config_t *config, crossvm_connection_t *connection)
{
    crossvm_connection_info_t info;

    pair->connection = connection;
    crossvm_get_connection_info(connection, &info);
    model_begin(&pair->model, config, &info, world.bus.send_msi);
}

static void install(struct input *input)
{
    crossvm_dataport_config_t dataports[MOST][CROSSVM_MAX_DATAPORTS];
    crossvm_connection_config_t configs[MOST];
    crossvm_connection_t *handles[MOST];
    char names[MOST][CROSSVM_FULL_NAME_BYTES];
    struct pair *made[MOST];
    vmm_pci_space_t before = *world.pci;
    uint8_t what = input_byte(input), fail = input_byte(input);
    size_t n = 0;

    for (size_t i = 0; i < MOST && n < 1 + (what & 3u); i++) {
        if (world.pairs[i].connection)
            continue;
        made[n] = &world.pairs[i];
        configure(made[n], &configs[n], dataports[n], names[n], input);
        n++;
    }
    calloc_countdown = what & 0x80 ? fail : 0;
    kvm_test_fail_after(what & 0x40 ? fail : 0);
    if (crossvm_install(&world.bus, configs, n, handles) == 0) {
        for (size_t i = 0; i < n; i++)
            note(made[i], &configs[i], handles[i]);
    } else {
        REQUIRE(memcmp(before.bus0, world.pci->bus0, sizeof(before.bus0)) == 0);
    }
    calloc_countdown = 0;
    kvm_test_fail_after(0);
}

/* --- the guest --- */

static void require_handled(memory_fault_result_t result)
{
    REQUIRE(result == FAULT_HANDLED || result == FAULT_IGNORE);
}

static vm_vcpu_t *vcpu(void)
{
    return world.vm.vcpus[BOOT_VCPU];
}

static void store_to_page(struct pair *pair, struct input *input)
{
    static const uint16_t offsets[] = {0x00, 0x04, 0x54, 0x58, 0x68, 0x40, 0x50};
    static const uint8_t lengths[] = {4, 4, 4, 4, 1, 2, 8, 0};
    uint8_t what = input_byte(input);
    size_t offset = (what & 7) < 7 ? offsets[what & 7] : input_number(input, 2) % CROSSVM_PAGE_SIZE;
    size_t length = lengths[what >> 3 & 7];
    uint32_t value = what & 0x40 ? (uint32_t)input_number(input, 4) : input_byte(input) & 3;
    struct model *model = &pair->model;
    enum model_effect effect;

    if (what & 0x80) /* SEEN, as a driver stores it */
        value = (uint32_t)model->events;
    effect = length ? model_store(model, offset, length, value) : MODEL_NOTHING;
    if (effect == MODEL_EMIT || effect == MODEL_EMIT_COUNTED) {
        model->emits++;
        model->failed_emits += pair->emit_fails || (effect == MODEL_EMIT && !pair->connection->emit);
    }
    require_handled(kvm_test_fault(vcpu(), model->bar_address[0] + offset, length, false, value, NULL));
}

/* Where nothing is, and memory that does not take the access */
static void access_elsewhere(const struct pair *pair, struct input *input)
{
    uint8_t what = input_byte(input);
    size_t bar = what % (1 + pair->model.num_dataports), offset = input_number(input, 2);
    uint64_t loaded = 1;

    offset = offset % pair->model.bar_size[bar] & ~(size_t)7; /* in one piece */
    if (bar == 0 && offset < CROSSVM_PAGE_SIZE)
        return;
    if (bar == 0 && offset >= CROSSVM_PEER_PAGE && !pair->model.peer_page)
        return; /* there is no such part */
    if (what & 0x80) {
        require_handled(kvm_test_fault(vcpu(), pair->model.bar_address[bar] + offset, 4, true, 0, &loaded));
        REQUIRE((uint32_t)loaded == 0);
    } else {
        require_handled(
            kvm_test_fault(vcpu(), pair->model.bar_address[bar] + offset, 1u << (what >> 5 & 3), false, 1, NULL));
    }
}

static vmm_pci_entry_t *entry_of(const struct pair *pair)
{
    crossvm_connection_info_t info;
    vmm_pci_entry_t *entry;

    crossvm_get_connection_info(pair->connection, &info);
    entry = find_device(world.pci, info.pci);
    REQUIRE(entry);
    return entry;
}

static void config_write(struct pair *pair, struct input *input)
{
    static const uint8_t offsets[] = {0x04, 0x04, 0x42, 0x44, 0x10, 0x05};
    uint8_t what = input_byte(input);
    size_t offset = (what & 7) < 6 ? offsets[what & 7] : input_number(input, 2), size = 1u << (what >> 3) % 3;
    static const uint32_t values[] = {0, 1, 2, 4, 6, 7, 0x406, UINT32_MAX};
    uint32_t value = what & 0x80 ? (uint32_t)input_number(input, 4) : values[input_choice(input, 8)];
    struct model *model = &pair->model;
    vmm_pci_entry_t *entry = entry_of(pair);

    model_config_write(model, offset, size, value);
    REQUIRE(entry->iowrite(entry->cookie, (int)offset, (int)size, value) == 0);
}

/* What the guest's driver does at an interrupt: it looks at all its devices of that line. */
static void look(int irq)
{
    world.looked[irq - FIRST_IRQ] = true;
    for (size_t i = 0; i < MOST; i++) {
        if (world.pairs[i].connection && world.pairs[i].model.irq == irq)
            world.pairs[i].model.owed = false;
    }
}

/* A guest that ends an interrupt has looked, perhaps before something else came. */
static void end_interrupt(int irq)
{
    if (!world.looked[irq - FIRST_IRQ])
        look(irq);
    world.looked[irq - FIRST_IRQ] = false;
    REQUIRE(kvm_test_irq_eoi(&world.vm, irq) == 0);
}

static void take_interrupt(uint8_t what)
{
    int irq = FIRST_IRQ + what % NUM_IRQS;

    if (what & 0x10)
        (void)kvm_test_irq_enable(&world.vm, irq, what & 0x20);
    if (kvm_test_irq_pending(&world.vm, irq)) {
        if (what & 0x40)
            look(irq);
        if (what & 0x80)
            end_interrupt(irq);
    }
}

/* --- the peer --- */

/* Something comes of which the guest is to be told. */
static void owe(struct pair *pair)
{
    pair->model.pending = true;
    pair->model.owed = !model_msi_active(&pair->model); /* a message needs nothing of the controller */
}

static void peer_acts(struct pair *pair, uint8_t what)
{
    struct model *model = &pair->model;
    uint32_t state = what >> 4 & 3;

    switch (what & 3) {
    case 0:
        model->count += what >> 2;
        model->events += what >> 2;
        crossvm_count(pair->connection, what >> 2);
        break;
    case 1:
        if (state != model->peer_state || state >= 2) {
            model->peer_generation += state >= 2 && state >= model->peer_state;
            model->peer_state = state;
            if (model->driver)
                owe(pair);
        }
        crossvm_set_peer_state(pair->connection, state);
        break;
    default:
        model->count++;
        model->events++;
        owe(pair);
        crossvm_consume_event(pair->connection);
        break;
    }
}

/* --- all --- */

static void reset(void)
{
    for (int i = 0; i < NUM_IRQS; i++) { /* the guest's interrupt controller is reset, too */
        (void)kvm_test_irq_end(&world.vm, FIRST_IRQ + i);
        (void)kvm_test_irq_enable(&world.vm, FIRST_IRQ + i, true);
        world.looked[i] = false;
    }
    for (size_t i = 0; i < MOST; i++)
        model_reset(&world.pairs[i].model);
    crossvm_reset_all(&world.vm);
}

static void remove_all(void)
{
    for (size_t i = 0; i < MOST; i++) {
        if (world.pairs[i].connection)
            gone(&world.pairs[i]);
    }
}

static void act(struct pair *pair, uint8_t what, struct input *input)
{
    switch (what & 0xf) {
    case 0:
    case 1:
        install(input);
        return;
    case 2:
        reset();
        return;
    case 3:
        if (what >> 4 == 15)
            remove_all();
        else if (pair->connection)
            gone(pair);
        return;
    case 4:
    case 5:
        take_interrupt(input_byte(input));
        return;
    default:
        break;
    }
    if (!pair->connection)
        return;
    switch (what & 0xf) {
    case 6:
    case 7:
        config_write(pair, input);
        break;
    case 8:
        access_elsewhere(pair, input);
        break;
    case 9:
    case 10:
    case 11:
        peer_acts(pair, input_byte(input));
        break;
    default:
        store_to_page(pair, input);
        break;
    }
}

static void require_registers(const struct pair *pair)
{
    uint8_t page[CROSSVM_PAGE_SIZE];
    crossvm_connection_info_t info;
    const vmm_pci_entry_t *entry = entry_of(pair);

    model_page(&pair->model, page);
    REQUIRE(memcmp((const void *)pair->connection->page.memory, page, sizeof(page)) == 0);
    for (size_t offset = 0; offset < 256; offset += 4) {
        uint32_t found;

        REQUIRE(entry->ioread(entry->cookie, (int)offset, 4, &found) == 0);
        if (offset == 0x0c)
            found &= ~0x800000u; /* whether there are other functions */
        if (offset == 0x3c) {
            REQUIRE((found >> 8 & 0xff) >= 1 && (found >> 8 & 0xff) <= 4);
            found &= 0xff;
        }
        REQUIRE(found == model_config_word(&pair->model, offset));
    }
    crossvm_get_connection_info(pair->connection, &info);
    REQUIRE(info.events == pair->model.events && info.emits == pair->model.emits);
    REQUIRE(info.failed_emits == pair->model.failed_emits && info.driver_state == pair->model.driver);
    REQUIRE(info.msi_enabled == model_msi_active(&pair->model) && info.peer_counts == pair->model.status);
    REQUIRE(crossvm_find(&world.vm, pair->model.name) == pair->connection);
}

static void require_all(void)
{
    for (size_t i = 0; i < MOST; i++) {
        if (world.pairs[i].connection)
            require_registers(&world.pairs[i]);
    }
}

/* The guest enables its interrupts and ends each that comes. Then it has been told of all, other than by devices that
 * are silent (section 6.2). */
static void require_told(void)
{
    unsigned int ends = 0;

    for (int i = 0; i < NUM_IRQS; i++)
        (void)kvm_test_irq_enable(&world.vm, FIRST_IRQ + i, true);
    for (int i = 0; i < NUM_IRQS; i++) {
        if (!kvm_test_irq_pending(&world.vm, FIRST_IRQ + i))
            continue;
        REQUIRE(ends++ < MOST_ENDS);
        end_interrupt(FIRST_IRQ + i);
        i = -1; /* anything may be pending now */
    }
    for (size_t i = 0; i < MOST; i++) {
        const struct pair *pair = &world.pairs[i];

        if (pair->connection && model_intx_enabled(&pair->model) && cvmm_connection_may_raise(pair->connection))
            REQUIRE(!pair->model.owed);
    }
}

static void ignore(int level, const char *line, void *cookie)
{
    (void)level;
    (void)line;
    (void)cookie;
}

/* Other devices: connections are then functions of those that are left. */
static void fill_bus(void)
{
    static vmm_pci_device_def_t other = {.vendor_id = 0x1234};
    vmm_pci_entry_t entry = {
        .cookie = &other, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_entry_ignore_write};

    for (int i = 0; i < 29; i++)
        REQUIRE(vmm_pci_add_entry(world.pci, entry, NULL) == 0);
}

static void begin(uint8_t what)
{
    static bool prepared;

    if (!prepared) {
        (void)kvm_use_backend_none();
        kvm_log_set_sink(ignore, NULL);
        REQUIRE(kvm_frames_create("fuzz", FRAMES, 12, frames, NULL) == 0);
        prepared = true;
    }
    memset(&world, 0, sizeof(world));
    world.irqs_left = what % (NUM_IRQS + 1);
    REQUIRE(vm_init(&world.vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "fuzz") == 0);
    REQUIRE(vm_create_vcpu(&world.vm, 0) && vmm_pci_init(&world.pci) == 0);
    REQUIRE(kvm_pci_attach(&world.vm, world.pci) == 0);
    world.bus = (crossvm_bus_t){
        .vm = &world.vm,
        .pci = world.pci,
        .base = BASE,
        .size = what & 0x10 ? 0x20000 : 0,
        .alloc_irq = alloc_irq,
        .send_msi = what & 0x20 ? NULL : send_msi,
    };
    if (what & 0x40)
        fill_bus();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    begin(input_byte(&input));
    while (input.left) {
        uint8_t what = input_byte(&input);
        struct pair *pair = &world.pairs[(what >> 4) % MOST];

        act(pair, what, &input);
        if (pair->connection)
            require_registers(pair);
    }
    require_told();
    require_all();
    crossvm_remove_all(&world.vm);
    kvm_vm_destroy(&world.vm);
    kvm_pci_free(world.pci);
    return 0;
}
