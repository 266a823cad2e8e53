/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of Linux as the driver's handlers of interrupts need, for a program: linux/line.c and linux/events.c are
 * compiled with it as they are.
 *
 * Barriers have their meaning on the architectures that order the least: readl() is ordered before later accesses,
 * writel() after earlier ones, and an atomic operation that returns a value is a full barrier on both sides. smp_wmb()
 * is a release fence, which orders earlier loads, too: the kernel's name promises less.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef uint64_t resource_size_t;

#define CONFIG_64BIT
#define KBUILD_MODNAME "crossvm"
#define __iomem
#define __force
#define likely(condition) (condition)
#undef static_assert /* the C library's wants a message before C23 */
#define static_assert(condition) _Static_assert(condition, #condition)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE_SIZE 4096UL
#define IS_ALIGNED(value, to) (((value) & ((to)-1)) == 0)
#define PAGE_ALIGNED(value) IS_ALIGNED(value, PAGE_SIZE)
#define container_of(member_address, type, member) ((type *)((char *)(member_address)-offsetof(type, member)))

/*
 * Accesses
 */

static inline u64 readq_relaxed(const void *address)
{
    return __atomic_load_n((const u64 *)address, __ATOMIC_RELAXED);
}

static inline u64 readq(const void *address)
{
    const u64 value = readq_relaxed(address);

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return value;
}

static inline u32 readl(const void *address)
{
    const u32 value = __atomic_load_n((const u32 *)address, __ATOMIC_RELAXED);

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return value;
}

/** The story's: stores to registers exit to the VMM. */
void kernel_store(u32 value, void *address);

static inline void writel(u32 value, void *address)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    kernel_store(value, address);
}

#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

typedef struct {
    int32_t counter;
} atomic_t;

static inline void atomic_set(atomic_t *atomic, int32_t value)
{
    __atomic_store_n(&atomic->counter, value, __ATOMIC_RELAXED);
}

