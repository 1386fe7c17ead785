/** `npm run doctor`: compares what is installed with what should be. `npm run doctor -- --help` lists the options. */

import { outliveReaders } from './command/streams.ts';
import { run } from './doctor/run.ts';

outliveReaders();
process.exitCode = await run(process.argv.slice(2));
