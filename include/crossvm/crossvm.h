/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrossvm: one end of a cross-VM connection, the same calls in a guest and beside it.
 *
 * In a guest, a connection is a device: driven by the crossvm driver, by another driver of such devices, or by the
 * kernel's uio_pci_generic. On the host it is a Unix socket of a hub (`crossvm run`, `hub` or `pair`). A program opens
 * it by name, maps its dataports, emits events to the other end and waits for events of its own.
 *
 * Events may merge: n calls of crossvm_emit() wake the other end at least once after the last of them, and
 * crossvm_wait() returns how many there were. Memory written before crossvm_emit() is visible to the other end after
 * its crossvm_wait().
 *
 * Threads: crossvm_emit() may be called from any thread at any time. The other calls on one handle are for one thread
 * at a time. Different handles are independent.
 *
 * Errors are negative errno values. crossvm_strerror() has a sentence for the last one, those of channels included
 * (crossvm/end_channel.h).
 *
 * fork(): a child has a copy of the handle's descriptors, so the end is in use until the child has closed it, too,
 * ended or called exec().
 */
#ifndef CROSSVM_CROSSVM_H
#define CROSSVM_CROSSVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/deadline.h>
#include <crossvm/device.h>
#include <crossvm/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open end of a connection. */
typedef struct crossvm_end crossvm_end_t;

/** How an end is reached. */
enum crossvm_via {
    CROSSVM_VIA_DRIVER,      /**< the crossvm driver, on a device with the extended block */
    CROSSVM_VIA_BASE_BLOCK,  /**< a device with registers 0x00 to 0x37 only */
    CROSSVM_VIA_PCI_GENERIC, /**< uio_pci_generic */
    CROSSVM_VIA_SOCKET,      /**< a hub on this host */
};

/** How an end is taken from a hub. */
enum crossvm_door {
    CROSSVM_DOOR_UNKNOWN,
    CROSSVM_DOOR_HOST,       /**< by a program of the host */
    CROSSVM_DOOR_CROSSVM_VM, /**< by crossvm-vm, for its guest */
    CROSSVM_DOOR_VFIO_USER,  /**< by a VMM that speaks vfio-user, for its guest */
    CROSSVM_DOOR_IVSHMEM,    /**< by a VMM with ivshmem-doorbell, for its guest */
};

/** A mapped dataport. */
typedef struct crossvm_dataport {
    void *address;   /**< in this process; NULL for a size of 0 */
    size_t size;     /**< bytes, exact */
    uint32_t rights; /**< of this end: CROSSVM_RIGHT_*; a store without CROSSVM_RIGHT_WRITE raises SIGSEGV or is lost */
} crossvm_dataport_t;

/** What is known of a dataport without mapping it. */
typedef struct crossvm_dataport_info {
    uint64_t size;   /**< bytes */
    uint32_t rights; /**< of this end: CROSSVM_RIGHT_* */
    uint32_t reserved;
} crossvm_dataport_info_t;

/**
 * What is known of an end. May grow at its end: calls that fill it in are told the size that the caller knows. What
 * they cannot tell is 0.
 */
typedef struct crossvm_end_info {
    char name[CROSSVM_FULL_NAME_BYTES];
    char path[256];           /**< of the device or the socket; a longer one is cut */
    char location[64];        /**< guest: PCI address; host: name of the peer's VM; "" where that is not known */
    uint32_t via;             /**< enum crossvm_via */
    int32_t error;            /**< of crossvm_list(): why this end could not be asked, a negative errno value; else 0 */
    uint32_t version;         /**< of the device (CROSSVM_REG_VERSION); 0 where there is no extended block */
    uint32_t end;             /**< which end of the connection this is: see crossvm_end_number() */
    uint32_t peer_state;      /**< CROSSVM_PEER_*: see crossvm_peer_state() */
    uint32_t peer_generation; /**< grows each time the peer comes anew */
    uint64_t events;          /**< sequence: events of the peer so far; 0 where it is not known */
    int32_t owner;          /**< host: 1 when a program owns the end, 0 when none does, -1 when not known; guest: -1 */
    uint32_t msi;           /**< 1 when the guest's interrupt is an MSI; 0 when not, or not known */
    uint64_t vm_exits;      /**< host: exits of the VM so far, where crossvm-vm runs it; else 0 */
    uint64_t vm_user_exits; /**< host: of these, to crossvm-vm; else 0 */
    uint64_t num_dataports;
    crossvm_dataport_info_t dataports[CROSSVM_MAX_DATAPORTS];
    uint32_t peer_door; /**< host: enum crossvm_door of the peer's end; else 0 */
    uint32_t peer_here; /**< host: 1 when a program or a VMM has the peer's end, whatever its guest does; else 0 */
} crossvm_end_info_t;

/*
 * Opening and closing
 */

/**
 * Opens an end by name and maps its dataports.
 *
 * A host end is used only if nobody else can have made its socket: the socket's directory must not be writable for all
 * users, and the process that serves it must run as root, as this user, or as the owner of that directory.
 *
 * @param end  receives the handle, which crossvm_close() frees; NULL on an error
 * @param name of a connection: looked up among this machine's devices, then as a socket in $CROSSVM_DIR. If that is not
 *             set, in /run/crossvm and then in $XDG_RUNTIME_DIR/crossvm. A name with a slash is the path of a /dev/uioN
 *             or /dev/crossvm/NAME, or of a socket.
 * @return 0; -EINVAL for a malformed name, -ENOENT when there is no such connection, -EACCES when this user may not
 * open it, -EPERM when its server or directory is not to be trusted, -EBUSY when another program owns a host end,
 * -ENODEV for a device without driver, -ECONNREFUSED when the process that served it is gone, -ECONNRESET when that
 * ends or serves too many, -ETIMEDOUT when it does not answer, -EPROTO when it speaks another protocol or the device
 * contradicts itself, -EMFILE when this process has too many descriptors, -ENOMEM
 */
