create or replace function imago.build_keep(write imago.plan_write, touch text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  body text := (select string_agg(format('new.%1$I := old.%1$I;', c), ' ') from unnest(touch) c);
  partitioned boolean := (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass);
begin
  -- Writes straight to a partition that came later pass by the guard, so there each row asks.
  if partitioned then
    body := format('if imago.is_batch_open() then %s end if;', body);
  end if;
  -- Runs for each row, and the clauses security definer and set would cost more than the body. It looks nothing up, so it does
  -- without them; on a partitioned table it does.
  execute format(
    'create or replace function imago_undo.%I() returns trigger language plpgsql volatile %s as %L',
    write.undo_table || '_keep',
    case when partitioned then 'security definer set search_path = ''''' else 'security invoker' end,
    format('begin %s return new; end', body));
end
$$;
comment on function imago.build_keep(imago.plan_write, text[]) is 'Generates the trigger function that keeps these columns as they are while a batch writes the rows.';
