// SPDX-License-Identifier: Apache-2.0
//
// Errors as JavaScript sees them: an Error with `code` and `message`; lib/errors.ts makes AsherahErrors of them.
//
// Each Throw function returns nullptr, which is what a native function returns after a throw. A throw that fails is
// ignored on purpose: either the environment is ending and runs no more JavaScript, or an exception is pending already,
// which says more (the RangeError at the end of the caller's stack, for one).
#pragma once

#include <node_api.h>

#include "asherah.h"

namespace asherah {

/** nullptr when the environment can make no more objects. */
napi_value NewError(napi_env env, const asherah_error &error);

napi_value Throw(napi_env env, const asherah_error &error);

/** ERR_ASHERAH_INVALID_ARGUMENT, as a TypeError: what the caller broke is the contract of lib/addon.ts. */
napi_value ThrowInvalidArgument(napi_env env, const char *message);

/** A call of Node-API failed that can only fail for want of memory or at the end of the environment. */
napi_value ThrowNodeApiFailed(napi_env env, const char *what);

/** ERR_ASHERAH_TOO_LARGE; `what` names the value that did not fit. */
void FillTooLarge(asherah_error &error, const char *what, unsigned long long bytes);
napi_value ThrowTooLarge(napi_env env, const char *what, unsigned long long bytes);

/** Takes the pending exception away; nullptr when there is none. */
napi_value TakeException(napi_env env);

}  // namespace asherah
