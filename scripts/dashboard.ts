/** `npm run dashboard`: a page to run migrations from. `npm run dashboard -- --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './dashboard/run.ts';

await start(run);
