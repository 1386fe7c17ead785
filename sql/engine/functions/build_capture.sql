create or replace function imago.build_capture(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Old and new rows come in the order of the update: hashed they stay in it, sorted for a merge join they would not.
  attributes constant text :=
    'returns trigger language plpgsql volatile security definer
     set search_path = '''' set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres''
     set extra_float_digits = 1 set bytea_output = ''hex'' set enable_mergejoin = off';
  -- What a trigger of the app writes may belong to other entities than the batch's: it is marked n (nested) until settled.
  -- A sync is a trigger itself.
  nested constant text := 'pg_trigger_depth() > 1 + coalesce(nullif(current_setting(''imago.sync_depth'', true), ''''), ''0'')::integer';
  fired constant text := format(
    'perform set_config(%1$L, (coalesce(nullif(current_setting(%1$L, true), ''''), ''0'')::integer
       + case when %2$s then 2 else 1 end)::text, true);',
    'imago.fired_' || write.id, nested);
  -- Columns are named with their table, so a bare name is ours, whatever the app calls its columns.
  ours constant text := '#variable_conflict use_variable';
  body text;
  touch text[] := imago.touch_columns(write.relation, write.columns);
  partitioned boolean := (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass);
begin
  -- Rows that several entities share are entities of their own.
  write.entity_column := coalesce(write.entity_column, write.key_columns[1]);
  if write.inserts then
    body := format(
      'insert into imago_undo.%I (batch, entity, op, %s, print)
       select imago_batch, n.%I, ''i'', %s, %s from new_rows n;',
      write.undo_table,
      imago.undo_list('key_%1$s', write.relation, write.key_columns),
      write.entity_column,
      imago.undo_list('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.undo_print('n', write.inserted_columns));
    execute format('create or replace function imago_undo.%I() %s as %L', write.undo_table || '_insert', attributes,
      format('%s declare imago_batch bigint; begin if imago.batch_open(true) then imago_batch := current_setting(''imago.batch''); %s %s end if; return null; end', ours, body, fired));
  end if;

  body := '';
  if write.columns <> '{}' then
    body := imago.capture_call(
      'insert into imago_undo.%3$I (batch, entity, op, %4$s, %5$s, %6$s)
       select %1$s, n.%7$I, %2$s, %8$s, %9$s, %10$s
       from old_rows o join new_rows n on %11$s where %12$s',
      write.undo_table,
      imago.undo_list('key_%1$s', write.relation, write.key_columns),
      imago.undo_list('before_%1$s', write.relation, write.columns),
      imago.undo_list('after_%1$s', write.relation, write.columns),
      write.entity_column,
      imago.undo_list('n.%2$I::%4$s', write.relation, write.key_columns),
      imago.undo_list('o.%2$I::%4$s', write.relation, write.columns),
      imago.undo_list('n.%2$I::%4$s', write.relation, write.columns),
      imago.undo_list('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '),
      imago.undo_list('o.%2$I::%5$s is distinct from n.%2$I::%5$s', write.relation, write.columns, ' or '));
  end if;
  if write.inserts then
    -- A later write of ours, or of a trigger within our batch, is not somebody's edit: the fingerprint moves along. That of a row
    -- which somebody edited before stays and says so.
    body := body || imago.capture_call(
      'update imago_undo.%3$I j set print = %4$s from old_rows o join new_rows n on %8$s
       where j.entity = n.%5$I and j.op = ''i'' and %6$s and (j.batch = %1$s or j.print is not distinct from %7$s)',
      write.undo_table, imago.undo_print('n', write.inserted_columns), write.entity_column,
      imago.undo_list('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and '),
      imago.undo_print('o', write.inserted_columns),
      imago.undo_list('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and '));
  end if;
  execute format('create or replace function imago_undo.%I() %s as %L', write.undo_table || '_update', attributes,
    -- The first question is the whole of it for a statement of the app's. Of the rows only matters whether they are more than 100.
    format('%s declare imago_batch bigint; imago_rows bigint; imago_kind "char";
            begin
              if current_setting(''imago.batch'', true) <> '''' and imago.batch_open(true) then
                imago_batch := current_setting(''imago.batch''); imago_kind := case when %s then ''n'' else ''u'' end;
                select count(*) into imago_rows from (select from new_rows limit 101) few; %s %s if current_setting(''imago.dry'', true) = ''on'' then %s end if;
              end if;
              return null;
            end',
      ours, nested, body, fired, imago.undeclared_probe(write)));

  if touch <> '{}' then
    body := (select string_agg(format('new.%1$I := old.%1$I;', c), ' ') from unnest(touch) c);
    -- Writes straight to a partition that came later pass by the guard, so there each row asks.
    if partitioned then
      body := format('if imago.batch_open() then %s end if;', body);
    end if;
    -- Runs for each row, and the clauses security definer and set would cost more than the body. It looks nothing up, so it does
    -- without them; on a partitioned table it does.
    execute format(
      'create or replace function imago_undo.%I() returns trigger language plpgsql volatile %s as %L',
      write.undo_table || '_keep',
      case when partitioned then 'security definer set search_path = ''''' else 'security invoker' end,
      format('begin %s return new; end', body));
  end if;
end
$$;
comment on function imago.build_capture(imago.plan_write) is 'Generates the trigger functions that capture one declared write, with its columns and types written out.';
