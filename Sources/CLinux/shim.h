#include <linux/sched.h>
#include <malloc.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/// Names the thread that calls, in at most 15 bytes, as `ps -L` and `top -H` show it. Foundation's `Thread.name` reaches the
/// system only where the thread that started this one has already noted its handle.
static inline void dn_name_this_thread(const char *name) { prctl(PR_SET_NAME, name, 0L, 0L, 0L); }

/// Has the C library keep what is freed, as far as it has so many bytes of it in one piece, and take no smaller blocks from the
/// system one by one. By itself it learns sizes from what is freed, and may then give back and take again the same pages for each
/// long message. False if it refuses.
static inline bool dn_keep_freed_blocks(int bytes) {
    return mallopt(M_MMAP_THRESHOLD, bytes) == 1 && mallopt(M_TRIM_THRESHOLD, bytes) == 1;
}

/// Gives the system back what the C library keeps of memory that was freed.
static inline void dn_give_back_memory(void) { malloc_trim(0); }

// The C library declares its functions for this as GNU extensions, which modules imported to Swift do not have.

/// Which processors a thread may run on: as many of them as this system may have, 8,192.
typedef struct {
    unsigned long bits[8192 / (8 * sizeof(unsigned long))];
} dn_processors;

/// The thread that calls, as the system numbers threads.
static inline int dn_this_thread(void) { return (int)syscall(SYS_gettid); }

/// The processors that the thread which calls may run on; false if the system does not say.
static inline bool dn_get_processors(dn_processors *processors) {
    __builtin_memset(processors, 0, sizeof *processors);
    return syscall(SYS_sched_getaffinity, 0, sizeof *processors, processors) > 0;
}

/// Sets the processors that a thread of this process may run on; 0: the thread that calls.
static inline bool dn_set_processors(int thread, const dn_processors *processors) {
    return syscall(SYS_sched_setaffinity, thread, sizeof *processors, processors) == 0;
}

/// Sets as the only one the processor on which the thread that calls runs.
static inline bool dn_bring_to_this_processor(int thread) {
    unsigned processor = 0;
    if (syscall(SYS_getcpu, &processor, 0, 0) != 0 || processor >= 8192) return false;
    dn_processors here;
    __builtin_memset(&here, 0, sizeof here);
    const unsigned width = 8 * sizeof(unsigned long);
    here.bits[processor / width] = 1UL << (processor % width);
    return dn_set_processors(thread, &here);
}
