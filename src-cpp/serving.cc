// SPDX-License-Identifier: Apache-2.0
#include "serving.h"

#include <stdlib.h>
#include <string.h>

#include <new>
#include <utility>

#include "calls.h"
#include "errors.h"
#include "signals.h"

namespace asherah {

/** From asherah_submit_sync to OnSyncDone it belongs to the engine, then to whoever of the two sides is later. */
struct SyncJob : asherah_job {
  explicit SyncJob(std::shared_ptr<Environment> owner) : asherah_job(), environment(std::move(owner)) {}
  ~SyncJob() {
    // The plaintext is what goes in to encrypt and what comes out of decrypt.
    if (op == ASHERAH_OP_ENCRYPT && in != nullptr) Wipe(in, in_len);
    if (op == ASHERAH_OP_DECRYPT && out != nullptr && result > 0) Wipe(out, static_cast<size_t>(result));
    free(in);
    free(out);
  }
  SyncJob(const SyncJob &) = delete;
  SyncJob &operator=(const SyncJob &) = delete;

  std::shared_ptr<Environment> environment;
  bool done = false;  // under the mutex of environment->serving
  bool abandoned = false;  // the same
};

namespace {

napi_value Body(Environment &environment, const asherah_request &request, const uint8_t *body) {
  napi_env env = environment.env();
  napi_value value;
  if (request.kind == ASHERAH_ENCRYPT_KEY || request.kind == ASHERAH_DECRYPT_KEY) {
    return environment.NewBuffer(body, request.body_len);
  }
  napi_status status =
      request.kind == ASHERAH_STORE
          ? napi_create_string_utf8(env, reinterpret_cast<const char *>(body), request.body_len, &value)
          : napi_get_undefined(env, &value);
  return status == napi_ok ? value : ThrowNodeApiFailed(env, "making a request");
}

/** False with an exception pending. */
bool Ask(Environment &environment, const asherah_request &request, const uint8_t *id) {
  auto found = environment.on_request.find(request.factory);
  if (found == environment.on_request.end()) return true;  // closed meanwhile, so nobody waits
  napi_env env = environment.env();
  napi_value callee = found->second.Value(), undefined, arguments[5];
  if (callee == nullptr || napi_get_undefined(env, &undefined) != napi_ok ||
      napi_create_double(env, static_cast<double>(request.number), &arguments[0]) != napi_ok ||
      napi_create_int32(env, request.kind, &arguments[1]) != napi_ok ||
      napi_create_string_utf8(env, reinterpret_cast<const char *>(id), request.id_len, &arguments[2]) != napi_ok ||
      napi_create_double(env, static_cast<double>(request.created), &arguments[3]) != napi_ok) {
    ThrowNodeApiFailed(env, "making a request");
    return false;
  }
  arguments[4] = Body(environment, request, id + request.id_len);
  return arguments[4] != nullptr && napi_call_function(env, undefined, callee, 5, arguments, nullptr) == napi_ok;
}

class RequestsToServe final : public Event {
 public:
  void Deliver(Environment &environment) override;
};

/** Serves one request. False with an exception pending; *served is false where there was none. */
bool ServeOne(Environment &environment, bool *served) {
  napi_env env = environment.env();
  ScratchLease scratch(environment);
  if (scratch.get() == nullptr) {
    ThrowTooLarge(env, "working memory", sizeof(Scratch));
    return false;
  }
  asherah_request request;
  uint8_t *out = scratch.get()->out;
  HeapBytes heap;
  PrepareThread();
  int64_t size = asherah_request_take(environment.id(), &request, out, Scratch::kSize);
  if (size < 0) {
    size_t needed = static_cast<size_t>(-size);
    heap.reset(static_cast<uint8_t *>(malloc(needed)));
    out = heap.get();
    if (out == nullptr) {
      ThrowTooLarge(env, "a request", needed);
      return false;
    }
    size = asherah_request_take(environment.id(), &request, out, needed);
  }
  *served = size > 0;
  if (size <= 0) return true;
  bool asked = Ask(environment, request, out);
  Wipe(out, static_cast<size_t>(size));  // a key that is to be encrypted
  if (asked) return true;
  // The function of lib does not throw: the stack or memory ended, or the thread is being terminated.
  asherah_error ignored;
  char message[] = "JavaScript could not run: its stack or memory ended, or its thread";
  (void)asherah_request_answer(environment.id(), request.number, ASHERAH_ANSWER_FAILED,
                               reinterpret_cast<uint8_t *>(message), sizeof message - 1, 0, &ignored);
  return false;
}

/** Serves all requests. False with an exception pending; the rest is then left to the event loop. */
bool Serve(Environment &environment) {
  napi_env env = environment.env();
  for (bool served = true; served;) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
    bool fine = ServeOne(environment, &served);
    (void)napi_close_handle_scope(env, scope);
    if (!fine) {
      environment.PostQuietly(std::make_unique<RequestsToServe>());
      return false;
    }
  }
  return true;
}

void RequestsToServe::Deliver(Environment &environment) {
  if (Serve(environment)) return;
  napi_value exception = TakeException(environment.env());
  if (exception != nullptr) (void)napi_fatal_exception(environment.env(), exception);
}

/** Waits until the job is done, true, or there are requests. */
bool Wait(Environment::Serving &serving, const SyncJob &job) {
  std::unique_lock<std::mutex> lock(serving.mutex);
  serving.change.wait(lock, [&] { return job.done || serving.requested; });
  serving.requested = false;
  return job.done;
}

}  // namespace

