/** `npm run migrate`: runs a migration plan in batches. `npm run migrate -- --help` lists the options. */
import { run } from './migrate/run.ts';

// A reader that goes away, like head, or a terminal that is closed, must not end batches half-way.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

process.exitCode = await run(process.argv.slice(2));
