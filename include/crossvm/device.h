/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of the cross-VM connection device. docs/device.md specifies them; section numbers below refer to it.
 *
 * The device (src/vmm), the Linux driver (linux) and the library (src/lib) share this list. It has preprocessor
 * constants only, so that a kernel, a freestanding component and a program can all include it.
 */
#ifndef CROSSVM_DEVICE_H
#define CROSSVM_DEVICE_H

/* PCI identity (section 2). */
#define CROSSVM_PCI_VENDOR 0x1af4
#define CROSSVM_PCI_DEVICE 0xa111
#define CROSSVM_PCI_REVISION 0x01
#define CROSSVM_PCI_CLASS 0x050000 /* memory controller, RAM */

/* BARs (section 3): BAR0 holds the registers, BAR1 and the following ones the dataports. */
#define CROSSVM_BAR_EVENT 0
#define CROSSVM_BAR_DATAPORT 1
#define CROSSVM_MAX_DATAPORTS 4
#define CROSSVM_PAGE_SIZE 0x1000

/* Event page, base block (section 4.1): every device has it. Offsets in bytes from the start of BAR0. */
#define CROSSVM_REG_EMIT 0x00  /* W, any width: sends one event to the peer */
#define CROSSVM_REG_COUNT 0x04 /* RW 32: events since the guest last wrote it */
#define CROSSVM_REG_NAME 0x08  /* R: NUL-padded */
#define CROSSVM_NAME_BYTES 48

/* Event page, extended block (section 4.2): present if MAGIC has its value. */
#define CROSSVM_REG_MAGIC 0x38     /* R 32 */
#define CROSSVM_REG_VERSION 0x3c   /* R 32: major << 16 | minor */
#define CROSSVM_REG_EVENT_SEQ 0x40 /* R 64: events that the device delivered; only grows */
#define CROSSVM_REG_PEER 0x48      /* R 64: the next two, read together */
#define CROSSVM_REG_PEER_STATE 0x48
#define CROSSVM_REG_PEER_GENERATION 0x4c
#define CROSSVM_REG_STATUS 0x50        /* R 32: CROSSVM_STATUS_* */
#define CROSSVM_REG_SEEN 0x54          /* RW 32: low word of the sequence up to which the guest has seen events */
#define CROSSVM_REG_DRIVER 0x58        /* RW 32: CROSSVM_DRIVER_*: what the guest tells of itself */
#define CROSSVM_REG_FEATURES 0x5c      /* R 32: CROSSVM_FEATURE_* */
#define CROSSVM_REG_NUM_DATAPORTS 0x60 /* R 32 */
#define CROSSVM_REG_END 0x64           /* R 32: the end of the connection that the guest has, 0 or 1 */
#define CROSSVM_REG_DOORBELL 0x68      /* W, any width: signals an event that the guest counted in OWN_SEQ */
#define CROSSVM_REG_FULL_NAME 0x80     /* R: NUL-padded */
#define CROSSVM_FULL_NAME_BYTES 64
#define CROSSVM_REG_DATAPORT(i) (0xc0 + 16 * (i)) /* R: one entry for each dataport */
#define CROSSVM_DATAPORT_SIZE 0x0                 /* R 64: exact size in bytes */
#define CROSSVM_DATAPORT_RIGHTS 0x8               /* R 32: CROSSVM_RIGHT_* of the guest */
#define CROSSVM_DATAPORT_BAR 0xc                  /* R 32: the BAR that holds it */

#define CROSSVM_MAGIC 0x4d565843 /* "CXVM" */
#define CROSSVM_DEVICE_VERSION_MAJOR 1
#define CROSSVM_DEVICE_VERSION_MINOR 2
#define CROSSVM_DEVICE_VERSION (CROSSVM_DEVICE_VERSION_MAJOR << 16 | CROSSVM_DEVICE_VERSION_MINOR)

/* PEER_STATE */
#define CROSSVM_PEER_UNKNOWN 0 /* the VMM does not track this peer */
#define CROSSVM_PEER_ABSENT 1
#define CROSSVM_PEER_PRESENT 2 /* a guest whose driver is bound, without a program */
#define CROSSVM_PEER_READY 3   /* a program or component is there */

/* STATUS */
#define CROSSVM_STATUS_PEER_COUNTS 0x1 /* PEER_SEQ is the sequence; EVENT_SEQ stands still */

/* DRIVER */
#define CROSSVM_DRIVER_NONE 0  /* no driver, or one that knows the base block only */
#define CROSSVM_DRIVER_BOUND 1 /* a driver that compares sequences is bound */
#define CROSSVM_DRIVER_OPEN 2  /* the same, and a program has the device open */

