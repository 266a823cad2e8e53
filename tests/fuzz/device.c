/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of the guest that opens a hostile device: registers say anything, and something else at the next load, with
 * each driver that there may be. What is opened has only memory that is there, and each call ends.
 */
#include "fuzz.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#include <crossvm/device.h>

#include "../../src/common/name.h"
#include "../../src/lib/end.h"
#include "../../src/lib/guest.h"
#include "../../src/lib/guest_device.h"
#include "enemy.h"
#include "uio.h"

#define MOST_LOADS 1000 /* by one call: more would be a call without end */

static struct input *input_of_device;
static unsigned int loads;

/* --- the device --- */

static void put(size_t offset, const void *bytes, size_t size)
{
    uint8_t *memory = uio_memory(CROSSVM_BAR_EVENT, offset);

    if (memory && uio_memory(CROSSVM_BAR_EVENT, offset + size - 1))
        memcpy(memory, bytes, size);
}

static void put32(size_t offset, uint32_t value)
{
    put(offset, &value, sizeof(value));
}

/* Where the registers lie. */
static size_t event_page(void)
{
    return uio.names[0] && strcmp(uio.names[0], "end1") == 0 ? CROSSVM_REGION_EVENT_PAGE(1) - CROSSVM_REGION_MAPPED(1)
                                                             : 0;
}

/* Registers as a good device has them, and then some that are not. */
static void describe_device(struct input *input)
{
    static const uint64_t sizes[] = {0x1000, 0x2000, 0x8000, 0, 0x1001, 0x9000, UINT64_MAX, 1ull << 63};
    static const char *const names[] = {"alpha", "a/b", "..", ""};
    size_t page = event_page();
    uint8_t what = input_byte(input);

    put(page + CROSSVM_REG_NAME, "alpha", sizeof("alpha"));
    put(page + CROSSVM_REG_FULL_NAME, names[what & 3], strlen(names[what & 3]) + 1);
    put32(page + CROSSVM_REG_MAGIC, what & 4 ? 0 : CROSSVM_MAGIC);
    put32(page + CROSSVM_REG_VERSION, what & 8 ? 0x20000 : CROSSVM_DEVICE_VERSION);
    put32(page + CROSSVM_REG_FEATURES, what >> 4);
    put32(page + CROSSVM_REG_NUM_DATAPORTS, input_choice(input, 8));
    for (unsigned int i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        uint8_t port = input_byte(input);

        put(page + CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE, &sizes[port & 7], sizeof(sizes[0]));
        put32(page + CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_RIGHTS, port >> 3 & 7);
        put32(page + CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_BAR, port & 0x80 ? port : 1 + i);
    }
    put(page + CROSSVM_REG_EVENT_SEQ, (uint8_t[]){what, 0, 0, what & 0x80}, 4);
}

void memory_changes(const volatile void *at, size_t size)
{
    uint8_t what;
    size_t offset;
    int map = uio_find(at, &offset);

    if (map < 0)
        return;
    REQUIRE(offset % size == 0 && uio_memory((unsigned int)map, offset));
    REQUIRE(loads++ < MOST_LOADS);
    what = input_last_byte(input_of_device);
    switch (what & 7) {
    case 1:
        *uio_memory((unsigned int)map, offset + (what >> 3 & 3)) = input_last_byte(input_of_device);
        break;
    case 2:
        memset(uio_memory((unsigned int)map, offset), what & 8 ? 0xff : 0, size);
        break;
    case 3: /* another register */
        put32(4 * (size_t)input_last_byte(input_of_device), input_last_byte(input_of_device));
        break;
    default:
        break;
    }
}

/* --- the program --- */

static void require_dataports(const struct crossvm_end *end)
{
    REQUIRE(end->num_dataports <= CROSSVM_MAX_DATAPORTS && end->number <= 1);
    for (size_t i = 0; i < end->num_dataports; i++) {
        const crossvm_dataport_t *dataport = &end->dataports[i];
        volatile uint8_t *memory = dataport->address;

        REQUIRE(dataport->size && dataport->rights & CROSSVM_RIGHT_READ);
        (void)memory[0];
        (void)memory[dataport->size - 1];
        if (dataport->rights & CROSSVM_RIGHT_WRITE)
            memory[dataport->size - 1] = 1;
    }
}

static void require_info(const crossvm_end_info_t *info)
{
    REQUIRE(info->num_dataports <= CROSSVM_MAX_DATAPORTS && info->end <= 1 && info->peer_state <= CROSSVM_PEER_READY);
    REQUIRE(strnlen(info->name, sizeof(info->name)) < sizeof(info->name));
}

static void use(struct crossvm_end *end, uint8_t what)
{
    crossvm_end_info_t info = {0};
    uint32_t generation;
    int result;

    switch (what & 7) {
    case 0:
        uio_interrupt();
        break;
    case 1:
    case 2:
        result = end->ops->wait(end, DEADLINE_NOW);
        REQUIRE(result >= 0 || result == -EPIPE);
        break;
    case 3:
        result = end->ops->emit(end);
        REQUIRE(result == 0 || result == -EIO);
        break;
    case 4:
        REQUIRE(end->ops->peer_state(end, &generation) <= CROSSVM_PEER_READY);
        break;
    case 5:
        REQUIRE(end->ops->info(end, &info) == 0);
        require_info(&info);
        break;
    default: /* the device writes what it likes, when it likes */
        put32(4 * (size_t)(what >> 3), (uint32_t)input_number(input_of_device, 4));
        break;
    }
}

/* What Linux shows: the driver, and its maps. */
static void plug(struct uio_device *device, struct input *input)
{
    static const char *const drivers[] = {"crossvm", "uio_pci_generic", "upstream's", "crossvm"};
    static const size_t sizes[] = {0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x8000, 0, 1ull << 62};
    uint8_t what = input_byte(input);

    uio = (struct uio){.fails = what & 0x40};
    uio_describe(device, drivers[what & 3]);
    uio_reset();
    for (int i = 0; i < UIO_MAPS; i++)
        uio.sizes[i] = sizes[input_choice(input, 8)];
    if ((what & 3) == 3) { /* over ivshmem */
        uio.names[0] = what & 4 ? "end1" : "end0";
        if (what & 8) {
            uio.names[what >> 4 & 3] = "doorbell";
            uio.sizes[what >> 4 & 3] = CROSSVM_PAGE_SIZE;
        }
    }
    describe_device(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct uio_device device;
    struct crossvm_end *end = NULL;
    crossvm_end_info_t info;
    int descriptors, error;

    input_of_device = &input;
    plug(&device, &input);
    descriptors = count_descriptors();
    loads = 0;
    cvm_guest_look(&device, &info);
    require_info(&info);
    loads = 0;
    error = cvm_guest_open(&end, &device);
    if (!error) {
        REQUIRE(name_is_valid(end->name));
        require_dataports(end);
        while (input.left) {
            loads = 0;
            use(end, input_byte(&input));
        }
        end->ops->close(end);
    }
    REQUIRE(!uio_is_mapped());
    REQUIRE(count_descriptors() == descriptors);
    return 0;
}
