/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM that speaks vfio-user (QEMU from 10.1 on, cloud-hypervisor): its guest has the end as a PCI function. One VMM
 * at a time; when it is gone, another may come, and finds the memory as it was.
 *
 * What a VMM sends is checked as from an enemy. A message that is wrong ends that VMM's connection to this socket, and
 * nothing else. At most one message and one reply are held; no more is read before the reply is on its way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/descriptors.h"
#include "../wire/foreign.h"
#include "../wire/hang_up.h"
#include "../wire/vfio_user.h"
#include "door.h"
#include "entrance.h"
#include "pci_device.h"

_Static_assert(VFIO_USER_MAX_FDS <= FOREIGN_MAX_FDS, "a message has more descriptors than can be received");

struct vfio_user_door {
    struct hub_door door; /* first, so that a door is its vfio_user_door */
    struct hub_entrance entrance;
    struct hub_loop *loop;
    struct hub_end *end;
    struct pci_device device;
    struct hub_source vmm; /* fd -1: none */
    bool greeted;          /* it has told its version */
    uint8_t message[VFIO_USER_MAX_MESSAGE];
    size_t received; /* bytes of the message so far */
    size_t size;     /* of the whole message, once its header is there; else 0 */
    int fds[VFIO_USER_MAX_FDS];
    size_t num_fds; /* that came with the message; the others, and what has found its place, are -1 */
    struct vfio_user_reply reply;
    int reply_fd; /* that goes with it, or -1; not the reply's to close */
    bool late;    /* the reply waits for room in the socket */
    bool closing; /* what it has sent is still to be closed: till then nothing more is received */
    bool stats;
    uint64_t messages; /* of this VMM */
};

/* --- coming and going --- */

static void close_fds(struct vfio_user_door *door)
{
    for (size_t i = 0; i < VFIO_USER_MAX_FDS; i++) {
        if (door->fds[i] >= 0 && !hub_entrance_dispose(&door->entrance, door->fds[i]))
            door->closing = true;
        door->fds[i] = -1;
    }
    door->num_fds = 0;
}

static void expect_message(struct vfio_user_door *door)
{
    close_fds(door);
    door->received = door->size = 0;
}

static void put_out(struct vfio_user_door *door)
{
    if (door->vmm.fd < 0)
        return;
    if (door->stats)
        hub_entrance_say(&door->entrance,
                         "the VMM at %s left after %" PRIu64 " messages, %" PRIu64 " loads and %" PRIu64
                         " stores of registers",
                         hub_entrance_path(&door->entrance), door->messages, door->device.loads, door->device.stores);
    hub_loop_unwatch(door->loop, &door->vmm);
    hub_entrance_hang_up(&door->entrance, door->vmm.fd);
    door->vmm.fd = -1;
    expect_message(door);
    door->late = door->closing = false;
    pci_device_power_off(&door->device);
}

static void refuse(struct vfio_user_door *door, const char *fault)
{
    hub_entrance_complain(&door->entrance,
                          "the VMM at %s sent a message that %s, and was disconnected: use a VMM that keeps to "
                          "vfio-user 0.0",
                          hub_entrance_path(&door->entrance), fault);
    put_out(door);
}

/* --- answers --- */

static void tell_version(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    door->greeted = true;
    vfio_user_reply_version(&door->reply, request);
}

/* VFIO's number of a region is that of a BAR, or of configuration space. Others are empty. */
static int bar_of(uint32_t region)
{
    return region == VFIO_USER_CONFIG ? PCI_DEVICE_CONFIG : (int)region;
}

static struct vfio_user_region_info region_info(const struct vfio_user_door *door, uint32_t region, int *fd)
{
    struct pci_device_bar bar = {.memfd = -1};

    *fd = -1;
    if (region == VFIO_USER_CONFIG)
        return (struct vfio_user_region_info){.size = CONFIG_SPACE_BYTES, .writable = true};
    if (region < CONFIG_SPACE_BARS)
        bar = pci_device_bar(&door->device, region);
    *fd = bar.memfd;
    return (struct vfio_user_region_info){
        .size = bar.size,
        .writable = true,
        .mappable = bar.memfd >= 0,
        .map_offset = bar.map_offset,
        .map_size = bar.map_size,
        .file_offset = bar.file_offset,
    };
}

