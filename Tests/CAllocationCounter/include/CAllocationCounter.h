// Counts what the process takes from the heap.
//
// Linking this in replaces malloc and its relatives by functions that count while counting is on, in every thread, and
// then let glibc do the work.

#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

// Starts counting from 0.
void dn_start_counting_allocations(void);

// Stops counting and returns the allocations since the start.
long dn_stop_counting_allocations(void);

#endif
