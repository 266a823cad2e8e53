/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel on a 64-bit Arm machine without an operating system, in which each access to an address that is not aligned
 * traps: as a component on seL4 may have it, whose compiler is told so. It counts the instructions of copies by the
 * clock of an emulator in which an instruction takes a nanosecond.
 *
 * Prints a line for each figure, and "all is right" at the end.
 */
#include <crossvm/channel.h>

/* The emulator's machine "virt" */
#define UART ((volatile uint32_t *)0x9000000)
#define PSCI_SYSTEM_OFF 0x84000008u

#define SIZE 65536
#define DATAPORT (8 * SIZE)

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memset(void *to, int value, size_t length);
void start(void);
void trapped(void);

/* --- the machine --- */

__asm__(".global _start\n"
        "_start:\n"
        "    ldr x0, =stack_end\n"
        "    mov sp, x0\n"
        "    mov x0, #(3 << 20)\n" /* CPACR_EL1.FPEN: floating-point registers */
        "    msr cpacr_el1, x0\n"
        "    adr x0, vectors\n"
        "    msr vbar_el1, x0\n"
        "    mrs x0, sctlr_el1\n"
        "    orr x0, x0, #2\n" /* SCTLR_EL1.A: what is not aligned traps */
        "    msr sctlr_el1, x0\n"
        "    isb\n"
        "    b start\n"
        "    .balign 2048\n"
        "vectors:\n"
        "    .rept 16\n"
        "    .balign 128\n"
        "    b trapped\n"
        "    .endr\n"
        "    .bss\n"
        "    .balign 16\n"
        "    .space 65536\n"
        "stack_end:\n"
        "    .text\n");

static void print(const char *text)
{
    while (*text)
        *UART = (uint8_t)*text++;
}

static void print_number(uint64_t number)
{
    char digits[24], *first = digits + sizeof(digits);

    *--first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    print(first);
}

static _Noreturn void end(const char *how)
{
    register uint64_t function __asm__("x0") = PSCI_SYSTEM_OFF;

    print(how);
    print("\n");
    for (;;)
        __asm__ volatile("hvc #0" ::"r"(function) : "memory");
}

void trapped(void)
{
    uint64_t at;

    __asm__ volatile("mrs %0, elr_el1" : "=r"(at));
    print("trapped at ");
    print_number(at);
    end("");
}

/* Instructions so far, in steps of 16 */
static uint64_t count(void)
{
    uint64_t ticks, per_second;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    __asm__("mrs %0, cntfrq_el0" : "=r"(per_second));
    return ticks * (1000000000 / per_second);
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    volatile uint8_t *out = to;
    const uint8_t *in = from;

    for (size_t i = 0; i < length; i++)
        out[i] = in[i];
    return to;
}

void *memset(void *to, int value, size_t length)
{
    volatile uint8_t *out = to;

    for (size_t i = 0; i < length; i++)
        out[i] = (uint8_t)value;
    return to;
}

static void check(bool right, const char *what)
{
    if (!right)
        end(what);
}

/* --- the two ends --- */

static uint8_t memory[DATAPORT] __attribute__((aligned(64)));
static uint8_t sent[SIZE + 64] __attribute__((aligned(64))), received[SIZE + 64] __attribute__((aligned(64)));

static int emit(void *cookie)
{
    (void)cookie;
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    end("a call waits");
}

static void connect(crossvm_channel_t ends[2], unsigned int mode)
{
    memset(memory, 0, sizeof(memory));
    for (unsigned int i = 0; i < 2; i++) {
        const crossvm_channel_config_t config = {.memory = memory,
                                                 .size = sizeof(memory),
                                                 .end = CROSSVM_CHANNEL_END(i),
                                                 .mode = mode,
                                                 .emit = emit,
                                                 .wait = wait_for_event};

        check(crossvm_channel_init(&ends[i], &config) == 0, "a channel is refused");
        crossvm_channel_open(&ends[i]);
    }
    while (crossvm_channel_connect(&ends[0], CROSSVM_NOW) | crossvm_channel_connect(&ends[1], CROSSVM_NOW))
        ;
}

static void fill(size_t seed)
{
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = (uint8_t)(i * 7 + i / 251 + seed);
        received[i] = 0xee;
    }
}

/* --- what is tried --- */

/* Every length, from and to every place: and not a byte beside */
static void copy_every_length(void)
{
    for (size_t length = 0; length < 300; length++) {
        for (size_t places = 0; places < 256; places++) {
            size_t to = 16 + places % 16, from = 16 + places / 16;

            memset(received, 0xee, 350);
            crossvm_private_copy_blocks(received + to, sent + from, length);
            for (size_t i = 0; i < 350; i++)
                check(received[i] == (i >= to && i < to + length ? sent[from + i - to] : 0xee), "a copy is wrong");
        }
    }
}

static void print_figure(const char *what, size_t place, uint64_t send, uint64_t recv)
{
    print(what);
    print(" at ");
    print_number(place);
    print(": ");
    print_number(send);
    print(" ");
    print_number(recv);
    print("\n");
}

static void stream(crossvm_channel_t ends[2], size_t place)
{
    uint64_t begin, middle, done;

    fill(place);
    begin = count();
    check(crossvm_channel_send(&ends[0], sent + place, SIZE, CROSSVM_NOW) == SIZE, "a stream takes too little");
    middle = count();
    check(crossvm_channel_recv(&ends[1], received + place, SIZE, CROSSVM_NOW) == SIZE, "a stream gives too little");
    done = count();
    for (size_t i = 0; i < SIZE; i++)
        check(received[place + i] == sent[place + i], "a stream is wrong");
    print_figure("stream", place, middle - begin, done - middle);
}

#define DATAGRAMS 256

static void datagrams(crossvm_channel_t ends[2], size_t place)
{
    uint64_t begin, middle, done;

    fill(place);
    begin = count();
    for (size_t i = 0; i < DATAGRAMS; i++)
        check(crossvm_channel_send(&ends[0], sent + place + i * 64, 64, CROSSVM_NOW) == 64, "no room for a datagram");
    middle = count();
    for (size_t i = 0; i < DATAGRAMS; i++)
        check(crossvm_channel_recv(&ends[1], received + place + i * 64, 64, CROSSVM_NOW) == 64, "no datagram");
    done = count();
    for (size_t i = 0; i < 64 * DATAGRAMS; i++)
        check(received[place + i] == sent[place + i], "a datagram is wrong");
    print_figure("datagram", place, (middle - begin) / DATAGRAMS, (done - middle) / DATAGRAMS);
}

void start(void)
{
    static const size_t places[] = {0, 8, 4, 1};
    static crossvm_channel_t ends[2];

    fill(0);
    copy_every_length();
    connect(ends, CROSSVM_CHANNEL_STREAM);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        stream(ends, places[i]);
    connect(ends, CROSSVM_CHANNEL_DATAGRAM);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        datagrams(ends, places[i]);
    end("all is right");
}