static void tell_region(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    int fd;
    struct vfio_user_region_info info = region_info(door, request->info.index, &fd);

    if (vfio_user_reply_region(&door->reply, request, &info))
        door->reply_fd = fd;
}

/* Whether the access lies in a region; else the reply says so. */
static bool is_inside(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    int fd;
    uint64_t size = region_info(door, request->access.region, &fd).size;

    if (request->access.offset + request->access.count <= size)
        return true;
    vfio_user_reply_error(&door->reply, request, EINVAL);
    return false;
}

static void load(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    if (is_inside(door, request))
        pci_device_load(&door->device, bar_of(request->access.region), request->access.offset,
                        vfio_user_reply_data(&door->reply, request), request->access.count);
}

static void store(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    if (!is_inside(door, request))
        return;
    pci_device_store(&door->device, bar_of(request->access.region), request->access.offset, request->access.data,
                     request->access.count);
    vfio_user_reply_stored(&door->reply, request);
}

/* 0, or an errno value */
static int set_irq(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    enum pci_irq irq = request->irqs.index == VFIO_USER_MSI ? PCI_MSI : PCI_INTX;
    bool wanted = request->irqs.count && (request->irqs.data != VFIO_USER_IRQ_BOOLS || request->irqs.bools[0]);

    if (request->irqs.index == VFIO_USER_ERROR)
        return 0;                            /* QEMU complains of a device without; this one never breaks */
    if (request->irqs.index > VFIO_USER_MSI) /* there are none, which is all that can be set */
        return request->irqs.count ? EINVAL : 0;
    if (request->irqs.action == VFIO_USER_IRQ_TRIGGER) {
        if (request->irqs.data == VFIO_USER_IRQ_EVENTFDS || !request->irqs.count) {
            pci_device_set_irq(&door->device, irq, door->fds[0]);
            door->fds[0] = -1;
        } else if (wanted) {
            pci_interrupts_trigger(&door->device.interrupts, irq);
        }
        return 0;
    }
    if (irq != PCI_INTX)
        return ENOTSUP;
    if (request->irqs.data == VFIO_USER_IRQ_EVENTFDS) {
        int eventfd = door->fds[0];

        if (request->irqs.action == VFIO_USER_IRQ_MASK) /* which no VMM does, nor does Linux's own VFIO know it */
            return ENOTSUP;
        door->fds[0] = -1;
        return pci_interrupts_set_unmask(&door->device.interrupts, eventfd);
    }
    if (wanted)
        pci_interrupts_mask(&door->device.interrupts, request->irqs.action == VFIO_USER_IRQ_MASK);
    return 0;
}

static void set_irqs(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    int error = set_irq(door, request);

    if (error)
        vfio_user_reply_error(&door->reply, request, error);
    else
        vfio_user_reply_empty(&door->reply, request);
}

static void answer(struct vfio_user_door *door, const struct vfio_user_request *request)
{
    switch (request->command) {
    case VFIO_USER_VERSION:
        tell_version(door, request);
        break;
    case VFIO_USER_DMA_MAP: /* the guest's memory, of which this device needs nothing */
        vfio_user_reply_empty(&door->reply, request);
        break;
    case VFIO_USER_DMA_UNMAP:
        vfio_user_reply_body(&door->reply, request);
        break;
    case VFIO_USER_GET_INFO:
        vfio_user_reply_info(&door->reply, request);
        break;
    case VFIO_USER_GET_REGION_INFO:
        tell_region(door, request);
        break;
    case VFIO_USER_GET_IRQ_INFO:
        vfio_user_reply_irq(&door->reply, request,
                            request->info.index <= VFIO_USER_MSI || request->info.index == VFIO_USER_ERROR);
        break;
    case VFIO_USER_SET_IRQS:
        set_irqs(door, request);
        break;
    case VFIO_USER_REGION_READ:
        load(door, request);
        break;
    case VFIO_USER_REGION_WRITE:
        store(door, request);
        break;
    case VFIO_USER_RESET:
        pci_device_reset(&door->device);
        vfio_user_reply_empty(&door->reply, request);
        break;
    default: /* what newer VMMs ask for; without it they do with less */
        vfio_user_reply_error(&door->reply, request, ENOTSUP);
        break;
    }
}

