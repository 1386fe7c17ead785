/** `npm run migrate`: runs a migration plan in batches. `npm run migrate -- --help` lists the options. */
import { outliveReaders } from './command/streams.ts';
import { run } from './migrate/run.ts';

outliveReaders();
process.exitCode = await run(process.argv.slice(2));
