import { readFileSync } from 'node:fs';
import { test } from 'vitest';
import { call } from '../support/call.ts';
import { freshDatabase } from '../support/database.ts';
import { createPlan, PLAN } from '../support/plan.ts';
test('cost', async () => {
  const db = await freshDatabase({});
  const con = db.connect({ max: 1 });
  await con.unsafe(`create table public.users(id uuid primary key default gen_random_uuid(), n int);
    create table public.posts(id uuid primary key default gen_random_uuid(), user_id uuid references users, body text, n int default 0, avatar_id int, created_at timestamptz default now()) with (fillfactor=50);
    create index on public.posts(user_id); insert into users(n) select i from generate_series(1,1000) i;
    insert into posts(user_id, body) select id, repeat('x', 300) from users, generate_series(1,10);`);
  await createPlan(con, { table: 'users', key: 'id', keyType: 'uuid', pending: 's.n is null', apply: 'update public.posts set avatar_id = 1 where user_id = any(keys); update public.users set n = 1 where id = any(keys);',
    writes: [{ relation: 'public.users', entity: 'id', columns: ['n'] }, { relation: 'public.posts', entity: 'user_id', columns: ['avatar_id'] }] });
  while ((await call(con, 'prepare_migration', { plan: PLAN })).has_more);
  const [{ pid }] = await con`select pg_backend_pid() pid`; const cpu = () => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
  const [{ def }] = await con`select pg_get_functiondef('imago_undo.trial_public_posts_update()'::regprocedure) def`;
  const plain = def.replace(/if coalesce\(current_setting\('imago\.batch', true\), ''\) = ''[\s\S]*end if;\s*return null;/, 'return null;');
  console.log(plain.length, def.length);
  const q1 = `select pg_catalog.count(*), pg_catalog.bool_or(p.moved) into imago_rows, imago_moved from (select o.id is distinct from n.id or o.user_id is distinct from n.user_id as moved from old_rows o, new_rows n limit 2) p;`;
  const q2 = `select o.id is distinct from n.id or o.user_id is distinct from n.user_id into imago_moved from old_rows o, new_rows n limit 1;`;
  const q3 = `imago_moved := exists (select from old_rows o, new_rows n where o.id is distinct from n.id or o.user_id is distinct from n.user_id);`;
  const guard = (q: string) => plain.replace(/return null;/, `begin ${q} exception when others or assert_failure then imago_moved := true; end; if imago_moved then raise 'x'; end if; return null;`);
  const noguard = (q: string) => plain.replace(/return null;/, `${q} if imago_moved then raise 'x'; end if; return null;`);
  const simple = def.replace(/row_number\(\) over \(\) as imago_place/g, '0::bigint as imago_place').replaceAll('pg_catalog.0','0');
  const variants: Record<string, string> = { off: 'trigger', plain, full: def };
  const best: Record<string, number[]> = {};
  for (let round = 0; round < 10; round++) for (const [name, text] of Object.entries(variants)) {
    if (name === 'off') await con.unsafe('alter table posts disable trigger "~imago_trial_update"'); else { await con.unsafe('alter table posts enable trigger "~imago_trial_update"'); await con.unsafe(text); }
    await con.unsafe('vacuum posts');
    const m: number[] = [];
    const single = async () => { for (let i = 0; i < 500; i++) await con`update posts set n = n + 1 where id = (select id from posts limit 1 offset 3)`; };
    for (const stmt of [
      `do $$ declare i int; ids uuid[] := array(select id from public.posts limit 2000); k uuid; begin for i in 1..2000 loop k := ids[i]; update public.posts set n = n + 1 where id = k; end loop; end $$`,
      `update posts set n = n + 1`]) { const t = cpu(); await con.unsafe(stmt); m.push((cpu() - t) / 1e6); }
    { const t = cpu(); await single(); m.push((cpu() - t) / 1e6); }
    best[name] = best[name] ? best[name].map((b, i) => Math.min(b, m[i]!)) : m;
  }
  for (const [n, b] of Object.entries(best)) console.log(n, 'loop us', (b[0]! / 2).toFixed(1), 'bulk us/row', (b[1]! / 10).toFixed(2), 'own statement us', (b[2]! * 2).toFixed(1));
  await db.drop();
});
