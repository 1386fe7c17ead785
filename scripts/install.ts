/** `imago install`: adds Imago to a Supabase project. `imago install --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './install/run.ts';

await start(run);
