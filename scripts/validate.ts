/** `npm run validate`: finds, explains and fixes. `npm run validate -- --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './validate/run.ts';

await start(run);
