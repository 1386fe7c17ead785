/** `npm run plan`: begins a migration plan, and tells what is wrong with one. `npm run plan -- --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './plan/run.ts';

await start(run);
