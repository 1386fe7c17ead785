/** How the command and the edge functions ask a server that they show a key to: what it answers is not simply believed. */

/** What is wrong with an answer that is none. */
export type Fault = 'REDIRECT' | 'TOO_LARGE' | 'NOT_JSON';

/** An answer that is not read, or is none. The message says what came, in words that may be shown. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
  readonly fault: Fault;
  readonly status: number;

  constructor(fault: Fault, status: number, message: string) {
    super(message);
    this.fault = fault;
    this.status = status;
  }
}

/** More than anything that Imago answers. */
export const largestAnswer = 8 * 1024 * 1024;

/**
 * `fetch` that follows no redirect, reads no more than {@link largestAnswer}, and takes nothing for a success that is not
 * JSON. Throws {@link BadAnswer}. How long it waits, the caller's signal says.
 */
export const fetchJson: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: 'manual' });
  try {
    return await read(response, addressOf(input));
  } catch (error) {
    if (error instanceof BadAnswer) {
      void response.body?.cancel().catch(() => {});
      if (init?.signal) badAnswers.set(init.signal, error);
    }
    throw error;
  }
};

const badAnswers = new WeakMap<AbortSignal, BadAnswer>();

/** What was wrong with the answer to the call that had this signal. supabase-js gives no more of an error than its message. */
export function badAnswerTo(signal: AbortSignal): BadAnswer | undefined {
  return badAnswers.get(signal);
}

async function read(response: Response, url: string): Promise<Response> {
  const { status, statusText, headers, ok } = response;
  // Some runtimes show where it leads, and some nothing but that it does.
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    const where = placeOf(headers.get('location'), url);
    throw new BadAnswer('REDIRECT', status, `It sends on to ${where}.`);
  }
  const bytes = await readBytes(response);
  const text = new TextDecoder().decode(bytes);
  if (ok && text !== '') expectJson(text, status, headers);
  // An error is an object with a code, or it says no more than its status.
  const body = ok || isObject(text) ? text : '{}';
  return new Response(status === 204 || status === 205 ? null : body, { status, statusText });
}

async function readBytes(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const tooLarge = () =>
    new BadAnswer('TOO_LARGE', response.status, `It is larger than ${largestAnswer / 1024 / 1024} MB.`);
  if (Number(response.headers.get('content-length') ?? 0) > largestAnswer) throw tooLarge();
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > largestAnswer) throw tooLarge();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function expectJson(text: string, status: number, headers: Headers): void {
  const type = /^[\w.+-]{1,60}\/[\w.+-]{1,60}/.exec(headers.get('content-type') ?? '')?.[0].toLowerCase();
  if (!type || !/^application\/([\w.-]+\+)?json$/.test(type)) {
    throw new BadAnswer('NOT_JSON', status, `It is ${type ?? 'of no type'}, and not JSON.`);
  }
  if (parsed(text) === undefined) {
    throw new BadAnswer('NOT_JSON', status, 'It is called JSON, and is none or breaks off.');
  }
}

function isObject(text: string): boolean {
  const value = parsed(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function addressOf(input: Parameters<typeof fetch>[0]): string {
  return input instanceof Request ? input.url : String(input);
}

/** Where a redirect leads, without what might be secret in it, and in characters that do nothing to a terminal. */
function placeOf(location: string | null, from: string): string {
  try {
    if (location === null) return 'nowhere that it names';
    const { protocol, host, pathname } = new URL(location, from);
    return host === ''
      ? `an address of the kind ${protocol}`
      : `${protocol}//${host}${pathname}`.slice(0, 200);
  } catch {
    return 'something that is no address';
  }
}
