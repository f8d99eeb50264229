#include "CAllocationCounter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// glibc's own allocator under the names that are not replaced.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_bool is_counting;
static atomic_long allocations;

void dn_start_counting_allocations(void) {
    atomic_store(&allocations, 0);
    atomic_store(&is_counting, true);
}

long dn_stop_counting_allocations(void) {
    atomic_store(&is_counting, false);
    return atomic_load(&allocations);
}

// A sanitizer replaces the allocator itself, and a second replacement breaks it. Nothing is counted then.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

static void count(void) {
    if (atomic_load_explicit(&is_counting, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    }
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    count();
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    count();
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    int saved = errno;
    void *result = __libc_memalign(alignment, size);
    errno = saved;
    if (result == NULL) return ENOMEM;
    *memory = result;
    return 0;
}

#endif
