/**
 * Lets the command stand still between its turns. Loaded by `node --import` into its process: when its turn is over it
 * says how far it is, and its next call of the Data API waits until it is told to go on. Its clock stands still, too, so
 * that it looks how far others have come as often as it would without turns.
 */
import { peakMemory } from './memory.ts';
import type { State } from './work.ts';

const turnMs = Number(process.env.BENCH_TURN_MS);
const readClock = performance.now.bind(performance);
const callApi = globalThis.fetch;
const underWay = new Set<Promise<Response>>();

let stoodMs = 0;
let moved = 0;
let until = readClock() + turnMs;
let standing: Promise<void> | undefined;

performance.now = () => readClock() - stoodMs;

globalThis.fetch = async (...call) => {
  if (readClock() >= until) standing ??= stand();
  await standing;
  const answer = callApi(...call);
  underWay.add(answer);
  try {
    const response = await answer;
    await count(response.clone());
    return response;
  } finally {
    underWay.delete(answer);
  }
};

/** Waits for its next turn, as soon as nothing of its own is under way. */
async function stand(): Promise<void> {
  await Promise.allSettled(underWay);
  const since = readClock();
  const told = new Promise((resolve) => process.once('message', resolve));
  // Waiting keeps the process; listening must not, for it ends when its work is done.
  process.channel?.ref();
  process.send?.({ moved, ended: false, clientBytes: peakMemory() } satisfies State);
  await told;
  process.channel?.unref();
  stoodMs += readClock() - since;
  until = readClock() + turnMs;
  standing = undefined;
}

/** Adds the users of a batch. */
async function count(response: Response): Promise<void> {
  if (!response.ok || !response.url.endsWith('/rpc/migrate_batch')) return;
  const { migrated } = (await response.json()) as { migrated: number };
  moved += migrated;
}
