import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { replacePrivately } from '../command/private-file.ts';
import { userFolder } from '../package.ts';

/** Where the embedded Supabase keeps everything: IMAGO_FOLDER, or .imago in the project, which git ignores. */
export const defaultFolder = path.resolve(process.env.IMAGO_FOLDER || path.join(userFolder(), '.imago'));

/** What stays the same as long as the folder exists: keys and, if they are free, ports. */
const settingsSchema = z.object({
  apiPort: z.number().optional(),
  databasePort: z.number().optional(),
  password: z.string(),
  publishableKey: z.string(),
  secretKey: z.string(),
  jwtSecret: z.string(),
  /** The folder of the project whose migrations the database has; without it, Imago's own. */
  project: z.string().optional(),
  /** Folders of earlier versions have none. */
  signingKey: z
    .looseObject({ kty: z.literal('EC'), kid: z.string(), x: z.string(), y: z.string(), d: z.string() })
    .default(newSigningKey),
});
export type Settings = z.infer<typeof settingsSchema>;

/** What another command needs to work with a running server. */
export const endpointsSchema = z.object({
  url: z.string(),
  publishableKey: z.string(),
  secretKey: z.string(),
  databaseUrl: z.string(),
});
export type Endpoints = z.infer<typeof endpointsSchema>;

/** What a running server says of itself in state.json; whether it still runs is only known by asking it. */
const stateSchema = endpointsSchema.extend({
  /** Process ids of the server and of its PostgreSQL. */
  pid: z.number(),
  postgresPid: z.number(),
  control: z.object({ port: z.number(), token: z.string() }),
});
export type State = z.infer<typeof stateSchema>;

/** What a command asks for when it connects to the server's control port. One JSON object a line, here and back. */
export const helloSchema = z.object({
  token: z.string(),
  /** A keeper only keeps the server running; a command works with the data. */
  kind: z.enum(['keeper', 'command']),
  /** Users of the sample app; null takes whatever is there. */
  sample: z.number().nullable(),
  /** The SQL of another app, by its path; null is the sample app. */
  app: z.string().nullable(),
  /** The project whose migrations it gets; where nobody asked for it, an empty database only. */
  project: z.object({ folder: z.string(), isAsked: z.boolean() }).nullable(),
  reset: z.boolean(),
});
export type Hello = z.infer<typeof helloSchema>;

/** What the server answers. */
export const replySchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome') }),
  z.object({ type: z.literal('step'), text: z.string() }),
  z.object({ type: z.literal('ready'), endpoints: endpointsSchema }),
  z.object({ type: z.literal('failed'), message: z.string() }),
]);
export type Reply = z.infer<typeof replySchema>;

/** What a freshly started server tells the command that started it. */
export const outcomeSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('listening') }),
  z.object({ type: z.literal('busy') }),
  z.object({ type: z.literal('failed'), message: z.string() }),
]);
export type Outcome = z.infer<typeof outcomeSchema>;

/** The settings of a folder, made now if it has none. */
export function readSettings(folder: string): Settings {
  const text = read(path.join(folder, 'settings.json'));
  const parsed = text === undefined ? undefined : settingsSchema.safeParse(parseJson(text));
  if (parsed?.success) return parsed.data;
  const settings: Settings = {
    password: secret(18),
    publishableKey: `sb_publishable_${secret(24)}`,
    secretKey: `sb_secret_${secret(24)}`,
    jwtSecret: secret(48),
    signingKey: newSigningKey(),
  };
  writeSettings(folder, settings);
  return settings;
}

export function writeSettings(folder: string, settings: Settings): void {
  write(path.join(folder, 'settings.json'), settings);
}

/** What the last server wrote; undefined when there is none or its file cannot be read. */
export function readState(folder: string): State | undefined {
  const text = read(path.join(folder, 'state.json'));
  return text === undefined ? undefined : stateSchema.safeParse(parseJson(text)).data;
}

export function writeState(folder: string, state: State): void {
  write(path.join(folder, 'state.json'), state);
}

/** For ES256, as hosted projects have one. */
function newSigningKey() {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const { x = '', y = '', d = '' } = key;
  return { kty: 'EC' as const, crv: 'P-256', x, y, d, kid: randomUUID(), alg: 'ES256', use: 'sig' };
}

function secret(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

/** Whole or not at all, and for nobody else's eyes. */
function write(file: string, value: unknown): void {
  replacePrivately('IMAGO_FOLDER', file, `${JSON.stringify(value, null, 2)}\n`);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