/* FEATURES */
#define CROSSVM_FEATURE_PEER_PAGE 0x1   /* BAR0 has a second page, written by the peer */
#define CROSSVM_FEATURE_OWN_PAGE 0x2    /* BAR0 has a third page, written by the guest, and DOORBELL works */
#define CROSSVM_FEATURE_STATE_PAGE 0x4  /* BAR0 has a fourth page: what is loaded for each event, without a trap */
#define CROSSVM_FEATURE_DRIVER_PAGE 0x8 /* BAR0 has a fifth page, for the driver alone */

/* Rights of the guest to a dataport */
#define CROSSVM_RIGHT_READ 0x1
#define CROSSVM_RIGHT_WRITE 0x2

/* Peer page (section 5): the second page of BAR0. Offsets in bytes from the start of BAR0. */
#define CROSSVM_PEER_PAGE 0x1000
#define CROSSVM_REG_PEER_SEQ 0x1000 /* R 64: events that the peer sent; only grows */

/* Own page (section 5): the third page of BAR0. */
#define CROSSVM_OWN_PAGE 0x2000
#define CROSSVM_REG_OWN_SEQ 0x2000 /* RW 64: events that the guest sent; the peer reads it as its PEER_SEQ */

/* State page (section 5.1): the fourth page of BAR0. EVENT_SEQ, PEER and STATUS stand there, too, at their offsets. */
#define CROSSVM_STATE_PAGE 0x3000
#define CROSSVM_STATE_AWAKE 0x70 /* R 32: not 0 while the device looks at OWN_SEQ by itself */

/* Driver page (section 5.2): the fifth page of BAR0. */
#define CROSSVM_DRIVER_PAGE 0x4000
#define CROSSVM_REG_DRIVER_ALONE 0x4000 /* RW 32: DRIVER, which the first store here takes from the event page */

/*
 * The device over ivshmem (section 8): the same registers in the memory of a PCI function that QEMU calls
 * ivshmem-doorbell. It has the vendor above.
 */
#define CROSSVM_IVSHMEM_PCI_DEVICE 0x1110
#define CROSSVM_IVSHMEM_BAR_DOORBELL 0 /* the next two registers */
#define CROSSVM_IVSHMEM_POSITION 0x08  /* R 32: the end that the guest has, 0 or 1 */
#define CROSSVM_IVSHMEM_DOORBELL 0x0c  /* W 32: signals the end or the hub that the value names */
#define CROSSVM_IVSHMEM_TO_END(end) ((end) << 16)
#define CROSSVM_IVSHMEM_TO_HUB (2 << 16)
#define CROSSVM_IVSHMEM_BAR_REGION 2

/* Region: offsets from the start of that BAR. */
#define CROSSVM_REGION_MAGIC 0x00   /* R 64: CROSSVM_REGION_MAGIC_VALUE */
#define CROSSVM_REGION_VERSION 0x08 /* R 32: major << 16 | minor */
#define CROSSVM_REGION_DRIVER_PAGE(end) ((end) ? 0x6000 : 0x1000)
#define CROSSVM_REGION_EVENT_PAGE(end) ((end) ? 0x5000 : 0x2000)
#define CROSSVM_REGION_COUNT_PAGE(end) ((end) ? 0x4000 : 0x3000) /* RW 64: events that the end sent */
#define CROSSVM_REGION_MAPPED(end) ((end) ? 0x3000 : 0x2000)     /* pages that programs of an end map: its event page */
#define CROSSVM_REGION_MAPPED_BYTES 0x3000                       /* and both count pages */
#define CROSSVM_REGION_DATAPORTS 0x7000                          /* dataports lie from here on */

#define CROSSVM_REGION_MAGIC_VALUE 0x656d687376695843 /* "CXivshme" */
#define CROSSVM_REGION_VERSION_MAJOR 1
#define CROSSVM_REGION_VERSION_VALUE (CROSSVM_REGION_VERSION_MAJOR << 16)

/* A register that the event page has in a region only */
#define CROSSVM_REG_DATAPORT_OFFSET(i) (0x100 + 8 * (i)) /* R 64: where the dataport begins in the region */

/* The word at the start of a driver page: DRIVER, and how many drivers and programs came so far */
#define CROSSVM_REGION_DRIVER_STATE 0xff
#define CROSSVM_REGION_DRIVER_CAME 0x100 /* one that came */

#endif
