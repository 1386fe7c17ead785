/**
 * What a walk costs by keys of several kinds: `node bench/keys.ts [rows] [turns]` prints a table, with one uuid as 1.0, and
 * beside it a loop that is written by hand. The same rows each time, in turn; processor time of the server, the least of
 * all turns. On Linux only.
 */
import type { Sql } from 'postgres';
import { connect } from '../scripts/embedded/cluster.ts';
import { pushMigrations } from '../scripts/embedded/push.ts';
import { cost, toTheEnd } from './cost.ts';
import { type Server, startServer } from './server.ts';

const rows = Number(process.argv[2] ?? 20_000);
const turns = Number(process.argv[3] ?? 5);
const target = 1.1;

/** A key and its columns with their types. */
const keys = {
  'one uuid': { u: 'uuid' },
  'one text': { t: 'text' },
  'integer and bigint': { i: 'integer', b: 'bigint' },
  'two uuids': { u: 'uuid', v: 'uuid' },
  'two texts of 32 letters': { t: 'text', s: 'text' },
} as const;
type Key = keyof typeof keys;
const names = Object.keys(keys) as Key[];

/** All keys in each table, so that their rows are of one length. */
const tables = (key: Key) => `
  create table public.things (
    u uuid not null, v uuid not null, t text not null, s text not null, i integer not null, b bigint not null, body text, word text,
    primary key (${Object.keys(keys[key]).join(', ')}));
  insert into public.things (u, v, t, s, i, b, body)
  select md5('u' || n / ${alone(key) ? 1 : 3})::uuid, md5('v' || n)::uuid, md5('t' || n / ${alone(key) ? 1 : 3}), md5('s' || n), n / 3, n, 'what happened ' || n
  from generate_series(1, ${rows}) n;`;

const alone = (key: Key) => Object.keys(keys[key]).length === 1;

/** The parts of SQL that name a row. */
function parts(key: Key) {
  const columns = Object.entries(keys[key]);
  const listed = (row: string) => columns.map(([name]) => `${row}.${name}`).join(', ');
  const [first, type] = columns[0] as [string, string];
  return alone(key)
    ? { walked: first, type, entity: `s.${first}`, named: `s.${first} = any (keys)`, listed }
    : {
        walked: `{${columns.map(([name]) => name).join(',')}}`,
        type: 'words.key',
        entity: `row(${listed('s')})::words.key`,
        named: `(${listed('s')}) in (select ${listed('k')} from unnest(keys) k)`,
        listed,
      };
}

function plan(key: Key): string {
  const { walked, type, entity, named } = parts(key);
  const fields = Object.entries(keys[key]).map((column) => column.join(' '));
  return `
    select imago.create_plan('words', 'Words for things', 'public', 'things', '${walked}');
    create type words.key as (${fields.join(', ')});
    create view words.pending as select ${entity} as entity from public.things s where s.word is null;
    create function words.apply(keys ${type}[]) returns void language sql set search_path = ''
      as $$ update public.things s set word = 'word' where ${named} and s.word is null $$;
    insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns, points_to)
    values ('words', 1, 'public.things', '${walked}', false, '{word}', '{}');`;
}

/** The loop that people write themselves: the next thousand keys, and an update of their rows. */
function byHand(key: Key): string {
  const { type, entity, named, listed } = parts(key);
  const last = Object.keys(keys[key]).map((name) => (alone(key) ? 'last' : `last.${name}`));
  const next = (where: string) =>
    `array(select ${entity} from public.things s ${where} order by ${listed('s')} limit 1000)`;
  return `do $$ declare keys ${type}[] := ${next('')}; last ${type}; begin
    while cardinality(keys) > 0 loop
      update public.things s set word = 'word' where ${named} and s.word is null;
      last := keys[cardinality(keys)];
      keys := ${next(`where (${listed('s')}) > (${last.join(', ')})`)};
    end loop; end $$`;
}

const sums = async (sql: Sql) =>
  JSON.stringify(
    await sql`select count(*), count(word), sum(hashtextextended(things::text, 0)) from public.things`,
  );

type Way = 'by hand' | 'forward' | 'back';
const ways: Way[] = ['by hand', 'forward', 'back'];

/** Work in a database of its own, in which the plan waits. */
async function inDatabase<Result>(
  server: Server,
  key: Key,
  name: string,
  work: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  await server.admin.unsafe(`create database ${name} owner postgres template postgres`);
  const sql = connect(server.cluster, 'postgres', name);
  try {
    await sql.unsafe(tables(key));
    await pushMigrations(server.cluster.url('postgres', name));
    await sql.unsafe(plan(key));
    await sql.unsafe('vacuum (analyze) public.things');
    return await work(sql);
  } finally {
    await sql.end();
    await server.admin.unsafe(`drop database ${name} with (force)`);
  }
}

/** Once by hand, forward and back. */
async function turn(server: Server, key: Key, name: string): Promise<Record<Way, number>> {
  const hand = await inDatabase(server, key, name, async (sql) => {
    // As Imago does it: a batch looks its rows up.
    await sql.unsafe('set enable_seqscan = off');
    return await cost(sql, () => sql.unsafe(byHand(key)));
  });
  return await inDatabase(server, key, name, async (sql) => {
    const before = await sums(sql);
    const forward = await cost(sql, () => toTheEnd(sql, 'migrate_batch', 'words'));
    const back = await cost(sql, () => toTheEnd(sql, 'rollback_batch', 'words'));
    if ((await sums(sql)) !== before) throw new Error(`${key} did not bring back what was there`);
    return { 'by hand': hand, forward, back };
  });
}

const server = await startServer();
try {
  const least = new Map(
    names.map((key) => [key, { 'by hand': Infinity, forward: Infinity, back: Infinity }]),
  );
  for (let round = 0; round < turns; round += 1) {
    for (const [index, key] of names.entries()) {
      const taken = await turn(server, key, `keys_${round}_${index}`);
      const best = least.get(key) ?? taken;
      for (const way of ways) best[way] = Math.min(best[way], taken[way]);
    }
  }
  const one = least.get('one uuid') ?? { 'by hand': Number.NaN, forward: Number.NaN, back: Number.NaN };
  process.stdout.write(`| key | ${ways.join(' | ')} |\n| --- | --- | --- | --- |\n`);
  for (const [key, best] of least) {
    const cells = ways.map((way) => {
      const ratio = best[way] / one[way];
      const verdict = ratio <= target ? 'reached' : 'missed';
      return way === 'by hand' ? ratio.toFixed(2) : `${ratio.toFixed(2)} (at most ${target}: ${verdict})`;
    });
    process.stdout.write(`| ${key} | ${cells.join(' | ')} |\n`);
  }
  const ms = ways.map((way) => `${Math.round(one[way])} ms ${way}`);
  process.stdout.write(`\nOne uuid: ${ms.join(', ')}; ${rows} rows.\n`);
} finally {
  await server.remove();
}
