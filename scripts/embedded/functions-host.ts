/**
 * Runs in Deno: answers /functions/v1/NAME with `default.fetch` of NAME/index.ts (or .js) in the functions folder, the argument.
 * Each function is loaded by its first request. functions.ts starts it and reads the port from its first line.
 */

/** What is used of Deno; the project is checked with the types of Node. */
declare const Deno: {
  args: string[];
  stdin: { readable: ReadableStream<Uint8Array> };
  stat(file: URL): Promise<{ isFile: boolean }>;
  exit(): never;
  serve(options: object, handler: (request: Request) => Promise<Response>): unknown;
};

type Handler = (request: Request) => Response | Promise<Response>;

const folder = Deno.args[0];
/** The functions are compiled where this module is. */
const extension = import.meta.url.endsWith('.js') ? '.js' : '.ts';
const handlers = new Map<string, Promise<Handler | undefined>>();

Deno.serve(
  {
    hostname: '127.0.0.1',
    port: 0,
    onListen: ({ port }: { port: number }) => console.log(JSON.stringify({ port })),
  },
  answer,
);

// Nothing is ever written to it: it ends when the process that started this one has gone, however it went.
for await (const _ of Deno.stdin.readable);
Deno.exit();

async function answer(request: Request): Promise<Response> {
  if (!isPossible(request.method)) {
    const refusal = problem(405, 'METHOD_NOT_ALLOWED', 'No function answers this method');
    refusal.headers.set('allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
    return refusal;
  }
  const url = new URL(request.url);
  const name = /^\/functions\/v1\/([A-Za-z0-9][\w-]*)(?=\/|$)/.exec(url.pathname)?.[1];
  if (!name) return problem(404, 'NOT_FOUND', 'Requested function was not found');
  let handler: Handler | undefined;
  try {
    handler = await load(name);
  } catch (error) {
    console.error(`The function ${name} does not start:`, error);
    return problem(503, 'BOOT_ERROR', 'Function failed to start (please check logs)');
  }
  if (!handler) return problem(404, 'NOT_FOUND', 'Requested function was not found');
  // As on hosted Supabase, a function sees a path that begins with its name.
  url.pathname = url.pathname.slice('/functions/v1'.length);
  try {
    return await handler(new Request(url, request));
  } catch (error) {
    console.error(`The function ${name} failed:`, error);
    return problem(500, 'WORKER_ERROR', 'Function exited due to an error (please check logs)');
  }
}

/** Some methods no request of the web platform has, and some it takes for another one: get is not GET. */
function isPossible(method: string): boolean {
  if (/^(connect|trace|track)$/i.test(method)) return false;
  return !/^(delete|get|head|options|post|put)$/i.test(method) || method === method.toUpperCase();
}

/** The function's handler, undefined when there is none. What does not load is tried again by the next request. */
async function load(name: string): Promise<Handler | undefined> {
  const loading = handlers.get(name) ?? importHandler(name);
  handlers.set(name, loading);
  const handler = await loading.catch((error) => {
    handlers.delete(name);
    throw error;
  });
  if (!handler) handlers.delete(name);
  return handler;
}

async function importHandler(name: string): Promise<Handler | undefined> {
  const entry = `${folder}/${name}/index${extension}`;
  const isFile = await Deno.stat(new URL(entry)).then(
    (info) => info.isFile,
    () => false,
  );
  if (!isFile) return undefined;
  const { default: module } = await import(entry);
  if (typeof module?.fetch !== 'function') throw new Error('its default export has no fetch');
  return (request) => module.fetch(request);
}

/** What hosted Supabase answers in place of a function. */
function problem(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status });
}
