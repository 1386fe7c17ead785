/** `npm run fleet:demo`: a fleet on this machine, made, migrated and taken away. */
import { start } from './command/shell.ts';
import { run } from './fleet/demo.ts';

await start(run);
