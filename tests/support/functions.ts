import type { Cluster } from '../../scripts/embedded/cluster.ts';
import { type DataApi, openDataApi, serveHttp } from '../../scripts/embedded/data-api.ts';
import { serveFunctions } from '../../scripts/embedded/functions.ts';
import type { TestDatabase } from './database.ts';
import { BEARERS, type Bearer, createTokens, type Tokens } from './tokens.ts';

/** Keys of the project that the tests make, by name. */
const PUBLISHABLE = { default: 'sb_publishable_test' };
const SECRET = {
  default: 'sb_secret_test_default',
  grafana: 'sb_secret_test_grafana',
};
type SecretName = keyof typeof SECRET;

const JWT_SECRET = 'a secret of at least thirty-two characters';

/** Everybody who could call a function, by what comes with the request. */
export type Caller =
  | 'nothing'
  | 'publishable key'
  | 'publishable key as bearer'
  | 'wrong key'
  | 'part of a key'
  | 'secret key as bearer'
  | 'token in apikey'
  | 'token without Bearer'
  | 'secret key and bad token'
  | `secret key ${SecretName}`
  | 'operator by supabase-js'
  | Bearer;

/** Every caller there is. */
export const CALLERS: Caller[] = [
  'nothing',
  'publishable key',
  'publishable key as bearer',
  'wrong key',
  'part of a key',
  'secret key as bearer',
  'token in apikey',
  'token without Bearer',
  'secret key and bad token',
  'secret key default',
  'secret key grafana',
  'operator by supabase-js',
  ...BEARERS,
];

/** The headers that a caller sends. */
function credentials(caller: Caller, tokens: Tokens): Record<string, string> {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  switch (caller) {
    case 'nothing':
      return {};
    case 'publishable key':
      return { apikey: PUBLISHABLE.default };
    case 'publishable key as bearer':
      return { apikey: PUBLISHABLE.default, ...bearer(PUBLISHABLE.default) };
    case 'wrong key':
      return { apikey: 'sb_secret_test_wrong' };
    case 'part of a key':
      return { apikey: SECRET.default.slice(0, -1) };
    case 'secret key as bearer':
      return bearer(SECRET.default);
    case 'token in apikey':
      return { apikey: tokens.tokenOf('operator') };
    case 'token without Bearer':
      return { authorization: tokens.tokenOf('operator') };
    case 'secret key and bad token':
      return { apikey: SECRET.default, ...bearer(tokens.tokenOf('expired')) };
    case 'secret key default':
    case 'secret key grafana':
      return { apikey: SECRET[caller.slice('secret key '.length) as SecretName] };
    case 'operator by supabase-js':
      return { apikey: PUBLISHABLE.default, ...bearer(tokens.tokenOf('operator')) };
    default:
      return bearer(tokens.tokenOf(caller));
  }
}

/** What a function answered, read to its end. */
export interface Reply {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at fields that differ from call to call
  json: any;
}

/** What is sent to a function: a value as JSON, or bytes as they are. */
export interface Sent {
  method?: string;
  query?: string;
  json?: unknown;
  body?: string | Uint8Array<ArrayBuffer> | ReadableStream;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** The edge functions on the real Deno, and a Data API behind them whose database can be exchanged. */
export interface FunctionsProject {
  /** Where the project answers: functions at `${url}/functions/v1/NAME`. */
  url: string;
  secretKey: string;
  publishableKey: string;
  tokens: Tokens;
  /** What the functions asked the Data API for, in order: names of SQL functions and views. */
  asked: string[];
  /** What becomes of each of these; `pass` has the database answer it. */
  during: (name: string, pass: () => Promise<Response>) => Promise<Response>;
  /** How the caller's name is written in the log. */
  nameOf(caller: Caller): string;
  /** Puts another database behind the Data API. */
  use(db: TestDatabase): Promise<void>;
  /** Sends a request, which may be read as it comes. POST unless told otherwise. */
  send(caller: Caller, name: string, sent?: Sent): Promise<Response>;
  /** The same, read to its end. */
  call(caller: Caller, name: string, sent?: Sent): Promise<Reply>;
  close(): Promise<void>;
}

/** Starts Deno on the project's functions. */
export async function startFunctions(db: TestDatabase): Promise<FunctionsProject> {
  let api: DataApi | undefined;
  const gateway: Pick<DataApi, 'answer'> = {
    async answer(request, peer) {
      const name = new URL(request.url).pathname.split('/').at(-1) ?? '';
      project.asked.push(name);
      return await project.during(name, async () => {
        if (!api) throw new Error('no database');
        return await api.answer(withOneKey(request), peer);
      });
    },
  };
  const { server, url: apiUrl } = await serveHttp(undefined, () => gateway);
  const tokens = await createTokens(apiUrl);
  const deno = await serveFunctions({
    apiUrl,
    keys: { publishable: PUBLISHABLE, secret: SECRET, jwks: tokens.jwks },
  });
  const project: FunctionsProject = {
    url: new URL(deno.url).origin,
    secretKey: SECRET.default,
    publishableKey: PUBLISHABLE.default,
    tokens,
    asked: [],
    during: passOn,
    nameOf: (caller) => nameOf(caller, tokens),
    async use(next) {
      await api?.close();
      api = undefined;
      const address = (role = 'postgres') => Object.assign(new URL(next.url), { username: role }).href;
      const keys = { publishableKey: PUBLISHABLE.default, secretKey: SECRET.default, jwtSecret: JWT_SECRET };
      api = await openDataApi({ url: address } as Cluster, keys, apiUrl);
    },
    send: async (caller, name, { query = '', json, body, headers, method = 'POST', signal } = {}) =>
      await fetch(`${deno.url}/${name}${query}`, {
        method,
        headers: {
          ...credentials(caller, tokens),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        ...(body === undefined ? {} : { body, duplex: 'half' }),
        ...(signal && { signal }),
      } as RequestInit),
    async call(caller, name, sent) {
      const response = await project.send(caller, name, sent);
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.startsWith('application/json');
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },
    async close() {
      await deno.close();
      server.closeAllConnections();
      server.close();
      await api?.close();
    },
  };
  await project.use(db);
  return project;
}

/** Lets the database answer, as if nobody stood in between. */
export const passOn: FunctionsProject['during'] = (_name, pass) => pass();

/** Hosted projects know every secret key by name; the embedded one knows one. */
function withOneKey(request: Request): Request {
  const headers = new Headers(request.headers);
  const known: string[] = Object.values(SECRET);
  if (known.includes(headers.get('apikey') ?? '')) headers.set('apikey', SECRET.default);
  const bearer = headers.get('authorization')?.replace(/^Bearer /, '') ?? '';
  if (known.includes(bearer)) headers.set('authorization', `Bearer ${SECRET.default}`);
  return new Request(request, { headers });
}

function nameOf(caller: Caller, tokens: Tokens): string {
  if (caller.startsWith('secret key ')) return `key:${caller.slice('secret key '.length)}`;
  return `user:${tokens.userOf(caller === 'operator by supabase-js' ? 'operator' : (caller as Bearer))}`;
}
