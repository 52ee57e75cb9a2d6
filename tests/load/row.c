/*
 * row.c - the load table, whose every row can be computed.
 *
 * Ten columns and some 230 bytes a row: a catalogue item of ordinary size.  All
 * values come from two multiplicative hashes of the id, h and g, which SQL computes
 * in BIGINT UNSIGNED without overflow for every 32 bit id.  Each column is written
 * twice below, in SQL and in C; keep the two side by side.
 *
 *     h = id * 2654435761 mod 2^32        g = (id + 40503) * 2246822519 mod 2^32
 */
#include "tests/load/row.h"

#include "common/compiler.h"
#include "common/span.h"

#include <string.h>

#define H_FACTOR UINT32_C(2654435761)
#define G_FACTOR UINT32_C(2246822519)
#define G_OFFSET UINT32_C(40503)

/* Four bits choose a word; one is not ASCII, so that the character set is tested. */
static const char *const words[16] = {
    "amber",  "bright", "café",   "durable", "elegant", "folding", "garden", "hand made",
    "indigo", "jacket", "kettle", "large",   "modern",  "nordic",  "oak",    "portable",
};

/* Two words with a blank after each, by byte: half as many copies for each item. */
static struct {
    char text[24];
    uint8_t n;
} pairs[256];

void
row_init(void)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(pairs); i++) {
        char *to = stpcpy(pairs[i].text, words[i & 15]);

        *to++ = ' ';
        to = stpcpy(to, words[i >> 4]);
        *to++ = ' ';
        pairs[i].n = (uint8_t)(to - pairs[i].text);
    }
}

size_t
row_digits(uint32_t v, char *out)
{
    uint64_t bound = 10;
    size_t n = 1, i;

    for (; v >= bound; bound *= 10)
        n++;
    for (i = n; i-- > 0; v /= 10)
        out[i] = (char)('0' + v % 10);
    return n;
}

static char *
put(char *to, const char *text, size_t n)
{
    memcpy(to, text, n);
    return to + n;
}

#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

static char *
put_number(char *to, uint32_t v)
{
    return to + row_digits(v, to);
}

static char *
put_two_digits(char *to, uint32_t v)
{
    *to++ = (char)('0' + v / 10);
    *to++ = (char)('0' + v % 10);
    return to;
}

