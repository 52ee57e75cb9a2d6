/*
 * secret.h - the password that comes through the environment.
 *
 * Owns: FETCHD_DATABASE_PASSWORD, and the memory of it after it was wiped, which a
 * reload needs.  config_wipe_environment, declared in config.h, lives here.
 */
#ifndef SERVER_CONFIG_SECRET_H
#define SERVER_CONFIG_SECRET_H

#define SECRET_VARIABLE "FETCHD_DATABASE_PASSWORD"

/* The password, borrowed, or NULL when the environment has (had) none. */
const char *secret_password(void);

#endif
