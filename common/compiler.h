/*
 * compiler.h - the few words C lacks.
 *
 * Owns: attributes and size helpers used everywhere.  Never grows clever macros.
 */
#ifndef COMMON_COMPILER_H
#define COMMON_COMPILER_H

#include <stddef.h>

/* The caller must look at the result. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* printf-like: format is argument 'f', the values start at argument 'a'. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define NORETURN __attribute__((noreturn))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of type 'type' whose member 'member' lives at 'ptr'. */
/* clang-format off */
#define CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
/* clang-format on */

#endif