int crossvm_open(crossvm_end_t **end, const char *name);

/** Closes an end: unmaps its dataports and frees the handle. NULL is allowed. */
void crossvm_close(crossvm_end_t *end);

/*
 * What an end is
 */

/** Name of the connection, valid until crossvm_close(). */
const char *crossvm_name(const crossvm_end_t *end);

/**
 * Which of the connection's two ends this is: 0 or 1. The other end has the other number, so programs can agree on
 * roles without a message. Of a guest and a host program, the guest is 0. Between guests the VMM decides. On a device
 * without extended block the number is 0 at both ends.
 */
unsigned int crossvm_end_number(const crossvm_end_t *end);

/** How many dataports the connection has. */
size_t crossvm_num_dataports(const crossvm_end_t *end);

/** Dataport i, counted from 0. An index beyond the last gives one of size 0. The memory is mapped until
 * crossvm_close(), also when the device is removed from the guest: with the crossvm driver it then is memory of this
 * process alone, which begins with zeros. (uio_pci_generic does not do that: close the end when a call fails.)
 */
crossvm_dataport_t crossvm_dataport(const crossvm_end_t *end, size_t i);

/**
 * What is at the other end: CROSSVM_PEER_READY, a program or component has opened it; CROSSVM_PEER_PRESENT, a guest
 * with a driver, but no program has opened it; CROSSVM_PEER_ABSENT, nobody; CROSSVM_PEER_UNKNOWN, that cannot be known.
 * A change ends a crossvm_wait() with 0. A program that is killed leaves like one that closes its end. (Not so with
 * uio_pci_generic: that its program is gone shows only when the next one comes.)
 *
 * @param generation may be NULL; receives a number that grows each time that something comes: first a driver, then a
 *                   program. While it stays the same and the state is READY, the program is the same.
 */
uint32_t crossvm_peer_state(const crossvm_end_t *end, uint32_t *generation);

/**
 * Fills in what is known of an open end. On the host it asks the hub, which can take up to a second.
 *
 * @param info receives it
 * @param size sizeof(*info). What this library does not know of a larger structure becomes 0
 * @return 0 or a negative errno value; info is all 0 then
 */
int crossvm_info(const crossvm_end_t *end, crossvm_end_info_t *info, size_t size);

/**
 * Lists the ends of this machine, devices first, then sockets, each by name. Does not disturb programs that use them.
 *
 * An end whose hub does not let this user in, or does not answer, is in the list, with its `error` set. What keeps
 * the call from seeing all ends is an error of the call; then the list holds what it did see.
 *
 * @param list  receives an array for crossvm_list_free(), on an error, too; NULL when it is empty
 * @param count receives how many entries it has
 * @param size  sizeof(**list): what one entry takes
 * @return 0; -EACCES for a directory that this user may not read, -EPERM for one that all users may write, -EMFILE when
 * this process has too many descriptors, -ENOMEM
 */
int crossvm_list(crossvm_end_info_t **list, size_t *count, size_t size);

/** Frees what crossvm_list() gave. NULL is allowed. */
void crossvm_list_free(crossvm_end_info_t *list);

/*
 * Events
 */

/**
 * Sends one event to the other end. Orders it after all memory accesses before the call.
 *
 * @return 0, or -EIO when the hub has ended (host) or the device was removed (guest)
 */
int crossvm_emit(crossvm_end_t *end);

/**
 * Waits for events of the other end.
 *
 * @param deadline CROSSVM_NOW looks only; see crossvm_deadline_after_ms()
 * @return how many events came since the last call that returned some (at least 1; at most INT_MAX, and the next call
 * returns the rest); 0 when the deadline passed, when the peer's state changed, or, with a device of the base block
 *         only, when there was a wake-up without an event; -EINTR after a signal (a handler with SA_RESTART may let the
 *         wait go on); -EPIPE when the hub has ended (host) or the device was removed (guest); -EPROTO when the
 *         hub breaks the protocol
 */
int crossvm_wait(crossvm_end_t *end, crossvm_deadline_t deadline);

/**
 * A descriptor that polls readable (POLLIN) when crossvm_wait() would not block. It belongs to the handle: do not read
 * from it; call crossvm_wait() with CROSSVM_NOW instead. It may poll readable once with no event behind it. With a
 * driver other than this project's or uio_pci_generic, events from before crossvm_open() do not make it readable.
 */
int crossvm_fd(const crossvm_end_t *end);

/** The deadline that is so many milliseconds from now; 0 gives CROSSVM_NOW, a negative number CROSSVM_FOREVER. */
crossvm_deadline_t crossvm_deadline_after_ms(int64_t milliseconds);

/*
 * Errors
 */

/**
 * The last error of this thread in a sentence that names the object and a remedy: of any call of this library, or of
 * crossvm/channel.h on a channel of crossvm_channel_create(). Ask right after the call that failed. The text is valid
 * until the next call of this library in this thread.
 */
const char *crossvm_strerror(void);

#ifdef __cplusplus
}
#endif
#endif
