import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedBytes, toHex } from "../../../src/base/bytes.ts";
import { CLIENT_SSL, hasFlag } from "../../../src/mysql/capabilities.ts";
import {
  decodeAuthSwitch,
  decodeGreeting,
  decodeLoginOrTlsRequest,
  encodeAuthSwitch,
  encodeGreeting,
  encodeLogin,
  encodeTlsRequest,
  type LoginRequest,
} from "../../../src/mysql/handshake.ts";
import * as captured from "./captured.ts";

function login(bytes: Uint8Array): LoginRequest {
  const request = decodeLoginOrTlsRequest(bytes);
  assert.equal(request.kind, "login");
  return request as LoginRequest;
}

test("the greeting of a 9.7 server, byte for byte", () => {
  const greeting = decodeGreeting(captured.GREETING_97);
  assert.equal(greeting.serverVersion, "9.7.4-2");
  assert.equal(greeting.connectionId, 11);
  assert.equal(greeting.capabilities, 0xdfffffff);
  assert.equal(greeting.authPlugin, "caching_sha2_password");
  assert.equal(toHex(greeting.nonce), "2e48087d1b1b0e0b69322e2a33660d2e432f457b");
  assert.equal(toHex(encodeGreeting(greeting)), toHex(captured.GREETING_97));
});

test("the greetings of 5.6 and MariaDB", () => {
  const old = decodeGreeting(captured.GREETING_56);
  assert.equal(old.serverVersion, "5.6.24-log");
  assert.equal(old.capabilities, 0x807ff7ff);
  assert.equal(old.authPlugin, "mysql_native_password");
  assert.equal(hasFlag(old.capabilities, CLIENT_SSL), false);
  const maria = decodeGreeting(captured.GREETING_MARIADB);
  assert.equal(maria.serverVersion, "5.5.5-10.11.19-MariaDB-0+deb12u1-log");
  assert.equal(maria.nonce.length, 20);
});

test("the login of a 9.7 replica, byte for byte", () => {
  const request = login(captured.LOGIN_REPLICA_97_ZSTD);
  assert.equal(request.user, "repl");
  assert.equal(request.authData.length, 32);
  assert.equal(request.authPlugin, "caching_sha2_password");
  assert.equal(request.attributes.get("_client_role"), "binary_log_listener");
  assert.equal(request.attributes.get("_client_replication_channel_name"), "");
  assert.equal(request.attributes.size, 8);
  assert.equal(request.zstdLevel, 3);
  assert.equal(request.collation, 255);
  assert.equal(toHex(encodeLogin(request)), toHex(captured.LOGIN_REPLICA_97_ZSTD));
});

test("the logins of other programs", () => {
  const old = login(captured.LOGIN_REPLICA_56);
  assert.equal(old.authPlugin, "mysql_native_password");
  assert.equal(old.authData.length, 20);
  assert.equal(old.attributes.get("_client_version"), "5.6.24");
  const maria = login(captured.LOGIN_REPLICA_MARIADB);
  assert.equal(maria.authPlugin, "mysql_native_password");
  assert.equal(maria.authData.length, 0);
  assert.equal(maria.attributes.get("_server_host"), "127.0.0.1");
  const powersync = login(captured.LOGIN_POWERSYNC);
  assert.deepEqual(
    [powersync.user, powersync.authPlugin, powersync.database, powersync.attributes.size],
    ["full", "", "", 0],
  );
  assert.equal(powersync.authData.length, 32);
  const mysql2 = login(captured.LOGIN_MYSQL2);
  assert.equal(mysql2.authPlugin, "caching_sha2_password");
  assert.equal(mysql2.attributes.get("_client_name"), "Node-MySQL-2");
  for (const bytes of [captured.LOGIN_REPLICA_56, captured.LOGIN_REPLICA_MARIADB]) {
    assert.equal(toHex(encodeLogin(login(bytes))), toHex(bytes));
  }
});

test("fields that are missing at the end are empty, whatever the flags say", () => {
  const whole = captured.LOGIN_MYSQL2;
  const attributesAt = whole.length - 0x31 - 1;
  assert.equal(whole[attributesAt], 0x31);
  const short = login(whole.subarray(0, attributesAt));
  assert.equal(short.authPlugin, "caching_sha2_password");
  assert.equal(short.attributes.size, 0);
  const shorter = login(whole.subarray(0, attributesAt - 22));
  assert.deepEqual([shorter.authPlugin, shorter.database, shorter.user], ["", "", "full"]);
  assert.throws(() => login(whole.subarray(0, attributesAt + 1)), MalformedBytes);
});

test("a TLS request is the first 32 bytes alone", () => {
  const request = login(captured.LOGIN_REPLICA_97_ZSTD);
  const capabilities = (request.capabilities | CLIENT_SSL) >>> 0;
  const bytes = encodeTlsRequest({ ...request, capabilities });
  assert.equal(bytes.length, 32);
  const decoded = decodeLoginOrTlsRequest(bytes);
  assert.equal(decoded.kind, "tls-request");
  assert.equal(decoded.capabilities, capabilities);
  // Without the flag the same length is a login that ends too early.
  assert.throws(() => decodeLoginOrTlsRequest(bytes.with(1, 0xa2)), MalformedBytes);
});

test("auth switch requests", () => {
  const nonce = new Uint8Array(20).fill(9);
  const decoded = decodeAuthSwitch(encodeAuthSwitch("caching_sha2_password", nonce));
  assert.deepEqual(decoded, { plugin: "caching_sha2_password", nonce });
  assert.equal(decodeAuthSwitch(Uint8Array.of(0xfe)).plugin, "");
  assert.throws(() => decodeAuthSwitch(Uint8Array.of(0xfe, 65)), MalformedBytes);
});

function attempt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof MalformedBytes, String(error));
  }
}

test("every prefix of every login is a login or MalformedBytes", () => {
  for (const bytes of captured.LOGINS) {
    for (let length = 0; length < bytes.length; length++) {
      attempt(() => decodeLoginOrTlsRequest(bytes.subarray(0, length)));
    }
    // The user name and the response must be whole.
    assert.throws(() => decodeLoginOrTlsRequest(bytes.subarray(0, 34)), MalformedBytes);
  }
});

test("every changed byte of every login is a login or MalformedBytes", () => {
  for (const bytes of captured.LOGINS) {
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, bytes[at]! ^ 0x20]) {
        attempt(() => decodeLoginOrTlsRequest(bytes.with(at, value)));
      }
    }
  }
});

test("every prefix and changed byte of every greeting is a greeting or MalformedBytes", () => {
  for (const bytes of [captured.GREETING_97, captured.GREETING_56, captured.GREETING_MARIADB]) {
    for (let length = 0; length < bytes.length; length++) {
      attempt(() => decodeGreeting(bytes.subarray(0, length)));
      for (const value of [0, 0xff]) attempt(() => decodeGreeting(bytes.with(length, value)));
    }
  }
});
