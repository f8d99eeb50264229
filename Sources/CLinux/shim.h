#include <linux/sched.h>
#include <sys/timerfd.h>
#include <sys/prctl.h>

/// Names the thread that calls, in at most 15 bytes, as `ps -L` and `top -H` show it. Foundation's `Thread.name` reaches the
/// system only where the thread that started this one has already noted its handle.
static inline void dn_name_this_thread(const char *name) { prctl(PR_SET_NAME, name, 0L, 0L, 0L); }
