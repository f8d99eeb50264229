// Functions of later C libraries that Debian sid's Swift calls and Debian 12's library lacks. scripts/arm64 links them into the
// binary. Those of C23 read binary numbers (0b1) as well if the base is 0 or 2; nothing that Swift reads has any.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
unsigned long long __isoc23_strtoull(const char *text, char **end, int base) { return strtoull(text, end, base); }

int __isoc23_sscanf(const char *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int count = vsscanf(text, format, arguments);
    va_end(arguments);
    return count;
}

// Copies as much as `size` bytes hold, with a zero at the end, and returns the length that would have been needed (POSIX 2024).
size_t strlcpy(char *restrict copy, const char *restrict text, size_t size) {
    const size_t length = strlen(text);
    if (size > 0) {
        const size_t copied = length < size ? length : size - 1;
        memcpy(copy, text, copied);
        copy[copied] = 0;
    }
    return length;
}

size_t strlcat(char *restrict to, const char *restrict text, size_t size) {
    const size_t length = strnlen(to, size);
    return length + strlcpy(to + length, text, size - length);
}
