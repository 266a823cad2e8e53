/* SPDX-License-Identifier: BSD-2-Clause */
#include "events_fixture.h"

int emitted;
int emit_result;
uint32_t driver_state;
int driver_changes;

int count_emit(void *cookie)
{
    *(int *)cookie += 1;
    return emit_result;
}

static void note_driver(void *cookie, uint32_t state)
{
    (void)cookie;
    driver_state = state;
    driver_changes++;
}

crossvm_connection_t *install(struct fixture *f, const char *name)
{
    crossvm_connection_config_t config = {
        .name = name, .emit = count_emit, .driver_changed = note_driver, .cookie = &emitted};
    crossvm_connection_t *c = NULL;

    emitted = 0;
    emit_result = 0;
    driver_state = CROSSVM_DRIVER_NONE;
    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    return c;
}

crossvm_connection_t *install_bound(struct fixture *f, const char *name)
{
    crossvm_connection_t *c = install(f, name);

    guest_enable(f, c);
    guest_store(f, bar(c, 0) + CROSSVM_REG_DRIVER, 4, CROSSVM_DRIVER_BOUND);
    return c;
}

bool pending(struct fixture *f)
{
    return kvm_test_irq_pending(&f->vm, IRQ);
}

void eoi(struct fixture *f)
{
    assert_int_equal(kvm_test_irq_eoi(&f->vm, IRQ), 0);
}

void enable_msi(struct fixture *f, const crossvm_connection_t *c)
{
    guest_config_write(f, c, 0x04, 2, 0x0406);
    guest_config_write(f, c, 0x44, 4, 0xfee00000);
    guest_config_write(f, c, 0x4c, 2, 0x41);
    guest_config_write(f, c, 0x42, 2, 0x0001);
}

uint64_t msis(struct fixture *f)
{
    kvm_test_snapshot_t snapshot;

    kvm_test_snapshot(&f->vm, &snapshot);
    return snapshot.msis;
}
