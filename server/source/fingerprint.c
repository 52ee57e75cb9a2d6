/*
 * fingerprint.c - what a source's items are kept under in the shared cache.
 */
#include "server/source/fingerprint.h"

#include "common/hash.h"

/* Fixed: it tells apart and protects against nothing. */
static const struct hash_key tell_apart = { 0x66696e676572, 0x7072696e7473 };

void
fingerprint_begin(struct fingerprint *f, const char *kind)
{
    buf_init(&f->text, 0);
    fingerprint_add(f, kind);
}

void
fingerprint_add(struct fingerprint *f, const char *part)
{
    struct span s = span_str(part);

    /* Its length first: no two lists of parts are one text. */
    fingerprint_add_number(f, s.n);
    buf_append_span(&f->text, s);
}

void
fingerprint_add_number(struct fingerprint *f, uint64_t part)
{
    buf_append(&f->text, &part, sizeof(part));
}

uint64_t
fingerprint_end(struct fingerprint *f)
{
    uint64_t hash = hash_bytes(&tell_apart, buf_span(&f->text));

    if (buf_failed(&f->text))
        hash = 0;
    else if (hash == 0)
        hash = 1;
    buf_fini(&f->text);
    return hash;
}
