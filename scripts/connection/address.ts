/**
 * The one reader of database URLs: who is connected to, and how far TLS protects that. Everything that connects, and
 * every program that is started to, goes by what it says and by no other reading of the same text.
 */

import { isIPv6 } from 'node:net';
import path from 'node:path';
import { UsageError } from '../command/usage.ts';
import { isLoopback, isSocketFolder } from './loopback.ts';
import { expectCertificates } from './trust.ts';

/** From nothing to all: in the clear; TLS where the server has it; TLS; TLS by a trusted CA; and for this very host. */
export type Protection = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export interface DatabaseAddress {
  /** A name, an address without brackets, or the folder of a Unix socket. */
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  protection: Protection;
  /** The file of the certificates that are trusted instead of the usual ones, or `system`. */
  roots: string | undefined;
  connectSeconds: number;
  /** What the server is told when the session begins, like search_path. */
  settings: Record<string, string>;
}

interface Reading {
  /** Where the URL comes from, for errors. */
  name: string;
  /** PGSSLROOTCERT. The URL's own sslrootcert goes before it. */
  roots?: string | undefined;
}

const example = 'postgresql://user:password@host:5432/postgres';
const escapes = 'Write % @ : / ? # and blanks in a password as %25 %40 %3A %2F %3F %23 and %20.';

/** `allow` is what libpq calls it when TLS comes second; here it comes first. */
const modes = new Map<string, Protection>([
  ['disable', 'disable'],
  ['allow', 'prefer'],
  ['prefer', 'prefer'],
  ['require', 'require'],
  ['verify-ca', 'verify-ca'],
  ['verify-full', 'verify-full'],
]);

/** Words of libpq that decide on where to connect, as which role or how safely, and that have no meaning here. */
const refused =
  /^(host|hostaddr|port|service|servicefile|user|password|passfile|dbname|ssl|ssl.+|requiressl|require_auth|requirepeer|channel_binding|gss.*|krb.*|target_session_attrs|load_balance_hosts|replication)$/;

/** How the pools of Prisma, Vercel and others are told to behave: nothing that a server or libpq knows. */
const ofPools =
  /^(pgbouncer|connection_limit|pool_timeout|socket_timeout|(prepared_)?statement_cache_size|schema|supa|workaround|keepalives|keepalives_(idle|interval|count)|tcp_user_timeout)$/;

/** Reads a database URL. Throws a UsageError for whatever could be read in two ways, or not at all. */
export function readDatabaseUrl(text: string, { name, roots }: Reading): DatabaseAddress {
  const url = URL.parse(text);
  // libpq takes it, and the standard of URLs knows no login without a host.
  if (/^postgres(ql)?:\/\/[^/?]*@([/?]|$)/.test(text)) {
    throw new UsageError(
      `${name} has a login, and no host behind it.`,
      'Write the host behind the @; that of a Unix socket is its folder: postgresql://user@%2Fvar%2Frun%2Fpostgresql/postgres.',
    );
  }
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new UsageError(`${name} is not a URL like ${example}.`, escapes);
  }
  if (url.hash || text.includes('#')) {
    throw new UsageError(`${name} has a # in it, which ends a URL.`, escapes);
  }
  const query = readQuery(url, name);
  const host = hostOf(url, query, name);
  const database = decoded(url.pathname.slice(1), name);
  if (url.pathname.slice(1).includes('/')) {
    throw new UsageError(`${name} has more than the name of a database behind its host.`, escapes);
  }
  const { sslmode, sslrootcert, connect_timeout, host: _host, port, ...others } = query;
  const settings = Object.fromEntries(Object.entries(others).filter(([key]) => !ofPools.test(key)));
  const unknown = Object.keys(settings).find((key) => refused.test(key.toLowerCase()));
  if (unknown !== undefined) {
    throw new UsageError(
      `${name} has the parameter ${unknown}, which Imago does not know.`,
      'Host, port, user, password and database stand in front of the ?; of TLS it knows sslmode and sslrootcert.',
    );
  }
  return {
    host,
    port: portOf(url.port, port, name),
    user: decoded(url.username, name) || 'postgres',
    password: url.password === '' ? undefined : decoded(url.password, name),
    database: database || 'postgres',
    connectSeconds: secondsOf(connect_timeout, name),
    settings,
    ...protectionOf({ host, name, sslmode, sslrootcert, roots }),
  };
}

/** The URL as it is handed on: it says itself what protects it, so that the environment is asked once only. */
export function checkedDatabaseUrl(text: string, reading: Reading): string {
  return databaseUrl(readDatabaseUrl(text, reading));
}

/** An address as URL. */
export function databaseUrl(address: DatabaseAddress): string {
  const { host, user, password, protection, roots, connectSeconds, settings } = address;
  const login = [user, password].filter((part) => part !== undefined).map(encodeURIComponent);
  const query = new URLSearchParams({
    sslmode: protection,
    ...(roots !== undefined && { sslrootcert: roots }),
    ...(connectSeconds !== usualSeconds && { connect_timeout: String(connectSeconds) }),
    ...settings,
  });
  // libpq knows no + for a blank.
  const parameters = query.toString().replaceAll('+', '%20');
  const place = isIPv6(host) ? `[${host}]` : encodeURIComponent(host);
  return `postgresql://${login.join(':')}@${place}:${address.port}/${encodeURIComponent(address.database)}?${parameters}`;
}

