/*
 * native_driver.h - feeds bytes to the text dialects and writes down what came of them,
 * one line for each command (see native_driver.c).
 */
#ifndef TESTS_UNIT_NATIVE_DRIVER_H
#define TESTS_UNIT_NATIVE_DRIVER_H

#include "tests/unit/conversation.h"

/* Finish with conversation_fini. */
void driver_init(struct conversation *c, size_t line_max_bytes, unsigned ids_max);

#endif