static char *
put_hex(char *to, uint32_t v)
{
    int shift;

    for (shift = 28; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[v >> shift & 15];
    return to;
}

static char *
put_eighths(char *to, uint32_t v)
{
    static const char *const fractions[8] = {
        "", ".125", ".25", ".375", ".5", ".625", ".75", ".875",
    };

    to = put_number(to, v / 8);
    return stpcpy(to, fractions[v & 7]);
}

/* The words that the lowest 2 * n halves of a byte choose, a blank after each. */
static char *
put_pairs(char *to, uint64_t bits, size_t n)
{
    for (; n > 0; n--, bits >>= 8)
        to = put(to, pairs[bits & 255].text, pairs[bits & 255].n);
    return to;
}

static char *
put_updated(char *to, uint32_t id, uint32_t h, uint32_t g)
{
    to = PUT(to, "\"2024-");
    to = put_two_digits(to, 1 + id % 12);
    *to++ = '-';
    to = put_two_digits(to, 1 + h % 28);
    *to++ = ' ';
    to = put_two_digits(to, g % 24);
    *to++ = ':';
    to = put_two_digits(to, h % 60);
    *to++ = ':';
    to = put_two_digits(to, g % 60);
    *to++ = '"';
    return to;
}

size_t
row_item(uint32_t id, char *out)
{
    uint32_t h = id * H_FACTOR, g = (id + G_OFFSET) * G_FACTOR;
    char *to = PUT(out, "{\"id\":");

    to = put_number(to, id);
    to = PUT(to, ",\"category\":");
    to = put_number(to, h % 97);
    to = PUT(to, ",\"price\":");
    to = put_number(to, h % 1000000 / 100);
    *to++ = '.';
    to = put_two_digits(to, h % 100);
    to = PUT(to, ",\"stock\":");
    if (g % 2003 < 1000)
        *to++ = '-';
    to = put_number(to, g % 2003 < 1000 ? 1000 - g % 2003 : g % 2003 - 1000);
    to = PUT(to, ",\"score\":");
    to = put_eighths(to, g % 8000);
    to = PUT(to, ",\"active\":");
    to = put_number(to, h & 1);
    to = PUT(to, ",\"updated\":");
    to = put_updated(to, id, h, g);
    to = PUT(to, ",\"name\":\"Item ");
    to = put_number(to, id);
    if (id % 16 == 0)
        to = PUT(to, " \\\"special\\\"");
    *to++ = ' ';
    to = put_hex(to, h);
    to = PUT(to, "\",\"tags\":");
    if (id % 11 == 0) {
        to = PUT(to, "null");
    } else {
        *to++ = '"';
        to = stpcpy(to, words[g >> 8 & 15]);
        *to++ = ',';
        to = put_hex(to, g);
        *to++ = '"';
    }
    to = PUT(to, ",\"description\":\"");
    to = put_pairs(to, h, 4);
    to = put_pairs(to, g, 4);
    to = put_pairs(to, h ^ g, 3);
    to = PUT(to - 1, "\"}");
    return (size_t)(to - out);
}

void
row_create_sql(const char *table, struct buf *out)
{
    buf_append_fmt(out,
                   "CREATE TABLE `%s` ("
                   "id INT UNSIGNED NOT NULL PRIMARY KEY,"
                   "category SMALLINT UNSIGNED NOT NULL,"
                   "price DECIMAL(10,2) NOT NULL,"
                   "stock INT NOT NULL,"
                   "score DOUBLE NOT NULL,"
                   "active TINYINT(1) NOT NULL,"
                   "updated DATETIME NOT NULL,"
                   "name VARCHAR(80) NOT NULL,"
                   "tags VARCHAR(60),"
                   "description VARCHAR(255) NOT NULL"
                   ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
                   table);
}

/* The SQL for the word that four bits of 'hash' choose. */
static void
word_sql(const char *hash, unsigned shift, struct buf *out)
{
    size_t i;

    buf_append_fmt(out, "ELT(1 + (%s >> %u & 15)", hash, shift);
    for (i = 0; i < ARRAY_LEN(words); i++)
        buf_append_fmt(out, ",'%s'", words[i]);
    BUF_APPEND_LIT(out, ")");
}

void
row_insert_sql(const char *table, uint32_t first, uint32_t last, struct buf *out)
{
    static const char *const hashes[] = { "h", "g", "(h ^ g)" };
    unsigned shift;

    buf_append_fmt(out,
                   "INSERT INTO `%s` SELECT id, h %% 97, (h %% 1000000) / 100,"
                   " CAST(g %% 2003 AS SIGNED) - 1000, (g %% 8000) / 8e0, h & 1,"
                   " CONCAT('2024-', 1 + id %% 12, '-', 1 + h %% 28, ' ',"
                   " g %% 24, ':', h %% 60, ':', g %% 60),"
                   " CONCAT('Item ', id, IF(id %% 16 = 0, ' \"special\"', ''), ' ',"
                   " LPAD(LOWER(HEX(h)), 8, '0')),"
                   " IF(id %% 11 = 0, NULL, CONCAT(",
                   table);
    word_sql("g", 8, out);
    BUF_APPEND_LIT(out, ", ',', LPAD(LOWER(HEX(g)), 8, '0'))), CONCAT_WS(' '");
    for (shift = 0; shift < 22 * 4; shift += 4) {
        BUF_APPEND_LIT(out, ",");
        word_sql(hashes[shift / 32], shift % 32, out);
    }
    buf_append_fmt(out,
                   ") FROM (SELECT seq AS id, seq * %u %% 4294967296 AS h,"
                   " (seq + %u) * %u %% 4294967296 AS g FROM seq_%u_to_%u) AS s",
                   H_FACTOR, G_OFFSET, G_FACTOR, first, last);
}
