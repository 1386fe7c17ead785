create or replace function imago.fill_body(sync imago.plan_sync, sources oid[])
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Statements may lie in each other: each has its state before those of the statements that it lies in.
  return format(
    '#variable_conflict use_column
     declare
       imago_state text := pg_catalog.current_setting(%1$L, true);
       imago_kind text := pg_catalog.left(imago_state, 1);
       imago_last record;
       imago_may boolean := true;
       imago_is_moving boolean := true;
     begin
       if tg_level = ''STATEMENT'' then
         imago_kind := ''n0'';
         -- What a batch inserts is the batch''s. In other isolation levels a row that somebody has changed since would fail the
         -- statement.
         if coalesce(pg_catalog.current_setting(''imago.batch'', true), '''') = ''''
           and pg_catalog.current_setting(''transaction_isolation'') = ''read committed'' then
           begin
             -- Small queries in the order in which most writes are done with: each expression of a large one would be prepared
             -- for every write.
             select r.direction, r.state, r.started_at into imago_last
             from imago.run r where r.plan = %2$L and r.validation is null order by r.id desc limit 1;
             if not found then
               imago_may := false;
             elsif imago_last.direction = ''forward'' and imago_last.state = ''succeeded'' then
               imago_is_moving := exists (
                 select from imago.run r where r.plan = %2$L and r.state in (''pending'', ''running'', ''paused''));
             elsif imago_last.direction = ''rollback'' or imago_last.started_at is null then
               imago_may := exists (
                 select from imago.run r
                 where r.plan = %2$L and r.direction = ''forward'' and r.validation is null and r.started_at is not null);
             end if;
             -- Names are looked up here, where an error can be caught. They stay what they are while the transaction has read
             -- them.
             -- The judgement is in the plan of the query, which is made again after each change to the table.
             if imago_may then
               select imago.judge_fill(%4$s, %3$L, %11$L, %5$L) into imago_may
               from (select) one left join lateral (select %6$s from %7$s new) named on false;
             end if;
             if imago_may then
               imago_kind := case when imago_is_moving then ''s0'' else ''k0'' end;
             end if;
           exception when others or assert_failure then
             imago_kind := ''n0'';
           end;
         end if;
         imago_state := pg_catalog.set_config(%1$L, imago_kind || coalesce(''|'' || nullif(imago_state, ''''), ''''), true);
         return null;
       end if;
       if imago_kind is null or imago_kind in (''n'', '''') then
         return new;
       end if;
       if new.%8$I is not null then
         if imago_kind in (''k'', ''s'') then
           perform pg_catalog.set_config(%1$L, ''n'' || pg_catalog.substr(imago_state, 2), true);
         else
           perform imago.note_unfilled(%1$L, imago_state, %9$s);
         end if;
         return new;
       end if;
       if imago_kind in (''K'', ''k'') then
         new.%8$I := %6$s;
       else
         new.%8$I := %10$s;
       end if;
       if imago_kind in (''k'', ''s'') then
         imago_state := pg_catalog.set_config(%1$L, pg_catalog.upper(imago_kind) || pg_catalog.substr(imago_state, 2), true);
       end if;
       return new;
     end',
    'imago.' || imago.fill_function(sync.plan, sync.position), sync.plan, sync.fills, sync.relation::pg_catalog.regclass::oid,
    format('imago_undo.%I()', imago.sync_function(sync.plan, sync.position)),
    imago.fill_query(sync, false), sync.relation, sync.fills, imago.row_key('new', sync.relation), imago.fill_query(sync, true),
    sources);
end
$$;
comment on function imago.fill_body(imago.plan_sync, oid[]) is 'PL/pgSQL: the body of the trigger function that fills a column of new rows. Before a statement it finds out whether it may, before each row it does. It waits for nobody, and leaves a row as it is where another has its entity.';
