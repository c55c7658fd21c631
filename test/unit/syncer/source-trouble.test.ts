import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientError, type ClientErrorCode } from "../../../src/mysql/client-error.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { NetError } from "../../../src/platform/net.ts";
import { troubleWith } from "../../../src/syncer/source-trouble.ts";

const PLACE = { host: "db.example", port: 3306 };

function told(code: ClientErrorCode, message: string, cause?: Error): string {
  const { reason, next } = troubleWith(new ClientError(code, message, { cause }), PLACE);
  return `${reason} | ${next}`;
}

test("each mistake about the source has its sentence and a next step", () => {
  const net = (code: string): string => told("unreachable", "x", new NetError(code, "x"));
  assert.match(
    net("ECONNREFUSED"),
    /^Nothing listens at .* db\.example:3306 .* \| see that the source runs/,
  );
  assert.match(net("ENOTFOUND"), /^No name server knows .*"db\.example".* \| .*syncer set mysql:/);
  assert.match(told("timeout", "Cannot connect"), /\| .*firewalls/);
  assert.match(told("protocol", "bad greeting"), /^No MySQL server answers at db\.example:3306/);
  assert.match(told("no-login", "No login"), /\| see that a MySQL server answers there.*BR2005/);
  assert.match(
    told("auth", "denied"),
    /\| check user and password: binraft syncer set --password-file/,
  );
  const denied = new MysqlError(1045, "28000", "Access denied");
  assert.match(told("server", "Access denied", denied), /\| check user and password/);
  const lacking = new MysqlError(1227, "42000", "Access denied; you need …");
  assert.match(told("server", "x", lacking), /lacks a privilege \| .*GRANT REPLICATION SLAVE/);
  assert.match(troubleWith(lacking, PLACE).next, /GRANT/);
  assert.deepEqual(troubleWith(new Error("odd"), PLACE), { reason: "odd", next: "" });
});

test("what a certificate lacks is said in the words of each runtime, with the mode that takes MySQL's own", () => {
  const names = [
    "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: ",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "invalid peer certificate: NotValidForName",
  ];
  for (const message of names)
    assert.match(told("tls", message), /does not name "db\.example".*\| .*verify-ca/);
  const signers = [
    "self-signed certificate in certificate chain",
    "unable to get local issuer certificate",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "invalid peer certificate: UnknownIssuer",
  ];
  for (const message of signers)
    assert.match(told("tls", message), /^No CA that is known.*\| .*--tls-ca ca\.pem/);
  assert.match(told("tls", "wrong version number"), /\| check source\.tls and source\.tls_ca/);
});
