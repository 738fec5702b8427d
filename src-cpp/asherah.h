/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract between the C++ layer (src-cpp) and the Go engine (go/capi), written by hand and included by both
 * sides, so that a difference is a compile error. Every function may be called from any thread, catches every Go
 * panic, and keeps no pointer of its caller's after it returns, asherah_submit and asherah_submit_sync excepted.
 */
#ifndef ASHERAH_H
#define ASHERAH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call failed. All texts end in NUL; message and cause are UTF-8 and cut at a character. codes: docs/errors.md */
typedef struct asherah_error {
  char code[48];
  char message[976];
  char cause[1024]; /* what a KMS, a metastore or a system call said itself; empty where nobody else said anything */
  uint64_t thrown; /* what asherah_request_answer was given with the failure of a function in JavaScript; 0: nothing */
} asherah_error;

/* Results of asherah_encrypt and asherah_decrypt besides a length. Any other negative n: nothing was done, out must have
 * -n bytes. */
#define ASHERAH_FAILED INT64_MIN /* the error is filled in */
/* Nothing was done. With ASHERAH_HOT_ONLY: the call would have to do I/O. Without: it may need functions in JavaScript, and
 * asherah_submit_sync is the call to make. */
#define ASHERAH_COLD (INT64_MIN + 1)
#define ASHERAH_CANCELLED (INT64_MIN + 2) /* only of a job: asherah_cancel ended it */
#define ASHERAH_NOT_ASCII ((int64_t)1 << 62) /* added to a record's length when it has bytes above 0x7f */

/* flags of asherah_encrypt and asherah_decrypt */
#define ASHERAH_HOT_ONLY 1 /* do not wait for a metastore or KMS, return ASHERAH_COLD instead */

#define ASHERAH_OP_ENCRYPT 1
#define ASHERAH_OP_DECRYPT 2
#define ASHERAH_OP_VERIFY 3 /* of a factory; out is a JSON array, see go/check */
#define ASHERAH_OP_CREATE_SCHEMA 4 /* of a factory; out is the JSON text true or false: whether it made one */

/* One asynchronous call. The C++ layer allocates it and fills in the first part; from asherah_submit until host.job_done
 * it belongs to the engine, which fills in the second. out comes from malloc, whoever frees the job frees it. */
typedef struct asherah_job {
  int32_t op;
  uint64_t env; /* as in asherah_factory_open: whose call it is */
  uint64_t call; /* names it for asherah_cancel among the calls of env; 0: it can't be cancelled */
  uint64_t handle; /* of the session, or of the factory */
  uint8_t *in;
  size_t in_len;

  uint8_t *out;
  int64_t result; /* as from asherah_encrypt: a length or ASHERAH_FAILED; or ASHERAH_CANCELLED */
  int32_t has_turn; /* not 0: asherah_turn_end is to be called when the environment takes the result */
  asherah_error error;
} asherah_job;

#define ASHERAH_WANTS_CREDENTIALS "WANTS_CREDENTIALS"

/* What the engine calls. Any thread, the caller's included; must not call back into the engine. */
typedef struct asherah_host {
  void (*job_done)(asherah_job *job);
  /* A warning event for the environment that opened the factory; texts are valid during the call. code is one of
   * docs/errors.md, or ASHERAH_WANTS_CREDENTIALS: somebody is to call asherah_set_credentials. */
  void (*warning)(uint64_t env, uint64_t factory, char *code, char *message);
  /* A listener of this environment has events to take. It does not have to hurry, nor to live on for them. */
  void (*wake)(uint64_t env, uint64_t listener);
  /* There are requests to take for this environment's thread, by asherah_request_take until there are none. */
  void (*requested)(uint64_t env);
  /* The end of a job of asherah_submit_sync. */
  void (*sync_done)(asherah_job *job);
} asherah_host;

/* Takes the host table (kept for the life of the process) and tests the ciphers; later calls do nothing. 0, or -1 with error. */
int32_t asherah_start(asherah_host *host, asherah_error *error);

/* Makes the Go stack of the calling thread so large that a signal handler of the host's may run on it. */
void asherah_prepare_thread(void);

/* A factory's handle, or 0 with the error filled in. env: any number that names the environment, for
 * asherah_env_close and warnings. config: JSON, see go/capi/config.go. master_key: the static KMS's 32 bytes, or NULL;
 * the engine copies them into key memory. */
uint64_t asherah_factory_open(uint64_t env, uint8_t *config, size_t config_len, uint8_t *master_key,
                              size_t master_key_len, asherah_error *error);
/* Closes it and its sessions; calls in flight end first with a result or ERR_ASHERAH_CLOSED. Unknown handles are ignored. */
void asherah_factory_close(uint64_t factory);
/* Closes every factory of an environment that ends, but not the static instance; of that one, its sessions. */
void asherah_env_close(uint64_t env);

/* Makes an open factory the static instance, which all threads share; it lives until asherah_factory_close. settings: any
 * bytes, for asherah_static_settings. 1; 0: there is one already, nothing was done; -1 with error (the factory is closed). */
int32_t asherah_static_set(uint64_t factory, uint8_t *settings, size_t settings_len, asherah_error *error);
/* The static instance's handle, or 0. Takes no lock. */
uint64_t asherah_static_factory(void);
/* Writes the settings of the static instance to out; length, -needed, or ASHERAH_FAILED: factory is not, or no longer, the
 * static instance. One handle's settings never change. */
int64_t asherah_static_settings(uint64_t factory, uint8_t *out, size_t out_cap);

