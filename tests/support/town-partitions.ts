import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { value } from './call.ts';
import { back, expectOneRowEach, forward, PLAN } from './plan.ts';
import { expectNoTraces } from './state.ts';
import { failedSyncs } from './sync.ts';
import { QUOTED, townFaults } from './town.ts';

/** The partition that holds the row of a person. */
const partOf = (sql: Sql, table: string, person: string) =>
  value<string>(sql, `select tableoid::regclass::text from ${table} where person = ${person} limit 1`);

/** Writes straight to partitions of a town with odd names on both sides, and takes the plan back. */
export async function writeToPartitions(sql: Sql): Promise<void> {
  const { people, profiles, letters, id, key } = QUOTED;
  const city = (n: number) => value(sql, `select city from ${people} where ${id} = ${key(n)}`);
  await forward(sql);
  // What is mirrored back, with the journal that moves along.
  await sql.unsafe(
    `update ${await partOf(sql, profiles, key(2))} set city = 'straight' where person = ${key(2)}`,
  );
  expect(await city(2)).toBe('straight');
  await sql.unsafe(`delete from ${await partOf(sql, profiles, key(3))} where person = ${key(3)}`);
  expect(await city(3)).toBeNull();
  // What follows forward: a letter given to another person, and a new one in the partition that takes it.
  const part = await partOf(sql, letters, key(4));
  await sql.unsafe(`update ${part} set person = ${key(5)} where person = ${key(4)}`);
  for (const n of [0, 1]) {
    const name = part.replace(/[01](?="?$)/, String(n));
    const fits = `select n from generate_series(5000, 5099) n where satisfies_hash_partition('${letters.replaceAll("'", "''")}'::regclass, 2, ${n}, n) limit 1`;
    await sql.unsafe(
      `insert into ${name} (id, person, body) select n, ${key(6)}, 'straight' from (${fits}) f`,
    );
  }
  expect(await failedSyncs(sql)).toEqual([]);
  // The letters to person 3, who has no profile any more.
  expect(await townFaults(sql, QUOTED)).toEqual({ people: 1, doubles: 0, letters: 3 });
  await expectOneRowEach(sql);
  await back(sql);
  await expectNoTraces(sql, PLAN);
}
