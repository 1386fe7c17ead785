/** `npm run local`: keeps the embedded Supabase running until Ctrl-C. `npm run local -- --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './local/run.ts';

await start(run);
