/** An app that goes on writing. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Database } from './callers.ts';
import type { Writer } from './fixture.ts';

/** So often a writer writes at most: an app that never rests would keep a small machine from everything else. */
const MOST = 120;
/** So often at least, however soon the work is done. */
const LEAST = 15;

/** What a writer is told apart from all others by, in all of a test. */
let writes = 0;

/** Writes as the app does, each writer in a session of its own, for as long as the work takes; what fails, fails the test. */
export async function whileWriting<T>(
  db: Database,
  writers: readonly Writer[],
  work: () => Promise<T>,
): Promise<T> {
  let done = false;
  const loops = writers.map(async (writer) => {
    const client = db.connect();
    for (let written = 0; written < LEAST || (!done && written < MOST); written++) {
      await client
        .begin((tx) => writer.write(tx, ++writes))
        .catch((cause: Error) => {
          throw new Error(`the app's own write failed, ${writer.name}: ${cause.message}`, { cause });
        });
      await turn();
    }
  });
  const working = work().finally(() => {
    done = true;
  });
  const [result] = await Promise.all([working, ...loops]);
  return result;
}
