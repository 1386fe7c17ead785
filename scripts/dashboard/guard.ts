/** Who gets an answer: the page that this process has served, and nobody who guesses, rebinds a name or links here. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Why a request is refused; undefined for one that is not. */
export type Refusal = { status: 401 | 403 | 421; code: string; message: string; hint: string };

const elsewhere: Refusal = {
  status: 421,
  code: 'wrong_host',
  message: 'The dashboard answers at its own address only.',
  hint: 'Open the address that the command has printed.',
};

const foreign: Refusal = {
  status: 403,
  code: 'wrong_origin',
  message: 'Another page may not ask the dashboard.',
  hint: 'Open the address that the command has printed.',
};

const unknown: Refusal = {
  status: 401,
  code: 'unauthorized',
  message: 'The token is missing or is not that of this dashboard.',
  hint: 'Open the address that the command has printed: each start has another one.',
};

/** Looks at where a request was sent, and from where. A name that leads here is not this address. */
export function refusalOfPlace({ headers }: Request, port: string): Refusal | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const host = headers.get('host') ?? '';
  if (!hosts.includes(host)) return elsewhere;
  const origin = headers.get('origin');
  if (origin !== null && origin !== `http://${host}`) return foreign;
  const site = headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none') return foreign;
  return undefined;
}

/** Looks at the token, in a time that does not depend on how much of it is right. */
export function refusalOfToken({ headers }: Request, token: string): Refusal | undefined {
  const given = headers.get('authorization') ?? '';
  return timingSafeEqual(digest(given), digest(`Bearer ${token}`)) ? undefined : unknown;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