/* Answers ASHERAH_WANTS_CREDENTIALS. credentials: JSON, see go/capi/credentials.go. 0, or -1 with error. */
int32_t asherah_set_credentials(uint64_t factory, uint8_t *credentials, size_t credentials_len, asherah_error *error);

/* 1 if a factory of this addon keeps its keys in the SQLite file of this path (UTF-8), otherwise 0. */
int32_t asherah_has_sqlite_file(uint8_t *path, size_t path_len);

/* Events: measurements and log lines, see go/observe. A listener belongs to an environment and ends with it. */

/* A new listener, which hears nothing yet; 0 only after a panic. */
uint64_t asherah_listener_open(uint64_t env);
/* Unknown listeners are ignored, here and below. */
void asherah_listener_close(uint64_t listener);

#define ASHERAH_WATCH_METRICS 1 /* measurements */
#define ASHERAH_WATCH_OWN_LOG 2 /* no other listener hears log lines of this factory */

/* What a listener hears from now on. factory 0: of every factory that its environment opened, and of the static instance, as
 * far as they have no watch of their own. Otherwise: of this factory, which its environment must have opened; measurements it
 * then has to itself. level: log lines of that level and above, 1 (trace) to 5 (error); 0: none. 0, or -1 with error. */
int32_t asherah_listener_watch(uint64_t listener, uint64_t factory, int32_t level, int32_t flags, asherah_error *error);
/* Ends a watch of one factory, as asherah_factory_close does. */
void asherah_listener_unwatch(uint64_t listener, uint64_t factory);
/* Takes what is queued: writes JSON, see Take of go/observe/queue.go; its length, 0 (nothing) or -needed. */
int64_t asherah_listener_take(uint64_t listener, uint8_t *out, size_t out_cap);

/* A session's handle, or 0 with error. env: as in asherah_factory_open, not always that of the factory. partition: UTF-8. */
uint64_t asherah_session_open(uint64_t env, uint64_t factory, uint8_t *partition, size_t partition_len,
                              asherah_error *error);
void asherah_session_close(uint64_t session);

/* Data -> data row record (JSON text), and back. Returns the number of bytes written to out, or one of the results above.
 * in and out must not overlap. On failure the contents of out are wiped or untouched. */
int64_t asherah_encrypt(uint64_t session, int32_t flags, uint8_t *in, size_t in_len, uint8_t *out, size_t out_cap,
                        asherah_error *error);
int64_t asherah_decrypt(uint64_t session, int32_t flags, uint8_t *in, size_t in_len, uint8_t *out, size_t out_cap,
                        asherah_error *error);

/* Starts job on a goroutine; its end is told by host.job_done, exactly once, always, even when the factory is closed. */
void asherah_submit(asherah_job *job);
/* Lets the next large call of an environment begin. Not owed by an environment that has ended. */
void asherah_turn_end(uint64_t env);
/* Ends a call under way that waits; one that computes goes on to its end. Its job is told as done, soon. Unknown calls are
 * ignored. */
void asherah_cancel(uint64_t env, uint64_t call);

/* The same for a synchronous call of this environment, whose thread waits for host.sync_done, and takes and answers
 * requests meanwhile: the keys come from functions in JavaScript. It fails with ERR_ASHERAH_WOULD_BLOCK instead of waiting for
 * what can only go on when that thread is free. */
void asherah_submit_sync(uint64_t env, asherah_job *job);

/* A KMS or metastore whose work functions in JavaScript do ("provider" in the configuration) asks them by requests, which
 * wait for the thread of the environment that opened the factory. */

#define ASHERAH_ENCRYPT_KEY 1 /* body: the raw key */
#define ASHERAH_DECRYPT_KEY 2 /* body: the encrypted key */
#define ASHERAH_LOAD 3
#define ASHERAH_LOAD_LATEST 4 /* created is 0 */
#define ASHERAH_STORE 5 /* body: the key record, JSON text */

typedef struct asherah_request {
  uint64_t number;
  uint64_t factory;
  int32_t kind;
  int64_t created; /* Unix seconds */
  size_t id_len; /* of the key id, UTF-8, which comes first; 0 with the two of the KMS */
  size_t body_len; /* of what follows it */
} asherah_request;

/* Takes the oldest request: its id and body go to out. The bytes written, 0 (there is none) or -needed. */
int64_t asherah_request_take(uint64_t env, asherah_request *request, uint8_t *out, size_t out_cap);

#define ASHERAH_ANSWER_VALUE 1 /* data: a key, or a key record */
#define ASHERAH_ANSWER_NOTHING 2 /* there is no such row; or, to a store, there was one */
#define ASHERAH_ANSWER_DONE 3 /* the row is stored */
#define ASHERAH_ANSWER_FAILED 4 /* the function failed; data: its message */
#define ASHERAH_ANSWER_MISFIT 5 /* what the function returned is no result; data: the whole message of the error */
#define ASHERAH_ANSWER_PROMISE 6 /* no answer yet: it comes when the thread is free */

/* Answers a request; one that nobody waits for any more is ignored. thrown: any number, for asherah_error; 0 but with
 * ASHERAH_ANSWER_FAILED. 0, or -1 with error. */
int32_t asherah_request_answer(uint64_t env, uint64_t request, int32_t outcome, uint8_t *data, size_t data_len,
                               uint64_t thrown, asherah_error *error);

/* Counts that tests and diagnostics read, as JSON text written to out; length, or -needed. factory 0: the whole process. */
int64_t asherah_stats(uint64_t factory, uint8_t *out, size_t out_cap);

#ifdef __cplusplus
}
#endif
#endif
