/** A server whose every text is meant to harm the terminal that it is printed on, and commands run in this process. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished, vi } from 'vitest';

/** Retitles, clears, hides, writes backwards, begins lines of its own, and is no valid text. */
export const hostile =
  '\u001b]0;owned\u0007\u001b[2J\u001b[8m\u009b31m\u202egnp.exe\u2066\u2028\r\nResult: forged\n\u007f\u3164\u2800\ud800';

/** What must reach no terminal: control and format characters, separators of lines, halves of pairs, fillers; but joiners. */
export const harmful =
  /(?!\n|\u200c|\u200d|\p{Variation_Selector})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

const esc = '\u001b';
const ours = new RegExp(
  `${esc}\\[(1|2|22|31|32|33|36|39)m|${esc}\\[\\?25[lh]|${esc}\\[\\d+A\\r${esc}\\[0J`,
  'g',
);

/** Without the colours of ours, and without what draws a line again. */
export const withoutOurs = (text: string): string => text.replaceAll(ours, '');

/** Names of fields by whose texts the callers decide; to the others they are but text. */
const decisive =
  /^(plan|status|state|direction|severity|mode|outcome|source|phase|code|kind|.*_at|at|version)$/;

/** The same, with harm in every text that is only shown, and in the names of a map. */
export function harmed(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return decisive.test(name) ? value : `${value}${hostile}`;
  if (Array.isArray(value)) return value.map((one) => harmed(one, name));
  if (typeof value !== 'object' || value === null) return value;
  const isMap = /^(rows|restored|removed|written|facts|errors_by_.*)$/.test(name);
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [isMap ? `${key}${hostile}` : key, harmed(one, key)]),
  );
}

/** What a server answers instead of another one: a refusal, for instance; undefined lets the other one answer. */
export type Instead = (name: string) => { status: number; body: unknown } | undefined;

/** Passes calls on to a Data API, and harms what it answers. */
export async function startHostileServer(
  target: string,
  instead: Instead = () => undefined,
): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const other = instead(path.split('/').at(-1) ?? '');
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (other) return json(other.status, other.body);
    const { apikey = '', authorization = '' } = request.headers as Record<string, string>;
    const answer = await fetch(new URL(path, target), {
      method: request.method ?? 'POST',
      headers: { apikey, authorization, 'content-type': 'application/json' },
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    return json(answer.status, harmed(await answer.json()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** How a command ended that was run in this process. */
export interface Printed {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command in this process, with these variables and a terminal for stderr where it is wanted. */
export async function printed(
  run: () => Promise<number>,
  environment: Record<string, string>,
  { terminal = false } = {},
): Promise<Printed> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const tty = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
  Object.defineProperty(process.stderr, 'isTTY', { value: terminal, configurable: true });
  try {
    return { code: await run(), ...said };
  } finally {
    if (tty) Object.defineProperty(process.stderr, 'isTTY', tty);
    else Reflect.deleteProperty(process.stderr, 'isTTY');
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}
