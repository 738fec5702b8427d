# SPDX-License-Identifier: Apache-2.0
"""A peer for the tests: the Rust Asherah core of PyPI, driven by JSON lines.

Requests and answers are those of go-official/main.go, without "sql". A request with "config" brings its own options for KMS
and metastore, in place of the static key and the SQLite file.
"""

import base64
import json
import sys

import asherah


def options(request):
    if "config" in request:
        return request["config"]
    return {
        "KMS": "static",
        "StaticMasterKeyHex": request["masterKey"],
        "Metastore": "sqlite",
        "ConnectionString": request["db"],
    }


def handle(request):
    config = {
        "ServiceName": request["service"],
        "ProductID": request["product"],
        "EnableSessionCaching": False,
        **options(request),
    }
    # a factory for the one call, so that every key comes from the file
    with asherah.SessionFactory(config) as factory, factory.get_session(request["partition"]) as session:
        if request["op"] == "encrypt":
            return {"record": session.encrypt_bytes(base64.b64decode(request["data"]))}
        if request["op"] == "decrypt":
            return {"data": base64.b64encode(session.decrypt_bytes(request["record"])).decode()}
    raise ValueError("unknown op " + request["op"])


for line in sys.stdin:
    try:
        answer = handle(json.loads(line))
    except Exception as error:  # the peer's own errors have no common base
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
