/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/error_reason.h"
#include "../common/name.h"
#include "../wire/checks.h"
#include "../wire/descriptors.h"
#include "../wire/socket_directory.h"
#include "deadline.h"
#include "end.h"
#include "error.h"

static void close_descriptors(struct wire_answer *answer)
{
    for (size_t i = 0; i < CROSSVM_WIRE_MAX_FDS; i++) {
        if (answer->fds[i] >= 0)
            close(answer->fds[i]);
        answer->fds[i] = -1;
    }
}

void cvm_wire_close(struct wire_answer *answer)
{
    close_descriptors(answer);
    if (answer->socket >= 0)
        close(answer->socket);
    answer->socket = -1;
}

/* --- the connection --- */

/*
 * Makes the address of a socket. A path that is too long for it is reached through a descriptor of the socket's file,
 * which the caller closes after connecting; descriptor is -1 when there was no need.
 */
static int make_address(const char *path, struct sockaddr_un *address, int *descriptor)
{
    size_t length = strlen(path);

    *descriptor = -1;
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (length < sizeof(address->sun_path)) {
        memcpy(address->sun_path, path, length);
        return 0;
    }
    *descriptor = descriptor_open(path, O_PATH);
    if (*descriptor < 0)
        return -errno;
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d", *descriptor);
    return 0;
}

static int connect_error(const char *path, int error)
{
    switch (error) {
    case ENOENT:
        return cvm_fail(ENOENT, "there is no socket %s; `crossvm ls` lists the connections there are", path);
    case ECONNREFUSED:
        return cvm_fail(ECONNREFUSED, "nobody listens at %s: the process that served it has ended; start its hub again",
                        path);
    case EACCES:
    case EPERM:
        return cvm_fail(error,
                        "no permission to connect to %s: run this as root, as the user that it belongs to, or as a "
                        "member of its group if that may write it",
                        path);
    case EPROTOTYPE:
        return cvm_fail(EPROTO, "%s is a socket of something else than a connection", path);
    case EPIPE:
    case ECONNRESET:
        return cvm_fail(ECONNRESET,
                        "the process at %s closed the connection at once: it has ended, or serves as many "
                        "programs as it can; try again",
                        path);
    case EAGAIN:
        return cvm_fail(ETIMEDOUT, "the process at %s accepts no connection: it hangs or is stopped", path);
    default:
        return cvm_fail(error, "cannot connect to %s: %s", path, error_reason(error));
    }
}

