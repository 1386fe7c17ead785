/** `npm run db`: versions of the schema. `npm run db -- --help` lists the commands. */
import { outliveReaders } from './command/streams.ts';
import { run } from './db/run.ts';

outliveReaders();
process.exitCode = await run(process.argv.slice(2));
