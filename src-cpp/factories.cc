// SPDX-License-Identifier: Apache-2.0
//
// Opening and closing, and the warnings that open factories give.
#include <string>
#include <utility>

#include "asherah.h"
#include "bytes.h"
#include "calls.h"
#include "errors.h"
#include "signals.h"

namespace asherah {
namespace {

class Warning final : public Event {
 public:
  Warning(uint64_t factory, const char *code, const char *message)
      : factory_(factory), code_(code), message_(message) {}

  void Deliver(Environment &environment) override {
    auto found = environment.on_warning.find(factory_);
    if (found == environment.on_warning.end()) return;  // its openFactory failed, and told the caller more than this
    napi_env env = environment.env();
    napi_value arguments[2];
    if (napi_create_string_utf8(env, code_.c_str(), code_.size(), &arguments[0]) == napi_ok &&
        napi_create_string_utf8(env, message_.c_str(), message_.size(), &arguments[1]) == napi_ok) {
      CallBack(env, found->second, 2, arguments);
    }
  }

 private:
  const uint64_t factory_;
  const std::string code_, message_;
};

/** Queued behind the warnings that a factory gave before it was closed. */
class NoMoreWarnings final : public Event {
 public:
  explicit NoMoreWarnings(uint64_t factory) : factory_(factory) {}
  void Deliver(Environment &environment) override {
    environment.on_warning.erase(factory_);
    environment.on_request.erase(factory_);
  }

 private:
  const uint64_t factory_;
};

}  // namespace

napi_value HandleToNumber(napi_env env, uint64_t handle) {
  napi_value number;
  if (static_cast<double>(handle) <= kMaxHandle &&
      napi_create_double(env, static_cast<double>(handle), &number) == napi_ok) {
    return number;
  }
  return ThrowNodeApiFailed(env, "making a handle");
}

void CallBack(napi_env env, const Napi::FunctionReference &function, size_t count, const napi_value *arguments) {
  napi_value callee = function.Value(), undefined;
  if (callee == nullptr || napi_get_undefined(env, &undefined) != napi_ok ||
      napi_call_function(env, undefined, callee, count, arguments, nullptr) == napi_ok) {
    return;
  }
  napi_value exception = TakeException(env);
  if (exception != nullptr) (void)napi_fatal_exception(env, exception);
}

napi_value OpenFactory(napi_env env, napi_callback_info info) {
  Call<4> call(env, info);
  if (!call) return nullptr;
  if (const asherah_error *error = StartEngine()) return Throw(env, *error);
  Environment &environment = call.environment();
  ScratchLease scratch(environment);
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));

  // A connection string may hold a password.
  Input config(*scratch.get(), Secrecy::kPlaintext);
  if (!config.ReadString(env, call[0], "config: expected a string.")) return nullptr;
  Input master_key(*scratch.get(), Secrecy::kPlaintext);
  napi_valuetype type;
  if (napi_typeof(env, call[1], &type) != napi_ok) return ThrowNodeApiFailed(env, "napi_typeof");
  if (type != napi_undefined && !master_key.ReadBytes(env, call[1], "masterKey: expected a Uint8Array or undefined.")) {
    return nullptr;
  }
  if (napi_typeof(env, call[2], &type) != napi_ok) return ThrowNodeApiFailed(env, "napi_typeof");
  if (type != napi_function) return ThrowInvalidArgument(env, "onWarning: expected a function.");
  Napi::FunctionReference on_warning = Napi::Persistent(Napi::Function(env, call[2]));
  if (on_warning.IsEmpty()) return nullptr;
  Napi::FunctionReference on_request;
  if (napi_typeof(env, call[3], &type) != napi_ok) return ThrowNodeApiFailed(env, "napi_typeof");
  if (type == napi_function) on_request = Napi::Persistent(Napi::Function(env, call[3]));
  if (type != napi_undefined && type != napi_function) {
    return ThrowInvalidArgument(env, "onRequest: expected a function or undefined.");
  }
  if (type == napi_function && on_request.IsEmpty()) return nullptr;

  asherah_error error;
  uint64_t factory = asherah_factory_open(environment.id(), config.data(), config.size(), master_key.data(),
                                          master_key.size(), &error);
  if (factory == 0) return Throw(env, error);
  napi_value handle = HandleToNumber(env, factory);
  if (handle == nullptr) {
    asherah_factory_close(factory);
    return nullptr;
  }
  environment.on_warning[factory] = std::move(on_warning);
  if (type == napi_function) environment.on_request[factory] = std::move(on_request);
  return handle;
}

