/** Server-sent events: progress as it goes, and at last the result. */
import { problemOf } from './problems.ts';

/** Whether the caller asked for a stream. */
export function wantsStream(request: Request): boolean {
  const accepted = request.headers.get('accept') ?? '';
  return accepted.split(',').some((type) => type.split(';')[0]?.trim().toLowerCase() === 'text/event-stream');
}

/**
 * Each value as `progress`, the last once more as `done`; an error as `error`. It is read from as the caller reads: one
 * who hangs up ends it after the value that is being worked on.
 */
export function streamed(values: AsyncGenerator<object, void, void>): Response {
  let last: object | undefined;
  let hungUp = false;
  const next = async (): Promise<{ event: Uint8Array; isLast: boolean } | undefined> => {
    try {
      const { done, value } = await values.next();
      if (done) return last && { event: event('done', last), isLast: true };
      last = value;
      return { event: event('progress', value), isLast: false };
    } catch (error) {
      return { event: event('error', problemOf(error)), isLast: true };
    }
  };
  const events = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const told = await next();
      if (hungUp) return;
      if (told) controller.enqueue(told.event);
      if (!told || told.isLast) controller.close();
    },
    async cancel() {
      hungUp = true;
      await values.return();
    },
  });
  return new Response(events, {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
  });
}

const encoder = new TextEncoder();

function event(name: string, data: object): Uint8Array {
  return encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** The last value of all, for a caller who waits for the result. */
export async function lastOf<Value>(values: AsyncGenerator<Value, void, void>): Promise<Value | undefined> {
  let last: Value | undefined;
  for await (const value of values) last = value;
  return last;
}