static inline int32_t atomic_xchg(atomic_t *atomic, int32_t value)
{
    int32_t before;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    before = __atomic_exchange_n(&atomic->counter, value, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return before;
}

/*
 * Lists. They do not change while a handler runs.
 */

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD(name) struct list_head name = {&(name), &(name)}

static inline void INIT_LIST_HEAD(struct list_head *list)
{
    list->next = list->prev = list;
}

static inline void list_add_tail_rcu(struct list_head *node, struct list_head *list)
{
    *node = (struct list_head){.next = list, .prev = list->prev};
    list->prev->next = node;
    list->prev = node;
}

#define list_add list_add_tail_rcu

static inline void list_del(struct list_head *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

#define list_del_rcu list_del

static inline bool list_empty(const struct list_head *list)
{
    return list->next == list;
}

#define list_for_each_entry(entry, list, member)                                                                       \
    for ((entry) = container_of((list)->next, __typeof__(*(entry)), member); &(entry)->member != (list);               \
         (entry) = container_of((entry)->member.next, __typeof__(*(entry)), member))
#define list_for_each_entry_rcu list_for_each_entry

static inline void rcu_read_lock(void)
{
}

static inline void rcu_read_unlock(void)
{
}

/*
 * Locks: handlers take none.
 */

struct mutex {
    char unused;
};

#define DEFINE_MUTEX(name) struct mutex name

#define lockdep_assert_held(lock) ((void)(lock))

static inline void mutex_lock(struct mutex *mutex)
{
    (void)mutex;
}

static inline void mutex_unlock(struct mutex *mutex)
{
    (void)mutex;
}

/*
 * Devices and their interrupts
 */

struct device {
    void *drvdata;
};

struct resource {
    resource_size_t start, end;
    unsigned long flags;
    struct resource *parent;
};

#define IORESOURCE_IO 0x100u
#define IORESOURCE_MEM 0x200u
#define IORESOURCE_UNSET 0x20000000u
#define MEMREMAP_WB 1

static inline resource_size_t resource_size(const struct resource *resource)
{
    return resource->end - resource->start + 1;
}

#define PCI_STD_NUM_BARS 6
#define PCI_COMMAND 4

struct pci_dev {
    struct device dev;
    unsigned short device;
    struct resource resource[PCI_STD_NUM_BARS];
    unsigned int msi_offered; /**< PCI_IRQ_MSI, PCI_IRQ_MSIX, both or none */
    unsigned int irq_kinds;   /**< that pci_alloc_irq_vectors() was asked for */
    int intx;                 /**< what pci_intx() said last */
};

#define pci_resource_flags(pdev, bar) ((pdev)->resource[bar].flags)
#define pci_resource_start(pdev, bar) ((pdev)->resource[bar].start)
#define pci_resource_len(pdev, bar) ((pdev)->resource[bar].end ? resource_size(&(pdev)->resource[bar]) : 0)

struct inode;
struct vm_area_struct;

struct attribute_group {
    char unused;
};

typedef enum { IRQ_NONE, IRQ_HANDLED } irqreturn_t;

#define IRQF_SHARED 1
#define PCI_IRQ_MSI 1
#define PCI_IRQ_MSIX 2
#define PCI_IRQ_INTX 4
#define PCI_IRQ_LEGACY 4
#define UIO_IRQ_CUSTOM (-1)
#define UIO_MEM_PHYS 1
#define UIO_MEM_IOVA 5
#define MAX_UIO_MAPS 5

struct uio_mem {
    const char *name;
    resource_size_t addr, size;
    int memtype;
};

struct uio_info {
    const char *name;
    const char *version;
    struct uio_mem mem[MAX_UIO_MAPS];
    long irq;
    unsigned long irq_flags;
    irqreturn_t (*handler)(int irq, struct uio_info *uio);
    int (*mmap)(struct uio_info *uio, struct vm_area_struct *vma);
    int (*open)(struct uio_info *uio, struct inode *inode);
    int (*release)(struct uio_info *uio, struct inode *inode);
    int (*irqcontrol)(struct uio_info *uio, s32 value);
};

/** The story's. */
void uio_event_notify(struct uio_info *uio);

typedef irqreturn_t (*irq_handler_t)(int irq, void *argument);

/** The handler of the line. */
struct kernel_line {
    irq_handler_t handler;
    void *argument;
};
extern struct kernel_line kernel_line;

static inline int request_irq(unsigned int irq, irq_handler_t handler, unsigned long flags, const char *name,
                              void *argument)
{
    (void)irq;
    (void)flags;
    (void)name;
    kernel_line = (struct kernel_line){handler, argument};
    return 0;
}

static inline void free_irq(unsigned int irq, void *argument)
{
    (void)irq;
    (void)argument;
}

static inline void synchronize_irq(unsigned int irq)
{
    (void)irq;
}

static inline int pci_irq_vector(const struct pci_dev *pdev, unsigned int number)
{
    (void)pdev;
    (void)number;
    return 1;
}

static inline int pci_alloc_irq_vectors(struct pci_dev *pdev, unsigned int least, unsigned int most, unsigned int kinds)
{
    (void)least;
    (void)most;
    pdev->irq_kinds = kinds;
    return kinds & (pdev->msi_offered | PCI_IRQ_INTX) ? 1 : -ENOSPC;
}

static inline bool pci_dev_msi_enabled(const struct pci_dev *pdev)
{
    return pdev->irq_kinds & pdev->msi_offered;
}

static inline void pci_intx(struct pci_dev *pdev, int enable)
{
    pdev->intx = enable;
}

#define dev_err(device, ...) ((void)(device))
#define dev_warn dev_err

#define GFP_KERNEL 0

static inline void *kzalloc(size_t size, int flags)
{
    (void)flags;
    return calloc(1, size);
}

static inline void kfree(void *memory)
{
    free(memory);
}

static inline void *ERR_PTR(long error)
{
    return (void *)(intptr_t)error;
}

static inline long PTR_ERR(const void *pointer)
{
    return (long)(intptr_t)pointer;
}

static inline bool IS_ERR(const void *pointer)
{
    return (uintptr_t)pointer >= (uintptr_t)-4095;
}

static inline void strscpy(char *to, const char *from, size_t size)
{
    (void)snprintf(to, size, "%s", from);
}

static inline bool __test_and_set_bit(unsigned int bit, unsigned long *bits)
{
    bool was_set = *bits >> bit & 1;

    *bits |= 1ul << bit;
    return was_set;
}