/* What is wrong with a message at this time, or NULL. */
static const char *find_disorder(const struct vfio_user_door *door, const struct vfio_user_request *request)
{
    for (size_t i = 0; request->command == VFIO_USER_SET_IRQS && i < door->num_fds; i++) {
        if (!foreign_is_eventfd(door->fds[i]))
            return "comes with a descriptor that is no eventfd";
    }
    if ((request->command == VFIO_USER_VERSION) == door->greeted)
        return door->greeted ? "gives its version twice" : "comes before its version";
    if (request->command == VFIO_USER_VERSION && request->version.major != 0)
        return "wants another major version than 0";
    return NULL;
}

/* --- messages --- */

/* What the VMM's socket is watched for, besides its end. */
static void watch(struct vfio_user_door *door)
{
    hub_loop_change(door->loop, &door->vmm, door->late ? EPOLLOUT : door->closing ? 0 : EPOLLIN);
}

static void all_is_closed(struct hub_entrance *entrance)
{
    struct vfio_user_door *door =
        (struct vfio_user_door *)((char *)entrance - offsetof(struct vfio_user_door, entrance));

    door->closing = false;
    if (door->vmm.fd >= 0)
        watch(door);
}

/* All of it or nothing: a reply is shorter than what a socket takes in one piece. */
static void send_reply(struct vfio_user_door *door)
{
    bool was_late = door->late;
    int error =
        cvm_descriptors_send(door->vmm.fd, door->reply.bytes, door->reply.size, &door->reply_fd, door->reply_fd >= 0);

    door->late = error && (errno == EAGAIN || errno == ENOBUFS);
    if (error && !door->late)
        put_out(door); /* it is gone */
    else if (door->late != was_late)
        watch(door);
}

static void take_message(struct vfio_user_door *door)
{
    struct vfio_user_request request;
    const char *fault = vfio_user_parse(door->message, door->size, door->num_fds, &request);

    if (!fault)
        fault = find_disorder(door, &request);
    if (fault) {
        refuse(door, fault);
        return;
    }
    door->messages++;
    door->reply_fd = -1;
    answer(door, &request);
    expect_message(door);
    if (door->closing)
        watch(door);
    if (!request.no_reply)
        send_reply(door);
}

static ssize_t receive_some(struct vfio_user_door *door, size_t size)
{
    size_t n;
    ssize_t length = foreign_receive(door->vmm.fd, door->message + door->received, size, door->fds + door->num_fds,
                                     VFIO_USER_MAX_FDS - door->num_fds, &n);

    door->num_fds += n;
    return length;
}

/* Receives up to a total of bytes of the message. False: not all is there yet, or the VMM is gone. */
static bool receive(struct vfio_user_door *door, size_t total)
{
    ssize_t length = receive_some(door, total - door->received);

    if (length < 0 && errno == EAGAIN)
        return false;
    if (length < 0 && errno == EBADMSG) {
        refuse(door, "comes with too many descriptors");
        return false;
    }
    if (length <= 0) {
        if (length < 0 && errno == EMFILE)
            hub_entrance_complain(&door->entrance,
                                  "the VMM at %s was disconnected, since what came with a message cannot be taken: %s",
                                  hub_entrance_path(&door->entrance), error_reason(EMFILE));
        put_out(door);
        return false;
    }
    door->received += (size_t)length;
    return door->received == total;
}

/* Looks at the header of the message that begins now, to receive all of it at once. False: it is not there yet. */
static bool look_ahead(const struct vfio_user_door *door, uint8_t header[VFIO_USER_HEADER_BYTES])
{
    return door->received == 0 && recv(door->vmm.fd, header, VFIO_USER_HEADER_BYTES, MSG_PEEK | MSG_DONTWAIT) ==
                                      (ssize_t)VFIO_USER_HEADER_BYTES;
}

