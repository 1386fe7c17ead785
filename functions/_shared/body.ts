/** Reads what was asked, never more than a little of it. */
import type { z } from 'zod';
import { problem } from './problems.ts';
import { noFields } from './requests.ts';

const maxBytes = 16 * 1024;

/** The body by its schema. What stands in the query would do nothing, and so is refused. */
export async function readBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  readQuery(request, noFields);
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw problem('not_json');
  const bytes = await readBytes(request);
  let text: string;
  let body: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    body = JSON.parse(text);
  } catch {
    throw problem('bad_json');
  }
  const read = parse(schema, body);
  expectOnce(namesIn(text));
  return read;
}

/** The fields of the query by its schema. */
export function readQuery<Schema extends z.ZodType>(request: Request, schema: Schema): z.output<Schema> {
  // supabase-js says there where the function is to run; that is for the platform.
  const query = [...new URL(request.url).searchParams].filter(([name]) => name !== 'forceFunctionRegion');
  expectOnce(query.map(([name]) => name));
  return parse(schema, Object.fromEntries(query));
}

/** Of two fields of one name, one would be lost. */
function expectOnce(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw problem('bad_body', sentence([`${named(twice)}: given twice`]));
}

/** The names of the fields of an object that holds no other ones, each as often as it stands there. */
function namesIn(json: string): string[] {
  // Whatever is in quotes is a string, and one before a colon is a name.
  const strings = json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?/g);
  return [...strings].flatMap(([, text = '', colon]) => (colon ? [JSON.parse(text) as string] : []));
}

/** One value, as part of a path for example, by its schema; `name` is what it is called. */
export function readValue<Schema extends z.ZodType>(
  value: unknown,
  name: string,
  schema: Schema,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw problem('bad_body', sentence(parsed.error.issues.map(({ message }) => `${name}: ${message}`)));
}

async function readBytes(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  // Said or not, it is counted: a body in chunks has no length.
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw problem('body_too_large');
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  for await (const chunk of request.body ?? []) {
    if (length + chunk.length > maxBytes) throw problem('body_too_large');
    bytes.set(chunk, length);
    length += chunk.length;
  }
  return bytes.subarray(0, length);
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => `${named(key)}: unknown field`)
      : [`${issue.path.length > 0 ? named(issue.path.join('.')) : 'the whole'}: ${issue.message}`],
  );
  throw problem('bad_body', sentence(lines));
}

/** Names are the caller's own text: a few, and not at any length. */
function sentence(lines: string[]): string {
  const shown = lines.slice(0, 10).join('; ');
  return `The request is not valid: ${shown}${lines.length > 10 ? ` and ${lines.length - 10} more` : ''}.`;
}

function named(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
