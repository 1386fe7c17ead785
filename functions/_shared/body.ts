/** Reads what was asked, never more than a little of it. */
import type { z } from 'zod';
import { problem } from './problems.ts';

const maxBytes = 16 * 1024;

/** The body by its schema. */
export async function readBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw problem('not_json');
  const bytes = await readBytes(request);
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw problem('bad_json');
  }
  return parse(schema, body);
}

/** The fields of the query by its schema. */
export function readQuery<Schema extends z.ZodType>(request: Request, schema: Schema): z.output<Schema> {
  const query = [...new URL(request.url).searchParams];
  const twice = query.find(([name], index) => query.findIndex(([other]) => other === name) < index);
  if (twice) throw problem('bad_body', `${sentence([`${named(twice[0])}: given twice`])}`);
  return parse(schema, Object.fromEntries(query));
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