/** What to say before a connection is made that the URL itself has made less safe; undefined where it is safe. */
export function weakness({ host, protection }: DatabaseAddress): string | undefined {
  if (isLoopback(host) || protection === 'verify-full') return undefined;
  return `The database URL says sslmode=${protection}: ${weaknesses[protection](host)} Leave sslmode out, and the server has to prove who it is.`;
}

const weaknesses: Record<Exclude<Protection, 'verify-full'>, (host: string) => string> = {
  disable: (host) =>
    `password and rows go to ${host} in the clear, and anyone on the way can read and change them.`,
  prefer: (host) =>
    `TLS is used only if what answers at ${host} offers it, and nobody checks who that is: anyone on the way can have all of it in the clear.`,
  require: (host) =>
    `the connection to ${host} is encrypted, but nobody checks who is at its other end: that can be anyone on the way.`,
  'verify-ca': (host) =>
    `the certificate of ${host} is checked, but not that it is for this host: anyone who has another one of the same CA can take its place.`,
};

function readQuery(url: URL, name: string): Record<string, string> {
  const entries = [...url.searchParams];
  const keys = entries.map(([key]) => key);
  if (keys.some((key) => !/^[a-z_][a-z0-9_.]*$/i.test(key))) {
    throw new UsageError(`${name} has something behind its ? that is no parameter.`, escapes);
  }
  const twice = keys.find((key, index) => keys.indexOf(key) < index);
  if (twice !== undefined) throw new UsageError(`${name} has the parameter ${twice} twice.`);
  return Object.fromEntries(entries);
}

/** Names one host, once: what two programs could understand differently is refused. */
function hostOf(url: URL, query: Record<string, string>, name: string): string {
  const inside = decoded(url.hostname, name);
  if (inside !== '' && query.host !== undefined) {
    throw new UsageError(`${name} names a host twice, in front of the ? and behind it.`);
  }
  const host = (query.host ?? inside).replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw new UsageError(`${name} names no host. It looks like ${example}.`);
  if (host.includes(',')) {
    throw new UsageError(`${name} names several hosts.`, 'Name the one that takes writes.');
  }
  if (isSocketFolder(host)) return host;
  const lower = host.toLowerCase();
  if (isIPv6(lower) || /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_.])?$/.test(lower)) return lower;
  throw new UsageError(`${name} has a host with characters in it that no host has.`, escapes);
}

const usualSeconds = 10;

function secondsOf(value: string | undefined, name: string): number {
  if (value === undefined) return usualSeconds;
  if (/^[1-9]\d{0,2}$/.test(value)) return Number(value);
  throw new UsageError(`${name} has a connect_timeout that is not a number of seconds from 1 to 999.`);
}

function portOf(inside: string, behind: string | undefined, name: string): number {
  if (inside !== '' && behind !== undefined) {
    throw new UsageError(`${name} names a port twice, in front of the ? and behind it.`);
  }
  const value = behind ?? (inside || '5432');
  if (/^\d{1,5}$/.test(value) && Number(value) > 0 && Number(value) < 65_536) return Number(value);
  throw new UsageError(`${name} has a port that is not a number from 1 to 65535.`);
}

function decoded(text: string, name: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw new UsageError(`${name} has a % in it that begins no escape.`, escapes);
  }
  // A C string ends there, for the server and for libpq.
  if (plain.includes('\0')) throw new UsageError(`${name} has a %00 in it.`);
  return plain;
}

/** Verified, unless the URL says otherwise or the way does not leave this machine. */
function protectionOf(given: {
  host: string;
  name: string;
  sslmode: string | undefined;
  sslrootcert: string | undefined;
  roots: string | undefined;
}): Pick<DatabaseAddress, 'protection' | 'roots'> {
  const { host, name, sslmode } = given;
  const asked = sslmode === undefined ? undefined : modes.get(sslmode);
  if (sslmode !== undefined && asked === undefined) {
    throw new UsageError(
      `${name} has an sslmode that there is not.`,
      `It is one of ${[...modes.keys()].join(', ')}; left out, it is verify-full, and disable on this machine.`,
    );
  }
  if (isSocketFolder(host)) return { protection: 'disable', roots: undefined };
  const protection = asked ?? (isLoopback(host) ? 'disable' : 'verify-full');
  if (protection === 'disable' || protection === 'prefer') return { protection, roots: undefined };
  const file = given.sslrootcert ?? given.roots;
  if (file === undefined || file === '') return { protection, roots: undefined };
  const source = given.sslrootcert === undefined ? 'PGSSLROOTCERT' : `sslrootcert of ${name}`;
  if (file === 'system') {
    if (protection === 'verify-full') return { protection, roots: file };
    throw new UsageError(
      `${source} is system, and ${name} says sslmode=${sslmode}.`,
      'Anyone can have a certificate of a public CA. Only verify-full, the default without sslmode, checks which host it is for.',
    );
  }
  const roots = path.resolve(file);
  expectCertificates(roots, source);
  // As libpq has it: who names certificates wants them looked at.
  return { protection: protection === 'require' ? 'verify-ca' : protection, roots };
}
