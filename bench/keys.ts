/**
 * What a walk costs by keys of several kinds: `node bench/keys.ts [rows] [turns]` prints a table, with one uuid as 1.0. The
 * same rows each time, in turn, in processor time of the server. On Linux only.
 */
import type { Sql } from 'postgres';
import { connect } from '../scripts/embedded/cluster.ts';
import { pushMigrations } from '../scripts/embedded/push.ts';
import { cost, toTheEnd } from './cost.ts';
import { middle } from './middle.ts';
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

function plan(key: Key): string {
  const columns = Object.entries(keys[key]);
  const [first, type] = columns[0] as [string, string];
  const fields = columns.map(([name]) => `k.${name}`).join(', ');
  const own = columns.map(([name]) => `s.${name}`).join(', ');
  const walked = alone(key) ? first : `{${columns.map(([name]) => name).join(',')}}`;
  const entity = alone(key) ? `s.${first}` : `row(${own})::words.key`;
  const named = alone(key) ? `s.${first} = any (keys)` : `(${own}) in (select ${fields} from unnest(keys) k)`;
  return `
    select imago.create_plan('words', 'Words for things', 'public', 'things', '${walked}');
    ${alone(key) ? '' : `create type words.key as (${columns.map((column) => column.join(' ')).join(', ')});`}
    create view words.pending as select ${entity} as entity from public.things s where s.word is null;
    create function words.apply(keys ${alone(key) ? type : 'words.key'}[]) returns void language sql set search_path = ''
      as $$ update public.things s set word = 'word' where ${named} and s.word is null $$;
    insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns, points_to)
    values ('words', 1, 'public.things', '${walked}', false, '{word}', '{}');`;
}

const sums = async (sql: Sql) =>
  JSON.stringify(
    await sql`select count(*), count(word), sum(hashtextextended(things::text, 0)) from public.things`,
  );

/** Forward and back once, in a database of its own. */
async function turn(server: Server, key: Key, name: string): Promise<{ forward: number; back: number }> {
  await server.admin.unsafe(`create database ${name} owner postgres template postgres`);
  const sql = connect(server.cluster, 'postgres', name);
  try {
    await sql.unsafe(tables(key));
    await pushMigrations(server.cluster.url('postgres', name));
    await sql.unsafe(plan(key));
    await sql.unsafe('vacuum (analyze) public.things');
    const before = await sums(sql);
    const forward = await cost(sql, () => toTheEnd(sql, 'migrate_batch', 'words'));
    const back = await cost(sql, () => toTheEnd(sql, 'rollback_batch', 'words'));
    if ((await sums(sql)) !== before) throw new Error(`${key} did not bring back what was there`);
    return { forward, back };
  } finally {
    await sql.end();
    await server.admin.unsafe(`drop database ${name} with (force)`);
  }
}

const server = await startServer();
try {
  const seen = new Map(names.map((key) => [key, [] as { forward: number; back: number }[]]));
  for (let round = 0; round < turns; round += 1) {
    for (const [index, key] of names.entries()) {
      seen.get(key)?.push(await turn(server, key, `keys_${round}_${index}`));
    }
  }
  const ofOne = seen.get('one uuid') ?? [];
  const times = (key: Key, way: 'forward' | 'back') => {
    const ratios = (seen.get(key) ?? []).map((one, round) => one[way] / (ofOne[round]?.[way] ?? 0));
    return { ratio: middle(ratios, (ratio) => ratio), from: Math.min(...ratios), to: Math.max(...ratios) };
  };
  process.stdout.write('| key | forward | back |\n| --- | --- | --- |\n');
  for (const key of names) {
    const cells = (['forward', 'back'] as const).map((way) => {
      const { ratio, from, to } = times(key, way);
      const verdict = ratio <= target ? 'reached' : 'missed';
      return `${ratio.toFixed(2)} (${from.toFixed(2)}–${to.toFixed(2)}; at most ${target}: ${verdict})`;
    });
    process.stdout.write(`| ${key} | ${cells.join(' | ')} |\n`);
  }
  const ms = (way: 'forward' | 'back') => Math.round(middle(ofOne, (one) => one[way])[way]);
  process.stdout.write(`\nOne uuid: ${ms('forward')} ms forward, ${ms('back')} ms back, ${rows} rows.\n`);
} finally {
  await server.remove();
}
