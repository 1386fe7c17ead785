/** `imago install`: adds Imago to a Supabase project. `imago install --help` lists the options. */
import { outliveReaders } from './command/streams.ts';
import { run } from './install/run.ts';

outliveReaders();
process.exitCode = await run(process.argv.slice(2));