napi_value CloseFactory(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  uint64_t factory;
  if (!call || !ReadHandle(env, call[0], kExpectedFactory, &factory)) return nullptr;
  PrepareThread();
  asherah_factory_close(factory);
  Environment &environment = call.environment();
  if (environment.on_warning.count(factory) > 0) environment.Post(std::make_unique<NoMoreWarnings>(factory));
  return nullptr;
}

napi_value OpenSession(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  uint64_t factory;
  if (!call || !ReadHandle(env, call[0], kExpectedFactory, &factory)) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input partition(*scratch.get(), Secrecy::kPublic);
  if (!partition.ReadString(env, call[1], "partition: expected a string.")) return nullptr;
  asherah_error error;
  PrepareThread();
  uint64_t session = asherah_session_open(call.environment().id(), factory, partition.data(), partition.size(), &error);
  if (session == 0) return Throw(env, error);
  napi_value handle = HandleToNumber(env, session);
  if (handle == nullptr) asherah_session_close(session);
  return handle;
}

napi_value CloseSession(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  uint64_t session;
  if (!call || !ReadHandle(env, call[0], kExpectedSession, &session)) return nullptr;
  PrepareThread();
  asherah_session_close(session);
  return nullptr;
}

napi_value SetCredentials(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  uint64_t factory;
  if (!call || !ReadHandle(env, call[0], kExpectedFactory, &factory)) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input credentials(*scratch.get(), Secrecy::kPlaintext);
  if (!credentials.ReadString(env, call[1], "credentials: expected a string.")) return nullptr;
  asherah_error error;
  PrepareThread();
  if (asherah_set_credentials(factory, credentials.data(), credentials.size(), &error) != 0) return Throw(env, error);
  return nullptr;
}

napi_value HasSqliteFile(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call) return nullptr;
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  Input path(*scratch.get(), Secrecy::kPublic);
  if (!path.ReadString(env, call[0], "path: expected a string.")) return nullptr;
  napi_value has;
  PrepareThread();
  if (napi_get_boolean(env, asherah_has_sqlite_file(path.data(), path.size()) != 0, &has) != napi_ok) {
    return ThrowNodeApiFailed(env, "napi_get_boolean");
  }
  return has;
}

napi_value Stats(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  uint64_t factory;
  if (!call || !ReadHandle(env, call[0], "factory: expected the number that openFactory returned, or 0.", &factory)) {
    return nullptr;
  }
  ScratchLease scratch(call.environment());
  if (scratch.get() == nullptr) return ThrowTooLarge(env, "working memory", sizeof(Scratch));
  PrepareThread();
  int64_t size = asherah_stats(factory, scratch.get()->out, Scratch::kSize);
  if (size < 0) return ThrowTooLarge(env, "stats", Scratch::kSize);
  napi_value json;
  if (napi_create_string_utf8(env, reinterpret_cast<char *>(scratch.get()->out), static_cast<size_t>(size), &json) !=
      napi_ok) {
    return ThrowNodeApiFailed(env, "napi_create_string_utf8");
  }
  return json;
}

void OnWarning(uint64_t env, uint64_t factory, char *code, char *message) {
  std::shared_ptr<Environment> environment = Environment::Find(env);
  if (environment) environment->Post(std::make_unique<Warning>(factory, code, message));
}

}  // namespace asherah
