create or replace function imago.add_once(plan_name text, number integer, what text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  mark constant text := format('%I.%I', plan_name, 'once_' || number);
  suffix constant text := case when number > 1 then '_' || number else '' end;
begin
  perform imago.find_plan(plan_name);
  -- One row that says whether it is done. As any entity it is locked, journaled, set aside and taken back.
  execute format('create table %s (id integer primary key default 1 check (id = 1), done boolean not null default false)', mark);
  execute format('comment on table %s is %L', mark, format('Whether stage %s (%s) is done.', number, what));
  execute format('insert into %s default values', mark);
  execute format('create view %I.%I as select o.id as entity from %s o where not o.done', plan_name, 'pending' || suffix, mark);
  execute format('comment on view %I.%I is %L', plan_name, 'pending' || suffix, format('Stage %s (%s), until it is done.', number, what));
  execute format(
    'create function %1$I.%2$I(keys integer[]) returns void language plpgsql volatile set search_path = '''' as $sql$
     begin
       perform set_config(''search_path'', imago.app_search_path(), true);
       if exists (select from %3$s o where o.id = any (keys) and not o.done) then
         perform %1$I.%4$I();
         update %3$s o set done = true where o.id = any (keys) and not o.done;
       end if;
     end
     $sql$', plan_name, 'apply' || suffix, mark, 'do_' || number);
  execute format('comment on function %I.%I(integer[]) is %L', plan_name, 'apply' || suffix, format('Does stage %s (%s), unless it is done.', number, what));
  execute format(
    'create function %1$I.%2$I() returns trigger language plpgsql volatile set search_path = '''' as $sql$
     begin
       if pg_catalog.to_regprocedure(%3$L) is not null then
         perform set_config(''search_path'', imago.app_search_path(), true);
         execute ''select %3$s'';
       end if;
       return null;
     end
     $sql$', plan_name, 'take_back_' || number, format('%I.%I()', plan_name, 'undo_' || number));
  execute format('comment on function %I.%I() is %L', plan_name, 'take_back_' || number, format('Takes stage %s (%s) back, as far as no journal holds it.', number, what));
  execute format(
    'create trigger taken_back after update of done on %s for each row when (old.done and not new.done) execute function %I.%I()',
    mark, plan_name, 'take_back_' || number);
  insert into imago.plan_stage (plan, number, source_schema, source_table, key_column, entity_singular, entity_plural)
  select plan_name, add_once.number, plan_name, 'once_' || add_once.number, 'id', what, what
  where add_once.number > 1;
  insert into imago.plan_write (plan, position, stage, relation, entity_column, columns)
  values (plan_name, 1000 + add_once.number, add_once.number, mark, 'id', '{done}');
end
$$;
comment on function imago.add_once(text, integer, text) is 'For plans: registers a stage that is done once, in one transaction, by do_<number>() of the plan''s schema. undo_<number>() takes back what no journal holds: a sequence, a materialized view. what: what people call it. In schema.sql, after create_plan; a plan whose first stage it is names its own schema, once_1 and id there.

Example: select imago.add_once(''initials'', 2, ''list of initials'')';
