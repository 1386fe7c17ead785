/** `npm run migrate`: runs a migration plan in batches. `npm run migrate -- --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './migrate/run.ts';

await start(run);
