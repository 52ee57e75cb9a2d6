/*
 * pool.c - the thread pool that fetchd replaces, as a reference.
 *
 * What a service does without fetchd: a request of K ids is put into a queue id by
 * id, and a fixed number of threads, each with its own blocking connection, takes
 * one id at a time and asks for it with one statement.  The row is received whole and
 * thrown away: no JSON is made of it, which favours this side.  It is written to be
 * fast: one mutex held for some tens of nanoseconds, one lock per id, no thread is
 * woken unless one sleeps.
 *
 *     client: draws K ids -> [queue of clients] -> thread: takes the next id of the
 *        ^                                            first client, asks, waits
 *        +--------- last id answered <----------------------+
 */
#include "tests/load/database.h"
#include "tests/load/deck.h"
#include "tests/load/row.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    const uint32_t *ids;
    size_t taken;    /* ids handed to a thread */
    size_t answered; /* ids whose row has come */
    usec_t sent;
    struct client *next; /* in the queue */
};

struct pool {
    const struct plan *plan;
    usec_t end;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work;
    struct deck *deck;
    struct client *clients;
    struct client *first; /* clients with ids that nobody has taken */
    struct client *last;
    uint64_t sent;
    usec_t finished; /* when the last request within the time was answered */
    unsigned sleeping;
    unsigned due; /* clients with a request on its way */
};

struct worker {
    pthread_t thread;
    struct pool *pool;
    MYSQL *db;
    struct tally *tally;
};

/* A new request for 'c', unless the run is over.  Call locked. */
static void
client_ask(struct pool *p, struct client *c, usec_t now)
{
    const struct plan *plan = p->plan;

    if (now >= p->end || (plan->requests > 0 && p->sent >= plan->requests))
        return;
    c->ids = deck_deal(p->deck);
    c->taken = c->answered = 0;
    c->sent = now;
    c->next = NULL;
    if (p->first == NULL)
        p->first = c;
    else
        p->last->next = c;
    p->last = c;
    p->sent++;
    p->due++;
    if (p->sleeping > 0)
        pthread_cond_broadcast(&p->work);
}

/* The next id to ask for, whose it is in 'owner'; 0: the run is over.  Call locked. */
static uint32_t
take_id(struct pool *p, struct client **owner)
{
    struct client *c;

    while ((c = p->first) == NULL) {
        if (p->due == 0)
            return 0;
        p->sleeping++;
        pthread_cond_wait(&p->work, &p->lock);
        p->sleeping--;
    }
    *owner = c;
    if (c->taken + 1 == p->plan->ids)
        p->first = c->next;
    return c->ids[c->taken++];
}

/* One id of 'c' is answered.  Call locked. */
static void
client_answered(struct worker *w, struct client *c, usec_t now)
{
    struct pool *p = w->pool;

    if (++c->answered < p->plan->ids)
        return;
    tally_request(w->tally, now - c->sent);
    if (!w->tally->frozen && now > p->finished)
        p->finished = now;
    p->due--;
    client_ask(p, c, now);
    if (p->due == 0)
        pthread_cond_broadcast(&p->work);
}

/* One statement, one row.  false: the database refused. */
static bool
ask(struct worker *w, uint32_t id, const char *head, size_t nhead)
{
    char sql[256], digits[10];
    size_t ndigits = row_digits(id, digits);
    MYSQL_RES *result;
    MYSQL_ROW row;

    memcpy(sql, head, nhead);
    memcpy(sql + nhead, digits, ndigits);
    if (mysql_real_query(w->db, sql, (unsigned long)(nhead + ndigits)) != 0 ||
        (result = mysql_store_result(w->db)) == NULL) {
        tally_fail(w->tally, SPAN("database"));
        return false;
    }
    if ((row = mysql_fetch_row(result)) == NULL) {
        tally_miss(w->tally);
        if (id <= w->pool->plan->rows)
            tally_wrong(w->tally, "item %u exists and was missed", id);
    } else {
        tally_item(w->tally);
        if (row[0] == NULL || strlen(row[0]) != ndigits ||
            memcmp(row[0], digits, ndigits) != 0)
            tally_wrong(w->tally, "asked for %u, got %s", id, row[0]);
    }
    mysql_free_result(result);
    return true;
}

static void *
worker_main(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    struct client *owner;
    char head[200];
    uint32_t id;
    usec_t now;
    int n;

    mysql_thread_init();
    n = snprintf(head, sizeof(head),
                 "SELECT * FROM `%.64s` WHERE `%.64s` = ", p->plan->table, p->plan->key);
    pthread_mutex_lock(&p->lock);
    while ((id = take_id(p, &owner)) != 0) {
        pthread_mutex_unlock(&p->lock);
        ask(w, id, head, (size_t)n);
        now = clock_now();
        if (now >= p->end)
            w->tally->frozen = true;
        pthread_mutex_lock(&p->lock);
        client_answered(w, owner, now);
    }
    pthread_mutex_unlock(&p->lock);
    mysql_thread_end();
    return NULL;
}

static int
clients_init(struct pool *p)
{
    p->deck = deck_new(p->plan);
    p->clients = calloc(p->plan->connections, sizeof(*p->clients));
    return p->deck == NULL || p->clients == NULL ? -1 : 0;
}

static int
workers_init(struct pool *p, struct worker *workers)
{
    size_t i;

    for (i = 0; i < p->plan->threads; i++) {
        workers[i].pool = p;
        if ((workers[i].tally = calloc(1, sizeof(struct tally))) == NULL ||
            (workers[i].db = database_open(p->plan, p->plan->schema)) == NULL)
            return -1;
    }
    return 0;
}

/* Starts the clock, the clients and the threads, and waits for all of them. */
static int
run_threads(struct pool *p, struct worker *workers, struct tally *t)
{
    usec_t start = clock_now(), cpu = tally_cpu_now();
    size_t i, started;
    int result = 0;

    p->end = start + p->plan->duration;
    for (i = 0; i < p->plan->connections; i++)
        client_ask(p, &p->clients[i], start);
    for (started = 0; started < p->plan->threads; started++) {
        if (pthread_create(&workers[started].thread, NULL, worker_main,
                           &workers[started]) != 0)
            break;
    }
    if (started == 0) {
        fprintf(stderr, "loadgen: no thread could be started\n");
        result = -1;
    }
    for (i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    t->cpu = tally_cpu_now() - cpu;
    t->elapsed = p->plan->duration;
    if (p->plan->requests > 0 && p->finished > start && p->sent >= p->plan->requests)
        t->elapsed = p->finished - start;
    return result;
}

int
pool_run(const struct plan *plan, struct tally *t)
{
    struct pool p = { .plan = plan };
    struct worker *workers = calloc(plan->threads, sizeof(*workers));
    int result = -1;
    size_t i;

    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.work, NULL);
    if (workers != NULL && clients_init(&p) == 0 && workers_init(&p, workers) == 0)
        result = run_threads(&p, workers, t);
    for (i = 0; workers != NULL && i < plan->threads; i++) {
        if (workers[i].tally != NULL)
            tally_merge(t, workers[i].tally);
        free(workers[i].tally);
        if (workers[i].db != NULL)
            mysql_close(workers[i].db);
    }
    free(p.clients);
    free(workers);
    deck_free(&p.deck);
    pthread_cond_destroy(&p.work);
    pthread_mutex_destroy(&p.lock);
    return result;
}