/* The directory of a path. */
static void directory_of(const char *path, char directory[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        (void)snprintf(directory, PATH_MAX, ".");
    else
        (void)snprintf(directory, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/*
 * Whether only trusted users can have made the socket. A user who can make files in the directory could offer a socket
 * under any name, and would be given what is meant for the VM.
 */
static int check_directory(const char *path)
{
    char directory[PATH_MAX];
    const char *fault;

    directory_of(path, directory);
    fault = cvm_socket_directory_fault(directory, false);
    return fault ? cvm_fail(EPERM, "%s is not used: %s %s", path, directory, fault) : 0;
}

/* The server is root, this user, or the user to whom the directory belongs. */
static int check_server(const char *path, int socket)
{
    char directory[PATH_MAX];
    struct ucred server;
    socklen_t size = sizeof(server);
    struct stat status;

    directory_of(path, directory);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &server, &size) || stat(directory, &status))
        return cvm_fail(errno, "cannot find out which user serves %s: %s", path, error_reason(errno));
    if (server.uid == 0 || server.uid == geteuid() || server.uid == status.st_uid)
        return 0;
    return cvm_fail(EPERM,
                    "%s is not used: user %u serves it, who is neither root, nor you (user %u), nor the owner of %s "
                    "(user %u)",
                    path, (unsigned int)server.uid, (unsigned int)geteuid(), directory, (unsigned int)status.st_uid);
}

int cvm_wire_connect(const char *path, int timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L};
    struct sockaddr_un address;
    int descriptor, error, fd;

    error = check_directory(path);
    if (error)
        return error;
    fd = descriptor_above_standard(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return cvm_fail(errno, "cannot make a socket to connect to %s: %s", path, error_reason(errno));
    error = make_address(path, &address, &descriptor);
    if (!error && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
        error = -errno;
    if (!error && connect(fd, (struct sockaddr *)&address, sizeof(address)))
        error = -errno;
    if (descriptor >= 0)
        close(descriptor);
    error = error ? connect_error(path, -error) : check_server(path, fd);
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

/* --- the reply --- */

static bool is_driver_message(const struct crossvm_wire_header *header, ssize_t length)
{
    return length >= (ssize_t)sizeof(struct crossvm_wire_driver) && wire_header_is_of(header, CROSSVM_WIRE_DRIVER);
}

void cvm_wire_clean_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

/* What is wrong with a reply, or NULL. */
static const char *find_fault(struct crossvm_wire_reply *reply, ssize_t length, enum crossvm_wire_type type)
{
    if (length < (ssize_t)sizeof(reply->header) || !wire_header_is_known(&reply->header))
        return "another protocol or version";
    if (length < (ssize_t)sizeof(*reply))
        return "a message that is too short";
    if (reply->header.type != type)
        return "a reply to another request";
    reply->name[sizeof(reply->name) - 1] = '\0';
    if (!name_is_valid(reply->name))
        return "no name";
    cvm_wire_clean_text(reply->vm, sizeof(reply->vm));
    if (reply->num_dataports > CROSSVM_MAX_DATAPORTS)
        return "too many dataports";
    if (reply->peer_end > 1)
        return "an end that is neither 0 nor 1";
    if (reply->peer_door > CROSSVM_DOOR_IVSHMEM)
        return "a door that is not known";
    for (size_t i = 0; i < reply->num_dataports; i++) {
        if (!wire_dataport_is_valid(&reply->dataports[i]))
            return "a dataport with an impossible size, offset or rights";
    }
    if (!wire_range_is_valid(reply->peer_page_offset, CROSSVM_PAGE_SIZE))
        return "a peer page with an impossible offset";
    return NULL;
}

static int protocol_error(const char *path, const char *fault)
{
    return cvm_fail(EPROTO, "the process at %s sent %s; use the same release of crossvm there and here", path, fault);
}

/* Waits for the reply. Driver messages may come before it. */
static int receive_reply(const char *path, enum crossvm_wire_type type, deadline_t deadline, struct wire_answer *answer,
                         size_t *num_fds)
{
    for (bool polled = false;; polled = true) {
        struct pollfd server = {.fd = answer->socket, .events = POLLIN};
        const char *fault;
        ssize_t length;
        /* Messages that are no reply do not prolong the wait. */
        int ready = polled && deadline_is_over(deadline) ? 0 : poll(&server, 1, deadline_poll_ms(deadline));

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return cvm_fail(errno, "waiting for the reply of %s: %s", path, error_reason(errno));
        if (ready == 0)
            return cvm_fail(ETIMEDOUT, "the process at %s does not answer: it hangs or is stopped", path);

        length = cvm_descriptors_receive(answer->socket, &answer->reply, sizeof(answer->reply), answer->fds,
                                         CROSSVM_WIRE_MAX_FDS, num_fds);
        if (length == 0 || (length < 0 && (errno == ECONNRESET || errno == EPIPE)))
            return cvm_fail(
                ECONNRESET,
                "the process at %s closed the connection without an answer: it has ended, or serves as many "
                "programs as it can; try again",
                path);
        if (length < 0 && errno == EAGAIN)
            continue;
        if (length < 0)
            return cvm_fail(errno, "cannot receive the reply of %s: %s", path, error_reason(errno));
        if (is_driver_message(&answer->reply.header, length)) { /* older news than the reply's */
            close_descriptors(answer);
            continue;
        }

        fault = find_fault(&answer->reply, length, type);
        return fault ? protocol_error(path, fault) : 0;
    }
}

static int check_status(const char *path, const struct wire_answer *answer, enum crossvm_wire_type type, size_t num_fds)
{
    const struct crossvm_wire_reply *reply = &answer->reply;
    size_t expected = type == CROSSVM_WIRE_ATTACH ? CROSSVM_WIRE_FIXED_FDS + reply->num_dataports : 0;

    if (type == CROSSVM_WIRE_ATTACH && reply->status == EBUSY)
        return cvm_fail(EBUSY,
                        "connection \"%s\" (%s) is in use by another program; wait until that and its forked children "
                        "have closed it",
                        reply->name, path);
    if (reply->status > INT16_MAX)
        return protocol_error(path, "an impossible status");
    if (reply->status && reply->status != EBUSY)
        return cvm_fail((int)reply->status, "the process at %s refuses connection \"%s\": %s", path, reply->name,
                        error_reason((int)reply->status));
    if (num_fds != expected)
        return protocol_error(path, "another number of descriptors than of dataports");
    return 0;
}

int cvm_wire_request(const char *path, enum crossvm_wire_type type, int timeout_ms, struct wire_answer *answer)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, (uint16_t)type};
    size_t num_fds = 0;
    int error;

    for (size_t i = 0; i < CROSSVM_WIRE_MAX_FDS; i++)
        answer->fds[i] = -1;
    answer->socket = cvm_wire_connect(path, timeout_ms);
    if (answer->socket < 0)
        return answer->socket;

    if (send(answer->socket, &request, sizeof(request), MSG_NOSIGNAL) < 0)
        error = connect_error(path, errno);
    else
        error = receive_reply(path, type, deadline_in(timeout_ms), answer, &num_fds);
    if (!error)
        error = check_status(path, answer, type, num_fds);
    if (error || type == CROSSVM_WIRE_INFO)
        cvm_wire_close(answer);
    return error;
}

/* --- driver messages --- */

/* How many messages one call takes: a server that sends without end must not keep the call from returning. */
#define MESSAGES_AT_ONCE 16

int cvm_wire_receive_driver(int socket, struct wire_driver *driver)
{
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct crossvm_wire_driver message;
        /* There is no room for descriptors, so the kernel drops them. */
        ssize_t length = recv(socket, &message, sizeof(message), MSG_DONTWAIT);

        if (length < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
        if (length == 0)
            return -EPIPE;
        if (is_driver_message(&message.header, length))
            *driver = (struct wire_driver){.state = message.driver_state, .generation = message.generation};
    }
    return 0;
}
