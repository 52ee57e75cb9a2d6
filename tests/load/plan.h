/*
 * plan.h - what the command line asked the generator to do.
 */
#ifndef TESTS_LOAD_PLAN_H
#define TESTS_LOAD_PLAN_H

#include "common/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_verify {
    VERIFY_ALL,    /* every item byte for byte (the load table only) */
    VERIFY_SAMPLE, /* one item in sixteen byte for byte, the others as below */
    VERIFY_KEYS,   /* framing, order, key echoed, the item holds its id */
    VERIFY_NONE,   /* framing only */
};

/* Immutable once made. */
struct plan {
    const char *mode; /* "fetch", "one-by-one" or "fill" */
    const char *address;
    unsigned connections; /* of fetch; clients of one-by-one */
    unsigned ids;         /* in one request */
    unsigned pipeline;    /* requests in flight on one connection */
    unsigned threads;     /* of one-by-one, a database connection each */
    uint32_t rows;        /* the table holds 1..rows */
    uint32_t range;       /* ids are drawn from 1..range */
    uint64_t seed;
    usec_t duration;
    uint64_t requests; /* 0: as many as the duration allows */
    enum plan_verify verify;
    bool reconnect;
    bool json;
    const char *socket; /* of MariaDB; or */
    unsigned port;      /* on the loopback network when not 0 */
    const char *schema;
    const char *table;
    const char *key;
    const char *user;
};

#endif
