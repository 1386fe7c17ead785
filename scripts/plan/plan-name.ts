/** What a plan may be called. It is the name of a schema and of files, and typed in commands. */
import { parse } from '../sql/tree.ts';

const longest = 41;

/** Schemas that are somebody else's, in any Supabase project. */
const takenSchemas =
  /^(public|information_schema|imago|imago_undo|auth|storage|realtime|_?analytics|extensions|graphql|graphql_public|vault|cron|net|pgbouncer|pgmq|pgmq_public|pgsodium|pgsodium_masks|pgtle|supabase_.*|topology|tiger|tiger_data)$/;

/** Columns that every table has. */
const systemColumns = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

/** Names that Windows gives to devices, whatever stands behind the dot. */
const devices = /^(con|prn|aux|nul|com\d|lpt\d)$/;

const everyObject = 'JavaScript keeps the word for every object.';
const everyTable = 'PostgreSQL gives every table a column of this name.';

/** Why a plan cannot have this name; undefined where it can. */
export function nameProblem(name: string): string | undefined {
  if (name.length > longest) {
    return `It has ${name.length} characters, and may have ${longest}: the names of triggers and undo tables are made from it.`;
  }
  if (name === '__proto__') return everyObject;
  if (!/^[a-z][a-z0-9_]*$/.test(name)) {
    return 'It begins with a small letter, and has only small letters, digits and underscores.';
  }
  if (name.startsWith('pg_')) return 'PostgreSQL keeps all names of schemas that begin with pg_.';
  if (takenSchemas.test(name)) return 'It is the name of a schema of Supabase, of PostgreSQL or of Imago.';
  if (systemColumns.has(name)) return everyTable;
  if (name in {} || name === 'prototype') return everyObject;
  if (isReserved(name)) return 'PostgreSQL reserves the word (pg_get_keywords() lists them).';
  if (devices.test(name)) return 'Windows has no files of this name.';
  return undefined;
}

/** Why a plan cannot add a column of this name; undefined where it can, in quotes where need be. */
export function columnProblem(name: string): string | undefined {
  return systemColumns.has(name) ? everyTable : undefined;
}

/** Whether a name has to be quoted somewhere: a schema may have no reserved word as its name, a function no word that is none of its. */
function isReserved(name: string): boolean {
  return !parse(
    Buffer.from(`create schema ${name}; create function ${name}() returns int language sql return 1`),
  );
}
