/** `npm run validate`: finds, explains and mends. `npm run validate -- --help` lists the options. */
import { outliveReaders } from './command/streams.ts';
import { run } from './validate/run.ts';

outliveReaders();
process.exitCode = await run(process.argv.slice(2));