ServedCall::~ServedCall() {
  if (job_ == nullptr) return;
  {
    std::lock_guard<std::mutex> lock(environment_.serving.mutex);
    job_->abandoned = true;
    if (!job_->done) return;
  }
  delete job_;
}

bool ServedCall::Run(int32_t op, uint64_t session, const Input &input) {
  napi_env env = environment_.env();
  job_ = new (std::nothrow) SyncJob(environment_.shared_from_this());
  if (job_ != nullptr) {
    job_->op = op;
    job_->handle = session;
    job_->in = static_cast<uint8_t *>(malloc(input.size() > 0 ? input.size() : 1));
    job_->done = true;  // as long as the engine does not have it
  }
  if (job_ == nullptr || job_->in == nullptr) {
    ThrowTooLarge(env, "working memory", input.size());
    return false;
  }
  // A copy: the functions may change or transfer the caller's bytes.
  job_->in_len = input.size();
  if (input.size() > 0) memcpy(job_->in, input.data(), input.size());
  job_->done = false;
  asherah_submit_sync(environment_.id(), job_);
  // First what is there already: this call may be inside of a function whose caller has taken only a part of the requests. And
  // once more at the end: what a refresh asks in the background, nobody may come to serve for long.
  for (bool done = false;; done = Wait(environment_.serving, *job_)) {
    if (!Serve(environment_)) return false;
    if (done) break;
  }
  if (job_->result == ASHERAH_FAILED) {
    Throw(env, job_->error);
    return false;
  }
  return true;
}

uint8_t *ServedCall::data() const {
  return job_->out;
}

int64_t ServedCall::result() const {
  return job_->result;
}

napi_value Answer(napi_env env, napi_callback_info info) {
  Call<4> call(env, info);
  uint64_t request, outcome, thrown = 0;
  if (!call || !ReadHandle(env, call[0], "request: expected the number of a request.", &request) ||
      !ReadHandle(env, call[1], "outcome: expected a whole number.", &outcome)) {
    return nullptr;
  }
  napi_valuetype of_data, of_thrown;
  if (napi_typeof(env, call[2], &of_data) != napi_ok || napi_typeof(env, call[3], &of_thrown) != napi_ok) {
    return ThrowNodeApiFailed(env, "napi_typeof");
  }
  if (of_thrown != napi_undefined && !ReadHandle(env, call[3], "thrown: expected a whole number.", &thrown)) {
    return nullptr;
  }
  if (outcome > ASHERAH_ANSWER_PROMISE) return ThrowInvalidArgument(env, "outcome: expected one of six.");
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input data(*scratch.get(), Secrecy::kPlaintext);
  if (of_data != napi_undefined &&
      !data.ReadStringOrBytes(env, call[2], "data: expected a string, Uint8Array or undefined.")) {
    return nullptr;
  }
  if (const asherah_error *error = StartEngine()) return Throw(env, *error);
  asherah_error error;
  if (asherah_request_answer(call.environment().id(), request, static_cast<int32_t>(outcome), data.data(), data.size(),
                             thrown, &error) != 0) {
    return Throw(env, error);
  }
  return nullptr;
}

void OnRequested(uint64_t env) {
  std::shared_ptr<Environment> environment = Environment::Find(env);
  if (!environment) return;
  {
    std::lock_guard<std::mutex> lock(environment->serving.mutex);
    environment->serving.requested = true;
    environment->serving.change.notify_all();
  }
  environment->PostQuietly(std::make_unique<RequestsToServe>());
}

void OnSyncDone(asherah_job *done) {
  auto *job = static_cast<SyncJob *>(done);
  std::shared_ptr<Environment> environment = job->environment;
  {
    std::lock_guard<std::mutex> lock(environment->serving.mutex);
    job->done = true;
    environment->serving.change.notify_all();
    if (!job->abandoned) return;
  }
  delete job;
}

}  // namespace asherah
