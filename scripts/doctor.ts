/** `npm run doctor`: compares what is installed with what should be. `npm run doctor -- --help` lists the options. */
import { start } from './command/shell.ts';
import { run } from './doctor/run.ts';

await start(run);
