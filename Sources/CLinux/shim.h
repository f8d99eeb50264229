#include <linux/sched.h>
#include <sys/timerfd.h>
