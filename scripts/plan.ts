/** `npm run plan`: migration plans in the project of an app. `npm run plan -- --help` lists the commands. */
import { start } from './command/shell.ts';
import { run } from './plan/run.ts';

await start(run);
