/** `npm run db`: versions of the schema. `npm run db -- --help` lists the commands. */
import { start } from './command/shell.ts';
import { run } from './db/run.ts';

await start(run);
