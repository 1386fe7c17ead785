/** `npm run migrate`: runs a migration plan in batches. `npm run migrate -- --help` lists the options. */
import { run } from './migrate/run.ts';

process.exitCode = await run(process.argv.slice(2));
