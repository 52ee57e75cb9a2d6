/*
 * row.h - the load table, whose every row can be computed.
 *
 * Owns: the definition of the table that load tests read, and its content as a
 * function of the id, twice: as SQL that fills the table and as the exact JSON that
 * fetchd must answer.  So a reply is checked byte for byte without keeping, or
 * fetching, a second copy of a million rows.
 * Pure functions; the only state is a table of word pairs made by row_init.
 */
#ifndef TESTS_LOAD_ROW_H
#define TESTS_LOAD_ROW_H

#include "common/buf.h"

#include <stddef.h>
#include <stdint.h>

/* No item is longer than this. */
#define ROW_ITEM_MAX 768

/* No number is longer than this. */
#define ROW_DIGITS_MAX 10

/* Call once before row_item. */
void row_init(void);

/* Writes the item 'id' as JSON to 'out' (ROW_ITEM_MAX bytes); returns its length. */
size_t row_item(uint32_t id, char *out);

/* Writes the digits of 'v' to 'out' (ROW_DIGITS_MAX bytes); returns how many. */
size_t row_digits(uint32_t v, char *out);

/* Appends the CREATE TABLE statement for 'table'. */
void row_create_sql(const char *table, struct buf *out);

/* Appends the statement that inserts the rows first..last. */
void row_insert_sql(const char *table, uint32_t first, uint32_t last, struct buf *out);

#endif
