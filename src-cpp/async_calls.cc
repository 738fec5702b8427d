// SPDX-License-Identifier: Apache-2.0
//
// Asynchronous calls: a job with a copy of the input goes to the engine, and comes back as an event of the environment.
#include <stdlib.h>
#include <string.h>

#include <new>
#include <utility>

#include "asherah.h"
#include "bytes.h"
#include "calls.h"
#include "errors.h"
#include "signals.h"

namespace asherah {
namespace {

class Job final : public Event, public asherah_job {
 public:
  Job(std::shared_ptr<Environment> owner, int32_t operation, uint64_t session_or_factory)
      : asherah_job(), environment(std::move(owner)) {
    op = operation;
    env = environment->id();
    handle = session_or_factory;
  }

  ~Job() override {
    // The plaintext is what goes in to encrypt and what comes out of decrypt.
    if (op == ASHERAH_OP_ENCRYPT && in != nullptr) Wipe(in, in_len);
    if (op == ASHERAH_OP_DECRYPT && out != nullptr && result > 0) Wipe(out, static_cast<size_t>(result));
    free(in);
    free(out);
  }

  bool CopyInput(const Input &input) {
    in = static_cast<uint8_t *>(malloc(input.size() > 0 ? input.size() : 1));
    if (in == nullptr) return false;
    in_len = input.size();
    if (in_len > 0) memcpy(in, input.data(), in_len);
    return true;
  }

  void Deliver(Environment &to) override {
    to.CallEnded();
    if (has_turn != 0) {
      PrepareThread();
      asherah_turn_end(to.id());
    }
    napi_env env = to.env();
    napi_value value = result == ASHERAH_FAILED ? nullptr : Value(to);
    // Statuses below: no promise can be settled any more once the environment ends.
    if (value != nullptr) {
      (void)napi_resolve_deferred(env, deferred, value);
      return;
    }
    napi_value reason = result == ASHERAH_FAILED ? NewError(env, error) : TakeException(env);
    if (reason != nullptr) (void)napi_reject_deferred(env, deferred, reason);
  }

  /** Holds the environment's state, not the environment. */
  std::shared_ptr<Environment> environment;
  napi_deferred deferred = nullptr;

 private:
  napi_value Value(Environment &to) const {
    napi_value undefined;
    if (result == ASHERAH_CANCELLED && napi_get_undefined(to.env(), &undefined) == napi_ok) return undefined;
    if (op == ASHERAH_OP_ENCRYPT) return RecordToString(to.env(), out, result);
    if (op == ASHERAH_OP_DECRYPT) return to.NewBuffer(out, static_cast<size_t>(result));
    napi_value json;
    if (napi_create_string_utf8(to.env(), reinterpret_cast<char *>(out), static_cast<size_t>(result), &json) ==
        napi_ok) {
      return json;
    }
    return ThrowNodeApiFailed(to.env(), "napi_create_string_utf8");
  }
};

/** 0 where there is none. False with an exception pending. */
bool ReadCall(napi_env env, napi_value value, uint64_t *call) {
  napi_valuetype type;
  *call = 0;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_undefined) return true;
  return ReadHandle(env, value, kExpectedCall, call);
}

napi_value Start(napi_env env, Environment &environment, std::unique_ptr<Job> job) {
  napi_value promise;
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) {
    return ThrowNodeApiFailed(env, "napi_create_promise");
  }
  environment.CallStarted();
  asherah_submit(job.release());
  return promise;
}

napi_value Submit(napi_env env, napi_callback_info info, int32_t op) {
  Call<3> call(env, info);
  if (!call) return nullptr;
  if (const asherah_error *error = StartEngine()) return Throw(env, *error);
  uint64_t session, number;
  if (!ReadHandle(env, call[0], kExpectedSession, &session) || !ReadCall(env, call[2], &number)) return nullptr;
  Environment &environment = call.environment();
  ScratchLease scratch(environment);
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));

  bool encrypts = op == ASHERAH_OP_ENCRYPT;
  Input input(*scratch.get(), encrypts ? Secrecy::kPlaintext : Secrecy::kPublic);
  bool read = encrypts ? input.ReadBytesOrString(env, call[1], kExpectedData)
                       : input.ReadStringOrBytes(env, call[1], kExpectedRecord);
  if (!read) return nullptr;
  std::unique_ptr<Job> job(new (std::nothrow) Job(environment.shared_from_this(), op, session));
  if (!job || !job->CopyInput(input)) return ThrowTooLarge(env, encrypts ? "data" : "record", input.size());
  job->call = number;
  return Start(env, environment, std::move(job));
}

napi_value SubmitForFactory(napi_env env, napi_callback_info info, int32_t op) {
  Call<1> call(env, info);
  if (!call) return nullptr;
  if (const asherah_error *error = StartEngine()) return Throw(env, *error);
  uint64_t factory;
  if (!ReadHandle(env, call[0], kExpectedFactory, &factory)) return nullptr;
  std::unique_ptr<Job> job(new (std::nothrow) Job(call.environment().shared_from_this(), op, factory));
  if (!job) return ThrowTooLarge(env, "working memory", sizeof(Job));
  return Start(env, call.environment(), std::move(job));
}

}  // namespace

napi_value NewCall(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  return call ? HandleToNumber(env, call.environment().NewCall()) : nullptr;
}

napi_value CancelCall(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  uint64_t number;
  if (!call || !ReadHandle(env, call[0], kExpectedCall, &number)) return nullptr;
  PrepareThread();
  asherah_cancel(call.environment().id(), number);
  return nullptr;
}

napi_value Verify(napi_env env, napi_callback_info info) {
  return SubmitForFactory(env, info, ASHERAH_OP_VERIFY);
}

napi_value CreateSchema(napi_env env, napi_callback_info info) {
  return SubmitForFactory(env, info, ASHERAH_OP_CREATE_SCHEMA);
}

napi_value EncryptAsync(napi_env env, napi_callback_info info) {
  return Submit(env, info, ASHERAH_OP_ENCRYPT);
}

napi_value DecryptAsync(napi_env env, napi_callback_info info) {
  return Submit(env, info, ASHERAH_OP_DECRYPT);
}

void OnJobDone(asherah_job *done) {
  std::unique_ptr<Job> job(static_cast<Job *>(done));
  // Taken out of the job: it may be the last to hold the state, which must outlive Post.
  std::shared_ptr<Environment> environment = std::move(job->environment);
  environment->Post(std::move(job));
}

}  // namespace asherah