/* No byte behind the message is received, so all descriptors that came are this message's. */
static void serve(struct hub_source *source, uint32_t events)
{
    struct vfio_user_door *door = (struct vfio_user_door *)((char *)source - offsetof(struct vfio_user_door, vmm));
    uint8_t header[VFIO_USER_HEADER_BYTES];
    const char *fault = NULL;

    if (door->late) {
        if (events & (EPOLLHUP | EPOLLERR))
            put_out(door);
        else
            send_reply(door);
        return;
    }
    if (door->closing) {
        if (events & (EPOLLHUP | EPOLLERR))
            put_out(door);
        return;
    }
    if (door->size == 0 && look_ahead(door, header)) {
        fault = vfio_user_check_header(header, &door->size);
    } else if (door->size == 0) {
        if (!receive(door, VFIO_USER_HEADER_BYTES))
            return;
        fault = vfio_user_check_header(door->message, &door->size);
    }
    if (fault)
        refuse(door, fault);
    else if (door->received == door->size || receive(door, door->size))
        take_message(door);
}

/*
 * Replies can carry descriptors, and those on their way count against a limit of this process's user. So a VMM that
 * takes no replies gets a few of them only, as one that waits for each reply needs.
 */
static void limit_replies(int socket)
{
    int bytes = 2 * VFIO_USER_MAX_MESSAGE; /* the kernel takes twice that, and half of that in one piece */

    (void)setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void welcome(struct hub_entrance *entrance, int fd)
{
    struct vfio_user_door *door =
        (struct vfio_user_door *)((char *)entrance - offsetof(struct vfio_user_door, entrance));
    int error;

    /* The VMM before may have gone without our having come to its socket yet. */
    if (door->vmm.fd >= 0 && has_hung_up(door->vmm.fd))
        put_out(door);
    if (!hub_entrance_lets_in(entrance, fd, door->vmm.fd >= 0))
        return;
    door->vmm.fd = fd;
    limit_replies(fd);
    door->greeted = false;
    door->messages = 0;
    error = hub_loop_watch(door->loop, &door->vmm, EPOLLIN) ? -errno : pci_device_power_on(&door->device);
    if (!error)
        return;
    hub_entrance_cannot_hand_over(entrance, error);
    put_out(door);
}

/* --- life --- */

/* Answers what the VMM has asked already: QEMU would wait for an answer for 5 s, and its guest with it. */
static void serve_last(struct vfio_user_door *door)
{
    if (door->vmm.fd >= 0)
        (void)shutdown(door->vmm.fd, SHUT_RD);
    while (door->vmm.fd >= 0 && !door->late && !door->closing)
        serve(&door->vmm, EPOLLIN); /* until all is received, at which it is put out */
}

static void close_door(struct hub_door *closed)
{
    struct vfio_user_door *door = (struct vfio_user_door *)closed;

    serve_last(door);
    put_out(door);
    pci_device_destroy(&door->device);
    hub_entrance_close(&door->entrance);
    free(door);
}

struct hub_door *hub_door_vfio_user_open(struct hub_loop *loop, struct hub_end *end, const char *path, bool stats)
{
    struct vfio_user_door *door = calloc(1, sizeof(*door));
    int error;

    if (!door) {
        message("no memory for connection \"%s\"", hub_end_name(end));
        return NULL;
    }
    door->door.close = close_door;
    door->loop = loop;
    door->end = end;
    door->stats = stats;
    door->vmm = (struct hub_source){.fd = -1, .handle = serve};
    for (size_t i = 0; i < VFIO_USER_MAX_FDS; i++)
        door->fds[i] = -1;
    error = pci_device_init(&door->device, end);
    door->entrance = HUB_ENTRANCE_CLOSED;
    if (!error && hub_entrance_open(&door->entrance, loop, SOCK_STREAM, path, hub_end_name(end), welcome) == 0) {
        door->entrance.all_is_closed = all_is_closed;
        return &door->door;
    }
    close_door(&door->door);
    return NULL;
}
