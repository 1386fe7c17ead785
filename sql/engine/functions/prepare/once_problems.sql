create or replace function imago.once_problems(staged imago.plan)
returns setof imago.problem
language sql
stable
set search_path = ''
as $$
  select 'error', f.kind, f.name, f.message, f.hint
  from (
    select 'missing_function' as kind, n.name, 'is missing' as message, 'It is what the stage does: a function without arguments.' as hint
    from (select format('%I.%I()', staged.name, 'do_' || staged.stage) as name) n
    where pg_catalog.to_regprocedure(n.name) is null
    union all
    select 'not_transactional', p.oid::pg_catalog.regprocedure::text, 'calls setval, which no rollback takes back: not that of a dry run, nor that of a call that fails',
      'Have it say alter sequence … restart with … instead.'
    from pg_catalog.pg_proc p
    where p.oid in (
        pg_catalog.to_regprocedure(format('%I.%I()', staged.name, 'do_' || staged.stage)),
        pg_catalog.to_regprocedure(format('%I.%I()', staged.name, 'undo_' || staged.stage)))
      and pg_catalog.pg_get_functiondef(p.oid) ~* '\msetval\M'
  ) f
  where imago.is_once(staged)
$$;
comment on function imago.once_problems(imago.plan) is 'What speaks against a stage that is done once: its function is missing, or does what no transaction takes back.';
