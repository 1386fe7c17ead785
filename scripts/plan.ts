/** `npm run plan`: begins a migration plan, and tells what is wrong with one. `npm run plan -- --help` lists the options. */
import { outliveReaders } from './command/streams.ts';
import { run } from './plan/run.ts';

outliveReaders();
process.exitCode = await run(process.argv.slice(2));
