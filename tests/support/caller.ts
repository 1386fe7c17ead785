import postgres from 'postgres';
import { callUntilDone } from './callers.ts';

// A caller in a process of its own, to be killed: node caller.ts URL FUNCTION ARGUMENTS
const [url = '', name, args = '{}'] = process.argv.slice(2);
const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { application_name: 'child' } });
await callUntilDone(sql, name as 'migrate_batch' | 'rollback_batch', JSON.parse(args));
await sql.end();
