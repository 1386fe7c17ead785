create or replace function imago.read_nested(plan imago.plan, batch bigint, keys anyarray, sides jsonb)
returns jsonb
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
declare
  write imago.plan_write;
  row_keys text;
  same_row text;
  found_rows jsonb;
begin
  perform imago.compact_batch(batch, plan, '{}');
  for write in select w.* from imago.plan_write w where w.plan = plan.name and w.undo_table is not null loop
    if coalesce(nullif(current_setting('imago.fired_' || write.id, true), ''), '0')::integer > 0 then
      row_keys := imago.each_column('u.key_%1$s::text', write.relation, write.key_columns);
      same_row := imago.each_column('j.key_%1$s = u.key_%1$s', write.relation, write.key_columns, ' and ');
      execute format(
        'with nested as (
           select u.*, u.entity::text = any ($2) as is_here, array[%2$s] as row_key
           from imago_undo.%1$I u where u.batch = $1 and u.op = ''u''
         ), columns as (
           select u.entity, u.row_key, s.key as name, s.value ->> 0 as was
           from nested u join %5$s t on %6$s cross join lateral jsonb_each(u.side) s
           left join lateral (
             select true as is_there, j.side -> s.key ->> 1 as became from imago_undo.%1$I j
             where j.entity = u.entity and %3$s and j.op = ''u'' and j.batch <> $1 and j.side ? s.key order by j.batch desc limit 1) mine on true
           left join lateral (select true as is_there, l.became from (%7$s) l order by l.batch desc limit 1) last on true
           where s.value ->> 0 is distinct from s.value ->> 1
             -- What is not as a batch, of this plan or another, has left it, somebody else has changed.
             and (last.is_there is null or s.value ->> 0 is not distinct from last.became or mine.is_there and s.value ->> 0 is not distinct from mine.became)
           union all
           select u.entity, u.row_key, v.name, v.was
           from nested u cross join lateral (values %4$s) v(name, was, is_now)
           where not u.is_here and v.was is distinct from v.is_now
         ), known as (
           -- What read_sides has found comes first.
           select distinct on (k.entity, k.row_key, k.name) k.*
           from (
             select s ->> ''entity'' as entity, s -> ''key'' as row_key, c.key as name, c.value as was, 1 as rank
             from jsonb_array_elements($3) s cross join lateral jsonb_each(s -> ''columns'') c
             union all
             select c.entity::text, to_jsonb(c.row_key), c.name, to_jsonb(c.was), 2 from columns c) k
           order by k.entity, k.row_key, k.name, k.rank
         )
         select jsonb_agg(jsonb_build_object(''entity'', r.entity, ''key'', r.row_key, ''columns'', r.columns))
         from (select k.entity, k.row_key, jsonb_object_agg(k.name, k.was) as columns from known k group by k.entity, k.row_key) r',
        write.undo_table, row_keys, same_row,
        coalesce(nullif(imago.each_column('(%2$L, u.before_%1$s::text, u.after_%1$s::text)', write.relation, write.columns), ''), '(null, null, null)'),
        write.relation, imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '),
        coalesce(imago.side_journals(write), 'select 0 as batch, null::text as became where false'))
      into found_rows using batch, case write.stage when plan.stage then keys::text[] else '{}' end, coalesce(sides -> write.relation, '[]');
      execute format('delete from imago_undo.%I u where u.batch = $1', write.undo_table) using batch;
      if found_rows is not null then
        sides := sides || jsonb_build_object(write.relation, found_rows);
      end if;
    end if;
    -- What the last pass sets off is left alone.
    perform set_config('imago.fired_' || write.id, '', true);
  end loop;
  return sides;
end
$$;
comment on function imago.read_nested(imago.plan, bigint, anyarray, jsonb) is 'Adds to what read_sides has found what triggers of the app have updated while rows went back. Each column of them is as it was when it has no part in the way forward; what somebody has changed since takes what its triggers do.';
