/*
 * plan.h - what the command line asked the generator to do.
 */
#ifndef TESTS_LOAD_PLAN_H
#define TESTS_LOAD_PLAN_H

#include "common/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dialect;

enum plan_mode {
    MODE_FETCH,      /* against a server that holds the load table */
    MODE_ONE_BY_ONE, /* against MariaDB, one statement per id */
    MODE_FILL,       /* the load table into a MariaDB */
    MODE_STORE,      /* its items into a memcached or a Redis */
    MODE_ECHO,       /* be the server that looks nothing up */
};

enum plan_verify {
    VERIFY_ALL,    /* every byte of every item (the load table only) */
    VERIFY_SAMPLE, /* every byte of one item in sixteen, the others as below */
    VERIFY_KEYS,   /* framing, order, key echoed, the item holds its id */
    VERIFY_NONE,   /* framing only */
};

/* Immutable once made. */
struct plan {
    enum plan_mode mode;
    const struct dialect *dialect; /* of fetch and store */
    const char *address;
    unsigned connections; /* of fetch; clients of one-by-one */
    unsigned ids;         /* in one request */
    unsigned pipeline;    /* requests in flight on one connection */
    unsigned threads;     /* of one-by-one, a database connection each */
    uint32_t rows;        /* the table holds 1..rows */
    uint32_t range;       /* ids are drawn from 1..range */
    double zipf;          /* the exponent of popularity; 0: all alike */
    double hits;          /* the share of ids that exist; the others are above rows */
    double rate;          /* requests a second, whatever comes back; 0: closed loop */
    bool sweep;           /* every id once, in order, then the end */
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
