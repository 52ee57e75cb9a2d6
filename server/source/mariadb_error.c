/*
 * mariadb_error.c - what the server's error codes mean to us.
 */
#include "server/source/mariadb_error.h"

#include <mysqld_error.h>

enum batch_outcome
mariadb_error_outcome(unsigned code)
{
    switch (code) {
    case ER_STATEMENT_TIMEOUT:
        return BATCH_TIMEOUT;
    case ER_QUERY_INTERRUPTED:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_CHECKREAD:
    case ER_CONNECTION_KILLED:
    case ER_SERVER_SHUTDOWN:
        return BATCH_LOST;
    case ER_CANT_AGGREGATE_2COLLATIONS:
    case ER_CANT_AGGREGATE_3COLLATIONS:
    case ER_CANT_AGGREGATE_NCOLLATIONS:
    case ER_INVALID_CHARACTER_STRING:
        return BATCH_REFUSED;
    default:
        return BATCH_FAILED;
    }
}

bool
mariadb_error_is_verdict(unsigned code)
{
    switch (code) {
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_BAD_FIELD_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_NO_SUCH_TABLE:
    case ER_KEY_DOES_NOT_EXISTS:
        return true;
    default:
        return false;
    }
}
